"""MobileIDSelfServiceProcGet: a user gets a mobile ID on their phone.

It reads as its list of steps, at the end of this module. The page *extension/README.md* gives the
order of the transactions behind them, and why they stand in that order.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.crashpoints import CrashPoint
from mobid.domain.certificates import Certificate
from mobid.domain.enrolments import Enrolment
from mobid.domain.instances import InstanceState, Process, StepName
from mobid.domain.mobile_ids import LockReason, MobileID, ProfileState
from mobid.domain.options import Kind
from mobid.processes.codes import Codes, code_hash
from mobid.processes.decision import VALIDITY_CLIPPED, basis_of, end_of, names_for
from mobid.processes.ended import NOT_MINE_ERROR
from mobid.processes.ending import cancel_get
from mobid.processes.errors import CANotAvailable, TooManyCodes
from mobid.processes.locking import lock_profile
from mobid.processes.steps import (
    CANCEL,
    LOCK,
    NEXT,
    NOT_MINE,
    RENEW,
    Changes,
    Stay,
    UserChanged,
    audited,
    one_of,
    some_of,
)
from mobid.processes.views import Choice, Field, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.config import Times
    from mobid.domain.instances import Instance
    from mobid.domain.options import Options
    from mobid.processes.authority import Capabilities
    from mobid.processes.decision import Decision, OptionDecision
    from mobid.processes.steps import Action, Answer, Run, Step

NAME: Final = Message("Get mobile ID")
BACKDATED: Final = timedelta(minutes=5)
"""How far `notBefore` lies in the past, for phones and relying parties whose clock is slow."""
KIND_NAMES: Final = {
    Kind.AUTHENTICATION: Message("Authentication"),
    Kind.SIGNATURE: Message("Signature"),
    Kind.ENCRYPTION: Message("Encryption"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the steps of Get work with."""

    times: Times
    max_codes: int
    codes: Codes
    decision: OptionDecision
    ca: str
    public_url: str

    def capabilities(self, run: Run) -> Capabilities:
        """Return the CA's last stored answer; raise `CANotAvailable`."""
        known = run.unit.authorities.capabilities(self.ca)
        if known is None:
            raise CANotAvailable(self.ca)
        return known


def options_of(instance: Instance) -> Options:
    """Return the frozen options that every Get has from its start."""
    if instance.options is None:
        raise LookupError(f"Process {instance.id} has no options frozen into it.")
    return instance.options


