"""Stored tests: read from TOML or plain values, checked against our words, and run.

A file of tests stands beside its script, `members-only.tests.toml` beside `members-only.txt`:

    [user]                                  # what every test starts from
    userName = "ada"

    [[test]]
    name = "members get two years"
    user = { groups = ["mobile-id-users"] }
    expect = { validity = "2 years" }       # only what this test is about

    [[test]]
    name = "everybody else is refused"
    refused = "Ask your manager"            # a part of the words; "" for any

    [[test]]
    name = "a contract that has ended is an error"
    at = 2027-07-01                         # as of when; without it, the test runs as of now
    user = { userType = "contractor" }
    error = "too short"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, Final

from mobid.processes.errors import InvalidInput
from mobid.processes.script_tests import MOST_TESTS, ScriptTest, ScriptTestResult
from mobid.processes.violations import broke_out
from mobid_scripts.durations import Duration
from mobid_scripts.errors import BadValue
from mobid_scripts.kinds import Span
from mobid_scripts.wording import did_you_mean, one_of, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.processes.ports import Evaluation
    from mobid_scripts.declaration import Declaration
    from mobid_scripts.kinds import OptionKind

ENDING: Final = ".tests.toml"
_FIELDS: Final = ("name", "user", "at", "expect", "refused", "error")
_OUTCOMES: Final = ("expect", "refused", "error")
_FILE: Final = ("user", "test")
_MOST_NAME: Final = 200
_MOST_WORDS: Final = 500
_MOST_VALUE: Final = 1000
_SPAN: Final = re.compile(r"([0-9]{1,5}) (day|month|year)s?")
_UNITS: Final = {"day": "D", "month": "M", "year": "Y"}


def plain_tests(text: str) -> list[object]:
    """Return the tests in a TOML file as plain values, each with its whole user; raise `InvalidInput`."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("tests", f"is no TOML: {error}") from None
    if unknown := [name for name in data if name not in _FILE]:
        raise _fault("the file", f'"{unknown[0]}" is not known; it has [user] and [[test]]')
    everybody, tests = data.get("user", {}), data.get("test", [])
    if not isinstance(everybody, dict) or not isinstance(tests, list):
        raise _fault("the file", "[user] is one table, and each [[test]] another")
    return [_with_user(test, everybody) for test in tests]


def _with_user(test: object, everybody: Mapping[str, object]) -> object:
    if not isinstance(test, dict) or not isinstance(test.get("user", {}), dict):
        return test
    return test | {"user": {**everybody, **test.get("user", {})}}


def read_tests(plain: Sequence[object], declaration: Declaration) -> tuple[ScriptTest, ...]:
    """Return tests whose users and options are ours; raise `InvalidInput` with the first fault."""
    if len(plain) > MOST_TESTS:
        raise InvalidInput("tests", f"has {len(plain)} tests; the most is {MOST_TESTS}")
    tests = tuple(_test(one, place, declaration) for place, one in enumerate(plain, 1))
    names = [test.name for test in tests]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise _fault(quoted(name), "is there twice; give each test a name of its own")
    return tests


def _test(plain: object, place: int, declaration: Declaration) -> ScriptTest:
    where = f"test {place}"
    if not isinstance(plain, Mapping):
        raise _fault(where, "must be a table")
    name = plain.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _MOST_NAME:
        raise _fault(where, f"needs a name: one line of at most {_MOST_NAME} characters")
    where = quoted(name)
    for unknown in plain.keys() - set(_FIELDS):
        near = did_you_mean(str(unknown), _FIELDS) or f"; it can have {one_of(_FIELDS)}"
        raise _fault(where, f"{quoted(str(unknown))} is not known{near}")
    said = [outcome for outcome in _OUTCOMES if plain.get(outcome) is not None]
    if len(said) != 1:
        raise _fault(where, f"must have exactly one of {one_of(_OUTCOMES)}")
    expect = plain.get("expect")
    return ScriptTest(
        name=name,
        user=_user(plain.get("user", {}), where, declaration),
        at=_moment(plain.get("at"), where),
        expect=None if expect is None else _expected(expect, where, declaration),
        refused=_words(plain, "refused", where),
        error=_words(plain, "error", where),
    )


def _user(plain: object, where: str, declaration: Declaration) -> dict[str, object]:
    if not isinstance(plain, Mapping):
        raise _fault(where, "user must be a table of attributes")
    known = (*declaration.attributes, *declaration.withheld)
    for name, value in plain.items():
        if name not in known:
            near = did_you_mean(str(name), known)
            raise _fault(where, f"a user has no attribute {quoted(str(name))}{near}")
        if not _fits(value, several=name == declaration.groups):
            right = "a list of names" if name == declaration.groups else "one line of text"
            raise _fault(where, f"user.{name} must be {right}")
    return dict(plain)


