"""Whole lives of users and groups, as known clients tell them (`dialogues/*.json`), over HTTP.

Each exchange says where it is documented. One that is not as the RFCs have it names the rules of the
dialect that take it, and what a strict provider answers; an exchange that names none must be taken by a
strict provider, too. What an exchange did is read back by a client that is strict.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx2
import pytest

from mobid.app import Product
from mobid.auth.tokens import SCOPES
from mobid.config import load
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience
from mobid_scim.dialect import STRICT
from mobid_scim.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.conftest import Site

FOLDER: Final = Path(__file__).with_name("dialogues")
DIALOGUES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
NOT_SENT: Final = frozenset({"strict", "rfc7643"})
"""Dialects that no dialogue is about: one has no rules, the other changes answers of discovery alone."""
PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what is to come of it; a name in angle brackets stands for something kept before."""

    what: str
    source: str = ""
    request: str = ""
    status: int = 0
    body: Any = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    """A part of the answer; null is what it does not have."""
    keep: Mapping[str, str] = field(default_factory=dict)
    """What of the answer is kept, by the name that it gets."""
    rules: tuple[str, ...] = ()
    """The rules without which it would be refused."""
    strict: Mapping[str, Any] = field(default_factory=dict)
    """Status and scimType of that refusal."""
    reads: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Parts of what a strict client reads afterwards, by path."""
    becomes: Mapping[str, Any] = field(default_factory=dict)
    """What a strict client reads of the user's mobile ID in the end, when the CA has confirmed."""
    mobile_id_of: str = ""
    """Instead of a request: the user who gets a mobile ID now."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """What one client says in a life."""

    client: str
    dialect: str
    headers: Mapping[str, str]
    sources: Mapping[str, str]
    exchanges: tuple[Exchange, ...]

    @classmethod
    def read(cls, name: str) -> Dialogue:
        """Read a dialogue; a member that nobody knows is an error."""
        data = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        exchanges = tuple(
            Exchange(**each | {"rules": tuple(each.get("rules", ()))})
            for each in data.pop("exchanges")
        )
        return cls(**data, exchanges=exchanges)


class Life:
    """A life that is being told by one client, whose tokens speak a dialect each."""

    def __init__(self, site: Site, dialogue: Dialogue, tokens: Mapping[str, str]) -> None:
        self._site: Final = site
        self._dialogue: Final = dialogue
        self._tokens: Final = tokens
        self._run: Final = secrets.token_hex(6)
        self._kept: Final = {"run": self._run}
        self._http: Final = httpx2.Client(base_url=f"{site.url}/scim/v2", timeout=PATIENCE)

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def tell(self) -> None:
        """Tell it in the dialect, with a mobile ID that follows what becomes of its user."""
        mobile_id = ""
        for each in self._dialogue.exchanges:
            if each.mobile_id_of:
                _, mobile_id = self._site.activate(self._filled(each.mobile_id_of))
            else:
                self._exchange(each, self._dialogue.dialect)
                self._check_effects(each)
            if each.becomes:
                self._site.until_shown(mobile_id, each.becomes)

    def tell_strictly(self) -> None:
        """Tell it strictly; what is refused and has changed nothing is told again in the dialect."""
        for each in self._dialogue.exchanges:
            if each.mobile_id_of:
                continue
            if each.rules:
                before = self._everything()
                refused = self._send(each, STRICT.name)
                said = refused.json()
                assert (refused.status_code, said["scimType"]) == tuple(each.strict.values()), (
                    f"{each.what}: {refused.text}"
                )
                assert self._everything() == before, each.what
            self._exchange(each, self._dialogue.dialect if each.rules else STRICT.name)

    def _exchange(self, each: Exchange, dialect: str) -> None:
        """Send a request, and look at the answer."""
        answer = self._send(each, dialect)
        assert answer.status_code == each.status, f"{each.what}: {answer.text}"
        said = answer.json() if answer.content else {}
        differs = difference(said, self._filled(each.answer), "the answer")
        assert not differs, f"{each.what}: {differs}"
        self._kept.update({name: said[member] for name, member in each.keep.items()})

    def _check_effects(self, each: Exchange) -> None:
        for path, expected in each.reads.items():
            differs = difference(self._read(path), self._filled(expected), path)
            assert not differs, f"{each.what}: {differs}"

    def _send(self, each: Exchange, dialect: str) -> httpx2.Response:
        method, path = each.request.split(" ", 1)
        body = None if each.body is None else json.dumps(self._filled(each.body)).encode()
        headers = {**self._dialogue.headers, "Authorization": f"Bearer {self._tokens[dialect]}"}
        return self._http.request(method, self._url(path), content=body, headers=headers)

    def _read(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self._tokens[STRICT.name]}"}
        answer = self._http.get(self._url(path), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _everything(self) -> Any:
        """Read all that this life has made: its names have the name of the run in them."""
        return self._read(f'/?filter=userName co "{self._run}" or displayName co "{self._run}"')

    def _url(self, path: str) -> str:
        return quote(self._filled(path), safe="/?&=:+%,()[]@")

    def _filled(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self._filled(each) for name, each in value.items()}
            case list():
                return [self._filled(each) for each in value]
            case str():
                for name, kept in self._kept.items():
                    value = value.replace(f"<{name}>", kept)
                return value
            case _:
                return value


def difference(found: Any, expected: Any, place: str) -> str:
    """Return what of the expected part is not there, or is otherwise; nothing if all is well."""
    if isinstance(expected, dict) and isinstance(found, dict):
        parts = (
            difference(found.get(name), each, f"{place}: {name}") for name, each in expected.items()
        )
        return "; ".join(filter(None, parts))
    if isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = enumerate(zip(found, expected, strict=True))
        return "; ".join(filter(None, (difference(a, b, f"{place}[{at}]") for at, (a, b) in pairs)))
    return "" if found == expected else f"{place} is {found!r}, and not {expected!r}"


@pytest.fixture(params=DIALOGUES)
def dialogue(request: pytest.FixtureRequest) -> Dialogue:
    """Return what one client says."""
    return Dialogue.read(request.param)


@pytest.fixture(scope="session")
def tokens_at() -> Callable[[Site], Mapping[str, str]]:
    """Return the tokens of one client at a site, by the dialect that each speaks; they are made once."""
    made: dict[Path, dict[str, str]] = {}

    def at(site: Site) -> Mapping[str, str]:
        if site.home not in made:
            with Product(load(site.home, {})) as product:
                made[site.home] = {
                    dialect: product.tokens.create(
                        "dialogues",
                        Audience.SCIM,
                        SCOPES[Audience.SCIM],
                        dialect=dialect,
                        by=SYSTEM,
                    ).bearer.reveal()
                    for dialect in DIALECTS
                }
        return made[site.home]

    return at


@pytest.fixture
def life(
    site: Site, dialogue: Dialogue, tokens_at: Callable[[Site], Mapping[str, str]]
) -> Iterator[Life]:
    """Begin a life at a real server."""
    begun = Life(site, dialogue, tokens_at(site))
    yield begun
    begun.close()


def test_a_life_is_told(life: Life) -> None:
    """Every request has the effect that the client wants, and mobile IDs follow their users."""
    life.tell()


@pytest.mark.parametrize(
    "dialogue", [name for name in DIALOGUES if name in DIALECTS], indirect=True
)
def test_a_strict_provider_takes_what_is_standard_and_refuses_the_rest(life: Life) -> None:
    """What is refused changes nothing; what names no rule needs none."""
    life.tell_strictly()


def test_every_exchange_says_where_it_is_documented(dialogue: Dialogue) -> None:
    """And every source is cited: one that is not would be a claim about nothing."""
    cited = {each.source for each in dialogue.exchanges if each.request}
    assert cited == dialogue.sources.keys()


def test_every_rule_is_needed_by_a_dialogue() -> None:
    """A rule that no known request needs has no business here, nor has a name that no rule has."""
    named: dict[str, set[str]] = {name: set() for name in DIALECTS if name not in NOT_SENT}
    for each in map(Dialogue.read, DIALOGUES):
        for exchange in each.exchanges:
            assert bool(exchange.rules) == bool(exchange.strict), exchange.what
            named.setdefault(each.dialect, set()).update(exchange.rules)
    known = {name: {type(rule).__name__ for rule in DIALECTS[name].rules} for name in named}
    assert named == known


def test_a_dialogue_is_a_whole_life(dialogue: Dialogue) -> None:
    """Made, found, changed, suspended, restored, and ended; with a group whose members come and go."""
    methods = {each.request.split(" ")[0] for each in dialogue.exchanges if each.request}
    assert methods >= {"GET", "POST", "PATCH", "DELETE"}
    ended = "inactive" if dialogue.client == "Okta" else "locked"
    states = [each.becomes["state"] for each in dialogue.exchanges if each.becomes]
    assert states == ["inactive", "active", ended]
    groups = [each for each in dialogue.exchanges if each.request.startswith("POST /Groups")]
    assert len(groups) == 1


@pytest.mark.parametrize(
    ("found", "expected", "differs"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, ""),
        ({"a": 1}, {"a": True, "b": None}, ""),
        ({"a": 1}, {"a": 2}, "here: a is 1, and not 2"),
        ({"a": 1}, {"a": None}, "here: a is 1, and not None"),
        ([1, 2], [1], "here is [1, 2], and not [1]"),
        ([{"a": 1}], [{"a": 2}], "here[0]: a is 1, and not 2"),
        (None, {"a": 1}, "here is None, and not {'a': 1}"),
    ],
)
def test_a_difference_is_told(found: object, expected: object, differs: str) -> None:
    """What compares answers can fail."""
    assert difference(found, expected, "here") == differs
