"""The pages: dashboard, one for every step of Get and Lock, the *Mobile ID* menu, and the QR's landing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext
from markupsafe import Markup

from mobid import qr
from mobid.domain.instances import Process, StepName
from mobid.processes.errors import (
    NotFound,
    ReauthenticationRequired,
    Refusal,
    StaleStep,
)
from mobid.processes.steps import CANCEL, LOCK, NEXT, NOT_MINE, RENEW, Act
from mobid.web.presentation import mark, translate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from flask import Blueprint
    from flask.typing import ResponseReturnValue

    from mobid.processes.overview import Overview
    from mobid.processes.ports import Clock
    from mobid.processes.runner import Runner
    from mobid.processes.steps import Answer
    from mobid.processes.views import InstanceView, Obstacle, Startable

_ACTION: Final = f"<any({NEXT},{CANCEL},{LOCK},{RENEW},{NOT_MINE}):action>"


def add(web: Blueprint, runner: Runner, overview: Overview, clock: Clock) -> None:
    """Add the pages. Ids in addresses are UUIDs; anything else is not found."""
    _add_menu(web, runner, overview)
    _add_runs(web, runner, clock)

    @web.get("/e")
    def landing() -> str:
        """Say what to do with a scanned code. Its token is in the fragment, which nobody sends us."""
        return render_template("landing.html")


def _add_menu(web: Blueprint, runner: Runner, overview: Overview) -> None:
    """Add what leads to Get and Lock."""

    @web.get("/")
    def home() -> str:
        profiles, running = overview.of_user(g.caller), runner.running(g.caller)
        return render_template(
            "home.html",
            user=overview.user(g.caller),
            live=next((one for one in profiles if one.profile.live), None),
            running=running,
            gets=any(run.process is Process.GET for run in running),
            obstacle=_obstacle_to_get(runner.startable(g.caller)),
        )

    @web.get("/mobile-ids")
    def mobile_ids() -> str:
        return render_template("mobile_ids.html", profiles=overview.of_user(g.caller))

    @web.get("/mobile-ids/<uuid:mobile_id>")
    def mobile_id(mobile_id: UUID) -> str:
        return render_template("mobile_id.html", view=overview.one(g.caller, str(mobile_id)))

    @web.post("/get")
    def get() -> ResponseReturnValue:
        return _to_run(runner.start_get(g.caller)[0])

    @web.post("/mobile-ids/<uuid:mobile_id>/lock")
    def lock(mobile_id: UUID) -> ResponseReturnValue:
        return _to_run(runner.start_lock(g.caller, str(mobile_id))[0])


def _add_runs(web: Blueprint, runner: Runner, clock: Clock) -> None:
    """Add one run: to look at, and to act on."""

    @web.get("/instances/<uuid:instance_id>")
    def instance(instance_id: UUID) -> ResponseReturnValue:
        view = runner.show(g.caller, str(instance_id))
        if request.args.get("seen") == mark(view):
            return "", 204
        link = view.step.data.get("link")
        label = gettext("QR code to be scanned with the phone")
        return render_template(
            "instance.html",
            view=view,
            picture=Markup(qr.svg(str(link), label)) if link else None,  # noqa: S704  # escapes its label, and has no other text
            now=clock(),
            waits=view.running and view.step_name in {StepName.CREATING, StepName.LOCKING},
        )

    @web.post(f"/instances/<uuid:instance_id>/{_ACTION}")
    def act(instance_id: UUID, action: str) -> ResponseReturnValue:
        step_seq = request.form.get("step_seq", type=int)
        if step_seq is None:
            abort(400, gettext("The form does not say which step it is for. Load the page again."))
        try:
            view = runner.act(
                g.caller, str(instance_id), Act(action=action, step_seq=step_seq, answer=_answer())
            )
        except (NotFound, ReauthenticationRequired):
            raise
        except Refusal as error:
            _flash_refusal(error, action)
        else:
            hint = view.step.hint
            # What the step itself says now is not said twice.
            if hint is not None and hint != view.step.text and view.step_seq == step_seq:
                flash(translate(hint))
        return redirect(url_for(".instance", instance_id=instance_id), 303)


def _obstacle_to_get(offers: Sequence[Startable]) -> Obstacle | None:
    """Return what a user can do nothing about; a login that is too old is mended on the way."""
    found = next(offer.obstacle for offer in offers if offer.process is Process.GET)
    return None if found and found.code == ReauthenticationRequired.code else found


def _to_run(view: InstanceView) -> ResponseReturnValue:
    return redirect(url_for(".instance", instance_id=view.id), 303)


def _answer() -> Answer:
    """Return the input of an action; the name of each control says how many values it has."""
    answer: dict[str, str | list[str]] = {}
    for control, values in request.form.lists():
        kind, _, name = control.partition(".")
        if kind == "one_of":
            answer[name] = values[0]
        elif kind == "some_of":
            answer[name] = values
    return answer


def _flash_refusal(error: Refusal, action: str) -> None:
    """Say on the current step why an action was not done there."""
    if not isinstance(error, StaleStep):
        flash(str(error))
    elif action != NEXT or request.form.get("step") != StepName.QR:
        # Next at the QR code asks whether the phone has come; if so, nothing went wrong.
        flash(
            gettext(
                "This had moved on in the meantime, so nothing was done. Here is where it is now."
            )
        )
