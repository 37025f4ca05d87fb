"""The moves that several steps of Get make: cancel, back to confirm, a new code, to the QR code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.domain.instances import InstanceState, StepName
from mobid.processes.codes import code_hash
from mobid.processes.ending import cancel_get
from mobid.processes.errors import TooManyCodes
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
    by = run.instance.actor
    return Changes(instance=cancel_get(run.unit, run.instance, by=by))


def confirm_again(run: Run, times: Times) -> Instance:
    """Return the instance at *confirm*."""
    return run.instance.to(
        StepName.CONFIRM,
        InstanceState.WAITING_USER,
        expires_at=run.now + times.form_idle,
        at=run.now,
    )


def new_code(enrolment: Enrolment, parts: Parts, *, at: datetime) -> Enrolment:
    """Return the enrolment with its next code; raise `TooManyCodes` after the last."""
    number = enrolment.code_number + 1
    if number > parts.max_codes:
        raise TooManyCodes(parts.max_codes)
    return enrolment.renewed(
        number=number,
        token_hash=code_hash(parts.codes.token(enrolment.id, number)) or b"",
        typed_code_hash=code_hash(parts.codes.typed(enrolment.id, number)) or b"",
        expires_at=at + parts.times.page_code,
    )


def to_qr(instance: Instance, enrolment: Enrolment, times: Times, *, at: datetime) -> Instance:
    """Return the instance at *qr*, which ends when a lapsed code can no longer be renewed."""
    return instance.to(
        StepName.QR,
        InstanceState.WAITING_DEVICE,
        expires_at=enrolment.code_expires_at + times.code_renewable,
        at=at,
    )
