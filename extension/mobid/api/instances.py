"""What front ends are answered about processes and their runs, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from marshmallow import Schema, fields

from mobid.processes.views import Message

if TYPE_CHECKING:
    from mobid.processes.views import Field, InstanceView, Startable, StepView

Translate: TypeAlias = Callable[[Message], str]


class ObstacleAnswer(Schema):
    """Why a process cannot be started."""

    code = fields.String(required=True)
    detail = fields.String(required=True)


class StartableAnswer(Schema):
    """A process, and whether this user could start it now."""

    process = fields.String(required=True, metadata={"description": "Its symbolic name."})
    name = fields.String(required=True)
    startable = fields.Boolean(required=True)
    reason = fields.Nested(ObstacleAnswer, required=True, allow_none=True)
    mobile_id = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What to start a Lock with: the mobile ID that it would lock."},
    )


class ChoiceAnswer(Schema):
    """One of the values that a field takes."""

    value = fields.String(required=True)
    label = fields.String(required=True)


class FieldAnswer(Schema):
    """One field of the form: its value goes into `input` under its name."""

    name = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "`one_of` or `some_of`."})
    label = fields.String(required=True)
    required = fields.Boolean(required=True)
    choices = fields.List(fields.Nested(ChoiceAnswer), required=True)


class StepAnswer(Schema):
    """Where a run is, what to show there, and what can be done."""

    name = fields.String(required=True)
    seq = fields.Integer(
        required=True, metadata={"description": "To be sent as `step_seq` with an action."}
    )
    title = fields.String(required=True)
    text = fields.String(required=True)
    actions = fields.List(fields.String(), required=True)
    form = fields.List(fields.Nested(FieldAnswer), required=True)
    data = fields.Dict(keys=fields.String(), required=True)
    hint = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What the last action could not do yet; not an error."},
    )


class FailureAnswer(Schema):
    """Why a run ended without its result."""

    code = fields.String(required=True)
    detail = fields.String(required=True)
    reference = fields.String(
        required=True, metadata={"description": "What to tell the service desk."}
    )


class UserAnswer(Schema):
    """Whose run it is."""

    id = fields.String(required=True)
    user_name = fields.String(required=True)


class InstanceAnswer(Schema):
    """One run of a process, as its owner sees it."""

    id = fields.String(required=True)
    process = fields.String(required=True)
    name = fields.String(required=True)
    state = fields.String(required=True)
    step = fields.Nested(StepAnswer, required=True)
    user = fields.Nested(UserAnswer, required=True)
    mobile_id = fields.String(required=True, allow_none=True)
    error = fields.Nested(FailureAnswer, required=True, allow_none=True)
    expires_at = fields.AwareDateTime(
        format="iso", default_timezone=UTC, required=True, allow_none=True
    )
    warnings = fields.List(fields.String(), required=True)


def startable(offer: Startable, translate: Translate) -> dict[str, Any]:
    """Return a process as `StartableAnswer` has it."""
    obstacle = offer.obstacle
    return {
        "process": offer.process.value,
        "name": translate(offer.name),
        "startable": obstacle is None,
        "reason": obstacle and {"code": obstacle.code, "detail": translate(obstacle.text)},
        "mobile_id": offer.mobile_id,
    }


def instance(view: InstanceView, translate: Translate) -> dict[str, Any]:
    """Return a run as `InstanceAnswer` has it."""
    error = view.error
    return {
        "id": view.id,
        "process": view.process.value,
        "name": translate(view.name),
        "state": view.state.value,
        "step": {"name": view.step_name.value, "seq": view.step_seq} | _step(view.step, translate),
        "user": {"id": view.user_id, "user_name": view.user_name},
        "mobile_id": view.mobile_id,
        "error": error
        and {
            "code": error.code,
            "detail": translate(error.text),
            "reference": error.reference,
        },
        "expires_at": view.expires_at,
        "warnings": [warning.key for warning in view.warnings],
    }


def _step(step: StepView, translate: Translate) -> dict[str, Any]:
    return {
        "title": translate(step.title),
        "text": translate(step.text),
        "actions": list(step.actions),
        "form": [_field(field, translate) for field in step.form],
        "data": {name: _plain(value, translate) for name, value in step.data.items()},
        "hint": step.hint and translate(step.hint),
    }


def _field(field: Field, translate: Translate) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "label": translate(field.label),
        "required": field.required,
        "choices": [
            {"value": choice.value, "label": translate(choice.label)} for choice in field.choices
        ],
    }


def _plain(value: object, translate: Translate) -> object:
    """Return a value of `data` as JSON has it; times are ISO 8601, as everywhere else."""
    match value:
        case datetime():
            return value.isoformat()
        case Message():
            return translate(value)
        case Mapping():
            return {str(name): _plain(part, translate) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part, translate) for part in value]
        case _:
            return value
