"""Hostile requests at real servers on both databases: what is answered, what may change, what may leak.

`hostile_http.json` has the requests, what each is answered, and what must hold beside that. Each is
sent three times: in order, in order again, and in an order by chance. Wherever a `must` holds for
people only, it stands under `not_checked` with the reason.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import random
import re
import secrets
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from joserfc import jwt
from joserfc.jwk import RSAKey

from mobid.app import Product
from mobid.auth.sessions import sign_in
from mobid.auth.tokens import SCOPES
from mobid.cli.demo.checks import CheckFailed
from mobid.config import load
from mobid.domain.actors import SYSTEM
from mobid.storage.tables import api_tokens, metadata
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.e2e.conftest import Handset, Site

    from mobid.cli.demo.actors import FrontEnd

INPUTS: Final[Sequence[Mapping[str, Any]]] = json.loads(
    Path(__file__).with_name("hostile_http.json").read_text("utf-8")
)["inputs"]
DATABASES: Final = ("sqlite", "postgresql")
GET: Final = "MobileIDSelfServiceProcGet"
SLOWEST: Final = 2.0
MORE_MEMORY: Final = 20 * 2**20
BURNS_AT: Final = 5

# A refusal may still be audited and counted, and what was good once is used up before it is refused.
MAY_CHANGE: Final = frozenset({"audit_events", "audit_checkpoints", "counters", "used_once"})
# A worker asks the CA once a minute, whatever callers do; the use of a token is noted by the minute.
MOVES_BY_ITSELF: Final = frozenset({"authority_records", api_tokens.name})
TELLS_TOO_MUCH: Final = re.compile(
    r"Traceback|File \"|\.py\b|line \d+, in|sqlalchemy|psycopg|sqlite3|"
    r"\b(?:SELECT|INSERT|UPDATE|DELETE) .*\b(?:FROM|INTO|SET)\b|/tmp/|/home/|"
    r"BEGIN [A-Z ]*KEY|mid_(?:scim|admin)_"
)  # fmt: skip

Rows = dict[str, set[bytes]]
Check = Callable[..., bool]
"""Says whether something holds; gets the stage, the exchange, and the words that it is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, with the database and the server before and after."""

    input: Mapping[str, Any]
    status: int
    media_type: str
    body: bytes
    seconds: float
    before: Rows
    after: Rows
    memory: int
    """By how many bytes the server grew."""
    secret: str
    phone: Handset | None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def said(self) -> dict[str, Any]:
        """The body as a JSON object; empty for what is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def changed(self) -> set[str]:
        """The tables that have changed."""
        return {name for name in self.before if self.before[name] != self.after[name]}


