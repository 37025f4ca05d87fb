"""Get with the QR code by mail: the mail has the code, the page has the mail code, and a phone needs both."""

from __future__ import annotations

import email
import time
from email import policy
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

from mobid.cli.demo.checks import CheckFailed
from mobid.cli.demo.walk.arriving import ADDRESS
from mobid.cli.demo.walk.getting import GET, approve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mobid.cli.demo.actors import Phone
    from mobid.cli.demo.walk.stage import Stage

CODE_MAIL: Final = "Activate your mobile ID"
SUCCESS_MAIL: Final = "Your mobile ID is active"
MAILED_WITHIN: Final = 20.0
"""Seconds within which a mail must have arrived."""
LOOK_EVERY: Final = 0.1
BAD_CODE: Final = "BAD_CODE"


def code_goes_by_mail(stage: Stage) -> str:
    """The user starts Get and clicks Next; the code is in a mail, and the mail code on the page."""
    stage.instance = stage.front_end.start(GET)
    stage.instance = stage.front_end.act(stage.at("confirm"), "next")
    seen = stage.at("mail")["step"]["data"]
    stage.mailed = _arrived(stage, CODE_MAIL, 1)
    if seen["mail_code"] in _text(_read(stage.mailed)):
        raise CheckFailed(f"The mail code {seen['mail_code']} was to be on the page only.")
    return f"{stage.mailed} to {seen['recipient']}; the mail code is on the page only"


def thief_gets_nothing(stage: Stage) -> str:
    """A second phone that has everything in every mail claims nothing, and uses up no try."""
    thief = stage.strange_phone("thief", "--mail", str(stage.mailed))
    words = _refused(thief, tries_left=None)
    if kept := sorted((stage.out / "thief").rglob("*.p12")):
        raise CheckFailed(f"The thief was to have no certificate; there is {kept}")
    _must_wait_untouched(stage, tries_left=5)
    return f'the mail is not enough: "{words}"'


def wrong_mail_code_is_counted(stage: Stage) -> str:
    """The user's phone asks for the mail code; a wrong one is refused, and the tries are told."""
    right = stage.at("mail")["step"]["data"]["mail_code"]
    wrong = ("1" if right[0] == "0" else "0") + right[1:]
    stage.take_new_phone("--mail", str(stage.mailed), "--mail-code", wrong)
    words = _refused(stage.phone, tries_left=4)
    _must_wait_untouched(stage, tries_left=4)
    return f'the phone is told: "{words}"'


def phone_has_both(stage: Stage) -> str:
    """The same phone with the mail code from the page claims the code, and makes its keys."""
    right = stage.at("mail")["step"]["data"]["mail_code"]
    stage.use_phone("--mail", str(stage.mailed), "--mail-code", right)
    stage.phone.hears("keys_sent")
    stage.instance = stage.front_end.wait_for(stage.instance, step="approve")
    return f"{stage.instance['step']['data']['device']} waits for its approval"


def user_approves(stage: Stage) -> str:
    """The user clicks Next; there is no number to pick, since the phone knew the mail code."""
    if form := stage.at("approve")["step"]["form"]:
        raise CheckFailed(f"There was to be nothing to fill in; the form is {form}")
    return approve(stage)


def user_is_told(stage: Stage) -> str:
    """A mail tells of each mobile ID that became active, and leads to where it can be locked."""
    _arrived(stage, SUCCESS_MAIL, len(stage.certificates))
    said = "\n".join(_text(_read(file)) for file in _mails(stage, SUCCESS_MAIL))
    page = f"{stage.told['base_url']}/mobile-ids/"
    for mobile_id in stage.certificates:
        if f"{page}{mobile_id}#lock" not in said.splitlines():
            raise CheckFailed(f"No mail leads to {page}{mobile_id}#lock; they say:\n{said}")
    return f'{len(stage.certificates)} mails "{SUCCESS_MAIL}", each with the way to Lock'


def _refused(phone: Phone, *, tries_left: int | None) -> str:
    """Return with which words a phone was refused for want of the mail code."""
    told = phone.hears("mail_code_needed")
    refused = phone.hears("failed")
    phone.stop()
    if (told["tries_left"], refused["code"]) != (tries_left, BAD_CODE):
        raise CheckFailed(f"{BAD_CODE} was to leave {tries_left} tries; it is {told}, {refused}")
    words: str = refused["detail"]
    return words


def _must_wait_untouched(stage: Stage, *, tries_left: int) -> None:
    """The run still waits for a phone, and the CA has issued nothing."""
    stage.instance = stage.front_end.look(stage.instance)
    seen = stage.at("mail")["step"]["data"]
    if (seen["device"], seen["tries_left"]) != (None, tries_left):
        raise CheckFailed(
            f"There was to be no phone, and {tries_left} tries left; the page: {seen}"
        )
    mobile_id = stage.mobile_id(stage.instance["mobile_id"])
    if mobile_id["state"] != "pending" or mobile_id.get("certificates"):
        raise CheckFailed(f"Nothing was to be issued; SCIM says {mobile_id}")


def _arrived(stage: Stage, subject: str, number: int) -> Path:
    """Wait for so many mails of a subject; return the last, which must be the user's."""
    deadline = time.monotonic() + MAILED_WITHIN
    while len(found := _mails(stage, subject)) < number:
        if time.monotonic() > deadline:
            raise CheckFailed(
                f'There were to be {number} mails "{subject}"; there are {len(found)}'
            )
        time.sleep(LOOK_EVERY)
    if (to := _read(found[-1])["To"]) != ADDRESS:
        raise CheckFailed(f"The mail was to go to {ADDRESS}; it went to {to}")
    return found[-1]


def _mails(stage: Stage, subject: str) -> Sequence[Path]:
    found = sorted(stage.mails.glob("*.eml"))
    return [file for file in found if _read(file)["Subject"] == subject]


def _read(file: Path) -> EmailMessage:
    mail = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    if not isinstance(mail, EmailMessage):
        raise CheckFailed(f"{file} is no mail.")
    return mail


def _text(mail: EmailMessage) -> str:
    """Return everything that can be read in a mail, in all its forms."""
    parts = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    return "\n".join(str(part.get_content()) for part in parts)
