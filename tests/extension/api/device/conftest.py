"""A phone, the other side in memory, and an application that has nothing but the device interface."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from joserfc import jws
from joserfc.jwk import ECKey

from mobid.api import device
from mobid.api.device.base64url import encode as b64
from mobid.api.problems import Problems
from mobid.app.errors import meaning_of
from mobid.domain.instances import StepName
from mobid.domain.mobile_ids import Device, ProfileState
from mobid.domain.options import Kind
from mobid.processes.enrolment import Caller, Claimed, IssuedCertificate, Result, ResultPending
from mobid.processes.errors import (
    BadCertificateRequest,
    BadMailCode,
    CodeNotUsable,
    MailCodeRequired,
    TooMany,
    WrongConfirmation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flask.testing import FlaskClient
    from tests.conftest import StandingClock
    from werkzeug.test import TestResponse

    from mobid.processes.ports import Units

HOST = "https://mobile-id.example.org"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"


class Claims:
    """Where claims came from, in their order; from the `most`th on there are too many."""

    def __init__(self) -> None:
        self.came_from: list[str | None] = []
        self.most = 1_000_000

    def count(self, address: str | None) -> None:
        """Count a claim; refuse one too many."""
        self.came_from.append(address)
        if len(self.came_from) > self.most:
            raise TooMany(timedelta(seconds=42))


class Remembered:
    """`Units` of which only `used` is there: what was used, and by which commits."""

    def __init__(self) -> None:
        self.used = self
        self.kept: set[str] = set()
        self._new: set[str] = set()

    @contextmanager
    def __call__(self) -> Iterator[Remembered]:
        """Begin a unit of work; what is not committed is forgotten."""
        self._new = set()
        yield self

    def first_use(self, what: str, *, until: datetime) -> bool:
        """Remember a use, and say whether it was the first."""
        assert until > NOON
        self._new.add(what)
        return what not in self.kept

    def commit(self) -> None:
        """Keep it."""
        self.kept |= self._new


@dataclass
class OneEnrolment:
    """The phone's side of one Get, in memory, with a CA of its own."""

    kinds: tuple[Kind, ...] = (Kind.AUTHENTICATION, Kind.SIGNATURE)
    approved: bool = True
    jwk: Mapping[str, str] | None = None
    device: Device | None = None
    thumbprint: str | None = None
    csrs: dict[Kind, bytes] = field(default_factory=dict)
    transport_jwk: Mapping[str, str] | None = None
    certificates: tuple[IssuedCertificate, ...] = ()
    state: ProfileState = ProfileState.PENDING
    mail_code: str | None = None

    def claim(
        self,
        code: str,
        *,
        thumbprint: str,
        jwk: Mapping[str, str],
        device: Device,
        mail_code: str | None = None,
    ) -> Claimed:
        """Bind the code to the first phone."""
        if self.mail_code is not None and mail_code is None:
            raise MailCodeRequired
        if self.mail_code != mail_code:
            raise BadMailCode(tries_left=4)
        if code != TOKEN or self.jwk not in (None, jwk):
            raise CodeNotUsable
        self.jwk, self.device, self.thumbprint = jwk, device, thumbprint
        return Claimed(
            enrolment_id="enrolment-1",
            number=42,
            server_name="Example",
            user_id="anna@example.org",
            profile_name="MobileID Anna",
            properties={"colour": "blue"},
            kinds=self.kinds,
            expires_at=NOON + timedelta(minutes=10),
        )

    def device_key(self, enrolment_id: str) -> Mapping[str, str]:
        """Return the claiming phone's key."""
        if enrolment_id != "enrolment-1" or self.jwk is None:
            raise CodeNotUsable
        return self.jwk

    def keys(
        self,
        phone: Caller,
        csrs: Mapping[Kind, bytes],
        transport_jwk: Mapping[str, str] | None,
    ) -> None:
        """Issue at once: approving is not the phone's business."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        self.csrs, self.transport_jwk = dict(csrs), transport_jwk
        for kind in self.kinds:
            if kind not in csrs:
                raise BadCertificateRequest(kind, "is missing")
        self.certificates = tuple(issue(kind, csrs[kind]) for kind in self.kinds)

    def result(self, phone: Caller) -> ResultPending | Result:
        """Return the certificates once approved."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        return Result(self.certificates) if self.approved else ResultPending(2, StepName.APPROVE)

    def authentication_certificate(self, phone: Caller) -> bytes | None:
        """Return the authentication certificate."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        ours = (one.der for one in self.certificates if one.kind is Kind.AUTHENTICATION)
        return next(ours, None)

    def confirm(self, phone: Caller, hashes: frozenset[bytes]) -> ProfileState:
        """Activate if every certificate is named."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        if hashes != {hashlib.sha256(one.der).digest() for one in self.certificates}:
            raise WrongConfirmation
        self.state = ProfileState.ACTIVE
        return self.state

    def status(self, phone: Caller) -> ProfileState:
        """Return the state."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        return self.state

    def remove(self, phone: Caller) -> ProfileState:
        """Lock."""
        assert phone == Caller("enrolment-1", self.thumbprint or "")
        self.state = ProfileState.LOCKING
        return self.state


def issue(kind: Kind, csr: bytes) -> IssuedCertificate:
    """Issue a certificate for the key in a request."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(x509.load_der_x509_csr(csr).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON)
        .not_valid_after(NOON + timedelta(days=1))
    )
    certificate = builder.sign(key, hashes.SHA256())
    der = certificate.public_bytes(Encoding.DER)
    serial = f"{certificate.serial_number:x}"
    return IssuedCertificate(kind=kind, serial=serial, der=der, chain=(b"CA",))