class Stage:
    """A server on one database, and everybody whom the requests speak of."""

    def __init__(self, site: Site) -> None:
        self.site: Final = site
        self.alice, self.alice_mobile_id = site.activate()
        self.bob: Final[FrontEnd] = site.person()
        self.bobs_run: Final[dict[str, Any]] = self.bob.start(GET)
        self.secret = ""
        self.phone: Handset | None = None
        self.numbers: Final = iter(range(1, 1000))
        self.idp_key: Final = RSAKey.generate_key(2048, auto_kid=False)
        with Product(load(site.home, {})) as product:
            made = product.tokens.create("t", Audience.ADMIN, SCOPES[Audience.ADMIN], by=SYSTEM)
            self.session_key: Final = product.keys.session.reveal()
        self.known: Final[Mapping[str, Callable[[], str]]] = {
            "SCIM_RW": lambda: site.token,
            "ADMIN": made.bearer.reveal,
            "ISS": lambda: site.url,
            "AUD": lambda: site.url,
            "UID1": lambda: self.bob.user_id,
            "UID2": lambda: self.alice.user_id,
            "UID_NEW": lambda: site.person().user_id,
            "RAND": lambda: secrets.token_hex(8),
            "NUMBER": lambda: str(next(self.numbers)),
            "SECRET": self.new_secret,
            "BOB_PROC": lambda: str(self.bobs_run["id"]),
            "ALICE_ASSERTION": lambda: assertion_of(self.alice),
            "ALICE_COOKIE": lambda: self.cookie_of(self.alice.user_id),
            "ALICE_MOBILE_ID": lambda: self.alice_mobile_id,
            "USED_TOKEN": self.used_token,
            "CSR_GOOD": lambda: csr(sound=True),
            "CSR_BAD_SIGNATURE": lambda: csr(sound=False),
        }

    # --- what the requests are made of ---------------------------------------------------------------

    def new_secret(self) -> str:
        """Return a secret that is to be found nowhere afterwards."""
        self.secret = secrets.token_hex(16)
        return self.secret

    def used_token(self) -> str:
        """Return the token of a code that a phone has claimed."""
        _, token = self.claimed_phone()
        return token

    def claimed_phone(self) -> tuple[Handset, str]:
        """Return a phone that has claimed a code, and the code's token."""
        person = self.site.person()
        shown = person.act(person.start(GET), "next")
        token = str(shown["step"]["data"]["link"]).partition("#1.")[2]
        phone = self.site.handset("Anna's phone")
        assert phone.claim(token).status == 200
        return phone, token

    def cookie_of(self, user_id: str) -> str:
        """Return the cookie of somebody who has just signed in at our own pages."""
        app = Flask("cookies")
        app.secret_key = self.session_key
        serializer = SecureCookieSessionInterface().get_signing_serializer(app)
        assert serializer is not None
        session: dict[str, Any] = {}
        sign_in(session, user_id, datetime.now(UTC))
        return f"mobid={serializer.dumps(session)}"

    def page_of(self, user_id: str) -> str:
        """Return the first page of somebody who has signed in."""
        status, _, page = self.ask("GET", "/", {"Cookie": self.cookie_of(user_id)})
        assert status == 200
        return page.decode()

    def text(self, part: Any) -> str:
        """Return what a part of the description stands for."""
        if isinstance(part, str):
            return re.sub(
                r"\$([A-Z][A-Z0-9_]*)",
                lambda found: self.known[found[1]]() if found[1] in self.known else found[0],
                part,
            )
        if isinstance(part, list):
            return "".join(self.text(one) for one in part)
        ((word, what),) = part.items()
        made: Mapping[str, Callable[[], str]] = {
            "$raw": lambda: self.text(what),
            "$rep": lambda: what[0] * what[1],
            "$join": lambda: what[0].join([what[1]] * what[2]),
            "$url": lambda: quote(self.text(what), safe=""),
            "$jwt": lambda: f"Bearer {self.token(what)}",
        }
        return made[word]()

    def token(self, what: Mapping[str, Any]) -> str:
        """Return a JWT: signed by somebody whom nobody trusts, or not at all."""
        claims: dict[str, Any] = {name: self.text(value) for name, value in what["claims"].items()}
        claims["exp"] = int(time.time()) + int(what["claims"]["exp"])
        if what["alg"] == "none":
            parts = ({"alg": "none", "typ": "JWT"}, claims)
            return ".".join(_b64(json.dumps(part).encode()) for part in parts) + "."
        return jwt.encode({"alg": what["alg"]}, claims, self.idp_key, algorithms=[what["alg"]])

    def body(self, description: Any) -> bytes | None:
        """Return the bytes of a body."""
        match description:
            case None:
                return None
            case {"$gzip": what}:
                return compressed(self.text(what))
            case {"$chunked": what}:
                data = self.text(what).encode()
                return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)
            case {"$jws": what}:
                return self.message(what)
            case {"$raw": _}:
                return self.text(description).encode()
        return self.text(json.dumps(description)).encode()

    def message(self, what: Mapping[str, Any]) -> bytes:
        """Return the message of a phone."""
        if what["by"] == "a fresh phone":
            self.phone = self.site.handset("Mallory")
        else:
            self.phone, _ = self.claimed_phone()
        payload = json.loads(self.text(json.dumps(what["payload"])))
        return self.phone.signed(what["verb"], payload)

    # --- what is sent, and what is seen ----------------------------------------------------------------

    def send(self, one: Mapping[str, Any]) -> Exchange:
        """Send a request, and look at everything before and after."""
        self.secret, self.phone = "", None
        body = self.body(one.get("body"))
        headers = {name: self.text(value) for name, value in one["headers"].items()}
        path = self.text(one["path"])
        self.site.until_no_mail_waits()
        before, memory = self.rows(), self.memory()
        began = time.monotonic()
        status, media_type, answer = self.ask(one["method"], path, headers, body)
        seconds = time.monotonic() - began
        return Exchange(
            input=one,
            status=status,
            media_type=media_type,
            body=answer,
            seconds=seconds,
            before=before,
            after=self.rows(),
            memory=self.memory() - memory,
            secret=self.secret,
            phone=self.phone,
        )

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> tuple[int, str, bytes]:
        """Send bytes as they are, and return status, media type and body."""
        where = HTTPConnection(self.site.url.removeprefix("http://"), timeout=20)
        with closing(where):
            where.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                where.putheader(name, value)
            if body is not None and "Transfer-Encoding" not in headers:
                where.putheader("Content-Length", str(len(body)))
            where.endheaders(body)
            answer = where.getresponse()
            return answer.status, answer.headers.get_content_type(), answer.read()

    def rows(self) -> Rows:
        """Return a digest of every row of ours, by table."""
        found: Rows = {}
        with self.site.engine.connect() as connection:
            for table in metadata.tables.values():
                left_out = MOVES_BY_ITSELF if table.name in MOVES_BY_ITSELF else frozenset()
                rows = [] if left_out else connection.execute(sa.select(table)).all()
                found[table.name] = {hashlib.sha256(repr(row).encode()).digest() for row in rows}
            connection.rollback()
        return found

    def everything_stored(self) -> str:
        """Return every row of every table, as text."""
        with self.site.engine.connect() as connection:
            names = sa.inspect(connection).get_table_names()
            rows = [connection.execute(sa.text(f'SELECT * FROM "{name}"')).all() for name in names]  # noqa: S608  # the names are the database's own
            connection.rollback()
        return repr(rows)

    def memory(self) -> int:
        """Return how many bytes of memory the server has."""
        pages = Path(f"/proc/{self.site.pid}/statm").read_text("ascii").split()[1]
        return int(pages) * 4096

    def user(self, user_id: str) -> dict[str, Any]:
        """Return a user as SCIM shows them."""
        headers = {"Authorization": f"Bearer {self.site.token}"}
        _, _, body = self.ask("GET", f"/scim/v2/Users/{user_id}", headers)
        found: dict[str, Any] = json.loads(body)
        return found

    def value(self, query: str, **values: str) -> Any:
        """Return one value of the database."""
        with self.site.engine.connect() as connection:
            found = connection.execute(sa.text(query), values).scalar_one()
            connection.rollback()
        return found


