"""The demo's mailbox: pages that show what its mail server has got, to whomever it was sent.

A mail is somebody else's HTML. It is shown in a frame that runs nothing, sends nothing and loads
nothing; its pictures come along as data.
"""

from __future__ import annotations

import base64
import email
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from flask import Blueprint, Flask, abort, render_template, url_for
from flask_babel import gettext

from mobid.web.headers import HEADERS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flask import Response
    from flask.typing import ResponseReturnValue

    from mobid.cli.demo.mail_server import Kept, Postbox

PREFIX: Final = "/demo/mailbox"
_PAGE_POLICY: Final = f"{HEADERS['Content-Security-Policy']}; frame-src 'self'"
_FRAME_POLICY: Final = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
"""Links open in a page of their own, which the frame cannot touch. Mails have inline styles."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a mail program shows it."""

    number: int
    arrived_at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str | None


def add_mailbox(app: Flask, postbox: Postbox) -> None:
    """Put the pages below `PREFIX` of an app that has those of `mobid.web`."""
    mailbox = Blueprint("mailbox", __name__, url_prefix=PREFIX, template_folder="templates")

    @mailbox.get("")
    def messages() -> str:
        found = [show(kept) for kept in postbox.newest_first()]
        return render_template("mailbox.html", messages=found)

    @mailbox.get("/<int:number>")
    def message(number: int) -> str:
        return render_template("mail.html", mail=show(_kept(postbox, number)))

    @mailbox.get("/<int:number>/html")
    def html(number: int) -> ResponseReturnValue:
        framed = show(_kept(postbox, number)).html
        if framed is None:
            abort(404, gettext("This mail has no HTML part."))
        return framed, {"Content-Security-Policy": _FRAME_POLICY}

    @mailbox.get("/<int:number>.eml")
    def raw(number: int) -> ResponseReturnValue:
        return (
            _kept(postbox, number).raw,
            {
                "Content-Type": "message/rfc822",
                "Content-Disposition": f'attachment; filename="mail-{number}.eml"',
            },
        )

    mailbox.after_request(_secured)
    mailbox.app_context_processor(lambda: {"mailbox_url": url_for("mailbox.messages")})
    app.register_blueprint(mailbox)


def show(kept: Kept) -> Shown:
    """Read a message as a mail program does."""
    message = email.message_from_bytes(kept.raw, policy=policy.default)
    if not isinstance(message, EmailMessage):
        raise TypeError("The standard library did not read a message with its own policy.")
    return Shown(
        number=kept.number,
        arrived_at=kept.arrived_at,
        sender=str(message.get("From", "")),
        to=str(message.get("To", "")),
        subject=str(message.get("Subject", "")),
        text=_content(message, "plain") or "",
        html=_html(message),
    )


def _content(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return None if part is None else str(part.get_content())


def _html(message: EmailMessage) -> str | None:
    """Return the HTML part with its pictures in it, its links opening in a page of their own."""
    html = _content(message, "html")
    if html is None:
        return None
    for content_id, address in _pictures(message).items():
        html = html.replace(f'"cid:{content_id}"', f'"{address}"')
    return html.replace("<head>", '<head><base target="_blank">', 1)


def _pictures(message: EmailMessage) -> Mapping[str, str]:
    """Return the addresses, as data, of the pictures that a message brings along."""
    return {
        part["Content-ID"].strip("<>"): "data:image/png;base64,"
        + base64.b64encode(part.get_content()).decode()
        for part in message.walk()
        if part.get_content_type() == "image/png" and part["Content-ID"]
    }


def _kept(postbox: Postbox, number: int) -> Kept:
    kept = postbox.get(number)
    if kept is None:
        abort(404, gettext("There is no such mail, or it had to make room for newer ones."))
    return kept


def _secured(response: Response) -> Response:
    """The frame has a stricter policy of its own; everything else is the same for all of them."""
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Cache-Control"] = "no-store"
    return response
