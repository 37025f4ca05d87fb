"""What is really there: ids, versions, cursors, and the tokens of clients that speak each dialect."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from .line import Answer, Sent

ENDPOINTS: Final = ("/Users", "/Groups", "/MobileIDs")
_REMEMBERED: Final = 40
_LOCATION: Final = re.compile(r".*(/(?:Users|Groups|MobileIDs))/([0-9a-f-]{36})")
_NOBODY: Final = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list, and the search that it belongs to."""

    endpoint: str
    query: tuple[tuple[str, str], ...]
    text: str


@dataclass
class World:
    """What requests are made of. It learns from answers, and forgets what is long ago."""

    tokens: Mapping[str, str]
    ids: dict[str, list[str]] = field(default_factory=lambda: {one: [] for one in ENDPOINTS})
    gone: list[str] = field(default_factory=lambda: [_NOBODY])
    tags: dict[str, str] = field(default_factory=dict)
    cursors: list[Cursor] = field(default_factory=list)
    names: list[str] = field(default_factory=lambda: ["fuzz", "anna@example.org", "work"])
    number: int = 0

    def new_name(self) -> str:
        """Return a name that nobody has."""
        self.number += 1
        name = f"fuzz-{self.number}@example.org"
        self._keep(self.names, name)
        return name

    def an_id(self, rng: Random, endpoint: str) -> str:
        """Return the id of somebody who is there, or, now and then, of somebody who is not."""
        known = self.ids[endpoint]
        return self.any_id(rng) if not known or rng.random() < 0.05 else rng.choice(known)

    def any_id(self, rng: Random) -> str:
        """Return an id of any type."""
        return rng.choice([*self.gone, *(one for some in self.ids.values() for one in some)])

    def learn(self, sent: Sent, answer: Answer) -> None:
        """Remember what an answer tells."""
        found = _LOCATION.fullmatch(answer.header("Location"))
        if answer.status == 201 and found:
            self._keep(self.ids[found[1]], found[2])
        if answer.status == 204 and sent.method == "DELETE" and sent.touches:
            endpoint, _, gone = sent.touches.rpartition("/")
            if gone in self.ids.get(endpoint, ()):
                self.ids[endpoint].remove(gone)
                self._keep(self.gone, gone)
        if sent.touches and answer.header("ETag"):
            self.tags[sent.touches] = answer.header("ETag")
        if b"ursor" in answer.body[-2_000:] + answer.body[:2_000]:
            self._learn_cursors(sent, answer)
        if sent.endpoint == "/Bulk" and answer.status == 200:
            for one in answer.said.get("Operations", []):
                made = _LOCATION.fullmatch(str(one.get("location")))
                if one.get("status") == "201" and made:
                    self._keep(self.ids[made[1]], made[2])

    def _learn_cursors(self, sent: Sent, answer: Answer) -> None:
        for name in ("nextCursor", "previousCursor"):
            if isinstance(text := answer.said.get(name), str):
                self._keep(self.cursors, Cursor(sent.endpoint, sent.query, text))

    @staticmethod
    def _keep(some: list[Any], one: object) -> None:
        some.append(one)
        if len(some) > _REMEMBERED:
            del some[0]


def query_text(pairs: tuple[tuple[str, str], ...]) -> str:
    """Return parameters as a URL has them; lone surrogates become bytes that are no UTF-8."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)


def encoded(text: str) -> str:
    """Return a text as a part of a URL."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def parsed(body: bytes) -> dict[str, Any]:
    """Return a JSON object; an empty one for what is none."""
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
