"""The step of Get that shows the code, until one phone has claimed it and sent all its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mobid.domain.instances import StepName
from mobid.processes.codes import link_of
from mobid.processes.get.moves import cancel, new_code, to_code
from mobid.processes.steps import (
    CANCEL,
    NEXT,
    RENEW,
    Changes,
    Stay,
    audited,
)
from mobid.processes.views import Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.processes.get.parts import Parts
    from mobid.processes.steps import Action, Answer, Run


@dataclass(frozen=True, slots=True)
class ShowQR:
    """The QR code, until one phone has claimed it and sent all its keys."""

    parts: Parts
    name: ClassVar[StepName] = StepName.QR

    def view(self, run: Run) -> StepView:
        """Show the code in three forms: picture, link on this phone, and typed code."""
        enrolment = run.enrolment
        codes, code = self.parts.codes, (enrolment.id, enrolment.code_number)
        lapsed = enrolment.closed or run.now >= enrolment.code_expires_at
        claim = None if enrolment.closed else enrolment.claim
        device = claim.device.name if claim else None
        return StepView(
            title=Message("Scan the code with your phone"),
            text=self._status(device, lapsed=lapsed),
            data={
                "link": None if lapsed else link_of(self.parts.public_url, codes.token(*code)),
                "typed_code": None if lapsed else codes.typed(*code),
                "server": self.parts.public_url,
                "code_expires_at": enrolment.code_expires_at,
                "codes_left": self.parts.max_codes - enrolment.code_number,
                "device": device,
            },
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Next is for impatient people: it says what is still waited for."""
        return {NEXT: self.next, RENEW: self.renew, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Stay: the phone's keys move the run on, not the user."""
        enrolment = run.enrolment
        lapsed = enrolment.claim is None and run.now >= enrolment.code_expires_at
        if enrolment.closed or lapsed:
            return Stay(Message("The code has expired. Get a new code, then scan it."))
        return Stay(Message("Waiting for your phone. Scan the code, then click Next."))

    def renew(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Make a new code; it burns the old one and lets a phone go that has claimed it."""
        run.must_be_active_user()
        enrolment = new_code(run, run.enrolment, self.parts)
        return Changes(
            instance=to_code(run.instance, enrolment, self.parts.times, at=run.now),
            changed=(enrolment,),
            audit=(audited("get.code", run.instance, number=enrolment.code_number),),
        )

    @staticmethod
    def _status(device: str | None, *, lapsed: bool) -> Message:
        if device is not None:
            return Message("%(device)s is connected and makes its keys.", {"device": device})
        if lapsed:
            return Message("The code has expired. Get a new code.")
        return Message(
            "1. Open the app. 2. Add a mobile ID. 3. Point the camera at the code, then click Next."
        )
