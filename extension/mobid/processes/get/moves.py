"""The moves that several steps of Get make: cancel, back to confirm, a new code, to where it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.options import QRLocation
from mobid.processes.codes import code_hash, mail_code_hash
from mobid.processes.ending import cancel_get
from mobid.processes.errors import NoEmail, TooManyCodes
from mobid.processes.get.parts import options_of
from mobid.processes.notices import notify
from mobid.processes.steps import (
    Changes,
    Stay,
)

if TYPE_CHECKING:
    from datetime import datetime

    from mobid.config import Times
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.processes.get.parts import Parts
    from mobid.processes.steps import Answer, Run


def cancel(run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG001  # takes no input
    """End the run at the user's wish; a Lock that was made on the way stands."""
    return Changes(instance=cancel_get(run.unit, run.instance, by=run.actor))


def confirm_again(run: Run, times: Times) -> Instance:
    """Return the instance at *confirm*."""
    return run.instance.to(
        StepName.CONFIRM,
        InstanceState.WAITING_USER,
        expires_at=run.now + times.form_idle,
        at=run.now,
    )


def new_code(run: Run, enrolment: Enrolment, parts: Parts) -> Enrolment:
    """Return the enrolment with its next code, and mail it if it goes by mail.

    Raise `TooManyCodes` after the last, `NoEmail`, and `TooMany` for mails in too quick succession.
    """
    number = enrolment.code_number + 1
    if number > parts.max_codes:
        raise TooManyCodes(parts.max_codes)
    by_mail = options_of(run.instance).qr_location is QRLocation.EMAIL
    lives = parts.times.mailed_link if by_mail else parts.times.page_code
    renewed = enrolment.renewed(
        number=number,
        token_hash=code_hash(parts.codes.token(enrolment.id, number)) or b"",
        typed_code_hash=code_hash(parts.codes.typed(enrolment.id, number)) or b"",
        expires_at=run.now + lives,
    )
    if not by_mail:
        return renewed
    _mail(run, renewed, parts)
    return new_mail_code(run, renewed, parts)


def _mail(run: Run, enrolment: Enrolment, parts: Parts) -> None:
    if run.user.email is None:
        raise NoEmail
    parts.mails.count(run.unit, run.user.id)
    notify(
        run.unit,
        MailEvent.QR_CODE,
        user=run.user,
        subject_id=run.instance.id,
        number=enrolment.code_number,
        give_up_at=enrolment.code_expires_at,
    )


def new_mail_code(run: Run, enrolment: Enrolment, parts: Parts) -> Enrolment:
    """Return the enrolment with its next mail code; its link stays as it is."""
    number = enrolment.mail_code_number + 1
    return enrolment.with_mail_code(
        number=number,
        mail_code_hash=mail_code_hash(parts.codes.mail_code(enrolment.id, number)),
        expires_at=run.now + parts.times.mail_code,
    )


def to_code(instance: Instance, enrolment: Enrolment, times: Times, *, at: datetime) -> Instance:
    """Return the instance at *qr* or *mail*, which ends when a lapsed code can no longer be renewed."""
    return instance.to(
        StepName.MAIL if enrolment.by_mail else StepName.QR,
        InstanceState.WAITING_DEVICE,
        expires_at=enrolment.code_expires_at + times.code_renewable,
        at=at,
    )
