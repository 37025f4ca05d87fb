"""The Flask application over one product: SCIM, hooks, device API, admin API, PKI and pages."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from flask import Flask, request
from flask_babel import Babel, gettext
from werkzeug.middleware.proxy_fix import ProxyFix

from mobid import provisioning, web
from mobid.api import admin, device, hooks, ops, pki, registration
from mobid.api.problems import Problems
from mobid.app import access
from mobid.app.errors import meaning_of
from mobid.app.readiness import readiness_of
from mobid.app.scim import authenticate_scim, dialect_of, scim_error_of
from mobid.app.sessions import Sessions
from mobid.auth.sessions import cookie_settings
from mobid.provisioning import SCIM_PREFIX
from mobid.storage.tables.access import Audience
from mobid_scim.http import blueprint as scim_blueprint
from mobid_scim.http import unrouted as scim_unrouted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flask.typing import ResponseReturnValue
    from werkzeug.exceptions import HTTPException

    from mobid.app.product import Product
    from mobid.domain.users import User
    from mobid.processes.views import Message

LARGEST_BODY: Final = 1024 * 1024
SAMPLE_USERS: Final = 30


def create_app(product: Product) -> Flask:
    """Return an application over a product. Nothing is global: two live in one process."""
    settings = product.settings
    app = Flask("mobid", static_folder=None, template_folder=None)
    app.session_interface = Sessions()
    app.secret_key = product.keys.session.reveal()
    app.config.update(cookie_settings(settings.public_url), MAX_CONTENT_LENGTH=LARGEST_BODY)
    if settings.trusted_proxies:
        # Only what our own proxies added counts: the last so many addresses of X-Forwarded-For.
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask says to do it
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    # First of all hooks, so that its line has the last word on every answer.
    access.register(app, quiet={ops.NAME})
    Babel(app)
    problems = Problems(meaning_of)
    registration.register(
        app,
        [
            hooks.blueprint(
                product.runner,
                authenticate=lambda request: product.assertions.caller(request.headers),
                problems=problems,
                translate=translate,
            ),
            device.blueprint(
                product.phones,
                device.Nonces(product.keys.enrolment.reveal(), product.clock, product.units),
                settings.public_url,
                count_claim=product.attempts.claim,
            ),
            admin.blueprint(
                product.scripts,
                product.comparisons,
                authenticate=lambda request: product.tokens.caller(request.headers, Audience.ADMIN),
            ),
            pki.blueprint(product.publishers),
        ],
        problems=problems,
        elsewhere=unrouted,
        version=version("mobid"),
    )
    app.register_blueprint(
        scim_blueprint(
            provisioning.service(
                units=product.units,
                transactions=product.transactions,
                settlement=product.settlement,
                guard=product.guard,
                order_lapses_after=settings.times.ordered,
                base_url=settings.public_url + SCIM_PREFIX,
                cursors=provisioning.cursors(product.keys.cursors, product.clock),
                dialect_of=dialect_of,
            ),
            authenticate=authenticate_scim(product.tokens),
            authorize=provisioning.authorize,
            translate=scim_error_of,
            url_prefix=SCIM_PREFIX,
        )
    )
    app.register_blueprint(ops.blueprint(readiness_of(product).failing))
    web.register(
        app,
        runner=product.runner,
        units=product.units,
        clock=product.clock,
        meaning_of=meaning_of,
        sign_in=partial(sample_users, product) if settings.demo else None,
    )
    return app


def unrouted(error: HTTPException) -> ResponseReturnValue:
    """Answer what no view is there for: in SCIM's words below its prefix, with a page elsewhere."""
    below = request.path == SCIM_PREFIX or request.path.startswith(f"{SCIM_PREFIX}/")
    return scim_unrouted(error) if below else web.error_page(error)


def sample_users(product: Product) -> Sequence[User]:
    """Return whom a demo signs in: everybody who is there, and not too many."""
    with product.units.reading() as unit:
        return unit.users.there(limit=SAMPLE_USERS)


def translate(message: Message) -> str:
    """Return a message in the language of the request."""
    return gettext(message.key, **message.values)
