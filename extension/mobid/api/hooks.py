"""The process hooks: how another front end starts Get and Lock for its user, shows them, and acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flask import Response, g, request, url_for
from marshmallow import fields, validate

from mobid import qr
from mobid.api import instances
from mobid.api.bodies import Integer, JSONBlueprint, Strict
from mobid.api.errors import NoCodeToShow
from mobid.api.instances import InstanceAnswer, StartableAnswer
from mobid.domain.instances import Process, StepName
from mobid.processes.errors import InvalidInput, NotFound, StaleStep
from mobid.processes.steps import CANCEL, LOCK, NEXT, NOT_MINE, RENEW, Act
from mobid.processes.views import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request
    from flask_smorest import Blueprint

    from mobid.api.instances import Translate
    from mobid.api.problems import Problems
    from mobid.processes.runner import Runner
    from mobid.processes.steps import Caller
    from mobid.processes.views import InstanceView

PREFIX: Final = "/processes"
ACTIONS: Final = (NEXT, CANCEL, LOCK, RENEW, NOT_MINE)

_LABEL: Final = Message("QR code to be scanned with the phone")
_ACTION: Final = f"/instances/<instance_id>/<any({','.join(ACTIONS)}):action>"
_Started = tuple[dict[str, Any], int, dict[str, str]]


class StartOrder(Strict):
    """Which mobile ID a Lock is for; nothing for a Get."""

    mobile_id = fields.String(validate=validate.Length(min=1, max=64))


class ActOrder(Strict):
    """An action on the step that the user saw, with the values of its form."""

    step_seq = Integer(required=True, metadata={"description": "`step.seq` as it was shown."})
    input = fields.Dict(
        keys=fields.String(),
        load_default=dict,
        metadata={
            "description": "The values of `step.form`. `renew` at step `mail` takes `what`: `code` (a new "
            "mail code; also without input) or `mail` (a new mail, with another link)."
        },
    )


def blueprint(
    runner: Runner,
    *,
    authenticate: Callable[[Request], Caller],
    problems: Problems,
    translate: Translate = str,
) -> Blueprint:
    """Build the blueprint. `authenticate` says which end user calls, or raises `Unauthenticated`."""
    hooks = JSONBlueprint(
        "processes",
        __name__,
        url_prefix=PREFIX,
        description="Process hooks: what a user can start, and each run, step by step.",
    )

    @hooks.before_request
    def know_the_caller() -> None:
        g.hook_caller = authenticate(request)

    @hooks.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @hooks.errorhandler(StaleStep)
    def stale(error: StaleStep) -> Response:
        current = runner.show(_caller(), error.instance.id)
        shown = InstanceAnswer().dump(instances.instance(current, translate))
        return cast("Response", problems(error, current=shown))

    _start_routes(hooks, runner, translate)
    _instance_routes(hooks, runner, translate)
    _picture_routes(hooks, runner, translate)
    return hooks


def _caller() -> Caller:
    return cast("Caller", g.hook_caller)


def _start_routes(hooks: Blueprint, runner: Runner, translate: Translate) -> None:
    """Add what comes before there is a run."""

    @hooks.get("")
    @hooks.response(200, StartableAnswer(many=True))
    def processes() -> list[dict[str, Any]]:
        """List the processes: which of them this user can start now, and why not the others."""
        return [instances.startable(offer, translate) for offer in runner.startable(_caller())]

    @hooks.post("/<name>/start")
    @hooks.arguments(StartOrder, required=False)
    @hooks.response(201, InstanceAnswer)
    @hooks.alt_response(
        200, schema=InstanceAnswer, description="It runs already; this is it.", success=True
    )
    @hooks.alt_response(
        429,
        description="`TOO_MANY`: this user started too often; come back after Retry-After seconds.",
        content_type="application/problem+json",
    )
    def start(order: dict[str, str], name: str) -> _Started:
        """Start a process, or return the run that there is."""
        view, is_new = _start(runner, name, order)
        place = {"Location": url_for(".show", instance_id=view.id)}
        return instances.instance(view, translate), 201 if is_new else 200, place


def _start(runner: Runner, name: str, order: dict[str, str]) -> tuple[InstanceView, bool]:
    match name:
        case Process.GET:
            if order:
                raise InvalidInput("mobile_id", f"is for {Process.LOCK} only; leave it out")
            return runner.start_get(_caller())
        case Process.LOCK:
            if not order:
                raise InvalidInput("mobile_id", "must name the mobile ID to be locked")
            return runner.start_lock(_caller(), order["mobile_id"])
    raise NotFound("process", name)


def _instance_routes(hooks: Blueprint, runner: Runner, translate: Translate) -> None:
    """Add one run: to look at, and to act on."""

    @hooks.get("/instances/<instance_id>")
    @hooks.response(200, InstanceAnswer)
    def show(instance_id: str) -> dict[str, Any]:
        """Show a run of this user as it is now."""
        return instances.instance(runner.show(_caller(), instance_id), translate)

    @hooks.post(_ACTION)
    @hooks.arguments(ActOrder)
    @hooks.response(200, InstanceAnswer)
    @hooks.alt_response(
        409,
        description="`STALE_STEP`: the run has moved on; `current` is what it is now.",
        content_type="application/problem+json",
    )
    def act(order: dict[str, Any], instance_id: str, action: str) -> dict[str, Any]:
        """Take an action on the step that the user saw."""
        wish = Act(action=action, step_seq=order["step_seq"], answer=order["input"])
        return instances.instance(runner.act(_caller(), instance_id, wish), translate)


def _picture_routes(hooks: Blueprint, runner: Runner, translate: Translate) -> None:
    """Add the QR code as pictures. They say what the link in `data` says, and are as secret."""

    @hooks.get("/instances/<instance_id>/qr.png")
    @hooks.response(200, {"type": "string", "format": "binary"}, content_type="image/png")
    def png(instance_id: str) -> Response:
        """Draw the QR code that is to be scanned now."""
        link = _link(runner.show(_caller(), instance_id))
        return Response(qr.png(link), mimetype="image/png")

    @hooks.get("/instances/<instance_id>/qr.svg")
    @hooks.response(200, {"type": "string"}, content_type="image/svg+xml")
    def svg(instance_id: str) -> Response:
        """Draw the QR code that is to be scanned now."""
        link = _link(runner.show(_caller(), instance_id))
        return Response(qr.svg(link, translate(_LABEL)), mimetype="image/svg+xml")


def _link(view: InstanceView) -> str:
    link = view.step.data.get("link")
    if view.step_name is not StepName.QR or not isinstance(link, str):
        raise NoCodeToShow(view.id, view.step_name)
    return link