def cancel(run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG001  # takes no input
    """End the run at the user's wish; a Lock that was made on the way stands."""
    by = run.instance.actor
    return Changes(instance=cancel_get(run.unit, run.instance, by=by))


@dataclass(frozen=True, slots=True)
class HasActive:
    """The user has an active mobile ID: lock it and go on, or leave it."""

    parts: Parts
    name: ClassVar[StepName] = StepName.HAS_ACTIVE

    def view(self, run: Run) -> StepView:
        """Show the active mobile ID, and what Lock would do."""
        profile = run.active
        values = {"name": profile.profile_name if profile else ""}
        return StepView(
            title=Message("You already have an active mobile ID"),
            text=Message(
                "To get a new one, lock %(name)s first. It stops working at once and cannot be "
                "unlocked. If you cancel after that, you will have no mobile ID.",
                values,
            ),
            data={
                "device": profile.device.name if profile and profile.device else None,
                "valid_to": profile.valid_to if profile else None,
            },
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """There is no Next here: a Lock is a decision of its own."""
        return {LOCK: self.lock, CANCEL: cancel}

    def lock(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Lock the active mobile ID by a Lock of its own, and go straight on."""
        run.must_be_active_user()
        new: tuple[Instance, ...] = ()
        if run.active is not None and run.active.state is ProfileState.ACTIVE:
            if not run.unit.instances.running_locks(run.active.id):
                new = (self._child_lock(run, run.active),)
            lock_profile(
                run.unit,
                run.active,
                by=run.instance.actor,
                reason=LockReason.REPLACED,
                except_for=run.instance.id,
            )
        return Changes(instance=confirm_again(run, self.parts.times), new=new)

    @staticmethod
    def _child_lock(run: Run, profile: MobileID) -> Instance:
        return replace(
            run.instance,
            id=str(uuid.uuid4()),
            process=Process.LOCK,
            parent_id=run.instance.id,
            mobile_id=profile.id,
            options=None,
            script=None,
            created_at=run.now,
            step_seq=0,
            lock_reason=LockReason.REPLACED,
        ).to(StepName.LOCKING, InstanceState.WAITING_CA, expires_at=None, at=run.now)


def confirm_again(run: Run, times: Times) -> Instance:
    """Return the instance at *confirm*."""
    return run.instance.to(
        StepName.CONFIRM,
        InstanceState.WAITING_USER,
        expires_at=run.now + times.form_idle,
        at=run.now,
    )


@dataclass(frozen=True, slots=True)
class Confirm:
    """What will be issued, for how long, as whom. Next makes the profile and the code."""

    parts: Parts
    name: ClassVar[StepName] = StepName.CONFIRM

    def view(self, run: Run) -> StepView:
        """Show the options; choices only where the script allows them."""
        options = options_of(run.instance)
        end, clipped = self._end(run)
        return StepView(
            title=NAME,
            text=Message(
                "You will get %(name)s for %(user_id)s. Have your phone ready, then click Next.",
                {"name": options.profile_name, "user_id": options.user_id},
            ),
            form=self._form(options),
            data={
                "certificates": [kind.value for kind in options.certificates],
                "server_name": options.server_name,
                "user_id": options.user_id,
                "profile_name": options.profile_name,
                "valid_to": end,
            },
            hint=Message("The CA's own end clips the validity.") if clipped else None,
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Go on, or leave."""
        return {NEXT: self.next, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:
        """Make the profile, if there is none yet, and a code."""
        run.must_be_active_user()
        options = options_of(run.instance)
        selectable = [kind.value for kind in options.selectable_certificates]
        chosen = {*options.certificates, *map(Kind, some_of(answer, "certificates", selectable))}
        profile = self._profile(run, options)
        enrolment = self._enrolment(run, profile)
        is_new = run.instance.mobile_id is None
        instance = replace(
            run.instance,
            mobile_id=profile.id,
            selected=tuple(kind for kind in Kind if kind in chosen),
            warnings=(VALIDITY_CLIPPED,) if self._end(run)[1] else (),
        )
        return Changes(
            instance=to_qr(instance, enrolment, self.parts.times, at=run.now),
            new=(profile, enrolment) if is_new else (),
            changed=() if is_new else (profile, enrolment),
            audit=(audited("get.code", instance, number=enrolment.code_number),),
        )

    def _form(self, options: Options) -> tuple[Field, ...]:
        choices = [
            kind for kind in options.selectable_certificates if kind not in options.certificates
        ]
        if not choices:
            return ()
        return (
            Field(
                name="certificates",
                kind="some_of",
                label=Message("Also get"),
                choices=tuple(Choice(kind.value, KIND_NAMES[kind]) for kind in choices),
            ),
        )

    def _end(self, run: Run) -> tuple[datetime, bool]:
        ca_end = self.parts.capabilities(run).not_after
        return end_of(options_of(run.instance), run.now, ca_end)

    def _profile(self, run: Run, options: Options) -> MobileID:
        if run.instance.mobile_id is not None:
            return replace(
                run.mobile_id.touch(at=run.now),
                profile_name=options.profile_name,
                server_name=options.server_name,
                user_label=options.user_id,
            )
        return MobileID(
            id=str(uuid.uuid4()),
            user_id=run.user.id,
            state=ProfileState.PENDING,
            profile_name=options.profile_name,
            server_name=options.server_name,
            user_label=options.user_id,
            created_at=run.now,
            changed_at=run.now,
        )

    def _enrolment(self, run: Run, profile: MobileID) -> Enrolment:
        if run.instance.mobile_id is not None:
            return new_code(run.enrolment, self.parts, at=run.now)
        blank = Enrolment(
            id=str(uuid.uuid4()),
            instance_id=run.instance.id,
            user_id=run.user.id,
            mobile_id=profile.id,
            code_number=0,
            token_hash=b"",
            typed_code_hash=b"",
            code_expires_at=run.now,
        )
        return new_code(blank, self.parts, at=run.now)


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


@dataclass(frozen=True, slots=True)
class ShowQR:
    """The QR code, until one phone has claimed it and sent all its keys."""

    parts: Parts
    name: ClassVar[StepName] = StepName.QR

    def view(self, run: Run) -> StepView:
        """Show the code in three forms: picture, link on this phone, and typed code."""
        enrolment = run.enrolment
        lapsed = run.now >= enrolment.code_expires_at
        device = enrolment.claim.device.name if enrolment.claim else None
        return StepView(
            title=Message("Scan the code with your phone"),
            text=self._status(device, lapsed=lapsed),
            data={
                "link": None if lapsed else self.link(enrolment),
                "typed_code": None
                if lapsed
                else self.parts.codes.typed(enrolment.id, enrolment.code_number),
                "server": self.parts.public_url,
                "code_expires_at": enrolment.code_expires_at,
                "codes_left": self.parts.max_codes - enrolment.code_number,
                "device": device,
            },
        )

    def link(self, enrolment: Enrolment) -> str:
        """Return what the QR code says: an address of ours, with the token in its fragment only."""
        return f"{self.parts.public_url}/e#1.{self.parts.codes.token(enrolment.id, enrolment.code_number)}"

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Next is for impatient people: it says what is still waited for."""
        return {NEXT: self.next, RENEW: self.renew, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Stay: the phone's keys move the run on, not the user."""
        if run.now >= run.enrolment.code_expires_at and run.enrolment.claim is None:
            return Stay(Message("The code has expired. Get a new code, then scan it."))
        return Stay(Message("Waiting for your phone. Scan the code, then click Next."))

    def renew(self, run: Run, answer: Answer) -> Changes | Stay:  # noqa: ARG002  # takes no input
        """Make a new code; it burns the old one and lets a phone go that has claimed it."""
        run.must_be_active_user()
        enrolment = new_code(run.enrolment, self.parts, at=run.now)
        return Changes(
            instance=to_qr(run.instance, enrolment, self.parts.times, at=run.now),
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


@dataclass(frozen=True, slots=True)
class Approve:
    """Is this your phone? Next approves exactly this phone and these keys: the mobile ID is created."""

    parts: Parts
    name: ClassVar[StepName] = StepName.APPROVE

    def view(self, run: Run) -> StepView:
        """Show the phone's name, and three numbers of which the phone shows one."""
        claim = run.enrolment.claim
        numbers = claim.numbers if claim else ()
        device = claim.device.name if claim else ""
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

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Approve, or refuse in two ways."""
        return {NEXT: self.next, NOT_MINE: self.not_mine, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:
        """T1: approve what is stored, and want its certificates. A wrong pick is *not mine*."""
        run.must_be_active_user()
        if run.caller is not None:
            run.caller.must_be_fresh(run.now, self.parts.times.fresh_login)
        claim = run.enrolment.claim
        numbers = [str(number) for number in claim.numbers] if claim else []
        picked = one_of(answer, "number", numbers)
        if claim is None or picked != str(claim.number):
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
        """Burn the code and end the run: somebody else's phone has claimed it."""
        by = run.instance.actor
        ended = cancel_get(run.unit, run.instance, by=by, action="not_mine")
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


class Creating:
    """The CA works, then the phone fetches and confirms. Nothing is active before that."""

    name: ClassVar[StepName] = StepName.CREATING

    def view(self, run: Run) -> StepView:
        """Say how far it is."""
        ready = sum(certificate.usable for certificate in run.certificates)
        values = {"ready": ready, "count": len(run.certificates)}
        if run.instance.state is InstanceState.WAITING_DEVICE:
            text = Message("The certificates are made. Your phone installs them and confirms.")
        else:
            text = Message("The CA has made %(ready)d of %(count)d certificates.", values)
        return StepView(title=Message("Creating your mobile ID"), text=text, data=values)

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Cancel still works: what was issued is revoked."""
        return {CANCEL: cancel}


def steps(parts: Parts) -> tuple[Step, ...]:
    """Return the steps of Get, in their order."""
    return (HasActive(parts), Confirm(parts), ShowQR(parts), Approve(parts), Creating())
