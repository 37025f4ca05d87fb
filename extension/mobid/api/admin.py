"""The admin interface to option scripts: check, dry-run, store a version, activate, go back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flask import g, request, url_for
from marshmallow import ValidationError, fields, validate, validates_schema

from mobid.api import progress, scripts
from mobid.api.bodies import Integer, JSONBlueprint, Strict
from mobid.api.scripts import (
    DifferenceAnswer,
    EvaluationAnswer,
    ReleaseAnswer,
    SampleUser,
    ScriptAnswer,
    ScriptTestOrder,
    TestsAnswer,
    VersionAnswer,
)
from mobid.auth.tokens import ADMIN_READ, ADMIN_SCRIPT
from mobid.optionscripts import sample_user
from mobid.processes.script_tests import MOST_TESTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request, Response
    from flask_smorest import Blueprint

    from mobid.auth.tokens import TokenCaller
    from mobid.processes.option_scripts import OptionScriptLife
    from mobid.processes.script_comparison import ScriptComparisons

PREFIX: Final = "/admin/v1"

_MOST_COMMENT: Final = 500


class CheckOrder(Strict):
    """A script to be compiled only."""

    source = fields.String(required=True)


class DryRunOrder(Strict):
    """Which script, stored or not, and on whom."""

    source = fields.String()
    version = Integer()
    user = fields.Nested(SampleUser)
    user_id = fields.String(validate=validate.Length(min=1, max=64))
    filter = fields.String(
        metadata={
            "description": "All users that a SCIM filter matches (RFC 7644, 3.4.2.2). The answer is a "
            "stream of lines then."
        }
    )

    @validates_schema
    def one_of_each(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an order that names no script or no user, or several."""
        for names in (("source", "version"), ("user", "user_id", "filter")):
            if sum(name in data for name in names) != 1:
                raise ValidationError(f"Send exactly one of {', '.join(names)}.", names[0])


def _tests() -> fields.List[Any]:
    return fields.List(fields.Nested(ScriptTestOrder), validate=validate.Length(max=MOST_TESTS))


