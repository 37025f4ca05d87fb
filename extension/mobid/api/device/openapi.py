"""How the signed requests look in the OpenAPI document, which knows no JWS of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask_smorest import Blueprint

from mobid.api.device.payloads import ClaimPayload, ConfirmPayload, EmptyPayload, KeysPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeVar

    from apispec import APISpec
    from flask import Flask
    from flask_smorest import Api
    from marshmallow import Schema

    F = TypeVar("F", bound=Callable[..., Any])

PAYLOADS: Final = (ClaimPayload, KeysPayload, ConfirmPayload, EmptyPayload)

_BASE64URL: Final = {"type": "string", "contentEncoding": "base64url"}


class DeviceBlueprint(Blueprint):
    """A blueprint whose payload schemas are components, although no body holds them in the clear."""

    def register_views_in_doc(
        self,
        api: Api,
        app: Flask,
        spec: APISpec,
        *,
        name: str,
        parameters: list[Mapping[str, Any]] | None,
    ) -> None:
        """Add the payload schemas, then the views that refer to them."""
        for payload in PAYLOADS:
            spec.components.schema(_name(payload), schema=payload)
        super().register_views_in_doc(api, app, spec, name=name, parameters=parameters)


def signed(payload: type[Schema], *, header: str) -> Callable[[F], F]:
    """Describe the request body of a view: a flattened JWS over this payload."""
    content = {
        "contentMediaType": "application/json",
        "contentSchema": {"$ref": f"#/components/schemas/{_name(payload)}"},
    }
    envelope = {
        "type": "object",
        "additionalProperties": False,
        "required": ["protected", "payload", "signature"],
        "properties": {
            "protected": _BASE64URL
            | {"description": f"A JSON object with exactly {header}; alg is ES256."},
            "payload": _BASE64URL | content,
            "signature": _BASE64URL | {"description": "The 64 bytes r and s (RFC 7518, 3.4)."},
        },
    }
    body = {
        "required": True,
        "description": "A flattened JWS (RFC 7515, 7.2.2) by the phone's device key.",
        "content": {"application/jose+json": {"schema": envelope}},
    }
    return Blueprint.doc(requestBody=body)


def _name(payload: type[Schema]) -> str:
    return f"Device{payload.__name__}"
