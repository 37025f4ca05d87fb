"""The whole product for the tests: in this process at a clock that moves by hand, or as real servers."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
import multiprocessing
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws, jwt
from joserfc.jwk import ECKey
from typing_extensions import override

from mobid.app import Product, create_app, initialise
from mobid.auth.sessions import sign_in
from mobid.auth.tokens import SCOPES
from mobid.ca import Publisher
from mobid.ca.builtin import initialise as initialise_ca
from mobid.cli.demo.actors import FrontEnd, Phone
from mobid.cli.demo.checks import Verifier, find_openssl
from mobid.cli.demo.server import register_front_end
from mobid.config import create_home, key_folder, load
from mobid.domain.actors import SYSTEM
from mobid.processes.authority import AuthorityError, Reason
from mobid.processes.not_yet import NotYet
from mobid.storage import open_engine
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from multiprocessing.process import BaseProcess

    from examples.openbao.openbao_dev import DevServer
    from flask.testing import FlaskClient
    from tests.conftest import PostgreSQL
    from tests.e2e.connector.mobid_line import CAOnALine
    from werkzeug.test import TestResponse

    from mobid.crashpoints import CrashPoint
    from mobid.processes.mailing import Letter

DATABASES: Final = ("sqlite", "postgresql")
CONNECTOR: Final = Path(__file__).with_name("connector")
PHONE: Final = Path(__file__).parents[2] / "examples" / "phone" / "phone.py"
GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
SHOWN: Final = "user,state,active,certificates"
PATIENCE: Final = 60.0
BY_MAIL: Final = "by mail"
"""The `userType` of those whose codes are mailed."""
_SCRIPT: Final = f"""\
options.validity = days(1)
if user.userType == "{BY_MAIL}":
    options.qr_location = "email"
"""
_PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to clients, so that a server that died finds its port free."""


