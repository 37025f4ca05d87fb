"""The JSON interfaces over real parts: processes, storage, sandbox, and the built-in CA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask

from mobid.api import Problems, admin, hooks, pki, register
from mobid.app.errors import meaning_of
from mobid.auth.assertions import Assertions
from mobid.auth.tokens import ADMIN_READ, ADMIN_SCRIPT, BearerTokens
from mobid.config import Limits, Times
from mobid.domain.actors import SYSTEM
from mobid.optionscripts import SHIPPED, SHIPPED_EXPIRING
from mobid.processes.codes import Codes
from mobid.processes.decision import OptionDecision
from mobid.processes.get import Parts
from mobid.processes.limits import Attempts, mails
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife
from mobid.processes.runner import Runner
from mobid.processes.script_comparison import ScriptComparisons
from mobid.provisioning import UserPopulation
from mobid.storage.frontends import FrontEnds
from mobid.storage.tables.access import Audience
from mobid.storage.tokens import APITokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flask.testing import FlaskClient
    from flask_smorest import Blueprint

    from mobid.ca.builtin import BuiltinCA
    from mobid.optionscripts import ExpiringScripts, OptionScripts
    from mobid.processes.ports import StoredScript
    from mobid.storage import SQLUnits, Transactions

    Clock = Callable[[], datetime]

PUBLIC_URL = "https://mobid.example.org"
CA = "builtin"


@pytest.fixture
def shipped() -> StoredScript:
    """Version 0 of the option script."""
    return SHIPPED


@pytest.fixture
def life(
    units: SQLUnits, sandbox: OptionScripts, expiring: ExpiringScripts, shipped: StoredScript
) -> OptionScriptLife:
    """The life of option scripts."""
    scripts = [ManagedScript(sandbox, shipped), ManagedScript(expiring, SHIPPED_EXPIRING)]
    return OptionScriptLife(units, scripts)


@pytest.fixture
def comparisons(units: SQLUnits, life: OptionScriptLife, clock: Clock) -> ScriptComparisons:
    """Dry runs over many users."""
    return ScriptComparisons(life, UserPopulation(units, f"{PUBLIC_URL}/scim/v2"), clock)


@pytest.fixture
def silent_ca_runner(units: SQLUnits, sandbox: OptionScripts, shipped: StoredScript) -> Runner:
    """Get and Lock, with a CA that has not answered yet."""
    parts = Parts(
        times=Times(),
        max_codes=3,
        codes=Codes(bytes(range(32))),
        decision=OptionDecision(units, sandbox, shipped, CA),
        ca=CA,
        public_url=PUBLIC_URL,
        mails=mails(Limits()),
    )
    return Runner(units, parts, Attempts(units, Limits()))


@pytest.fixture
def runner(silent_ca_runner: Runner, units: SQLUnits, builtin_ca: BuiltinCA) -> Runner:
    """Get and Lock, with a CA that has said what it can do."""
    with units() as unit:
        unit.authorities.record(CA, builtin_ca.capabilities())
        unit.commit()
    return silent_ca_runner


@pytest.fixture
def tokens(transactions: Transactions, units: SQLUnits, clock: Clock) -> BearerTokens:
    """The bearer tokens."""
    return BearerTokens(APITokens(transactions, clock=clock), units)


@pytest.fixture
def admin_headers(tokens: BearerTokens) -> dict[str, str]:
    """The headers of an administrator who may do everything."""
    new = tokens.create("console", Audience.ADMIN, [ADMIN_READ, ADMIN_SCRIPT], by=SYSTEM)
    return {"Authorization": f"Bearer {new.bearer.reveal()}"}


@pytest.fixture
def assertions(transactions: Transactions, units: SQLUnits) -> Assertions:
    """The word of registered front ends."""
    return Assertions(FrontEnds(transactions), units, PUBLIC_URL)


@pytest.fixture
def administration(
    life: OptionScriptLife, comparisons: ScriptComparisons, tokens: BearerTokens
) -> Blueprint:
    """The interface of administrators."""

    def who_administrates(request: Any) -> Any:
        return tokens.caller(request.headers, Audience.ADMIN)

    return admin.blueprint(life, comparisons, authenticate=who_administrates)


@pytest.fixture
def app(
    runner: Runner,
    administration: Blueprint,
    assertions: Assertions,
    builtin_ca: BuiltinCA,
) -> Flask:
    """An app with all JSON interfaces of this product, beside a page."""
    flask = Flask(__name__)
    problems = Problems(meaning_of)

    def who_is_there(request: Any) -> Any:
        return assertions.caller(request.headers)

    @flask.get("/page")
    def page() -> str:
        return "<p>A page.</p>"

    register(
        flask,
        [
            hooks.blueprint(runner, authenticate=who_is_there, problems=problems),
            administration,
            pki.blueprint({builtin_ca.name: builtin_ca}),
        ],
        problems=problems,
        elsewhere=lambda error: error,
        version="0.1.0",
    )
    return flask


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody who calls."""
    return app.test_client()
