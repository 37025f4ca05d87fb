"""The effect of a mail: write its letter, hand it to the mail server, and store that it has left.

The row holds ids and numbers; what a letter says and the codes in it are made when it is sent
(`mobid.processes.letters`). The mail server is called outside any transaction. A crash after it took
the letter and before that is stored sends the same letter again, under the same Message-ID.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from mobid.domain.actors import SYSTEM
from mobid.domain.mails import MailEvent, masked
from mobid.processes.ending import fail_get
from mobid.processes.letters import Letters, NothingToSay, waiting_code
from mobid.processes.mailing import MailRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mobid.domain.mails import Mail
    from mobid.processes.codes import Codes
    from mobid.processes.mailing import Letter, Mailer, QRPicture
    from mobid.processes.ports import UnitOfWork, Units

NOTIFICATION: Final = timedelta(days=3)
NO_MAILER: Final = "no mail server is configured"
TOO_LATE: Final = "it could not be delivered in time"
_LONGEST_REASON: Final = 300

_log: Final = structlog.get_logger(__name__)


class MailWork:
    """Does the work of mails. A letter that the mail server does not take now is tried again later."""

    def __init__(  # what a letter is made of, and who carries it
        self,
        units: Units,
        mailer: Mailer | None,
        codes: Codes,
        picture: QRPicture,
        public_url: str,
        *,
        notification: timedelta = NOTIFICATION,
    ) -> None:
        self._units = units
        self._mailer = mailer
        self._letters = Letters(codes, picture, public_url)
        self._notification = notification

    def __call__(self, mail_id: str) -> None:
        """Send one mail, or drop it for good; raise `MailUnavailable` to be called again."""
        with self._units.reading() as unit:
            mail = unit.mails.get(mail_id)
            late = unit.now >= self._last_moment(mail)
        if mail.settled:
            return
        if self._mailer is None:
            self._give_up(mail, NO_MAILER)
        elif late:
            self._give_up(mail, TOO_LATE)
        else:
            self._send(mail, self._mailer)

    def _last_moment(self, mail: Mail) -> datetime:
        return mail.give_up_at or mail.created_at + self._notification

    def _send(self, mail: Mail, mailer: Mailer) -> None:
        try:
            mailer.send(self._letter(mail))
        except NothingToSay as nothing:
            self._settle(mail, partial(_drop, reason=str(nothing)))
        except MailRefused as refused:
            self._give_up(mail, str(refused))
        else:
            self._settle(mail, _sent)

    def _letter(self, mail: Mail) -> Letter:
        with self._units.reading() as unit:
            return self._letters.write(unit, mail)

    def _give_up(self, mail: Mail, reason: str) -> None:
        """Nobody gets this mail. A Get whose code was in it cannot go on."""

        def give_up(unit: UnitOfWork, one: Mail) -> None:
            _drop(unit, one, reason=reason)
            if one.event is MailEvent.QR_CODE:
                _fail_get(unit, one)

        self._settle(mail, give_up)

    def _settle(self, mail: Mail, settle: Callable[[UnitOfWork, Mail], None]) -> None:
        """Write what became of a mail, unless somebody else has done so meanwhile."""
        with self._units() as unit:
            unit.users.lock(mail.user_id)
            one = unit.mails.get(mail.id)
            if not one.settled:
                settle(unit, one)
                unit.commit()


def _sent(unit: UnitOfWork, mail: Mail) -> None:
    unit.save(mail.sent(at=unit.now))
    _audit(unit, mail, "mail.sent")


def _drop(unit: UnitOfWork, mail: Mail, *, reason: str) -> None:
    why = reason[:_LONGEST_REASON]
    _log.warning("mail_dropped", mail=mail.id, event_of_mail=mail.event.value, reason=why)
    unit.save(mail.drop(why))
    _audit(unit, mail, "mail.dropped", reason=why)


def _audit(unit: UnitOfWork, mail: Mail, action: str, **more: str) -> None:
    to = masked(mail.to)
    unit.audit(
        SYSTEM, action, "mail", mail.id, event=mail.event, subject=mail.subject_id, to=to, **more
    )


def _fail_get(unit: UnitOfWork, mail: Mail) -> None:
    instance = unit.instances.get(mail.subject_id)
    if waiting_code(unit, instance, mail) is not None:
        unit.save(fail_get(unit, instance, "QR_NOT_DELIVERED", by=SYSTEM))