@cache
def compressed(text: str) -> bytes:
    """Return a text in gzip; the large one is the same each time."""
    return gzip.compress(text.encode(), 1)


def assertion_of(person: FrontEnd) -> str:
    """Return an assertion of a front end for a person."""
    now = int(time.time())
    claims = {
        "iss": person.name,
        "sub": person.user_id,
        "aud": person.base_url,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
        "auth_time": now,
    }
    return jwt.encode({"alg": "ES256"}, claims, person.key)


def csr(*, sound: bool) -> str:
    """Return a request for a fresh key, with a signature that proves it or does not."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    key = ec.generate_private_key(ec.SECP256R1())
    der = bytearray(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    if not sound:
        der[-1] ^= 1
    return _b64(bytes(der))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


# --- what must hold ---------------------------------------------------------------------------------


def has_left_no_secret(stage: Stage, exchange: Exchange) -> bool:
    """The secret of the request was neither answered, nor logged, nor stored."""
    places = exchange.text, stage.site.said(), stage.everything_stored()
    return bool(exchange.secret) and not any(exchange.secret in place for place in places)


def has_not_logged_the_token(stage: Stage, _exchange: Exchange) -> bool:
    """The token of the address is neither in the log nor in the database."""
    return not any(
        stage.site.token in place for place in (stage.site.said(), stage.everything_stored())
    )


def has_an_id_of_ours(_stage: Stage, exchange: Exchange) -> bool:
    """The server made the id."""
    return exchange.said["id"] != "1" and str(uuid.UUID(exchange.said["id"])) != "1"


def changed_no_other_user(_stage: Stage, exchange: Exchange) -> bool:
    """All users are as they were, and one came."""
    new = exchange.after["users"] - exchange.before["users"]
    return exchange.before["users"] <= exchange.after["users"] and len(new) == 1


def has_a_meta_of_ours(_stage: Stage, exchange: Exchange) -> bool:
    """Nothing of what the client called meta is there."""
    meta = exchange.said["meta"]
    return not meta["created"].startswith("1970") and meta["version"] != 'W/"0"'


def has_scim_type(_stage: Stage, exchange: Exchange, scim_type: str) -> bool:
    """The error says of which type it is."""
    return bool(exchange.said["scimType"] == scim_type)


def has_code(_stage: Stage, exchange: Exchange, code: str) -> bool:
    """The problem says which it is."""
    return bool(exchange.said["code"] == code)


def is_whole_or_nothing(stage: Stage, _exchange: Exchange) -> bool:
    """The first operation of a refused PATCH was not done."""
    return stage.user(stage.bob.user_id).get("displayName") == "Anna Example"


def is_quick(_stage: Stage, exchange: Exchange, milliseconds: str) -> bool:
    """It takes so long at most."""
    return exchange.seconds < int(milliseconds) / 1000


def lists_nobody(_stage: Stage, exchange: Exchange) -> bool:
    """No resource is in the answer."""
    return "Resources" not in exchange.said and "userName" not in exchange.text


def found_nothing(_stage: Stage, exchange: Exchange) -> bool:
    """The list is empty."""
    return bool(exchange.said["totalResults"] == 0)


def is_a_scim_error(_stage: Stage, exchange: Exchange) -> bool:
    """RFC 7644, 3.12."""
    error = "urn:ietf:params:scim:api:messages:2.0:Error"
    return (
        exchange.media_type == "application/scim+json"
        and exchange.said["schemas"] == [error]
        and exchange.said["status"] == str(exchange.status)
    )


def grew_little(_stage: Stage, exchange: Exchange, mebibytes: str) -> bool:
    """The server keeps nothing of it in memory."""
    return exchange.memory < int(mebibytes) * 2**20


def left_users_alone(_stage: Stage, exchange: Exchange) -> bool:
    """No user has changed, in any of their tables."""
    return not exchange.changed & {"users", "user_values"}


def shows_it_escaped(stage: Stage, exchange: Exchange) -> bool:
    """The page of the user shows the text as it is."""
    page = stage.page_of(exchange.said["id"])
    return exchange.said["displayName"] in html.unescape(page) and "<img src=x" not in page


def calculates_nothing(stage: Stage, exchange: Exchange) -> bool:
    """A template in a name is text."""
    return "{{7*7}}{0.__class__}%(a)s" in stage.page_of(exchange.said["id"])


def is_like_a_random_id(stage: Stage, exchange: Exchange) -> bool:
    """Somebody else's is answered like what is not there, and takes as long."""
    bobs = str(stage.bobs_run["id"])
    other = str(uuid.uuid4())
    took: dict[str, float] = {bobs: 10, other: 10}
    bodies: dict[str, str] = {}
    for one in (bobs, other) * 4:
        headers = {name: stage.text(value) for name, value in exchange.input["headers"].items()}
        path = exchange.input["path"].replace("$BOB_PROC", one)
        began = time.monotonic()
        status, _, body = stage.ask("GET", path, headers)
        took[one] = min(took[one], time.monotonic() - began)
        said = body.decode().replace(one, "ID")
        bodies[one] = f"{status} {re.sub(r'(csrf_token. value=).*', '', said)}"
    quickest, slowest = sorted(took.values())
    return bodies[bobs] == bodies[other] and slowest < 5 * quickest


