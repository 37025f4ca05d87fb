"""What must hold of every answer, whatever was asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .line import Answer, Sent

ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
MEDIA_TYPE: Final = "application/scim+json"
SLOWEST: Final = 10.0
"""Seconds, on a machine that does other things as well."""
_TELLS_TOO_MUCH: Final = re.compile(
    rb"Traceback|File \\?\"|\.py\b|line \d+, in|sqlalchemy|psycopg|sqlite3|"
    rb"\b(?:SELECT|INSERT|UPDATE|DELETE) .*\b(?:FROM|INTO|SET)\b|/tmp/|/home/|mid_scim_[0-9a-z]{6}"
)
_NOT_THERE: Final = re.compile(r"/Me\b|operation|cursors|sorted|not available|cannot be created")


def faults_of(sent: Sent, answer: Answer | None) -> Iterator[str]:
    """Tell what is wrong with an answer."""
    if answer is None:
        if sent.is_framed:
            yield "is not answered"
        return
    if answer.seconds > SLOWEST:
        yield f"takes {answer.seconds:.1f} s"
    if found := _TELLS_TOO_MUCH.search(answer.body):
        yield f"tells {found[0]!r}"
    if answer.status >= 500 and not _is_told_to_be_missing(sent, answer):
        yield f"answers {answer.status}"
    if answer.status >= 400 and sent.method != "HEAD" and _is_ours(sent, answer):
        yield from _faults_of_error(answer)
    if answer.status == 200 and sent.endpoint == "/Bulk" and sent.is_framed:
        yield from _faults_of_bulk(answer)


def _is_told_to_be_missing(sent: Sent, answer: Answer) -> bool:
    """Tell whether it is about what discovery says, or the README, is not there; HEAD has no words."""
    told = sent.method == "HEAD" or _NOT_THERE.search(str(answer.said.get("detail")))
    return answer.status == 501 and bool(told)


def _is_ours(sent: Sent, answer: Answer) -> bool:
    """Tell whether it came as far as to us: what is not HTTP is refused by the server in plain text."""
    if sent.endpoint == "elsewhere":
        return False
    return sent.is_framed or not answer.header("Content-Type").startswith("text/plain")


def _faults_of_error(answer: Answer) -> Iterator[str]:
    """RFC 7644, 3.12."""
    if answer.header("Content-Type") != MEDIA_TYPE:
        yield f"is refused ({answer.status}) in {answer.header('Content-Type')!r}"
    elif answer.said.get("schemas") != [ERROR]:
        yield "is refused without the schema of errors"
    elif answer.said.get("status") != str(answer.status):
        yield f"says {answer.said.get('status')!r} in the body of a {answer.status}"
    elif not answer.said.get("detail"):
        yield "is refused without a word"


def _faults_of_bulk(answer: Answer) -> Iterator[str]:
    for one in answer.said.get("Operations", []):
        status = one.get("status")
        if not isinstance(status, str) or (status >= "500" and status != "501"):
            yield f"has an operation that answers {status!r}: {one.get('response')}"
