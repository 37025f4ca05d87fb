"""The step of Get whose code went by mail: it shows the mail code, which is in no mail.

Whoever reads the mail has a link that binds nothing. Whoever guesses at the mail code kills it, and
its owner gets another here, for the same mail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.domain.instances import StepName
from mobid.domain.mails import MailEvent, masked
from mobid.processes.get.moves import cancel, new_code, new_mail_code, to_code
from mobid.processes.steps import CANCEL, NEXT, RENEW, Changes, Stay, audited, one_of
from mobid.processes.views import Choice, Field, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.enrolments import Enrolment
    from mobid.domain.mails import Mail
    from mobid.processes.get.parts import Parts
    from mobid.processes.steps import Action, Answer, Run


class MailState(StrEnum):
    """What became of the mail, as far as we know."""

    SENDING = "sending"
    SENT = "sent"
    NOT_SENT = "not_sent"


class Renewed(StrEnum):
    """What *renew* makes anew."""

    CODE = "code"
    """The mail code alone: the mail stays good."""
    MAIL = "mail"
    """The mail, with another link, and a mail code to go with it."""


_SOON: Final = timedelta(minutes=1)
"""After which a mail that is still on its way needs a word of its own."""

LAPSED: Final = Message("The link in your mail has expired. Ask for a new mail.")
_WAITING: Final = Message(
    "Waiting for your phone. Open the link from your mail on it, enter the code, then click Next."
)
_NEW_MAIL: Final = Choice(Renewed.MAIL, Message("A new mail"))
_WHAT: Final = Field(
    name="what",
    kind="one_of",
    label=Message("What to make anew"),
    choices=(Choice(Renewed.CODE, Message("A new code for the app")), _NEW_MAIL),
)
_MAIL_ONLY: Final = replace(_WHAT, choices=(_NEW_MAIL,))


@dataclass(frozen=True, slots=True)
class ShowMail:
    """Where the mail went, and the code that its reader enters on the phone."""

    parts: Parts
    name: ClassVar[StepName] = StepName.MAIL

    def view(self, run: Run) -> StepView:
        """Show the mail code while it lives; never anything that is in the mail."""
        enrolment = run.enrolment
        mail = run.unit.mails.find(MailEvent.QR_CODE, run.instance.id, enrolment.code_number)
        claim = None if enrolment.closed else enrolment.claim
        device = claim.device.name if claim else None
        recipient = masked(mail.to) if mail else ""
        lives = claim is None and _lives(enrolment, run.now)
        return StepView(
            title=Message("Activate your mobile ID from the mail"),
            text=_status(enrolment, mail, device, at=run.now),
            hint=_tried_wrongly(enrolment) if lives else None,
            inputs={RENEW: (_MAIL_ONLY if claim or _lapsed(enrolment, run.now) else _WHAT,)},
            data={
                "recipient": recipient,
                "mail_state": _state(mail),
                "mail_code": self._mail_code(enrolment) if lives else None,
                "mail_code_expires_at": enrolment.mail_code_expires_at,
                "tries_left": enrolment.tries_left,
                "link_expires_at": enrolment.code_expires_at,
                "codes_left": self.parts.max_codes - enrolment.code_number,
                "device": device,
            },
        )

    def _mail_code(self, enrolment: Enrolment) -> str:
        return self.parts.codes.mail_code(enrolment.id, enrolment.mail_code_number)

    def actions(self, run: Run) -> Mapping[str, Action]:
        """Next is for impatient people: it says what is still waited for.

        Where nothing can come any more, what mends that stands first.
        """
        if run.enrolment.claim is None and not _lives(run.enrolment, run.now):
            return {RENEW: self.renew, NEXT: self.next, CANCEL: cancel}
        return {NEXT: self.next, RENEW: self.renew, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Stay: the phone's keys move the run on, not the user."""
        enrolment = run.enrolment
        if _lapsed(enrolment, run.now):
            return Stay(LAPSED)
        if enrolment.claim is None and not enrolment.mail_code_lives(run.now):
            return Stay(_dead(enrolment))
        return Stay(_WAITING)

    def renew(self, run: Run, answer: Answer) -> Changes | Stay:
        """Make a new mail code, or a new mail with everything in it and beside it."""
        run.must_be_active_user()
        what = one_of(answer, _WHAT.name, list(Renewed), default=Renewed.CODE)
        return self._new_mail(run) if what == Renewed.MAIL else self._new_mail_code(run)

    def _new_mail_code(self, run: Run) -> Changes | Stay:
        """Replace the mail code. The link stays, and so does a phone that has claimed with both."""
        if _lapsed(run.enrolment, run.now):
            return Stay(LAPSED)
        return self._shown(run, new_mail_code(run, run.enrolment, self.parts), "get.mail_code")

    def _new_mail(self, run: Run) -> Changes:
        """Replace all: the old link is burnt, and a phone let go that has claimed it."""
        return self._shown(run, new_code(run, run.enrolment, self.parts), "get.code")

    def _shown(self, run: Run, enrolment: Enrolment, action: str) -> Changes:
        numbers = {
            "number": enrolment.code_number,
            "mail_code_number": enrolment.mail_code_number,
        }
        return Changes(
            instance=to_code(run.instance, enrolment, self.parts.times, at=run.now),
            changed=(enrolment,),
            audit=(audited(action, run.instance, **numbers),),
        )


