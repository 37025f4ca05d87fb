"""A small product for the engine to serve: its declaration, one user, and a sandbox that all tests share."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from mobid_scripts.declaration import Declaration
from mobid_scripts.kinds import Choice, Choices, Span, Table, Text
from mobid_scripts.limits import Limits
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid_scripts.outcome import Checked, Outcome

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
KINDS = ("authentication", "signature", "encryption")


@dataclass(frozen=True)
class Product:
    """A declaration with what belongs to a run of its scripts."""

    declaration: Declaration
    defaults: Mapping[str, object]
    user: Mapping[str, object]
    now: datetime = NOW

    def run(self, sandbox: Sandbox, source: str, **attributes: object) -> Outcome:
        """Run a script for the user, with some attributes changed."""
        user = {**self.user, **attributes}
        return sandbox.run(source, user, defaults=self.defaults, now=self.now)


class Scripts:
    """What most tests need: run or check a script in the shared sandbox."""

    def __init__(self, product: Product, sandbox: Sandbox) -> None:
        self.product = product
        self.sandbox = sandbox

    def run(self, source: str, **attributes: object) -> Outcome:
        """Run a script for the user, with some attributes changed."""
        return self.product.run(self.sandbox, source, **attributes)

    def check(self, source: str) -> Checked:
        """Check a script."""
        return self.sandbox.check(source)

    def options(self, source: str, **attributes: object) -> Mapping[str, object]:
        """Run a script that must succeed and return the options."""
        outcome = self.run(source, **attributes)
        assert outcome.options is not None, [str(fault) for fault in outcome.diagnostics]
        return outcome.options

    def fault(self, source: str, **attributes: object) -> str:
        """Run a script that must fail with one diagnostic and return its message."""
        (diagnostic,) = self.run(source, **attributes).diagnostics
        return diagnostic.message


# The first wall without the other two: a process with all its rights, that runs scripts in forks of itself.
# The limits are there so that a script which is not stopped by the language ends at all.
_LANGUAGE_ALONE = """
import json, os, resource, signal, sys
from mobid_scripts import execution
from mobid_scripts.declaration import Declaration
declaration = Declaration.from_json(sys.stdin.readline())
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
for line in sys.stdin:
    if not json.loads(line)["fork"]:
        print(json.dumps(execution.run(json.loads(line), declaration)), flush=True)
        sys.setrecursionlimit(1000)
        continue
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.setitimer(signal.ITIMER_PROF, 0.5)
        request = json.loads(line)
        with os.fdopen(writer, "w") as out:
            json.dump(execution.run(request, declaration), out)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answered:
        answer = answered.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(answer if status == 0 else json.dumps({"status": status}), flush=True)
"""


class LanguageAlone:
    """Runs scripts in a process that is not locked down at all."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-W", "ignore", "-c", _LANGUAGE_ALONE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(product.declaration.to_json())

    def run(self, source: str, *, fork: bool = True) -> dict[str, Any]:
        """Return the raw answer, or `{"status": n}` if there was none; without a fork nothing is limited."""
        product = self._product
        request: dict[str, Any] = {"fork": fork, "source": source}
        request |= {"user": product.user, "defaults": product.defaults}
        self._say(json.dumps({**request, "now": product.now.isoformat()}))
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        """End it."""
        with self._process:
            self._process.kill()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@pytest.fixture(scope="session")
def product() -> Product:
    """A product with an option of each kind."""
    declaration = Declaration(
        options=(
            Choices(name="certificates", values=KINDS, least=1, most=8),
            Choice(
                name="qr_location",
                values=("self_service", "email"),
                yes="self_service",
                no="email",
                unavailable={"email": 'is not built; use "self_service"'},
            ),
            Span(name="validity", least_days=1, most_years=10),
            Text(name="user_id", most=128),
            Table(
                name="properties",
                key="[a-z][a-z0-9_]{0,31}",
                key_words="it is a small letter, then letters, digits or _",
                most_keys=20,
                most_value=256,
            ),
        ),
        attributes=("userName", "displayName", "department", "email", "groups", "active"),
        groups="groups",
        constants={"cert": {kind.upper(): kind for kind in KINDS}},
    )
    return Product(
        declaration,
        defaults={
            "certificates": ["authentication"],
            "qr_location": "self_service",
            "validity": "P2Y",
            "user_id": "ada",
            "properties": {},
        },
        user={
            "userName": "ada",
            "displayName": "Ada Lovelace",
            "department": "Finance",
            "email": "ada@example.org",
            "groups": ["staff", "site-north"],
            "active": True,
        },
    )


@pytest.fixture(scope="session")
def shared_sandbox(product: Product) -> Iterator[Sandbox]:
    """One sandbox for all tests that do not break theirs."""
    with Sandbox(product.declaration, Limits(cpu_seconds=0.25)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def language_alone(product: Product) -> Iterator[LanguageAlone]:
    """The language without any wall around it."""
    alone = LanguageAlone(product)
    yield alone
    alone.close()


@pytest.fixture
def scripts(product: Product, shared_sandbox: Sandbox) -> Scripts:
    """The product and the shared sandbox."""
    return Scripts(product, shared_sandbox)


@pytest.fixture
def own_sandbox(product: Product) -> Iterator[Sandbox]:
    """A sandbox that a test may break."""
    with Sandbox(product.declaration, Limits(cpu_seconds=0.3, wall_seconds=6.0)) as sandbox:
        yield sandbox