def until(true: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Look again and again until something is true."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        pause.wait(0.05)
    pytest.fail(f"{what}: not within {seconds} s")


# --- phones and persons -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """What a phone was answered."""

    status: int
    said: dict[str, Any]
    nonce: str

    @property
    def code(self) -> str:
        """The code of a problem; empty for what is none."""
        return str(self.said.get("code", ""))


class Handset:
    """A phone that signs with a library that is not ours, and says what a test wants it to say."""

    def __init__(self, server: str, post: Callable[[str, bytes], Answer], name: str) -> None:
        self.name: Final = name
        self.kid = ""
        self._server: Final = server
        self._post: Final = post
        self._key: Final = ECKey.generate_key("P-256", auto_kid=False)
        self._keys: Final[dict[str, ec.EllipticCurvePrivateKey]] = {}
        self._nonce = ""

    def claim(self, code: str, **more: str) -> Answer:
        """Claim a code, and remember what for."""
        answer = self.say("claim", {"code": code, "device": {"name": self.name}, **more})
        if answer.status == 200:
            self.kid = answer.said["kid"]
            for one in answer.said["keys"]:
                self._keys.setdefault(one["kind"], ec.generate_private_key(ec.SECP256R1()))
        return answer

    def keys(self) -> Answer:
        """Send a request for every kind."""
        requests = {kind: _b64(_request_for(key)) for kind, key in self._keys.items()}
        return self.say("keys", {"csrs": requests})

    @property
    def private_keys(self) -> list[bytes]:
        """The numbers that only the phone knows."""
        own = self._key.private_key
        assert own is not None
        numbers = [key.private_numbers().private_value for key in (own, *self._keys.values())]
        return [number.to_bytes(32) for number in numbers]

    def result(self) -> Answer:
        """Ask for the certificates."""
        return self.say("result", {})

    def confirm(self, certificates: Sequence[Mapping[str, str]]) -> Answer:
        """Say that these are installed, and prove it with the authentication key."""
        names = [_b64(hashlib.sha256(_bytes(one["certificate"])).digest()) for one in certificates]
        pem = self._keys["authentication"].private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        header = {"alg": "ES256", "typ": "mobid-confirm", "url": self._url("confirm")}
        proof = _signed(header, {"kid": self.kid, "hashes": names}, ECKey.import_key(pem))
        return self.say("confirm", {"hashes": names, "proof": proof})

    def status(self) -> str:
        """Return the state of the mobile ID on this phone."""
        return str(self.say("status", {}).said["state"])

    def remove(self) -> Answer:
        """Remove the mobile ID from this phone."""
        return self.say("remove", {})

    def say(self, verb: str, payload: Mapping[str, object]) -> Answer:
        """Say anything."""
        answer = self._send(verb, payload)
        # The first message after a claim may have no nonce that is still good: it gets one.
        return self._send(verb, payload) if answer.code == "BAD_NONCE" else answer

    def _send(self, verb: str, payload: Mapping[str, object]) -> Answer:
        answer = self._post(f"/device/v1/{verb}", self.signed(verb, payload))
        self._nonce = answer.nonce
        return answer

    def signed(self, verb: str, payload: Mapping[str, object]) -> bytes:
        """Return the body of a message, under the nonce of the last answer."""
        header: dict[str, Any] = {"alg": "ES256", "url": self._url(verb)}
        if verb == "claim":
            public = self._key.as_dict(private=False)
            header["jwk"] = {name: public[name] for name in ("kty", "crv", "x", "y")}
        else:
            header |= {"kid": self.kid, "nonce": self._nonce}
        return json.dumps(_signed(header, payload, self._key)).encode()

    def _url(self, verb: str) -> str:
        return f"{self._server}/device/v1/{verb}"


def _signed(
    header: Mapping[str, object], payload: Mapping[str, object], key: ECKey
) -> dict[str, Any]:
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    members: jws.HeaderDict = {"protected": dict(header)}
    return dict(jws.serialize_json(members, json.dumps(payload).encode(), key, registry=registry))


def _request_for(key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Person:
    """A user at a registered front end, with the run that they look at and the phone in their hand."""

    world: World
    user_id: str
    email: str
    instance: dict[str, Any] = field(default_factory=dict)
    phone: Handset | None = None
    delivered: list[dict[str, str]] = field(default_factory=list)

    @property
    def step(self) -> str:
        """The step that the run is at, as it was last shown."""
        return str(self.instance["step"]["name"])

    @property
    def mobile_id(self) -> str:
        """The mobile ID of the run."""
        return str(self.instance["mobile_id"])

    @property
    def handset(self) -> Handset:
        """The phone, which a Get that has come that far has."""
        assert self.phone is not None
        return self.phone

    def call(self, method: str, path: str, body: object = None) -> TestResponse:
        """Call a hook under an assertion of the front end."""
        headers = {"Authorization": f"Bearer {self.world.assertion(self.user_id)}"}
        return self.world.http.open(f"/processes{path}", method=method, json=body, headers=headers)

    def start(self, process: str, **body: object) -> TestResponse:
        """Start a process, and look at the run."""
        return self._looked_at(self.call("POST", f"/{process}/start", body))

    def act(self, action: str, *, seq: int | None = None, **answer: object) -> TestResponse:
        """Take an action on the step as it was last shown, or on an older one; look at the run."""
        shown = self.instance["step"]["seq"]
        body = {"step_seq": shown if seq is None else seq, "input": answer}
        return self._looked_at(
            self.call("POST", f"/instances/{self.instance['id']}/{action}", body)
        )

    def look(self) -> dict[str, Any]:
        """Look at the run as it is now."""
        answer = self._looked_at(self.call("GET", f"/instances/{self.instance['id']}"))
        assert answer.status_code == 200, answer.text
        return self.instance

    def take_phone(self) -> None:
        """Enter the code that is shown, or that of the mail, and let the phone send its keys."""
        self.phone = self.world.handset("Anna's phone")
        shown = self.instance["step"]["data"]
        if self.step == "mail":
            mailed = self.world.mailbox.last_to(self.email).enclosed
            assert mailed is not None
            claimed = self.phone.claim(mailed.typed_code, mail_code=shown["mail_code"])
        else:
            claimed = self.phone.claim(shown["typed_code"])
        assert claimed.status == 200, claimed
        self.number = str(claimed.said["number"])
        assert self.phone.keys().status == 200
        self.look()

    def approve(self) -> TestResponse:
        """Pick the number that the phone shows, where the page asks for it."""
        asked = [field["name"] for field in self.instance["step"]["form"]]
        return self.act("next", number=self.number) if asked == ["number"] else self.act("next")

    def fetch(self) -> None:
        """Let the phone fetch its certificates."""
        answer = self.handset.result()
        assert answer.status == 200, answer
        self.delivered = answer.said["certificates"]

    def _looked_at(self, answer: TestResponse) -> TestResponse:
        if answer.status_code < 300:
            self.instance = cast("dict[str, Any]", answer.json)
        return answer


# --- the product in this process ---------------------------------------------------------------------


class Mailbox:
    """Takes every letter."""

    def __init__(self) -> None:
        self._letters: Final[list[Letter]] = []

    def send(self, letter: Letter) -> None:
        """Keep it."""
        self._letters.append(letter)

    def told(self, address: str) -> list[str]:
        """Return what somebody was told, in its order."""
        return [one.event.value for one in self._letters if one.to == address]

    def last_to(self, address: str) -> Letter:
        """Return the newest letter to somebody."""
        return next(one for one in reversed(self._letters) if one.to == address)


class Clock:
    """A clock that is moved by hand. It begins today: certificates of the CA begin then, too."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return what it shows."""
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time go by."""
        self.now += time


class World:
    """One product on one database behind its own HTTP, and everybody around it.

    Its CA hangs on a line that `line_is_cut` cuts. No worker runs: what is not done at once is done
    by `work`, when a test says so. Tests share it; each has persons of its own.
    """

    def __init__(self, home: Path, database_url: str) -> None:
        self.home: Final = home
        self.clock: Final = Clock()
        self.switches: Final = home.parent / "switches"
        self.switches.mkdir()
        make_home(
            home,
            database_url=database_url,
            port=8080,
            more='demo = true\nauthority = "line"\n'
            f'authority_settings = {{ switches = "{self.switches}" }}\n',
        )
        self.mailbox: Final = Mailbox()
        self.product: Final = Product(load(home, {}), clock=self.clock, mailer=self.mailbox)
        self.app: Final = create_app(self.product)
        self.http: Final[FlaskClient] = self.app.test_client()
        self._key: Final = ECKey.import_key(register_front_end(self.product, "intranet"))
        self._tokens: Final = {
            audience: self.product.tokens.create(
                "test", audience, SCOPES[audience], by=SYSTEM
            ).bearer.reveal()
            for audience in Audience
        }
        stored = self.admin("versions", source=_SCRIPT, comment="For the tests")
        assert stored.status_code == 201, stored.text
        assert self.admin("activate", version=1, expected_active=0).status_code == 200

    @property
    def url(self) -> str:
        """Where it is."""
        return self.product.settings.public_url

    @property
    def ca(self) -> CAOnALine:
        """The CA itself, at its end of the line."""
        return cast("CAOnALine", self.product.authorities["line"])

    def person(self, kind: str = "") -> Person:
        """Return a new active user, who arrived over SCIM; `BY_MAIL` is one whose codes are mailed."""
        name = f"anna-{uuid.uuid4().hex[:12]}"
        answer = self.scim(
            "POST",
            "/Users",
            {
                "schemas": [USER],
                "userName": name,
                "displayName": "Anna Example",
                "userType": kind or "staff",
                "emails": [{"value": f"{name}@example.org", "primary": True}],
            },
        )
        assert answer.status_code == 201, answer.text
        return Person(self, str(cast("dict[str, Any]", answer.json)["id"]), f"{name}@example.org")

    def scim(
        self, method: str, path: str, body: object = None, *, if_match: str | None = None
    ) -> TestResponse:
        """Send a SCIM request, perhaps on the condition that this is still the version."""
        headers = {"Authorization": f"Bearer {self._tokens[Audience.SCIM]}"}
        headers |= {} if if_match is None else {"If-Match": if_match}
        return self.http.open(f"/scim/v2{path}", method=method, json=body, headers=headers)

    def admin(self, action: str, **body: object) -> TestResponse:
        """Do something with the option script."""
        return self.http.post(
            f"/admin/v1/scripts/MobileIDScriptOptions/{action}",
            json=body,
            headers={"Authorization": f"Bearer {self._tokens[Audience.ADMIN]}"},
        )

    def patch(self, path: str, name: str, value: object) -> TestResponse:
        """Replace one attribute over SCIM."""
        operation = {"op": "replace", "path": name, "value": value}
        return self.scim("PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]})

    def mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID over SCIM."""
        answer = self.scim("GET", f"/MobileIDs/{mobile_id}?attributes={SHOWN}")
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json)

    def revoke_behind_our_back(self, mobile_id: str) -> None:
        """Let somebody at the CA revoke the first certificate of a mobile ID."""
        shown = self.scim("GET", f"/MobileIDs/{mobile_id}?attributes=certificates.value").json
        first = cast("dict[str, Any]", shown)["certificates"][0]["value"]
        self.ca.revoke(base64.b64decode(first), Reason.AFFILIATION_CHANGED, self.clock())

    def revoked(self) -> dict[str, str]:
        """Return what the CA's list says: the reason of each serial number on it."""
        (name,) = self.product.publishers
        answer = self.http.get(f"/pki/{name}/crl")
        listed = x509.load_der_x509_crl(answer.data)
        return {format(one.serial_number, "x"): _reason_of(one) for one in listed}

    def handset(self, name: str) -> Handset:
        """Return a phone."""

        def post(path: str, body: bytes) -> Answer:
            answer = self.http.post(path, data=body, content_type="application/jose+json")
            return Answer(
                answer.status_code,
                json.loads(answer.data),
                answer.headers.get("Replay-Nonce", ""),
            )

        return Handset(self.url, post, name)

    def assertion(self, user_id: str) -> str:
        """Say who is signed in at the front end."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": "intranet",
            "sub": user_id,
            "aud": self.url,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            "auth_time": now,
        }
        return jwt.encode({"alg": "ES256"}, claims, self._key)

    def page_of(self, person: Person) -> str:
        """Return the words of the page that shows the run of a person, who is signed in there."""
        browser = self.app.test_client()
        with browser.session_transaction(base_url=self.url) as session:
            sign_in(session, person.user_id, self.clock())
        page = browser.get(f"/instances/{person.instance['id']}", base_url=self.url)
        assert page.status_code == 200, page.text
        return " ".join(re.sub(r"<[^>]*>", " ", page.text).split())

    @contextmanager
    def line_is_cut(self) -> Iterator[None]:
        """Cut the line to the CA while the block runs."""
        with self._switched("cut"):
            yield

    @contextmanager
    def ca_refuses(self) -> Iterator[None]:
        """Let the CA reject every order while the block runs."""
        with self._switched("refuse"):
            yield

    def work(self) -> None:
        """Do what wants work, as a worker does when its time has come."""
        do: Mapping[str, Callable[[str], None]] = {
            "certificate": self.product.certificate_work,
            "instance": self.product.instance_work,
            "mail": self.product.mail_work,
        }
        for one in self.product.effects.overview():
            with suppress(AuthorityError, NotYet):
                do[one.kind](one.id)

    def until(self, true: Callable[[], object], what: str) -> None:
        """Let work be done until something is true."""

        def worked() -> object:
            if not true():
                self.work()
            return true()

        until(worked, what)

    def close(self) -> None:
        """Give back what it holds."""
        self.product.close()

    @contextmanager
    def _switched(self, name: str) -> Iterator[None]:
        switch = self.switches / name
        switch.touch()
        try:
            yield
        finally:
            switch.unlink()


def _reason_of(revoked: x509.RevokedCertificate) -> str:
    try:
        return str(revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.value)
    except x509.ExtensionNotFound:
        return "unspecified"


def make_home(home: Path, *, database_url: str, port: int, more: str = "") -> None:
    """Make a home with keys, schema and a CA; what it says of times, unless `more` does, is for tests."""
    create_home(home)
    times = "" if "[times]" in more else '[times]\nattempt_lost = "1s"\n'
    with (home / "mobid.toml").open("a") as settings:
        settings.write(
            f'listen_port = {port}\ndatabase_url = "{database_url}"\n{more}{times}'
            "[limits]\nclaims_per_minute = 1000000\n"  # all phones of all tests are in one place
        )
    initialise_ca(key_folder(home).path, name="CA of a test", now=datetime.now(UTC))
    initialise(load(home, {}))


@contextmanager
def connector_installed() -> Iterator[None]:
    """Let the connector of these tests be found while the block runs, and by no other test."""
    sys.path.append(str(CONNECTOR))
    try:
        yield
    finally:
        sys.path.remove(str(CONNECTOR))


@pytest.fixture(scope="session")
def database_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Return the address of a fresh database of a kind; both kinds end with the run."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp('database') / 'mobid.db'}"
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        return server.url(server.create())

    return make


@pytest.fixture(scope="session", params=DATABASES)
def world(
    request: pytest.FixtureRequest,
    database_url: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """The product in this process, on a database of each kind."""
    with connector_installed():
        made = World(tmp_path_factory.mktemp("world") / "home", database_url(request.param))
    yield made
    made.close()


# --- the product as real servers -----------------------------------------------------------------------


class ForkedServers:
    """Starts servers that need not import everything again, which takes longer than all else they do.

    Each is a process of its own, forked from one that has done nothing but import.
    """

    PROGRAM: Final = Path(__file__).with_name("forked")

    def __init__(self) -> None:
        self._context: Final = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["mobid.cli", "waitress"])
        sys.path.append(str(self.PROGRAM))
        self._program: Final = importlib.import_module("mobid_forked")

    def start(
        self, words: Sequence[str], environ: Mapping[str, str], log: Path, *, forked: bool
    ) -> BaseProcess:
        """Start a command of `mobid` that says everything into a log."""
        process = self._context.Process(
            target=self._program.run if forked else self._program.run_from_the_start,
            args=(words, dict(environ), str(log)),
            daemon=True,
        )
        process.start()
        return process


@cache
def forked_servers() -> ForkedServers:
    """Return those of this process of the run."""
    return ForkedServers()


class Site:
    """A home with a database, and the server process that may run on it."""

    def __init__(self, folder: Path, database_url: str, more: str = "") -> None:
        self.folder: Final = folder
        self.home: Final = folder / "home"
        self.log: Final = folder / "server.log"
        port = free_port()
        self.url: Final = f"http://127.0.0.1:{port}"
        make_home(self.home, database_url=database_url, port=port, more=more)
        self._server: BaseProcess | None = None
        self.engine: Final = open_engine(database_url)
        with Product(load(self.home, {})) as product:
            scopes = SCOPES[Audience.SCIM]
            token = product.tokens.create("test", Audience.SCIM, scopes, by=SYSTEM)
            self.token: Final = token.bearer.reveal()
            self._told: Final = {
                "base_url": self.url,
                "frontend": "intranet",
                "frontend_key": register_front_end(product, "intranet"),
            }
            authority = product.authorities[product.settings.authority]
            assert isinstance(authority, Publisher)
            self._published: Final = authority.addresses()
        self.verifier: Final = Verifier(
            openssl=find_openssl(),
            ca=folder / "ca.pem",
            crl=folder / "crl.pem",
            ocsp_url=str(self._published.ocsp),
        )

    def serve(self, crashpoint: str = "", *, forked: bool = True) -> None:
        """Start `mobid serve`, with a crash point armed or with none, and wait until it answers."""
        environ = dict(os.environ)
        if crashpoint:
            environ["MOBID_CRASHPOINT"] = crashpoint
        self.log.unlink(missing_ok=True)
        command = ["--home", str(self.home), "serve"]
        self._server = forked_servers().start(command, environ, self.log, forked=forked)
        until(self._is_ready, f"The server answers; it said: {self.said()}")

    @property
    def is_running(self) -> bool:
        """Whether there is a server that has neither ended nor been stopped."""
        return self._server is not None and self._server.is_alive()

    @property
    def pid(self) -> int:
        """The process of the server that runs."""
        assert self._server is not None
        assert self._server.is_alive(), self.said()
        assert self._server.pid is not None
        return self._server.pid

    def said(self) -> str:
        """Return what the server has said so far."""
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def must_die_at(self, point: CrashPoint) -> None:
        """Wait for the death of the server: of SIGKILL, at this point and no other."""
        assert self._server is not None
        self._server.join(PATIENCE)
        assert not self._server.is_alive(), f"The server did not come to {point}: {self.said()}"
        assert self._server.exitcode == -signal.SIGKILL, self.said()
        assert f"MOBID_CRASHPOINT: killed at {point}\n" in self.said()

    def stop(self) -> None:
        """End the server, if it runs."""
        if self._server is not None:
            self._server.terminate()
            self._server.join(PATIENCE)
            self._server.kill()
            self._server.join(PATIENCE)
            self._server.close()
            self._server = None

    def close(self) -> None:
        """End the server and give back what is held."""
        self.stop()
        self.engine.dispose()

    def person(self) -> FrontEnd:
        """Return a new user at the registered front end."""
        name = f"anna-{uuid.uuid4().hex[:12]}"
        person = {
            "schemas": [USER],
            "userName": name,
            "displayName": "Anna Example",
            "emails": [{"value": f"{name}@example.org", "primary": True}],
        }
        return FrontEnd.of(self._told, str(self._scim("POST", "/Users", json=person)["id"]))

    def phone(self, name: str, picture: Path) -> Phone:
        """Start the program of a phone; what it remembers is told by its name."""
        return Phone(PHONE, self.folder / name, [str(picture)], name)

    def handset(self, name: str) -> Handset:
        """Return a phone inside the test."""

        def post(path: str, body: bytes) -> Answer:
            where = HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE)
            with closing(where):
                where.request("POST", path, body, {"Content-Type": "application/jose+json"})
                answer = where.getresponse()
                said = json.loads(answer.read())
                return Answer(answer.status, said, answer.headers.get("Replay-Nonce", ""))

        return Handset(self.url, post, name)

    def activate(self, user_id: str | None = None) -> tuple[FrontEnd, str]:
        """Return a person with an active mobile ID, and which it is: a user that is there, or a new one."""
        person = self.person() if user_id is None else FrontEnd.of(self._told, user_id)
        phone = self.handset("Anna's phone")
        shown = person.act(person.start(GET), "next")
        claimed = phone.claim(shown["step"]["data"]["typed_code"])
        phone.keys()
        shown = person.wait_for(shown, step="approve")
        person.act(shown, "next", number=str(claimed.said["number"]))
        self.finish(phone)
        return person, str(shown["mobile_id"])

    @staticmethod
    def finish(phone: Handset, *, seconds: float = PATIENCE) -> None:
        """Let a phone whose user has approved it wait for its certificates, and confirm them."""
        until(lambda: phone.result().status == 200, "They are issued", seconds=seconds)
        done = phone.confirm(phone.result().said["certificates"])
        assert done.said == {"state": "active"}

    def revoke_behind_our_back(self, mobile_id: str) -> None:
        """Let somebody at the CA revoke the first certificate of a mobile ID."""
        first = self.mobile_id(mobile_id)["certificates"][0]["value"]
        with Product(load(self.home, {})) as product:
            ca = product.authorities["builtin"]
            ca.revoke(base64.b64decode(first), Reason.AFFILIATION_CHANGED, datetime.now(UTC))

    def command(self, *words: str) -> str:
        """Run a command of `mobid` beside the server, and return what it says."""
        command = [sys.executable, "-m", "mobid.cli", "--home", str(self.home), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID over SCIM."""
        return self._scim(
            "GET", f"/MobileIDs/{mobile_id}", params={"attributes": f"{SHOWN},certificates.value"}
        )

    def mobile_ids(self) -> list[dict[str, Any]]:
        """Read every mobile ID over SCIM."""
        found = self._scim(
            "GET",
            "/MobileIDs",
            params={"attributes": f"{SHOWN},certificates.value", "count": "100"},
        )
        assert found["totalResults"] == len(found.get("Resources", [])), found
        return cast("list[dict[str, Any]]", found.get("Resources", []))

    def until_locked(self, mobile_id: str) -> None:
        """Wait until the CA has confirmed a Lock."""
        self.until_shown(mobile_id, {"state": "locked"})

    def until_shown(self, mobile_id: str, expected: Mapping[str, object]) -> None:
        """Wait until SCIM shows this of a mobile ID."""
        until(
            lambda: expected.items() <= self.mobile_id(mobile_id).items(),
            f"The mobile ID shows {dict(expected)}",
        )

    def until_no_mail_waits(self) -> None:
        """Wait until the row of every mail says what became of it, which a worker writes when it can."""
        waiting = sa.text("SELECT count(*) FROM mails WHERE work_wanted AND NOT work_dead")

        def none_waits() -> bool:
            with self.engine.connect() as connection:
                return not connection.execute(waiting).scalar_one()

        until(none_waits, "No mail waits")

    def fetch_lists(self) -> None:
        """Fetch chain and CRL where the CA publishes, as a relying party does."""
        chain = x509.load_der_x509_certificate(_fetched(self._published.chain))
        crl = x509.load_der_x509_crl(_fetched(self._published.crl))
        self.verifier.ca.write_bytes(chain.public_bytes(Encoding.PEM))
        self.verifier.crl.write_bytes(crl.public_bytes(Encoding.PEM))

    def ca_record(self) -> dict[str, tuple[str, bytes | None]]:
        """Read the built-in CA's own tables: standing and certificate of each serial number.

        What the CA issued to itself, for its OCSP responder, is left out.
        """
        query = sa.text(
            "SELECT c.serial, c.standing, c.certificate FROM ca_certificates c "
            "JOIN ca_intents i ON i.issuer = c.issuer AND i.serial = c.serial "
            "WHERE i.profile IN ('authentication', 'signature', 'encryption')"
        )
        with self.engine.connect() as connection:
            return {
                format(int(row.serial, 16), "x"): (row.standing, row.certificate)
                for row in connection.execute(query)
            }

    def _scim(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = httpx2.request(
            method,
            f"{self.url}/scim/v2{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=PATIENCE,
            **more,
        )
        assert answer.is_success, answer.text
        return cast("dict[str, Any]", answer.json())

    def _is_ready(self) -> bool:
        assert self._server is not None
        assert self._server.is_alive(), self.said()
        return '"server_ready"' in self.said()


class OpenBaoSite(Site):
    """The same, with a CA in a real OpenBao that has a mount for this site."""

    def __init__(self, folder: Path, database_url: str, openbao: DevServer) -> None:
        self._openbao: Final = openbao
        self._mount: Final = f"pki-{uuid.uuid4().hex}"
        settings = openbao.make_pki(self._mount) | {"settle_seconds": 1}
        super().__init__(folder, database_url, openbao.write_settings(settings).read_text())

    @override
    def revoke_behind_our_back(self, mobile_id: str) -> None:
        first = self.mobile_id(mobile_id)["certificates"][0]["value"]
        pem = x509.load_der_x509_certificate(base64.b64decode(first)).public_bytes(Encoding.PEM)
        self._openbao.call("POST", f"{self._mount}/revoke", {"certificate": pem.decode()})

    @override
    def ca_record(self) -> dict[str, tuple[str, bytes | None]]:
        """Read OpenBao's own records; its CA certificate is left out."""
        listed = self._openbao.call("GET", f"{self._mount}/certs?list=true")["keys"]
        found = [self._openbao.call("GET", f"{self._mount}/cert/{serial}") for serial in listed]
        read = [(x509.load_pem_x509_certificate(one["certificate"].encode()), one) for one in found]
        return {
            format(certificate.serial_number, "x"): (
                "revoked" if one["revocation_time"] else "valid",
                certificate.public_bytes(Encoding.DER),
            )
            for certificate, one in read
            if certificate.subject != certificate.issuer
        }


def _fetched(address: str | None) -> bytes:
    assert address is not None
    answer = httpx2.get(address, timeout=PATIENCE)
    assert answer.is_success, answer.text
    return answer.content


def free_port() -> int:
    """Return a port that nobody listens at now."""
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    pytest.fail("There is no free port.")


@pytest.fixture(scope="session")
def new_site(
    database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Return a home on a fresh database of a kind, with more settings; its server is ended with the run.

    A PostgreSQL of the tests takes any password.
    """
    made: list[Site] = []

    def make(kind: str, more: str = "", password: str | None = None) -> Site:
        url = database_url(kind)
        if kind == "postgresql" and password is not None:
            url = sa.make_url(url).set(password=password).render_as_string(hide_password=False)
        made.append(Site(tmp_path_factory.mktemp(f"site-{kind}"), url, more))
        return made[-1]

    yield make
    for site in made:
        site.close()


_RUNNING: Final = pytest.StashKey[dict[str, Site]]()


@pytest.fixture(scope="session")
def running_site(
    request: pytest.FixtureRequest, new_site: Callable[..., Site]
) -> Callable[[str], Site]:
    """Return the real server that runs on a database of a kind, at which samples can sign in."""
    running = request.session.stash.setdefault(_RUNNING, {})

    def at(kind: str) -> Site:
        if kind not in running:
            running[kind] = new_site(kind, "demo = true\n")
        if not running[kind].is_running:
            running[kind].serve()
        return running[kind]

    return at


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop servers when other tests follow: looking for work, they take time that those need."""
    if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
        for site in item.session.stash.get(_RUNNING, {}).values():
            site.stop()


@pytest.fixture
def new_openbao_site(
    database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[DevServer], OpenBaoSite]]:
    """A home whose CA is in an OpenBao; its server is ended with the test."""
    made: list[OpenBaoSite] = []

    def make(openbao: DevServer) -> OpenBaoSite:
        folder = tmp_path_factory.mktemp("site-openbao")
        made.append(OpenBaoSite(folder, database_url("sqlite"), openbao))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, running_site: Callable[[str], Site]) -> Site:
    """A real server that runs, on a database of each kind."""
    return running_site(request.param)
