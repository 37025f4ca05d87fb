"""The step of Get that asks whether this is the user's phone; its Next creates the mobile ID (T1)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.crashpoints import CrashPoint
from mobid.domain.certificates import Certificate
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mails import MailEvent
from mobid.processes.decision import basis_of, end_of, names_for
from mobid.processes.ended import NOT_MINE_ERROR
from mobid.processes.ending import cancel_get, log_reference
from mobid.processes.get.moves import cancel, confirm_again
from mobid.processes.get.parts import Parts, options_of
from mobid.processes.notices import notify
from mobid.processes.steps import (
    CANCEL,
    NEXT,
    NOT_MINE,
    Changes,
    Stay,
    UserChanged,
    audited,
    one_of,
)
from mobid.processes.views import Choice, Field, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.enrolments import Claim
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.decision import Decision
    from mobid.processes.steps import Action, Answer, Run

BACKDATED: Final = timedelta(minutes=5)
"""How far `notBefore` lies in the past, for phones and relying parties whose clock is slow."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Is this your phone? Next approves exactly this phone and these keys: the mobile ID is created."""

    parts: Parts
    name: ClassVar[StepName] = StepName.APPROVE

    def view(self, run: Run) -> StepView:
        """Show the phone's name, and three numbers of which the phone shows one.

        In the mail channel there is no number to pick: the phone knew the mail code of this page.
        """
        claim = run.enrolment.claim
        device = claim.device.name if claim else ""
        if run.enrolment.by_mail:
            return self._by_mail(device)
        numbers = claim.numbers if claim else ()
        return StepView(
            title=Message("Is this your phone?"),
            text=Message(
                "%(device)s asks for your mobile ID. Pick the number that your phone shows, then "
                "click Next. If you do not hold this phone, it is not yours.",
                {"device": device},
            ),
            form=(
                Field(
                    name="number",
                    kind="one_of",
                    label=Message("The number on your phone"),
                    choices=tuple(Choice(str(number), Message(str(number))) for number in numbers),
                    required=True,
                ),
            ),
            data={"device": device},
        )

    @staticmethod
    def _by_mail(device: str) -> StepView:
        return StepView(
            title=Message("Is this your phone?"),
            text=Message(
                "%(device)s has the code from your mail and the code from this page, and asks for "
                "your mobile ID. If you entered the code there, click Next. If you do not hold this "
                "phone, it is not yours.",
                {"device": device},
            ),
            data={"device": device},
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Approve, or refuse in two ways."""
        return {NEXT: self.next, NOT_MINE: self.not_mine, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:
        """T1: approve what is stored, and want its certificates. A wrong pick is *not mine*."""
        run.must_be_active_user()
        if run.caller is not None:
            run.caller.must_be_fresh(run.now, self.parts.times.fresh_login)
        claim = run.enrolment.claim
        if claim is None or not (run.enrolment.by_mail or _picked(answer, claim)):
            return self.not_mine(run, answer)
        if run.instance.basis != basis_of(run.user):
            decision = self._new_decision(run)
            if decision.digest != run.instance.decided:
                return self._confirm_anew(run, decision)
        profile, certificates = self._ordered(run)
        run.unit.passes(CrashPoint.GET_APPROVED)
        return Changes(
            instance=run.instance.to(
                StepName.CREATING,
                InstanceState.WAITING_CA,
                expires_at=run.now + self.parts.times.ca,
                at=run.now,
            ),
            new=certificates,
            changed=(run.enrolment.approve(), profile),
            audit=(audited("get.approve", run.instance, device=claim.device.name),),
        )

    def not_mine(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Burn the code and end the run: somebody else's phone has claimed it. Its owner is told.

        Whoever sits at the page may not be them, so the mail is sent whatever the options say.
        """
        by = run.instance.actor
        ended = cancel_get(run.unit, run.instance, by=by, action="not_mine")
        log_reference(run.instance, NOT_MINE_ERROR)
        notify(run.unit, MailEvent.NOT_MINE, user=run.user, subject_id=run.instance.id)
        return Changes(instance=replace(ended, error=NOT_MINE_ERROR))

    @staticmethod
    def _new_decision(run: Run) -> Decision:
        """Return the decision on the user as they are now.

        A change that alters neither the options nor a name is no reason to start over: what the
        script used is judged by what it decides, not by what it reads.
        """
        if run.decision is None or run.decision.basis != basis_of(run.user):
            raise UserChanged
        return run.decision

    def _confirm_anew(self, run: Run, decision: Decision) -> Changes:
        """Let the phone go and go back to *confirm* with new options; the pending profile stays."""
        instance = replace(
            confirm_again(run, self.parts.times),
            options=decision.options,
            script=decision.script,
            basis=decision.basis,
            decided=decision.digest,
        )
        return Changes(
            instance=instance,
            changed=(run.enrolment.close(),),
            audit=(audited("get.confirm_anew", run.instance),),
        )

    def _ordered(self, run: Run) -> tuple[MobileID, tuple[Certificate, ...]]:
        capabilities = self.parts.capabilities(run)
        start = run.now.replace(microsecond=0)
        end, _ = end_of(options_of(run.instance), start, capabilities.not_after)
        certificates = []
        for key in run.enrolment.keys:
            names = names_for(key.kind, run.user)
            certificates.append(
                Certificate(
                    id=str(uuid.uuid4()),
                    mobile_id=run.mobile_id.id,
                    kind=key.kind,
                    ca=self.parts.ca,
                    csr=key.csr,
                    key_hash=key.key_hash,
                    subject=names.subject_der,
                    san=names.san_text,
                    not_before=start - BACKDATED,
                    not_after=end,
                    profile_hash=capabilities.profile_hash[key.kind],
                    ordered_at=run.now,
                    holdable=capabilities.holds,
                ).nudged(run.now)
            )
        profile = replace(run.mobile_id.touch(at=run.now), valid_from=start, valid_to=end)
        return profile, tuple(certificates)


def _picked(answer: Answer, claim: Claim) -> bool:
    """Return whether the user picked the number that this phone shows."""
    return one_of(answer, "number", [str(number) for number in claim.numbers]) == str(claim.number)
