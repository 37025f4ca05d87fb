"""Sign-in and sign-out of our own pages: a demo lets one choose among its sample users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext

from mobid.auth import sessions
from mobid.auth.errors import Unauthenticated
from mobid.domain.users import User
from mobid.processes.errors import ReauthenticationRequired

if TYPE_CHECKING:
    from flask import Blueprint
    from flask.typing import ResponseReturnValue

    from mobid.processes.ports import Clock

SignIn = Callable[[], Sequence[User]]
"""Lists the sample users of a demo, who sign in by a click."""

_BACK = "back"


def add(web: Blueprint, people: SignIn, clock: Clock) -> None:
    """Add the pages."""

    @web.get("/sign-in")
    def sign_in() -> str:
        return render_template("sign_in.html", people=people())

    @web.post("/sign-in")
    def sign_in_as() -> ResponseReturnValue:
        user_id = request.form.get("user_id")
        if user_id not in {person.id for person in people()}:
            abort(400, gettext("There is no such sample user. Choose one of those on the page."))
        back = session.get(_BACK) or url_for(".home")
        sessions.sign_in(session, user_id, clock())
        return redirect(back, 303)

    @web.post("/sign-out")
    def sign_out() -> ResponseReturnValue:
        sessions.sign_out(session)
        return redirect(url_for(".sign_in"), 303)

    @web.errorhandler(ReauthenticationRequired)
    @web.errorhandler(Unauthenticated)
    def ask_to_sign_in(error: Exception) -> ResponseReturnValue:
        """Send the user to sign in, and from there to the page that they saw."""
        session[_BACK] = _page_seen()
        if isinstance(error, ReauthenticationRequired):
            flash(str(error))
        return redirect(url_for(".sign_in"), 303)


def _page_seen() -> str:
    """Return the address of the page whose link or form was used: always one of our own."""
    if request.method == "POST":
        run = (request.view_args or {}).get("instance_id")
        return url_for(".instance", instance_id=run) if run else url_for(".home")
    return url_for(request.endpoint or ".home", **(request.view_args or {}))
