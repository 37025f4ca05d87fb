"""What administrators send and are answered about option scripts, field by field."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from marshmallow import Schema, fields, validate

from mobid.api.bodies import Strict
from mobid.domain.users import User, UserState
from mobid.optionscripts.words import DECLARATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.options import Options
    from mobid.processes.ports import Evaluation

_MOST_GROUPS: Final = 1000
_NAMED: Final = frozenset({"userName", "displayName", "email", "principalName"})

_ATTRIBUTES: Final[dict[str, fields.Field[Any]]] = {
    **{name: fields.String() for name in DECLARATION.attributes},
    DECLARATION.groups: fields.List(fields.String(), validate=validate.Length(max=_MOST_GROUPS)),
    "userName": fields.String(required=True, validate=validate.Length(min=1)),
}

SampleUser: Final = Strict.from_dict(_ATTRIBUTES, name="SampleUser")
"""A user who need not exist: the attributes that scripts may read, in SCIM spelling."""


class DiagnosticAnswer(Schema):
    """One fault of a script."""

    code = fields.String(required=True)
    line = fields.Integer(required=True, allow_none=True)
    column = fields.Integer(required=True, allow_none=True)
    message = fields.String(required=True)


class OptionsAnswer(Schema):
    """What a script decided."""

    certificates = fields.List(fields.String(), required=True)
    selectable_certificates = fields.List(fields.String(), required=True)
    qr_location = fields.String(required=True)
    validity = fields.String(
        required=True, metadata={"description": "`P2Y`, `P6M`, `P90D`, or a last day."}
    )
    user_id = fields.String(required=True)
    server_name = fields.String(required=True)
    profile_name = fields.String(required=True)
    properties = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    recover_encryption = fields.String(required=True)
    notify = fields.String(required=True)


class EvaluationAnswer(Schema):
    """What became of a script."""

    outcome = fields.String(required=True)
    options = fields.Nested(OptionsAnswer, required=True, allow_none=True)
    refusal = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The script's words, if it refused."},
    )
    log = fields.List(fields.String(), required=True)
    diagnostics = fields.List(fields.Nested(DiagnosticAnswer), required=True)
    layers = fields.List(
        fields.String(), required=True, metadata={"description": "The walls that were up."}
    )
    ms = fields.Float(required=True)


class VersionSummary(Schema):
    """One version of a script, without its source."""

    name = fields.String(required=True)
    version = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    author = fields.String(required=True)
    comment = fields.String(required=True)
    created_at = fields.AwareDateTime(format="iso", default_timezone=UTC, required=True)


class VersionAnswer(VersionSummary):
    """One version of a script."""

    source = fields.String(required=True)


class ScriptAnswer(Schema):
    """A script with its versions."""

    name = fields.String(required=True)
    active = fields.Integer(required=True, metadata={"description": "0 is the shipped version."})
    versions = fields.List(fields.Nested(VersionSummary), required=True)


def sample(attributes: Mapping[str, Any]) -> User:
    """Return the user that a `SampleUser` describes."""
    return User(
        id="sample",
        state=UserState.ACTIVE,
        user_name=attributes["userName"],
        display_name=attributes.get("displayName", attributes["userName"]),
        email=attributes.get("email"),
        principal_name=attributes.get("principalName"),
        attributes={name: value for name, value in attributes.items() if name not in _NAMED},
    )


def evaluation(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as `EvaluationAnswer` has it."""
    return {
        "outcome": found.outcome.value,
        "options": found.options and _options(found.options),
        "refusal": found.refusal,
        "log": found.log,
        "diagnostics": found.diagnostics,
        "layers": found.layers,
        "ms": found.ms,
    }


def _options(options: Options) -> dict[str, Any]:
    return {
        "certificates": [kind.value for kind in options.certificates],
        "selectable_certificates": [kind.value for kind in options.selectable_certificates],
        "qr_location": options.qr_location.value,
        "validity": options.validity.text,
        "user_id": options.user_id,
        "server_name": options.server_name,
        "profile_name": options.profile_name,
        "properties": options.properties,
        "recover_encryption": options.recover_encryption.value,
        "notify": options.notify.value,
    }