def _lapsed(enrolment: Enrolment, at: datetime) -> bool:
    unclaimed = enrolment.claim is None
    return enrolment.closed or (unclaimed and at >= enrolment.code_expires_at)


def _lives(enrolment: Enrolment, at: datetime) -> bool:
    """Return whether link and mail code are both good."""
    return enrolment.mail_code_lives(at) and not _lapsed(enrolment, at)


def _tried_wrongly(enrolment: Enrolment) -> Message | None:
    """Return the warning of an owner whose link somebody has, and has not the code of the page."""
    if enrolment.mail_code_tries == 0:
        return None
    return Message(
        "A wrong code was tried. Tries left: %(left)d. If it was not you, somebody else has read "
        "your mail.",
        {"left": enrolment.tries_left},
    )


def _state(mail: Mail | None) -> MailState:
    if mail is None or mail.dropped is not None:
        return MailState.NOT_SENT
    return MailState.SENDING if mail.sent_at is None else MailState.SENT


def _status(
    enrolment: Enrolment, mail: Mail | None, device: str | None, *, at: datetime
) -> Message:
    if device is not None:
        return Message("%(device)s is connected and makes its keys.", {"device": device})
    if _lapsed(enrolment, at):
        return LAPSED
    late = mail is not None and not mail.settled and at >= mail.created_at + _SOON
    if not (late or enrolment.mail_code_lives(at)):
        return _dead(enrolment)
    return _of_mail(mail, late=late)


def _of_mail(mail: Mail | None, *, late: bool) -> Message:
    values = {"recipient": masked(mail.to) if mail else ""}
    match _state(mail):
        case MailState.SENDING if late:
            return Message(
                "The mail to %(recipient)s has not left yet. We go on trying: leave this page open, "
                "or continue later from the dashboard.",
                values,
            )
        case MailState.SENDING:
            return Message("We are sending a QR code to %(recipient)s.", values)
        case MailState.NOT_SENT:
            return Message("The mail to %(recipient)s was not sent. Ask for a new mail.", values)
        case MailState.SENT:
            return Message(
                "We sent a QR code to %(recipient)s. When the app asks for a code, enter the one "
                "from this page, then click Next.",
                values,
            )


def _dead(enrolment: Enrolment) -> Message:
    if enrolment.tries_left == 0:
        return Message(
            "The code was entered wrongly too often, so it is dead. Get a new code; your mail stays "
            "good. If it was not you, somebody else has read your mail."
        )
    return Message("The code for the app has expired. Get a new code; your mail stays good.")