def is_still_active(stage: Stage, _exchange: Exchange) -> bool:
    """Nobody has locked it."""
    return bool(stage.site.mobile_id(stage.alice_mobile_id)["state"] == "active")


def is_like_an_unknown_token(stage: Stage, exchange: Exchange) -> bool:
    """A used code is answered like one that never was."""
    answer = stage.site.handset("Mallory").claim(secrets.token_urlsafe(32))
    return (answer.status, answer.said) == (exchange.status, exchange.said)


def made_no_certificate(_stage: Stage, exchange: Exchange) -> bool:
    """Neither ours nor the CA's."""
    return not exchange.changed & {"certificates", "ca_certificates", "ca_intents"}


def counts_a_try(stage: Stage, exchange: Exchange) -> bool:
    """The enrolment knows that one request was bad."""
    assert exchange.phone is not None
    query = "SELECT bad_keys FROM enrolments WHERE id = :id"
    return bool(stage.value(query, id=exchange.phone.kid) == 1)


def goes_on(_stage: Stage, exchange: Exchange) -> bool:
    """The same phone sends good requests next."""
    assert exchange.phone is not None
    return exchange.phone.keys().status == 200


def burns_at_five(stage: Stage, exchange: Exchange) -> bool:
    """So many bad requests, and then a good one is too late."""
    phone, _ = stage.claimed_phone()
    payload = exchange.input["body"]["$jws"]["payload"]
    for _ in range(BURNS_AT):
        answer = phone.say("keys", json.loads(stage.text(json.dumps(payload))))
        assert (answer.status, answer.code) == (422, "BAD_CSR")
    return (phone.keys().status, phone.keys().code) == (410, "CODE_NOT_USABLE")


