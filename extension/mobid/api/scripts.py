"""What administrators send and are answered about option scripts, field by field."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from marshmallow import INCLUDE, Schema, fields, validate

from mobid.api.bodies import Strict
from mobid.optionscripts.words import DECLARATION
from mobid.processes.script_comparison import unified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.processes.ports import Evaluation, StoredScript
    from mobid.processes.script_tests import ScriptTestResult

_MOST_GROUPS: Final = 1000

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
    """What a script decided: the first ten for `MobileIDScriptOptions`, the last two for the other."""

    certificates = fields.List(fields.String())
    selectable_certificates = fields.List(fields.String())
    qr_location = fields.String()
    validity = fields.String(metadata={"description": "`P2Y`, `P6M`, `P90D`, or a last day."})
    user_id = fields.String()
    server_name = fields.String()
    profile_name = fields.String()
    properties = fields.Dict(keys=fields.String(), values=fields.String())
    recover_encryption = fields.String()
    notify = fields.String()
    remind_days = fields.List(fields.Integer())
    daily_after_last = fields.Boolean()


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


class ScriptTestOrder(Schema):
    """A user, and what has to become of them: exactly one of `expect`, `refused` and `error`.

    What is wrong with a test is said in words, with its name.
    """

    class Meta:
        """Everything is handed on: the reader of tests knows the names, and says what is near."""

        unknown = INCLUDE

    name = fields.Raw(metadata={"type": "string"})
    user = fields.Raw(metadata={"type": "object", "description": "As in a dry run."})
    at = fields.Raw(
        metadata={"type": "string", "description": "A day or a moment; without it, now."}
    )
    expect = fields.Raw(
        metadata={
            "type": "object",
            "description": 'The options that the test is about: `{"validity": "90 days"}`.',
        }
    )
    refused = fields.Raw(
        metadata={"type": "string", "description": "A part of the words of the refusal."}
    )
    error = fields.Raw(
        metadata={"type": "string", "description": "A part of the message of the error."}
    )


class ScriptTestAnswer(Schema):
    """What became of a test."""

    name = fields.String(required=True)
    passed = fields.Boolean(required=True)
    problems = fields.List(
        fields.String(), required=True, metadata={"description": "One line per difference."}
    )


class TestsAnswer(Schema):
    """What became of all tests of a script."""

    passed = fields.Boolean(required=True, metadata={"description": "Whether all of them did."})
    tests = fields.List(fields.Nested(ScriptTestAnswer), required=True)


class VersionSummary(Schema):
    """One version of a script, without its source."""

    name = fields.String(required=True)
    version = fields.Integer(required=True)
    sha256 = fields.String(required=True)
    author = fields.String(required=True)
    comment = fields.String(required=True)
    created_at = fields.AwareDateTime(format="iso", default_timezone=UTC, required=True)
    quarantined_at = fields.AwareDateTime(
        format="iso",
        default_timezone=UTC,
        required=True,
        allow_none=True,
        metadata={
            "description": "Since when it is not run any more, if it did what no script can do."
        },
    )
    quarantined_why = fields.String(required=True, allow_none=True)


class VersionAnswer(VersionSummary):
    """One version of a script."""

    source = fields.String(required=True)
    tests = fields.List(fields.Dict(), required=True)


class ActivationAnswer(Schema):
    """That a version became the active one."""

    version = fields.Integer(required=True)
    replaced = fields.Integer(required=True)
    by = fields.String(required=True)
    at = fields.AwareDateTime(format="iso", default_timezone=UTC, required=True)


class ScriptAnswer(Schema):
    """A script with its versions."""

    name = fields.String(required=True)
    active = fields.Integer(required=True, metadata={"description": "0 is the shipped version."})
    versions = fields.List(fields.Nested(VersionSummary), required=True)
    activations = fields.List(
        fields.Nested(ActivationAnswer),
        required=True,
        metadata={"description": "The last hundred, the last one first."},
    )


class DifferenceAnswer(Schema):
    """What is different in the text of a version from another one."""

    version = fields.Integer(required=True)
    other = fields.Integer(required=True)
    same = fields.Boolean(required=True)
    diff = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Lines of a unified diff that leads from the other version to this one."
        },
    )


class ReleaseAnswer(Schema):
    """Whether a version was in quarantine until now."""

    released = fields.Boolean(required=True)


def version_of(script: StoredScript) -> dict[str, Any]:
    """Return a version as `VersionAnswer` has it."""
    names = VersionSummary().fields
    return {
        **{name: getattr(script, name) for name in names},
        "source": script.source,
        "tests": [test.plain() for test in script.tests],
    }


def difference_of(script: StoredScript, other: StoredScript) -> dict[str, Any]:
    """Return what is different as `DifferenceAnswer` has it."""
    lines = unified(other.source, script.source, str(other.version), str(script.version))
    return {
        "version": script.version,
        "other": other.version,
        "same": not lines,
        "diff": lines,
    }


def results_of(results: Sequence[ScriptTestResult]) -> dict[str, Any]:
    """Return results as `TestsAnswer` has them."""
    return {"passed": all(result.passed for result in results), "tests": results}


def evaluation(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as `EvaluationAnswer` has it."""
    return {
        "outcome": found.outcome.value,
        "options": found.values,
        "refusal": found.refusal,
        "log": found.log,
        "diagnostics": found.diagnostics,
        "layers": found.layers,
        "ms": found.ms,
    }
