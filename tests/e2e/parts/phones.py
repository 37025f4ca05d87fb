"""A phone inside a test, which signs by a library that is not ours."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


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
