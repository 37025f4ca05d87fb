"""Puts the pages on an app: who may see them, the check of every form, headers and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flask import Blueprint, Flask, g, render_template, request, session
from flask_wtf.csrf import CSRFProtect

from mobid.auth.sessions import caller_of
from mobid.processes.overview import Overview
from mobid.web import pages, presentation, signing_in
from mobid.web.errors import ErrorPages
from mobid.web.headers import secured

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from mobid.processes.ports import Clock, Units
    from mobid.processes.runner import Runner
    from mobid.web.errors import MeaningOf
    from mobid.web.signing_in import SignIn

LARGEST_FORM: Final = 16 * 1024
_FOR_ALL: Final = frozenset({"web.static", "web.landing"})
_FOR_STRANGERS: Final = frozenset({"web.sign_in", "web.sign_in_as"})
_CSRF: Final = {
    # Other interfaces of the app have no sessions; the pages ask for the check themselves.
    "WTF_CSRF_CHECK_DEFAULT": False,
    # A token lives as long as its session: a form may wait for half an hour.
    "WTF_CSRF_TIME_LIMIT": None,
    # Our pages send no Referer at all, so there is none to check; the token is what counts.
    "WTF_CSRF_SSL_STRICT": False,
}


def register(
    app: Flask,
    *,
    runner: Runner,
    units: Units,
    clock: Clock,
    meaning_of: MeaningOf,
    sign_in: SignIn | None,
) -> None:
    """Register the pages. Without a way to sign in, each says so and what to do.

    The app must have Babel, a secret key, and the cookie settings of `mobid.auth.sessions`.
    """
    app.config.update(_CSRF)
    web = Blueprint(
        "web",
        __name__,
        template_folder="templates",
        static_folder="assets",
        static_url_path="/assets",
    )
    _guard(web, CSRFProtect(app), clock, is_configured=sign_in is not None)
    web.after_request(secured)
    web.register_error_handler(Exception, ErrorPages(meaning_of))
    for name, form in presentation.FILTERS.items():
        web.add_app_template_filter(form, name)
    pages.add(web, runner, Overview(units), clock)
    signing_in.add(web, sign_in or tuple, clock)
    app.register_blueprint(web)


def _guard(web: Blueprint, csrf: CSRFProtect, clock: Clock, *, is_configured: bool) -> None:
    """Let nobody in whom we do not know, and no form that we have not made."""

    @web.before_request
    def check() -> ResponseReturnValue | None:
        request.max_content_length = LARGEST_FORM
        if request.endpoint in _FOR_ALL:
            return None
        if not is_configured:
            return render_template("not_configured.html"), 503
        if request.endpoint not in _FOR_STRANGERS:
            g.caller = caller_of(session, now=clock())
        csrf.protect()
        return None
