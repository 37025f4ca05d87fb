"""The third wall: the answer of a child is JSON from a stranger, an outcome only if exactly right."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING, Any, Final

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from mobid_scripts.errors import ScriptFault
from mobid_scripts.kinds import is_plain
from mobid_scripts.outcome import MOST_DIAGNOSTICS, Checked, Code, Diagnostic, Outcome, Verdict
from mobid_scripts.vocabulary import MOST_LOG_COLUMNS, MOST_LOG_LINES, MOST_REFUSAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid_scripts.declaration import Declaration

_MOST_MESSAGE: Final = 600
_MOST_NESTING: Final = 8
_STRINGS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?')
_BRACKETS: Final = re.compile(r"[\[\]{}]")
_MOST_NUMBER: Final = 1_000_000
_WITH_DIAGNOSTICS: Final = frozenset(Verdict) - {Verdict.OK, Verdict.REFUSED}


class NotAnAnswer(ValueError):
    """What the child wrote is no answer; `reason` says why, in our words only."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def outcome_of(data: bytes, declaration: Declaration, now: datetime, source: str) -> Outcome:
    """Read the answer to a run, or raise NotAnAnswer."""
    loaded = _loaded(_run_schema(declaration.option_names)(unknown=RAISE), data)
    return Outcome(
        outcome=loaded["outcome"],
        options=_options(loaded["options"], declaration, now),
        refusal=loaded["refusal"],
        log=tuple(loaded["log"]),
        diagnostics=_diagnostics(loaded, source),
        steps=loaded["steps"],
    )


def checked_of(data: bytes, source: str) -> Checked:
    """Read the answer to a check, or raise NotAnAnswer."""
    loaded = _loaded(_Check(), data)
    return Checked(diagnostics=_diagnostics(loaded, source))


def _loaded(schema: Schema, data: bytes) -> dict[str, Any]:
    try:
        # Not bytes: the parser would take UTF-16 as well, in which brackets are counted differently.
        text = data.decode("utf-8")
        stranger: Any = json.loads(text) if _nesting(text) <= _MOST_NESTING else None
    except ValueError:
        raise NotAnAnswer("it is no JSON") from None
    try:
        loaded: dict[str, Any] = schema.load(stranger)
    except ValidationError as error:
        # What the stranger calls its fields goes into no message of ours.
        named = sorted(name for name in error.messages_dict if name in schema.fields)
        raise NotAnAnswer(f"{', '.join(named) or 'its shape'} is not right") from None
    return loaded


def _nesting(text: str) -> int:
    """Return how deep brackets are open; a child may answer sixty thousand, at which a parser breaks."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


class _Strict(Schema):
    class Meta:
        """Nothing that is not named."""

        unknown = RAISE


class _Whole(fields.Integer):
    """A whole number, and neither True nor "1" nor 1.0."""

    def _deserialize(self, value: object, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError("not a whole number")
        return super()._deserialize(value, attr, data, **kwargs)


def _line_of_text(value: str) -> None:
    if not all(map(is_plain, value)):
        raise ValidationError("not one line of printable text")


def _text(most: int) -> fields.String:
    return fields.String(required=True, validate=[validate.Length(max=most), _line_of_text])


def _place() -> fields.Integer:
    return _Whole(required=True, allow_none=True, validate=validate.Range(1, _MOST_NUMBER))


class _Diagnostic(_Strict):
    code = fields.Enum(Code, by_value=True, required=True)
    message = _text(_MOST_MESSAGE)
    line = _place()
    column = _place()
    end_column = _place()


def _found() -> fields.List[Any]:
    return fields.List(
        fields.Nested(_Diagnostic),
        load_default=list,
        validate=validate.Length(max=MOST_DIAGNOSTICS),
    )


class _Run(_Strict):
    outcome = fields.Enum(Verdict, by_value=True, required=True)
    refusal = fields.String(
        load_default=None, validate=[validate.Length(1, MOST_REFUSAL), _line_of_text]
    )
    log = fields.List(
        _text(MOST_LOG_COLUMNS), required=True, validate=validate.Length(max=MOST_LOG_LINES + 1)
    )
    steps = _Whole(required=True, validate=validate.Range(0, _MOST_NUMBER))
    diagnostics = _found()

    @validates_schema
    def fits_together(self, data: Mapping[str, Any], **_: object) -> None:
        """Each verdict comes with what belongs to it, and with nothing else."""
        verdict = data["outcome"]
        if (verdict is Verdict.OK) != (data.get("options") is not None):
            raise ValidationError("does not fit", "options")
        if (verdict is Verdict.REFUSED) != (data.get("refusal") is not None):
            raise ValidationError("does not fit", "refusal")
        if (verdict in _WITH_DIAGNOSTICS) != bool(data["diagnostics"]):
            raise ValidationError("does not fit", "diagnostics")


class _Check(_Strict):
    outcome = fields.Enum(
        Verdict,
        by_value=True,
        required=True,
        validate=validate.OneOf([Verdict.OK, Verdict.REJECTED_AT_UPLOAD]),
    )
    diagnostics = _found()


@functools.cache
def _run_schema(options: tuple[str, ...]) -> type[Schema]:
    """Return the schema of an answer to a run: with these options, and no other."""
    named = {name: fields.Raw(required=True, allow_none=True) for name in options}
    nested = fields.Nested(_Strict.from_dict(named), load_default=None, unknown=RAISE)  # type: ignore[arg-type]  # a mapping of fields
    return _Run.from_dict({"options": nested})


def _options(
    found: Mapping[str, object] | None, declaration: Declaration, now: datetime
) -> dict[str, object] | None:
    """Check each option as in the child, in a process that the script has never been in."""
    if found is None:
        return None
    try:
        return {kind.name: kind.check(found[kind.name], now) for kind in declaration.options}
    except ScriptFault:
        raise NotAnAnswer("options is not right") from None


def _diagnostics(loaded: Mapping[str, Any], source: str) -> tuple[Diagnostic, ...]:
    return tuple(_diagnostic(found, source) for found in loaded["diagnostics"])


def _diagnostic(found: Mapping[str, Any], source: str) -> Diagnostic:
    return Diagnostic(
        code=found["code"],
        message=found["message"],
        line=found["line"],
        column=found["column"],
        caret=_caret(found, source.split("\n")),
    )


def _caret(found: Mapping[str, Any], lines: list[str]) -> str:
    line, column, end = found["line"], found["column"], found["end_column"]
    if line is None or line > len(lines):
        return ""
    text: str = lines[line - 1].rstrip().replace("\t", " ")
    if column is None or column > len(text) + 1:
        return text
    width = max(1, min(end or column + 1, len(text) + 1) - column)
    return f"{text}\n{' ' * (column - 1)}{'^' * width}"
