"""A dry run over many users as a stream of lines, each a JSON object: progress, and then the table.

**Why a stream, and not a run that is a resource to be polled.** A resource needs a place where all
workers find it, somebody who goes on with it when its worker stops, and somebody who clears it away;
and it goes on when nobody wants its answer any more. A stream is one request: who reads it sees how far
it is, who closes it ends it, and there is nothing left behind. What would change our mind: dry runs that
take longer than proxies let a connection live while lines keep coming.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from flask import Response
from marshmallow import Schema, fields

from mobid.processes.errors import ProcessError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.processes.script_comparison import Comparison

MEDIA_TYPE: Final = "application/x-ndjson"


class ChangeAnswer(Schema):
    """What is different: an option, or `outcome`, `refusal` or `error`."""

    what = fields.String(required=True)
    before = fields.Raw(
        required=True,
        allow_none=True,
        metadata={
            "description": "Null on both sides of an option that is another one for everybody."
        },
    )
    after = fields.Raw(required=True, allow_none=True)


class LineAnswer(Schema):
    """Users for whom exactly these things are different."""

    count = fields.Integer(required=True)
    changes = fields.List(fields.Nested(ChangeAnswer), required=True)
    examples = fields.List(
        fields.String(), required=True, metadata={"description": "At most five user names."}
    )


class ProgressAnswer(Schema):
    """How far it is."""

    done = fields.Integer(required=True)
    total = fields.Integer(required=True)


class ComparisonAnswer(ProgressAnswer):
    """The table of differences to the active version, what concerns most users first."""

    ended = fields.String(
        required=True, metadata={"description": "`complete`, or `too_long` after 30 minutes."}
    )
    same = fields.Integer(required=True)
    lines = fields.List(fields.Nested(LineAnswer), required=True)
    others = fields.Integer(
        required=True,
        metadata={"description": "Users with differences for which there was no line any more."},
    )
    outcomes = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "How the new script ended, and for how many."},
    )


class ComparisonLine(Schema):
    """One line of the stream: exactly one of these. A stream without a last `result` was cut off."""

    progress = fields.Nested(ProgressAnswer)
    result = fields.Nested(ComparisonAnswer)
    problem = fields.Dict(metadata={"description": "`code` and `detail` of what ended it early."})


def streamed(steps: Iterator[Comparison]) -> Response:
    """Return a dry run over many users as it goes on; what its first step raises is raised here."""
    first = next(steps)
    response = Response(_lines(first, steps), mimetype=MEDIA_TYPE)
    # A proxy that collects an answer before it hands it on would hide that anything goes on.
    response.headers["X-Accel-Buffering"] = "no"
    return response


def result_of(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison as `ComparisonAnswer` has it."""
    return asdict(comparison)


def _lines(first: Comparison, steps: Iterator[Comparison]) -> Iterator[str]:
    yield _line("progress", done=first.done, total=first.total)
    try:
        for step in steps:
            if step.ended:
                yield _line("result", **result_of(step))
            else:
                yield _line("progress", done=step.done, total=step.total)
    except ProcessError as error:
        yield _line("problem", code=error.code, detail=str(error))


def _line(kind: str, **members: object) -> str:
    return json.dumps({kind: members}, ensure_ascii=False) + "\n"