def is_inactive_if_accepted(stage: Stage, exchange: Exchange) -> bool:
    """No client is told that somebody is out who is not."""
    if exchange.status == 400:
        return not exchange.changed & {"users"}
    user_id = exchange.said["id"]
    return stage.user(user_id)["active"] is False


def is_in_no_certificate(stage: Stage, exchange: Exchange) -> bool:
    """What SCIM keeps for others, we do not build a certificate on."""
    if exchange.status == 400:
        return True
    with pytest.raises(CheckFailed, match=r"answered 422.*MISSING_USER_ATTRIBUTE"):
        replace(stage.bob, user_id=exchange.said["id"]).start(GET)
    return True


def ended_by_a_limit(_stage: Stage, exchange: Exchange) -> bool:
    """The script was stopped, or not even begun."""
    return exchange.said["outcome"] in {"killed_by_limit", "rejected_at_upload"}


def is_not_ok(_stage: Stage, exchange: Exchange) -> bool:
    """Its result is not taken."""
    return exchange.said["outcome"] in {"invalid_result", "failed_at_run", "rejected_at_upload"}


CHECKS: Final[Mapping[str, Check]] = {
    r"access log and audit do not contain the token": has_not_logged_the_token,
    r"the secret is in no answer, no log and no table": has_left_no_secret,
    r'returned id is server made \(UUID\), != "1"': has_an_id_of_ours,
    r"no other user is changed": changed_no_other_user,
    r"meta is server made": has_a_meta_of_ours,
    r"scimType=(\w+)": has_scim_type,
    r"code=(\w+)": has_code,
    r"atomic: displayName is NOT half-done": is_whole_or_nothing,
    r"< (\d+) ms": is_quick,
    r"never the unfiltered list": lists_nobody,
    r"totalResults == 0 when no name starts with a percent sign": found_nothing,
    r"SCIM Error body(?:, not HTML)?": is_a_scim_error,
    r"RSS growth < (\d+) MiB": grew_little,
    r"user unchanged": left_users_alone,
    r"pages show the text escaped": shows_it_escaped,
    r"pages calculate nothing": calculates_nothing,
    r"same answer and time class as for a random id": is_like_a_random_id,
    r"mobile ID still active": is_still_active,
    r"same answer as for an unknown token": is_like_an_unknown_token,
    r"no certificate": made_no_certificate,
    r"one try more is counted": counts_a_try,
    r"the code is not burnt: good requests of the same phone get 2xx": goes_on,
    r"five bad requests burn the code": burns_at_five,
    r"the user is inactive if this was accepted": is_inactive_if_accepted,
    r"no certificate can hold it": is_in_no_certificate,
    r"outcome=killed_by_limit or rejected_at_upload": ended_by_a_limit,
    r"outcome is not ok": is_not_ok,
}
# What a busy machine makes slow, or a first time large, must hold once in three.
HOLDS_ONCE: Final = frozenset({is_quick, grew_little, is_like_a_random_id})


def check_of(must: str) -> tuple[Check, tuple[str, ...]]:
    """Return the check of a `must`, with the words that it is about."""
    for pattern, check in CHECKS.items():
        if found := re.fullmatch(pattern, must):
            return check, found.groups()
    pytest.fail(
        f"Nothing checks {must!r}; write a check, or say under not_checked why there is none."
    )


