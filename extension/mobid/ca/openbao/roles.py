"""The roles in OpenBao that make our certificates: what is wrong with one, and its digest.

A role decides what our order does not say: usages. What the order does say, a role must let through
as it is: subject, names, validity. `faults` finds what would make `verification` refuse every
certificate, before the first one is issued.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cryptography.x509.oid import ExtendedKeyUsageOID

from mobid.domain.options import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMARTCARD_LOGON: Final = ExtendedKeyUsageOID.SMARTCARD_LOGON.dotted_string
DOCUMENT_SIGNING: Final = "1.3.6.1.5.5.7.3.36"
"""RFC 9336."""

_USAGE: Final[Mapping[Kind, Mapping[str, list[str]]]] = {
    Kind.AUTHENTICATION: {
        "key_usage": ["DigitalSignature"],
        "ext_key_usage": ["ClientAuth"],
        "ext_key_usage_oids": [SMARTCARD_LOGON],
    },
    Kind.SIGNATURE: {
        "key_usage": ["ContentCommitment"],
        "ext_key_usage": ["EmailProtection"],
        "ext_key_usage_oids": [DOCUMENT_SIGNING],
    },
    Kind.ENCRYPTION: {
        "key_usage": ["KeyAgreement"],
        "ext_key_usage": ["EmailProtection"],
        "ext_key_usage_oids": [],
    },
}
_REQUIRED: Final[Mapping[str, object]] = {
    # Names come from our order and from nowhere else.
    "allow_any_name": True,
    "enforce_hostnames": False,
    "cn_validations": ["disabled"],
    "use_csr_common_name": False,
    "use_csr_sans": False,
    # These flags add usages.
    "server_flag": False,
    "client_flag": False,
    "code_signing_flag": False,
    "email_protection_flag": False,
    # With a lease, every certificate would be revoked as soon as our token ends.
    "generate_lease": False,
    # What is not stored can be neither found nor revoked.
    "no_store": False,
}
_SUBJECT: Final = (
    "organization",
    "ou",
    "country",
    "locality",
    "province",
    "street_address",
    "postal_code",
)
"""What a role could add to every subject."""
_FIXED_TIMES: Final = ("not_before", "not_after")
_PURPOSES: Final = {
    "clientauth": ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string,
    "emailprotection": ExtendedKeyUsageOID.EMAIL_PROTECTION.dotted_string,
}
_NEEDED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.AUTHENTICATION: frozenset({_PURPOSES["clientauth"]}),
    Kind.SIGNATURE: frozenset(),
    Kind.ENCRYPTION: frozenset({_PURPOSES["emailprotection"]}),
}
_ALLOWED: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.AUTHENTICATION: _NEEDED[Kind.AUTHENTICATION] | {SMARTCARD_LOGON},
    Kind.SIGNATURE: frozenset({_PURPOSES["emailprotection"], DOCUMENT_SIGNING}),
    Kind.ENCRYPTION: _NEEDED[Kind.ENCRYPTION],
}


def digest(role: Mapping[str, object], issuer: str) -> str:
    """Return SHA-256 over a role and its issuer, so that a changed one shows in our records."""
    text = json.dumps({"issuer": issuer, "role": role}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def backdates(role: Mapping[str, object]) -> timedelta:
    """Return how far a role puts the beginning of a certificate into the past."""
    seconds = role.get("not_before_duration")
    return timedelta(seconds=seconds if isinstance(seconds, int) else 0)


def faults(kind: Kind, role: Mapping[str, object]) -> Iterator[str]:
    """Yield why certificates of this role would not be what we order, or could not be kept track of."""
    for name, wanted in _REQUIRED.items():
        if role.get(name) != wanted:
            yield f"{name} must be {json.dumps(wanted)}, it is {json.dumps(role.get(name))}"
    for name in (*_SUBJECT, *_FIXED_TIMES):
        if role.get(name):
            yield f"{name} must be empty, it is {json.dumps(role[name])}"
    if role.get("key_type") not in {"ec", "any"}:
        yield f'key_type must be "ec", it is {json.dumps(role.get("key_type"))}'
    if role.get("not_after_bound") == "forbid":
        yield 'not_after_bound must be "permit" or "ttl-limited", it is "forbid"'
    yield from _faults_of_usages(kind, role)


def _faults_of_usages(kind: Kind, role: Mapping[str, object]) -> Iterator[str]:
    wanted = _USAGE[kind]["key_usage"]
    if _texts(role, "key_usage", prefix="KeyUsage") != {name.lower() for name in wanted}:
        yield f"key_usage must be {json.dumps(wanted)}, it is {json.dumps(role.get('key_usage'))}"
    named = _texts(role, "ext_key_usage", prefix="ExtKeyUsage")
    purposes = {_PURPOSES.get(name, name) for name in named} | _texts(role, "ext_key_usage_oids")
    if not purposes or not _NEEDED[kind] <= purposes <= _ALLOWED[kind]:
        example = {name: _USAGE[kind][name] for name in ("ext_key_usage", "ext_key_usage_oids")}
        found = {name: role.get(name) for name in example}
        yield f"extended key usages must be as in {json.dumps(example)}, they are {json.dumps(found)}"


def _texts(role: Mapping[str, object], name: str, *, prefix: str = "") -> set[str]:
    """Return a list of a role without the prefix that OpenBao ignores, in lower case."""
    found = role.get(name)
    listed = found if isinstance(found, list) else []
    return {str(one).removeprefix(prefix).lower() for one in listed}
