"""What a phone is answered, field by field."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields

from mobid.api.device.payloads import Bytes
from mobid.processes.csr import KEY_TYPE

if TYPE_CHECKING:
    from mobid.processes.enrolment import Claimed, Result


class ProfileAnswer(Schema):
    """What the phone names the mobile ID by."""

    server_name = fields.String()
    user_id = fields.String()
    profile_name = fields.String()
    properties = fields.Dict(keys=fields.String(), values=fields.String())


class WantedKeyAnswer(Schema):
    """A key to make, and of which types it may be."""

    kind = fields.String()
    key_types = fields.List(fields.String())


class ClaimAnswer(Schema):
    """`kid` names the enrolment from now on; `number` is what the phone shows to its owner."""

    kid = fields.String()
    number = fields.Integer()
    expires_at = fields.AwareDateTime(format="iso", default_timezone=UTC)
    profile = fields.Nested(ProfileAnswer)
    keys = fields.List(fields.Nested(WantedKeyAnswer))


class StateAnswer(Schema):
    """Where the enrolment, or the mobile ID, is."""

    state = fields.String()


class CertificateAnswer(Schema):
    """One certificate in DER, and those that it is issued under, the issuer first."""

    kind = fields.String()
    serial = fields.String()
    certificate = Bytes()
    chain = fields.List(Bytes())


class ResultAnswer(Schema):
    """All certificates of the mobile ID."""

    certificates = fields.List(fields.Nested(CertificateAnswer))


def claimed(claim: Claimed) -> dict[str, Any]:
    """Return the answer to a claim."""
    return {
        "kid": claim.enrolment_id,
        "number": claim.number,
        "expires_at": claim.expires_at,
        "profile": claim,
        "keys": [{"kind": kind.value, "key_types": [KEY_TYPE]} for kind in claim.kinds],
    }


def issued(result: Result) -> dict[str, Any]:
    """Return the answer with the certificates."""
    return {
        "certificates": [
            {
                "kind": certificate.kind.value,
                "serial": certificate.serial,
                "certificate": certificate.der,
                "chain": certificate.chain,
            }
            for certificate in result.certificates
        ]
    }