def faults_of(stage: Stage, exchange: Exchange) -> list[str]:
    """Return what does not hold of what must always hold."""
    faults = []
    if exchange.status not in exchange.input["expected"]:
        faults.append(f"answers {exchange.status}: {exchange.text[:200]}")
    if exchange.seconds >= SLOWEST:
        faults.append(f"takes {exchange.seconds:.1f} s")
    if found := TELLS_TOO_MUCH.search(exchange.text):
        faults.append(f"tells {found[0]!r}")
    if any(secret in exchange.text for secret in (stage.site.token, str(stage.site.home))):
        faults.append("tells a secret or a path")
    refused = 400 <= exchange.status < 500
    if refused and (
        changed := exchange.changed - MAY_CHANGE - {*exchange.input.get("counts_in", ())}
    ):
        faults.append(f"is refused, and changes {sorted(changed)}")
    is_scim = stage.text(exchange.input["path"]).startswith("/scim/")
    if refused and is_scim and not is_a_scim_error(stage, exchange):
        faults.append("is refused without a SCIM error")
    return faults


@dataclass
class Run:
    """What became of all requests at one server."""

    faults: list[str] = field(default_factory=list)
    answers: dict[str, set[tuple[int, str]]] = field(default_factory=dict)
    held: dict[tuple[str, str], bool] = field(default_factory=dict)

    def take(self, stage: Stage, exchange: Exchange) -> None:
        """Look at one exchange."""
        name = exchange.input["id"]
        self.faults += [f"{name} {fault}" for fault in faults_of(stage, exchange)]
        kind = str(exchange.said.get("scimType") or exchange.said.get("code", ""))
        self.answers.setdefault(name, set()).add((exchange.status, kind))
        if exchange.status not in exchange.input["expected"]:
            return
        for must in exchange.input["must"]:
            check, words = check_of(must)
            holds = check(stage, exchange, *words)
            if check in HOLDS_ONCE:
                self.held[name, must] = self.held.get((name, must), False) or holds
            elif not holds:
                self.faults.append(f"{name} must: {must}; it said {exchange.text[:200]}")


def run_all(site: Site, seed: int) -> Run:
    """Send every request three times, and look at the server as a whole before and after."""
    stage, run = Stage(site), Run()
    shuffled = random.Random(seed).sample(INPUTS, len(INPUTS))  # noqa: S311  # an order, no secret
    memory, pid = 0, site.pid
    for one in (*INPUTS, *INPUTS, *shuffled):
        # The first time warms the server up.
        memory = stage.memory() if one is INPUTS[0] and run.answers else memory
        run.take(stage, stage.send(one))
    if site.pid != pid:
        run.faults.append("another process serves")
    if (growth := stage.memory() - memory) > MORE_MEMORY:
        run.faults.append(f"the server has grown by {growth >> 20} MiB")
    run.faults += [f"{name} must: {must}" for (name, must), held in run.held.items() if not held]
    run.faults += [
        f"{name} is answered in several ways: {sorted(answers)}"
        for name, answers in run.answers.items()
        if len(answers) > 1
    ]
    return run


def test_every_must_is_checked() -> None:
    """By a check that is used, or the reason why not stands beside it."""
    used = {check_of(must)[0] for one in INPUTS for must in one["must"]}
    assert used == set(CHECKS.values())
    assert all(reason for one in INPUTS for reason in one.get("not_checked", {}).values())
    assert len({one["id"] for one in INPUTS}) == len(INPUTS) >= 20


def test_hostile_requests_are_answered_alike_and_do_no_harm(
    running_site: Callable[[str], Site],
) -> None:
    """Never a 5xx, never slow, nothing told, nothing changed by what is refused; on both databases."""
    seed = secrets.randbits(32)
    runs = {name: run_all(running_site(name), seed) for name in DATABASES}
    faults = [f"{name}: {fault}" for name, run in runs.items() for fault in run.faults]
    assert faults == [], "\n".join([f"in the order {seed}:", *faults])
    assert runs["sqlite"].answers == runs["postgresql"].answers