class Phone:
    """A phone that signs as agreed, unless a test tells it otherwise."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.key = ECKey.generate_key("P-256", auto_kid=False)
        self.public = {
            name: str(self.key.as_dict(private=False)[name]) for name in ("kty", "crv", "x", "y")
        }
        self.kid, self.nonce = "enrolment-1", ""

    def header(self, verb: str) -> dict[str, Any]:
        """Return the protected header of a good request."""
        header = {"alg": "ES256", "url": f"{HOST}/device/v1/{verb}"}
        if verb == "claim":
            return header | {"jwk": self.public}
        return header | {"kid": self.kid, "nonce": self.nonce}

    def post(
        self, verb: str, body: bytes, content_type: str = "application/jose+json"
    ) -> TestResponse:
        """Post bytes and keep the nonce of the answer."""
        answer = self.client.post(f"/device/v1/{verb}", data=body, content_type=content_type)
        self.nonce = answer.headers.get("Replay-Nonce", "")
        return answer

    def say(self, verb: str, payload: object, **changed: object) -> TestResponse:
        """Sign and post; `changed` are members of the protected header, None leaves one out."""
        header = {
            name: value
            for name, value in (self.header(verb) | changed).items()
            if value is not None
        }
        signed = self.flattened(header, json.dumps(payload).encode())
        return self.post(verb, json.dumps(signed).encode())

    def flattened(
        self, header: Mapping[str, Any], payload: bytes = b"{}", key: ECKey | None = None
    ) -> dict[str, Any]:
        """Sign with a library that is not the one under test."""
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        members: jws.HeaderDict = {"protected": dict(header)}
        return dict(jws.serialize_json(members, payload, key or self.key, registry=registry))

    def dressed(self, verb: str, header: object) -> TestResponse:
        """Post what was signed with a good header, under another one."""
        signed = self.flattened(self.header(verb))
        signed["protected"] = b64(json.dumps(header).encode())
        return self.post(verb, json.dumps(signed).encode())

    def another(self) -> Phone:
        """Return a second phone that has overheard everything but the key."""
        other = Phone(self.client)
        other.nonce = self.nonce
        return other

    def claim(self, **changed: object) -> TestResponse:
        """Claim the code."""
        said = {"code": TOKEN, "device": {"name": "Anna's phone", "platform": "ios", "model": "X"}}
        return self.say("claim", said | changed)

    def proof(self, key: ECKey, names: list[str], **changed: object) -> dict[str, Any]:
        """Return the proof of a confirm."""
        header = {"alg": "ES256", "typ": "mobid-confirm", "url": f"{HOST}/device/v1/confirm"}
        payload = json.dumps({"kid": self.kid, "hashes": names}).encode()
        return self.flattened(header | changed, payload, key)

    @staticmethod
    def assert_refused(answer: TestResponse, status: int, code: str, text: str = "") -> None:
        """A refusal is a problem document with a code, and carries a fresh nonce."""
        problem = json.loads(answer.data)
        assert (answer.status_code, problem["code"]) == (status, code), problem
        assert answer.mimetype == "application/problem+json"
        assert len(answer.headers["Replay-Nonce"]) == 75
        assert answer.headers["Cache-Control"] == "no-store"
        assert text in problem["detail"]


@pytest.fixture
def remembered() -> Remembered:
    """Return the nonces that were used."""
    return Remembered()


@pytest.fixture
def enrolment() -> OneEnrolment:
    """Return the other side of the interface."""
    return OneEnrolment()


@pytest.fixture
def nonces(clock: StandingClock, remembered: Remembered) -> device.Nonces:
    """Return nonces under a key of their own."""
    return device.Nonces(b"n" * 32, clock, cast("Units", remembered))


@pytest.fixture
def claims() -> Claims:
    """Return where claims came from."""
    return Claims()


@pytest.fixture
def app(enrolment: OneEnrolment, nonces: device.Nonces, claims: Claims) -> Flask:
    """Return an application with the device interface and the table of errors."""
    app = Flask("device-test")
    app.register_blueprint(device.blueprint(enrolment, nonces, HOST, count_claim=claims.count))
    app.register_error_handler(Exception, Problems(meaning_of))
    return app


@pytest.fixture
def phone(app: Flask) -> Phone:
    """Return a phone that has claimed nothing yet."""
    return Phone(app.test_client())


@pytest.fixture
def claimed(phone: Phone) -> Phone:
    """Return the phone that claimed the code."""
    assert phone.claim().status_code == 200
    return phone
