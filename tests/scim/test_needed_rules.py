"""Each rule that an exchange of a dialogue names is needed: without it, something else happens."""

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from mobid_scim.dialect import Dialect
from mobid_scim.dialects import DIALECTS

FOLDER = Path(__file__).parents[1] / "e2e" / "dialogues"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem in DIALECTS)


class _UndoneError(Exception):
    """Leaves the block in which a request was tried."""


@dataclass
class Telling:
    """A dialogue that is told to a provider in memory, in a dialect that can lose a rule."""

    client: FlaskClient
    rows: Any
    kept: dict[str, str]

    def __call__(self, exchange: dict[str, Any]) -> Any:
        """Send a request; return status and JSON of the answer, and all that there is afterwards."""
        text = json.dumps(exchange)
        for name, value in self.kept.items():
            text = text.replace(f"<{name}>", value)
        filled = json.loads(text)
        method, path = filled["request"].split(" ", 1)
        url = f"/scim/v2{quote(path, safe='/?&=:+%,()[]@')}"
        answer = self.client.open(url, method=method, json=filled.get("body"))
        said = answer.get_json(force=True) if answer.data else {}
        return answer.status_code, said, dict(self.rows.stored), dict(self.rows.external_ids)

    def tried(self, exchange: dict[str, Any]) -> Any:
        """Do the same, and undo it."""
        numbers = copy.copy(self.rows.numbers)
        found = None
        with suppress(_UndoneError), self.rows.undone_by_errors():
            found = self(exchange)
            raise _UndoneError
        self.rows.numbers = numbers
        return found


@pytest.mark.parametrize("name", NAMES)
def test_without_a_rule_an_exchange_ends_otherwise(
    name: str, rows: Any, client_of: Callable[..., FlaskClient]
) -> None:
    """So no rule is named in vain, and none takes what another one takes already."""
    whole = DIALECTS[name]
    spoken = [whole]
    client = client_of(dialect_of=lambda _: spoken[0])
    telling = Telling(client, rows, {"run": "r"})
    for exchange in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["exchanges"]:
        if "request" not in exchange:
            continue
        wanted = telling.tried(exchange)
        for rule in exchange.get("rules", ()):
            spoken[0] = without(whole, rule)
            assert telling.tried(exchange) != wanted, (exchange["what"], rule)
            spoken[0] = whole
        status, said, *_ = telling(exchange)
        assert status == exchange["status"], (exchange["what"], said)
        telling.kept |= {kept: said[member] for kept, member in exchange.get("keep", {}).items()}


def without(dialect: Dialect, rule: str) -> Dialect:
    """Return a dialect that has lost a rule."""
    kept = tuple(each for each in dialect.rules if type(each).__name__ != rule)
    assert len(kept) < len(dialect.rules)
    return replace(dialect, rules=kept)