class TestOrder(Strict):
    """A script with tests, or a version with its own or with others."""

    source = fields.String()
    version = Integer()
    tests = _tests()

    @validates_schema
    def one_script(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse an order that names no script, or two, or a source without tests."""
        if ("source" in data) == ("version" in data):
            raise ValidationError("Send exactly one of source, version.", "source")
        if "source" in data and "tests" not in data:
            raise ValidationError("A source needs tests; a version has its own.", "tests")


class VersionOrder(Strict):
    """A new version of a script, and what it promises."""

    source = fields.String(required=True)
    comment = fields.String(required=True, validate=validate.Length(max=_MOST_COMMENT))
    tests = _tests()


class ActivateOrder(Strict):
    """Which version is to hold, and which one held when this was decided."""

    version = Integer(required=True)
    expected_active = Integer(required=True)


class RollbackOrder(Strict):
    """Which version held when this was decided."""

    expected_active = Integer(required=True)


def blueprint(
    life: OptionScriptLife,
    comparisons: ScriptComparisons,
    *,
    authenticate: Callable[[Request], TokenCaller],
) -> Blueprint:
    """Build the blueprint. To look needs the scope `admin:read`, all else `admin:script`."""
    admin = JSONBlueprint(
        "admin",
        __name__,
        url_prefix=PREFIX,
        description="Administrators: option scripts and their versions.",
    )

    @admin.before_request
    def know_the_caller() -> None:
        caller = authenticate(request)
        caller.must(ADMIN_READ if request.method in {"GET", "HEAD"} else ADMIN_SCRIPT)
        g.admin_caller = caller

    @admin.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    _reading_routes(admin, life)
    _trying_routes(admin, life, comparisons)
    _changing_routes(admin, life)
    return admin


def _caller() -> TokenCaller:
    return cast("TokenCaller", g.admin_caller)


def _reading_routes(admin: Blueprint, life: OptionScriptLife) -> None:
    """Add what can be looked at."""

    @admin.get("/scripts/<name>")
    @admin.response(200, ScriptAnswer)
    def script(name: str) -> dict[str, Any]:
        """List the versions of a script, the newest first, and say which one is active."""
        return {
            "name": name,
            "active": life.active(name).version,
            "versions": life.versions(name),
            "activations": life.activations(name),
        }

    @admin.get("/scripts/<name>/versions/<int:number>")
    @admin.response(200, VersionAnswer)
    def version(name: str, number: int) -> object:
        """Show one version with its source and its tests; version 0 is the shipped one."""
        return scripts.version_of(life.version(name, number))

    @admin.get("/scripts/<name>/versions/<int:number>/diff/<int:other>")
    @admin.response(200, DifferenceAnswer)
    def diff(name: str, number: int, other: int) -> dict[str, Any]:
        """Show what is different in the text of a version from another one."""
        return scripts.difference_of(life.version(name, number), life.version(name, other))


def _trying_routes(
    admin: Blueprint, life: OptionScriptLife, comparisons: ScriptComparisons
) -> None:
    """Add what has no effect."""

    @admin.post("/scripts/<name>/check")
    @admin.arguments(CheckOrder)
    @admin.response(200, EvaluationAnswer)
    def check(order: dict[str, str], name: str) -> dict[str, Any]:
        """Compile a script and return everything that is wrong with it."""
        return scripts.evaluation(life.check(name, order["source"]))

    @admin.post("/scripts/<name>/test")
    @admin.arguments(TestOrder)
    @admin.response(200, TestsAnswer)
    def test(order: dict[str, Any], name: str) -> dict[str, Any]:
        """Run tests on a script, stored or not; without `tests`, those that the version has."""
        if "tests" not in order:
            return scripts.results_of(life.test_version(name, order["version"]))
        stored = life.version(name, order["version"]) if "version" in order else None
        source = order["source"] if stored is None else stored.source
        return scripts.results_of(life.test(name, source, order["tests"]))

    @admin.post("/scripts/<name>/dry-run")
    @admin.arguments(DryRunOrder)
    @admin.response(200, EvaluationAnswer)
    @admin.alt_response(
        200,
        schema=progress.ComparisonLine,
        content_type=progress.MEDIA_TYPE,
        description="With a `filter`: lines of progress, and the differences to the active version "
        "in the last one. Closing the connection ends it.",
        success=True,
    )
    def dry_run(order: dict[str, Any], name: str) -> dict[str, Any] | Response:
        """Run a script, stored or not, on a sample, a real user or many; nothing comes of it.

        Who tries what on real users is in the audit log.
        """
        stored = life.version(name, order["version"]) if "version" in order else None
        source = order["source"] if stored is None else stored.source
        by = _caller().actor
        if "filter" in order:
            return progress.streamed(comparisons.run(name, source, order["filter"], by=by))
        if "user_id" in order:
            return scripts.evaluation(life.dry_run_on(name, source, order["user_id"], by=by))
        return scripts.evaluation(life.dry_run(name, source, sample_user(order["user"])))


def _changing_routes(admin: Blueprint, life: OptionScriptLife) -> None:
    """Add what changes something, and is audited."""

    @admin.post("/scripts/<name>/versions")
    @admin.arguments(VersionOrder)
    @admin.response(201, VersionAnswer)
    def push(order: dict[str, Any], name: str) -> tuple[object, int, dict[str, str]]:
        """Store a new version, which is not active yet; one that does not compile is refused.

        So is one whose tests cannot be used. They need not pass before it is activated.
        """
        stored = life.push(
            name,
            order["source"],
            by=_caller().actor,
            comment=order["comment"],
            tests=order.get("tests", ()),
        )
        location = url_for(".version", name=name, number=stored.version)
        return scripts.version_of(stored), 201, {"Location": location}

    @admin.post("/scripts/<name>/activate")
    @admin.arguments(ActivateOrder)
    @admin.response(200, VersionAnswer)
    def activate(order: dict[str, int], name: str) -> object:
        """Make a version the active one, if the expected one still is and its tests pass."""
        active = life.activate(
            name, order["version"], expected=order["expected_active"], by=_caller().actor
        )
        return scripts.version_of(active)

    @admin.post("/scripts/<name>/rollback")
    @admin.arguments(RollbackOrder)
    @admin.response(200, VersionAnswer)
    def rollback(order: dict[str, int], name: str) -> object:
        """Activate again what was active before; its tests run again, too."""
        active = life.rollback(name, expected=order["expected_active"], by=_caller().actor)
        return scripts.version_of(active)

    @admin.post("/scripts/<name>/versions/<int:number>/release")
    @admin.arguments(Strict)
    @admin.response(200, ReleaseAnswer)
    def release(order: dict[str, Any], name: str, number: int) -> dict[str, bool]:
        """Let a version in quarantine run again, after somebody has looked at it."""
        del order
        return {"released": life.release(name, number, by=_caller().actor)}
