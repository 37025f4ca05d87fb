"""Every route, every method, every caller: who gets in, from the map of the routes itself.

A new route fails here until the table says who may use it. Authorised callers meet what is not there
(404), not theirs (404) or not complete (400, 422), so that nothing comes of all these requests; what
they do with a good one is for the tests of each surface.
"""

from __future__ import annotations

import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from mobid.auth.sessions import sign_in
from mobid.auth.tokens import SCOPES
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.e2e.conftest import Handset, World
    from werkzeug.routing import Rule

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
HOST: Final = "http://127.0.0.1:8080"
SIGN_IN: Final = -303
"""A page that sends its caller to sign in, told from one that sends them on."""
USUAL: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
NOBODY: Final = "nobody"
ALICE: Final = "alice, by a front end"
BOB: Final = "bob, by a front end"
UNKNOWN: Final = "alice, by an unknown front end"
COOKIE: Final = "alice's session"
FORM: Final = "alice's session, with the CSRF token of its form"
ELSEWHERE: Final = "alice's session, from a form of another site"
PHONE: Final = "a phone"
EVIL: Final = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


class Surface(Enum):
    """Where a route is, which says how its callers are known."""

    SCIM = auto()
    ADMIN = auto()
    HOOKS = auto()
    PHONES = auto()
    PAGES = auto()
    OPEN = auto()


@dataclass(frozen=True, slots=True)
class Door:
    """What a method of a route asks for, and what it answers to whom it lets in."""

    answers: int
    scope: str = ""
    others: int = 0
    """What is answered to a user whose it is not; nothing, if it is nobody's."""
    form: bool = False
    """Whether a page asks for its own form, with its CSRF token."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a route is, and the doors of its methods; HEAD has the door of GET."""

    surface: Surface
    doors: Mapping[str, Door] = field(default_factory=dict)
    anything: int = 405
    """What any other method is answered, by whom it lets in at all."""


def scim(**doors: Door) -> Route:
    """Return a route for SCIM clients."""
    return Route(Surface.SCIM, doors)


def every(write: str) -> Route:
    """Return the route of the resources of a type."""
    return scim(GET=Door(200, "scim:read"), POST=Door(400, write))


def one(write: str) -> Route:
    """Return the route of one resource of a type: one that is not there."""
    return scim(
        GET=Door(404, "scim:read"),
        PUT=Door(400, write),
        PATCH=Door(400, write),
        DELETE=Door(404, write),
    )


def hooks(**doors: Door) -> Route:
    """Return a route for end users behind a front end."""
    return Route(Surface.HOOKS, doors)


def admin(**doors: Door) -> Route:
    """Return a route for administrators."""
    return Route(Surface.ADMIN, doors)


def phones(answers: int) -> Route:
    """Return a route for phones."""
    return Route(Surface.PHONES, {"POST": Door(answers)})


def page(answers: int = 200) -> Route:
    """Return a page for users who have signed in."""
    return Route(Surface.PAGES, {"GET": Door(answers)})


def form(answers: int) -> Route:
    """Return what a form of our pages is sent to."""
    return Route(Surface.PAGES, {"POST": Door(answers, form=True)})


def everybody(**doors: Door) -> Route:
    """Return a route that asks nobody who they are."""
    return Route(Surface.OPEN, doors)


READ: Final = "admin:read"
SCRIPT: Final = "admin:script"
DISCOVERY: Final = scim(GET=Door(200))
DISCOVERED: Final = scim(GET=Door(404))
SEARCH: Final = scim(POST=Door(400, "scim:read"))
SHOWN: Final = everybody(GET=Door(200))

