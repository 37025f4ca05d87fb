"""What each mail says: a subject that is fixed, and two templates, for text and for HTML.

Values come from users, phones and clients. In the HTML part they are escaped; in both, each stays
one short line, so that nobody can write a paragraph of their own into a mail of ours.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mobid.domain.mails import MailEvent
from mobid.notify.message import Body, Picture

if TYPE_CHECKING:
    from mobid.processes.mailing import Letter

SUBJECTS: Final[Mapping[MailEvent, str]] = {
    MailEvent.QR_CODE: "Activate your mobile ID",
    MailEvent.INVITATION: "Your mobile ID is ready to be fetched",
    MailEvent.GET_SUCCEEDED: "Your mobile ID is active",
    MailEvent.GET_FAILED: "Your mobile ID could not be created",
    MailEvent.NOT_MINE: "A phone that is not yours was turned away",
    MailEvent.LOCKED_BY_OTHER: "Your mobile ID was locked",
    MailEvent.ADDRESS_CHANGED: "Your e-mail address for mobile IDs has changed",
    MailEvent.EXPIRING: "Your mobile ID ends soon",
}
LONGEST_VALUE: Final = 500
"""Characters of one value. An address of ours is shorter, and so is what a person can read."""

_UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNS_TEXT: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""What changes the direction of the text after it (Unicode, UAX 9)."""


def write(letter: Letter, *, host: str) -> Body:
    """Return what a letter says; `host` makes the name of its picture unique."""
    said: dict[str, object] = {name: _one_line(value) for name, value in letter.values.items()}
    picture = None
    if letter.enclosed is not None:
        picture = Picture(content_id=f"qr.{letter.id}@{host}", png=letter.enclosed.picture)
        said |= {
            "link": letter.enclosed.link,
            "server": "{0.scheme}://{0.netloc}".format(urlsplit(letter.enclosed.link)),
            "typed_code": letter.enclosed.typed_code,
            "content_id": picture.content_id,
        }
    return Body(
        subject=SUBJECTS[letter.event],
        text=_TEMPLATES.get_template(f"{letter.event}.txt").render(said),
        html=_TEMPLATES.get_template(f"{letter.event}.html").render(said),
        picture=picture,
    )


def _one_line(value: object) -> object:
    if isinstance(value, str):
        line = "".join(" " if _is_unseen(character) else character for character in value)
        return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + "…"
    if isinstance(value, list | tuple):
        return [_one_line(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _one_line(one) for name, one in value.items()}
    return value


def _is_unseen(character: str) -> bool:
    return character in _TURNS_TEXT or unicodedata.category(character) in _UNSEEN


def moment(at: datetime) -> str:
    """Return a moment as a reader anywhere understands it: we do not know where they are."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def day(at: datetime) -> str:
    """Return the day of a moment, in UTC."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("mobid.notify"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"moment": moment, "day": day}
    return templates


_TEMPLATES: Final = _environment()
