"""Frozen options of a Get and stored answers of a CA, as JSON and back."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from mobid.domain.options import Kind, Notify, Options, QRLocation, Recovery, Validity
from mobid.processes.authority import Capabilities, Reason
from mobid.storage.columns import instant, microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping


def options_as_json(options: Options) -> dict[str, Any]:
    """Return the options as a JSON object."""
    return {
        "certificates": list(options.certificates),
        "selectable_certificates": list(options.selectable_certificates),
        "qr_location": options.qr_location,
        "validity": options.validity.text,
        "user_id": options.user_id,
        "server_name": options.server_name,
        "profile_name": options.profile_name,
        "properties": dict(options.properties),
        "recover_encryption": options.recover_encryption,
        "notify": options.notify,
    }


def options_from_json(stored: Mapping[str, Any]) -> Options:
    """Return the options that were stored."""
    return Options(
        certificates=_kinds(stored["certificates"]),
        selectable_certificates=_kinds(stored["selectable_certificates"]),
        qr_location=QRLocation(stored["qr_location"]),
        validity=Validity(stored["validity"]),
        user_id=stored["user_id"],
        server_name=stored["server_name"],
        profile_name=stored["profile_name"],
        properties=stored["properties"],
        recover_encryption=Recovery(stored["recover_encryption"]),
        notify=Notify(stored["notify"]),
    )


def capabilities_as_json(capabilities: Capabilities) -> dict[str, Any]:
    """Return what a CA can do as a JSON object."""
    return {
        "kinds": sorted(capabilities.kinds),
        "reasons": sorted(capabilities.reasons),
        "not_after": microseconds(capabilities.not_after),
        "profile_hash": dict(capabilities.profile_hash),
        "issuers": [base64.b64encode(der).decode() for der in capabilities.issuers],
        "holds": capabilities.holds,
        "find": capabilities.find,
        "settle_seconds": capabilities.settle_seconds,
    }


def capabilities_from_json(stored: Mapping[str, Any]) -> Capabilities:
    """Return what a CA said it can do."""
    return Capabilities(
        kinds=frozenset(_kinds(stored["kinds"])),
        reasons=frozenset(Reason(number) for number in stored["reasons"]),
        not_after=instant(stored["not_after"]),
        profile_hash={Kind(kind): digest for kind, digest in stored["profile_hash"].items()},
        issuers=tuple(base64.b64decode(der) for der in stored["issuers"]),
        holds=stored["holds"],
        find=stored["find"],
        settle_seconds=stored["settle_seconds"],
    )


def _kinds(names: list[str]) -> tuple[Kind, ...]:
    return tuple(Kind(name) for name in names)