STRANGERS: Final[Mapping[Surface, set[int]]] = {
    Surface.SCIM: {401},
    Surface.ADMIN: {401},
    Surface.HOOKS: {401},
    Surface.PHONES: {400, 415},
    Surface.PAGES: {SIGN_IN},
}
TABLE: Final[Mapping[str, Route]] = {
    "scim./": scim(GET=Door(200, "scim:read")),
    "scim./search": SEARCH,
    "scim./Bulk": scim(POST=Door(400)),
    "scim./Me": scim(**dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"), Door(501))),
    "scim./Users": every("scim:write"),
    "scim./Users/<resource_id>": one("scim:write"),
    "scim./Users/search": SEARCH,
    "scim./Groups": every("scim:write"),
    "scim./Groups/<resource_id>": one("scim:write"),
    "scim./Groups/search": SEARCH,
    "scim./MobileIDs": every("mobile-ids:write"),
    "scim./MobileIDs/<resource_id>": one("mobile-ids:write"),
    "scim./MobileIDs/search": SEARCH,
    "scim./ServiceProviderConfig": DISCOVERY,
    "scim./ResourceTypes": DISCOVERY,
    "scim./ResourceTypes/<name>": DISCOVERED,
    "scim./Schemas": DISCOVERY,
    "scim./Schemas/<urn>": DISCOVERED,
    "scim./<scim_rest:unknown>": Route(Surface.SCIM, anything=404),
    "processes.processes": hooks(GET=Door(200)),
    "processes.start": hooks(POST=Door(422)),
    "processes.show": hooks(GET=Door(200, others=404)),
    "processes.act": hooks(POST=Door(409, others=404)),
    "processes.png": hooks(GET=Door(409, others=404)),
    "processes.svg": hooks(GET=Door(409, others=404)),
    "device.claim": phones(200),
    "device.keys": phones(422),
    "device.result": phones(202),
    "device.confirm": phones(422),
    "device.status": phones(200),
    "device.remove": phones(200),
    "admin.script": admin(GET=Door(200, READ)),
    "admin.version": admin(GET=Door(404, READ)),
    "admin.diff": admin(GET=Door(404, READ)),
    "admin.check": admin(POST=Door(422, SCRIPT)),
    "admin.dry_run": admin(POST=Door(422, SCRIPT)),
    "admin.push": admin(POST=Door(422, SCRIPT)),
    "admin.activate": admin(POST=Door(422, SCRIPT)),
    "admin.test": admin(POST=Door(422, SCRIPT)),
    "admin.rollback": admin(POST=Door(422, SCRIPT)),
    "admin.release": admin(POST=Door(422, SCRIPT)),
    "web.home": page(),
    "web.mobile_ids": page(),
    "web.mobile_id": page(404),
    "web.instance": page(404),
    "web.get": form(303),
    "web.lock": form(404),
    "web.act": form(404),
    "web.sign_out": form(SIGN_IN),
    "web.sign_in": SHOWN,
    "web.sign_in_as": everybody(POST=Door(400)),
    "web.landing": SHOWN,
    "web.static": SHOWN,
    "pki.chain": SHOWN,
    "pki.crl": SHOWN,
    "pki.ask": everybody(POST=Door(415)),
    "pki.ask_by_address": SHOWN,
    "ops.lives": SHOWN,
    "ops.ready": SHOWN,
    "api-docs.openapi_json": SHOWN,
}


def expected(route: Route, methods: Collection[str], method: str, caller: str) -> set[int]:
    """Return what the table says that a caller is answered; `methods` are those that a view takes."""
    if method not in methods:
        return {405}
    if not is_known(route.surface, method, caller):
        return STRANGERS[route.surface]
    door = route.doors.get("GET" if method == "HEAD" else method)
    if door is None and method == "OPTIONS" and route.surface is not Surface.SCIM:
        door = Door(200, SCRIPT if route.surface is Surface.ADMIN else "")
    if door is None:
        return {route.anything}
    return {answer_at(door, caller)}


def is_known(surface: Surface, method: str, caller: str) -> bool:
    """Tell whether a surface knows who calls."""
    match surface:
        case Surface.SCIM:
            return caller in SCOPES[Audience.SCIM]
        case Surface.ADMIN:
            return caller in SCOPES[Audience.ADMIN]
        case Surface.HOOKS:
            return caller in {ALICE, BOB}
        case Surface.PHONES:
            return caller == PHONE or method == "OPTIONS"
        case Surface.PAGES:
            return caller in {COOKIE, FORM, ELSEWHERE}
        case Surface.OPEN:
            return True


def answer_at(door: Door, caller: str) -> int:
    """Return what somebody who is known is answered at a door."""
    if door.scope and caller != door.scope:
        return 403
    if door.form and caller != FORM:
        return 400
    return door.others if door.others and caller != BOB else door.answers


class Callers:
    """Everybody who calls, by name; each knows how they would go about a request."""

    def __init__(self, world: World) -> None:
        self.world: Final = world
        self.alice: Final = world.person()
        self.bob: Final = world.person()
        assert self.bob.start(GET).status_code == 201
        tokens = world.product.tokens
        known = {
            scope: tokens.create("one", audience, {scope}, by=SYSTEM).bearer.reveal()
            for audience, scopes in SCOPES.items()
            for scope in sorted(scopes)
        }
        scopes, minute = SCOPES[Audience.SCIM], timedelta(minutes=1)
        expired = tokens.create("old", Audience.SCIM, scopes, life=minute, by=SYSTEM)
        revoked = tokens.create("lost", Audience.SCIM, scopes, by=SYSTEM)
        tokens.revoke(revoked.id, by=SYSTEM)
        world.clock.pass_by(minute)
        old = {"expired": expired.bearer.reveal(), "revoked": revoked.bearer.reveal()}
        self.tokens: Final = known | old
        self.names: Final = [
            *self.tokens,
            NOBODY,
            ALICE,
            BOB,
            UNKNOWN,
            COOKIE,
            FORM,
            ELSEWHERE,
            PHONE,
        ]
        self._stranger: Final = ECKey.generate_key("P-256", auto_kid=False)
        self._client: Final = world.app.test_client(use_cookies=False)
        self._cookie, self._csrf_token = self._signed_in()
        self._phone: Final = self._claimed()

    def answer(self, name: str, method: str, path: str, endpoint: str) -> int:
        """Let somebody send a request, and return the status of its answer."""
        how: dict[str, Any] = {"headers": self._headers(name)}
        if name in {COOKIE, FORM, ELSEWHERE}:
            how["data"] = {"step_seq": "0", "csrf_token": self._csrf_token if name == FORM else ""}
        elif name == PHONE:
            how |= {"data": self._message(endpoint), "content_type": "application/jose+json"}
        else:
            how["json"] = {"step_seq": 0, "input": {}}
        got = self._client.open(path, method=method, base_url=HOST, buffered=True, **how)
        sent_away = got.status_code == 303 and got.location.endswith("/sign-in")
        return SIGN_IN if sent_away else got.status_code

    def words(self, name: str, method: str, rule: Rule, values: Mapping[str, str]) -> str:
        """Let somebody ask after something, and return status and words without its name."""
        path = path_of(rule, action="next", **values)
        how: dict[str, Any] = {"json": {"step_seq": 1, "input": {}}}
        if name == FORM:
            how = {"data": {"step_seq": "1", "csrf_token": self._csrf_token}}
        headers = self._headers(name)
        got = self._client.open(
            path, method=method, base_url=HOST, buffered=True, headers=headers, **how
        )
        text = re.sub(r'name="csrf_token" value="[^"]*"', "", got.text)
        for value in values.values():
            text = text.replace(value, "ID")
        return f"{got.status_code} {text}"

    def _headers(self, name: str) -> dict[str, str]:
        if name in self.tokens:
            return {"Authorization": f"Bearer {self.tokens[name]}"}
        if name in {ALICE, BOB}:
            person = self.alice if name == ALICE else self.bob
            return {"Authorization": f"Bearer {self.world.assertion(person.user_id)}"}
        if name == UNKNOWN:
            return {"Authorization": f"Bearer {self._forged()}"}
        if name in {COOKIE, FORM, ELSEWHERE}:
            return {"Cookie": self._cookie} | (EVIL if name == ELSEWHERE else {})
        return {}

    def _forged(self) -> str:
        """Return an assertion for Alice that a front end signed which nobody has registered."""
        now = int(self.world.clock().timestamp())
        claims = {
            "iss": "unknown",
            "sub": self.alice.user_id,
            "aud": self.world.url,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            "auth_time": now,
        }
        return jwt.encode({"alg": "ES256"}, claims, self._stranger)

    def _signed_in(self) -> tuple[str, str]:
        """Return the cookie of Alice's session at our pages, and the CSRF token of its forms."""
        browser = self.world.app.test_client()
        with browser.session_transaction(base_url=HOST) as session:
            sign_in(session, self.alice.user_id, self.world.clock())
        page = browser.get("/", base_url=HOST).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        cookie = browser.get_cookie("mobid", domain="127.0.0.1")
        assert token is not None
        assert cookie is not None
        return f"mobid={cookie.value}", token[1]

    def _claimed(self) -> Handset:
        """Return a phone that has claimed a code."""
        person, phone = self.world.person(), self.world.handset("Phone")
        person.start(GET)
        person.act("next")
        self._code = str(person.instance["step"]["data"]["typed_code"])
        assert phone.claim(self._code).status == 200
        return phone

    def _message(self, endpoint: str) -> bytes:
        """Return a message of the phone, for where it is meant or for any other place."""
        surface, _, verb = endpoint.partition(".")
        if surface != "device":
            return self._phone.signed("status", {})
        if verb == "claim":
            return self._phone.signed(verb, {"code": self._code, "device": {"name": "Phone"}})
        phone = self._claimed() if verb == "remove" else self._phone
        phone.say("status", {})  # for a nonce that is good
        said: Mapping[str, Mapping[str, object]] = {"keys": {"csrs": {}}, "confirm": {"hashes": []}}
        return phone.signed(verb, said.get(verb, {}))


def path_of(rule: Rule, **values: str) -> str:
    """Return an address that a rule takes: with these values, and others of what is not there."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1]) or str(uuid.uuid4())

    return re.sub(r"<(?:[^:<>]*(?:\([^)]*\))?:)?(\w+)>", value, rule.rule)


@pytest.fixture(scope="module")
def callers(world: World) -> Callers:
    """Everybody, at one product."""
    return Callers(world)


# Who calls is told before any database is asked for more than the token.
on_sqlite: Final = pytest.mark.parametrize("world", ["sqlite"], indirect=True, scope="session")


@on_sqlite
def test_every_route_is_in_the_table(world: World) -> None:
    """Whoever adds a route says here who may use it, and takes out what is there no more."""
    endpoints = {rule.endpoint for rule in world.app.url_map.iter_rules()}
    assert endpoints - TABLE.keys() == set(), "TABLE does not say who may use these"
    assert TABLE.keys() - endpoints == set(), "TABLE has these, and they are not there"


@on_sqlite
@pytest.mark.parametrize("surface", Surface)
def test_nobody_gets_further_than_the_table_says(callers: Callers, surface: Surface) -> None:
    """Every method of every route, for everybody who could call."""
    (ca,) = callers.world.product.publishers
    values = {
        "instance_id": str(callers.bob.instance["id"]),
        "action": "next",
        "ca": ca,
        "number": "99",
        "other": "98",
        "filename": "mobid.css",
        "question": "AAAA",
    }
    rules = list(callers.world.app.url_map.iter_rules())
    taken: dict[str, set[str]] = {}
    for rule in rules:
        taken.setdefault(rule.rule, set()).update(rule.methods or ())
    wrong = []
    for rule in rules:
        route = TABLE.get(rule.endpoint)
        if route is None or route.surface is not surface:
            continue
        name = {"name": "MobileIDScriptOptions"} if surface is Surface.ADMIN else {"name": LOCK}
        path, methods = path_of(rule, **values, **name), rule.methods or set()
        for method in sorted(methods | (USUAL - taken[rule.rule])):
            for caller in callers.names:
                found = callers.answer(caller, method, path, rule.endpoint)
                right = expected(route, methods, method, caller)
                if found not in right:
                    wrong.append(f"{method} {path} by {caller}: {found}, not {right}")
    assert wrong == []


def test_somebody_else_s_is_answered_like_what_is_not_there(world: World) -> None:
    """The same status and the same words, whatever is asked of it."""
    alice, bob = Callers(world), world.person()
    bob.start(GET)
    bob.act("next")
    wrong, asked = [], 0
    for rule in world.app.url_map.iter_rules():
        theirs = {"instance_id": str(bob.instance["id"]), "mobile_id": bob.mobile_id}
        if not theirs.keys() & rule.arguments:
            continue
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            for caller in (ALICE, FORM):
                asked += 1
                answers = [
                    alice.words(caller, method, rule, values)
                    for values in (theirs, dict.fromkeys(theirs, str(uuid.uuid4())))
                ]
                if answers[0] != answers[1]:
                    wrong.append(f"{method} {rule.rule} by {caller}: {answers}")
    assert wrong == []
    assert asked >= 16
