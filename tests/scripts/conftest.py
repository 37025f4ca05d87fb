"""A small product for the engine to serve: its declaration, one user, and a sandbox that all tests share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

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


@pytest.fixture
def scripts(product: Product, shared_sandbox: Sandbox) -> Scripts:
    """The product and the shared sandbox."""
    return Scripts(product, shared_sandbox)


@pytest.fixture
def own_sandbox(product: Product) -> Iterator[Sandbox]:
    """A sandbox that a test may break."""
    with Sandbox(product.declaration, Limits(cpu_seconds=0.3, wall_seconds=1.0)) as sandbox:
        yield sandbox