def _fits(value: object, *, several: bool) -> bool:
    if several:
        return isinstance(value, list) and all(_fits(one, several=False) for one in value)
    return isinstance(value, str) and len(value) <= _MOST_VALUE


def _moment(value: object, where: str) -> datetime | None:
    """Return the moment that TOML or JSON names: a day is its noon, UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
        except ValueError:
            raise _fault(where, "at must be a day, 2027-06-30, or a moment with its zone") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _fault(where, "at needs a zone: 2027-06-30T12:00:00Z")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(12), UTC)
    if value is not None:
        raise _fault(where, "at must be a day, 2027-06-30, or a moment with its zone")
    return None


def _words(plain: Mapping[Any, object], outcome: str, where: str) -> str | None:
    words = plain.get(outcome)
    if words is None or (isinstance(words, str) and len(words) <= _MOST_WORDS):
        return words
    raise _fault(where, f'{outcome} must be a part of the words, or "" for any')


def _expected(plain: object, where: str, declaration: Declaration) -> dict[str, object]:
    if not isinstance(plain, Mapping):
        raise _fault(where, "expect must be a table of options")
    kinds = {kind.name: kind for kind in declaration.options}
    for name in plain:
        if name not in kinds:
            near = did_you_mean(str(name), kinds) or f"; there are {', '.join(kinds)}"
            raise _fault(where, f"there is no option {quoted(str(name))}{near}")
    return {name: _value(kinds[name], value, where) for name, value in plain.items()}


def _value(kind: OptionKind, value: object, where: str) -> object:
    if isinstance(kind, Span):
        return _span(value, where)
    try:
        return kind.check(value, datetime.now(UTC))
    except BadValue as bad:
        raise _fault(where, f"expect: {bad.clause}") from None


def _span(value: object, where: str) -> str:
    """Return a duration as it is stored, whether somebody wrote `90 days`, `P90D` or a last day."""
    text = value.isoformat() if isinstance(value, date) else str(value)
    if found := _SPAN.fullmatch(text):
        text = f"P{int(found[1])}{_UNITS[found[2]]}"
    duration = Duration.of(text.removeprefix("until "))
    if duration is None:
        raise _fault(where, 'expect: a duration is "90 days", "6 months", "2 years" or a last day')
    return duration.text


def _fault(where: str, what: str) -> InvalidInput:
    return InvalidInput("tests", f"cannot be used: {where}: {what}")


def result_of(
    test: ScriptTest, evaluation: Evaluation, declaration: Declaration
) -> ScriptTestResult:
    """Return whether what became of a script is what its test says."""
    return ScriptTestResult(
        name=test.name,
        problems=tuple(_problems(test, evaluation, declaration)),
        violation=evaluation if broke_out(evaluation) else None,
    )


def _problems(test: ScriptTest, evaluation: Evaluation, declaration: Declaration) -> list[str]:
    happened = _happened(evaluation)
    if broke_out(evaluation):
        return [f"nothing that a test can expect, {happened}"]
    if test.refused is not None:
        as_said = evaluation.refusal is not None and test.refused in evaluation.refusal
        return [] if as_said else [f'expected a refusal with "{test.refused}", {happened}']
    if test.error is not None:
        messages = [fault.message for fault in evaluation.diagnostics]
        as_said = any(test.error in message for message in messages)
        return [] if as_said else [f'expected an error with "{test.error}", {happened}']
    if evaluation.values is None:
        return [f"expected options, {happened}"]
    kinds = {kind.name: kind for kind in declaration.options}
    return [
        f"{name}: expected {shown(kinds[name], wanted)}, "
        f"got {shown(kinds[name], evaluation.values[name])}"
        for name, wanted in (test.expect or {}).items()
        if evaluation.values[name] != wanted
    ]


def _happened(evaluation: Evaluation) -> str:
    if evaluation.refusal is not None:
        return f'but it refused: "{evaluation.refusal}"'
    if evaluation.values is not None:
        return "but it set options"
    return f"but it failed: {' '.join(fault.message for fault in evaluation.diagnostics)}"


def shown(kind: OptionKind, value: object) -> str:
    """Return the value of an option as a person reads it."""
    if isinstance(kind, Span):
        return str(Duration.of(str(value)))
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f'{name}: "{text}"' for name, text in value.items()) + "}"
    if isinstance(value, bool) or not isinstance(value, str):
        return str(value)
    return f'"{value}"'
