"""What a phone says, once it is known who speaks: the payloads, checked by exact type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unicodedata import normalize

from marshmallow import ValidationError, fields, post_load, validate
from marshmallow.exceptions import SCHEMA

from mobid.api.bodies import Strict
from mobid.api.device import base64url
from mobid.api.device.errors import MalformedRequest
from mobid.api.device.jws import FlattenedJWS, PublicKey, json_from
from mobid.domain.mobile_ids import Device
from mobid.domain.options import Kind
from mobid.processes.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marshmallow import Schema

MOST_HASHES: Final = 8

_SHA256: Final = 32  # bytes
_MOST_SHOWN: Final = 64
_JOINERS: Final = "\u200c\u200d"  # people have them in names, and in emoji


def load(schema: Schema, payload: bytes) -> Any:
    """Return what a payload says; raise `MalformedRequest` or `InvalidInput` for the first fault."""
    try:
        return schema.load(_object(json_from(payload, "payload")))
    except ValidationError as error:
        raise InvalidInput(*_first_fault(error.messages)) from None


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput("payload", "must be an object")
    return value


def _first_fault(messages: object) -> tuple[str, str]:
    """Return path and words of the first fault; marshmallow nests them as the payload is nested."""
    path: list[str] = []
    found = messages
    while isinstance(found, dict):
        member, found = next(iter(found.items()))
        if member != SCHEMA:
            path.append(str(member)[:_MOST_SHOWN])
    words = found[0] if isinstance(found, list) else found
    return ".".join(path), str(words)


def _one_line(text: str) -> None:
    """Refuse what could pretend to be something else on the page where the user approves."""
    if not text.strip() or not all(sign.isprintable() or sign in _JOINERS for sign in text):
        raise ValidationError("must be one line of visible characters")


class Payload(Strict):
    """A payload with these members and no other, refused in words for authors of apps."""

    error_messages = {"unknown": "is not known here", "type": "must be an object"}  # noqa: RUF012  as marshmallow declares it


_Words: TypeAlias = "dict[str, str | list[Any] | dict[Any, Any]]"  # as marshmallow types it
_WORDS: Final[_Words] = {
    "required": "is missing",
    "null": "must not be null",
    "type": "must be an object",
}


def _saying(invalid: str) -> _Words:
    return {**_WORDS, "invalid": invalid}


def _text(most: int, *, required: bool) -> fields.String:
    length = validate.Length(1, most, error=f"must have 1 to {most} characters")
    return fields.String(
        required=required,
        validate=[length, _one_line],
        error_messages=_saying("must be a text"),
    )


class Bytes(fields.Field[bytes]):
    """Bytes as base64url without padding."""

    def _deserialize(self, value: object, *_args: object, **_context: object) -> bytes:
        if not isinstance(value, str):
            raise ValidationError("must be a text")
        try:
            return base64url.decode(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def _serialize(self, value: bytes | None, *_args: object, **_context: object) -> str | None:
        return None if value is None else base64url.encode(value)


class JWK(fields.Field[PublicKey]):
    """A public key on P-256, as a JWK with exactly kty, crv, x and y."""

    def _deserialize(self, value: object, *_args: object, **_context: object) -> PublicKey:
        try:
            return PublicKey.from_jwk(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Signed(fields.Field[FlattenedJWS]):
    """A flattened JWS inside a payload."""

    def _deserialize(self, value: object, *_args: object, **_context: object) -> FlattenedJWS:
        try:
            return FlattenedJWS.read(value)
        except MalformedRequest as error:
            raise ValidationError(f"is no flattened JWS: its {error.part} {error.right}") from None


class DevicePayload(Payload):
    """How the phone describes itself; the user reads the name when they approve."""

    name = _text(64, required=True)
    platform = _text(32, required=False)
    model = _text(64, required=False)

    @post_load
    def _device(self, said: dict[str, str], **_context: object) -> Device:
        return Device(**{name: normalize("NFC", text) for name, text in said.items()})


class ClaimPayload(Payload):
    """The token of the QR code or the typed code, and the phone.

    `mail_code` is what the page shows if the code came by mail: 8 characters, as people type them.
    """

    code = _text(64, required=True)
    mail_code = _text(64, required=False)
    device = fields.Nested(DevicePayload, required=True, error_messages=_WORDS)


class RequestsPayload(Payload):
    """One PKCS#10 request in DER per kind of certificate."""

    authentication = Bytes(error_messages=_WORDS)
    signature = Bytes(error_messages=_WORDS)
    encryption = Bytes(error_messages=_WORDS)

    @post_load
    def _by_kind(self, said: dict[str, bytes], **_context: object) -> dict[Kind, bytes]:
        if not said:
            raise ValidationError(
                "must hold a request for every kind that the claim's answer named"
            )
        return {Kind(name): request for name, request in said.items()}


class KeysPayload(Payload):
    """The keys that the phone made; the transport key receives keys that are made elsewhere."""

    csrs = fields.Nested(RequestsPayload, required=True, error_messages=_WORDS)
    transport_key = JWK(error_messages=_WORDS)


class EmptyPayload(Payload):
    """An empty object: the address says everything."""


class ConfirmPayload(Payload):
    """SHA-256 of every certificate that is installed, and the new authentication key's signature."""

    hashes = fields.List(
        Bytes(
            error_messages=_WORDS,
            validate=validate.Length(equal=_SHA256, error="must be the 32 bytes of a SHA-256"),
        ),
        required=True,
        error_messages=_saying("must be a list"),
        validate=validate.Length(1, MOST_HASHES, error=f"must hold 1 to {MOST_HASHES} hashes"),
    )
    proof = Signed(error_messages=_WORDS)
