"""The connection to the server: signed POSTs with nonces, over verified TLS, without redirects."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from .errors import Refused, StrangeAnswer, Unreachable, Usage
from .jose import flattened, public_jwk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric import ec

TIMEOUT: Final = 15  # seconds
MOST_BYTES: Final = 1024 * 1024
_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said: 200, or 202 with the seconds to wait before asking again."""

    status: int
    said: dict[str, Any]
    retry_after: int | None


class Channel:
    """Speaks for one device key to one server."""

    def __init__(
        self, server: str, key: ec.EllipticCurvePrivateKey, ca_file: Path | None = None
    ) -> None:
        self.server, self._key = server, key
        self._tls = _tls(ca_file) if server.startswith("https:") else None
        self._nonce = ""

    def claim(self, payload: Mapping[str, object]) -> Answer:
        """Send the first message, which brings the public key along and needs no nonce."""
        return self._send("claim", {"jwk": public_jwk(self._key)}, payload)

    def say(self, verb: str, kid: str, payload: Mapping[str, object]) -> Answer:
        """Send any later message; a nonce that is missing or too old costs one more round."""
        try:
            return self._send(verb, {"kid": kid, "nonce": self._nonce}, payload)
        except Refused as refusal:
            if refusal.server_code != "BAD_NONCE" or not self._nonce:
                raise
        return self._send(verb, {"kid": kid, "nonce": self._nonce}, payload)

    def address(self, verb: str) -> str:
        """Return the absolute address of a message, which is signed with it."""
        return f"{self.server}/device/v1/{verb}"

    def _send(
        self, verb: str, header: Mapping[str, object], payload: Mapping[str, object]
    ) -> Answer:
        signed = flattened({"url": self.address(verb), **header}, payload, self._key)
        try:
            status, headers, body = self._post(f"/device/v1/{verb}", json.dumps(signed).encode())
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"The server {self.server} cannot be trusted: {error.verify_message}. "
                "If its CA is your own, name the CA's certificate with --ca-file."
            ) from None
        except (OSError, HTTPException) as error:
            raise Unreachable(f"The server {self.server} does not answer: {error}.") from None
        self._nonce = headers.get("replay-nonce", "")
        retry_after = _seconds(headers.get("retry-after"))
        said = _object(body)
        if status in _OK and said is not None:
            return Answer(status, said, retry_after)
        raise _refusal(status, said, retry_after)

    def _post(self, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        host = urlsplit(self.server).netloc
        connection = (
            HTTPConnection(host, timeout=TIMEOUT)
            if self._tls is None
            else HTTPSConnection(host, timeout=TIMEOUT, context=self._tls)
        )
        try:
            connection.request("POST", path, body, {"Content-Type": "application/jose+json"})
            response = connection.getresponse()
            data = response.read(MOST_BYTES + 1)
            headers = {name.lower(): value for name, value in response.getheaders()}
            return response.status, headers, data
        finally:
            connection.close()


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the CAs of this machine or, if a file is given, those in it and no other."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Usage(f"The CA file {ca_file} cannot be used: {error.strerror or error}.") from None


def _object(body: bytes) -> dict[str, Any] | None:
    if len(body) > MOST_BYTES:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refusal(
    status: int, said: dict[str, Any] | None, retry_after: int | None
) -> Refused | StrangeAnswer:
    match said:
        case {"code": str(code), "detail": str(detail), "tries_left": int(left)}:
            return Refused(status, code, detail, retry_after, tries_left=left)
        case {"code": str(code), "detail": str(detail)}:
            return Refused(status, code, detail, retry_after)
        case _:
            return StrangeAnswer(f"The server answered with status {status} and no explanation.")


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdecimal() else None
