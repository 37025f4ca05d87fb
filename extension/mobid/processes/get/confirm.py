"""The step of Get that says what will be issued; its Next makes the profile and the code."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.domain.enrolments import Enrolment
from mobid.domain.instances import StepName
from mobid.domain.mobile_ids import MobileID, ProfileState
from mobid.domain.options import Kind
from mobid.processes.decision import VALIDITY_CLIPPED, end_of
from mobid.processes.get.moves import cancel, new_code, to_code
from mobid.processes.get.parts import Parts, options_of
from mobid.processes.ordering import is_unopened
from mobid.processes.steps import (
    CANCEL,
    NEXT,
    Changes,
    Stay,
    audited,
    some_of,
)
from mobid.processes.views import Choice, Field, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid.domain.options import Options
    from mobid.processes.ports import Entity
    from mobid.processes.steps import Action, Answer, Run

KIND_NAMES: Final = {
    Kind.AUTHENTICATION: Message("Authentication"),
    Kind.SIGNATURE: Message("Signature"),
    Kind.ENCRYPTION: Message("Encryption"),
}

_CLIPPED: Final = Message("The CA's own end clips the validity.")
_ANOTHER_CODE: Final = Message(
    "Your account has changed since you got a code, so that code works no more. Next makes another "
    "one."
)
_ORDERED: Final = StepView(
    title=Message("Get mobile ID"),
    text=Message("A mobile ID was ordered for you. Open it to see what you will get."),
)


@dataclass(frozen=True, slots=True)
class Confirm:
    """What will be issued, for how long, as whom. Next makes the profile and the code."""

    parts: Parts
    name: ClassVar[StepName] = StepName.CONFIRM

    def view(self, run: Run) -> StepView:
        """Show the options; choices only where the script allows them."""
        if is_unopened(run.instance):
            return _ORDERED
        options = options_of(run.instance)
        end, clipped = self._end(run)
        return StepView(
            title=Message("Get mobile ID"),
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
            hint=_ANOTHER_CODE if self._had_code(run) else _CLIPPED if clipped else None,
        )

    @staticmethod
    def _had_code(run: Run) -> bool:
        """Return whether the run comes back to here: nothing but a change of its user does that."""
        return run.unit.enrolments.of_instance(run.instance.id) is not None

    def actions(self, run: Run) -> Mapping[str, Action]:
        """Go on, or leave; nobody goes on with what they have not seen."""
        return {CANCEL: cancel} if is_unopened(run.instance) else {NEXT: self.next, CANCEL: cancel}

    def next(self, run: Run, answer: Answer) -> Changes | Stay:
        """Make the profile, if there is none yet, and a code."""
        run.must_be_active_user()
        options = options_of(run.instance)
        selectable = [kind.value for kind in options.selectable_certificates]
        chosen = {*options.certificates, *map(Kind, some_of(answer, "certificates", selectable))}
        profile = self._profile(run, options)
        earlier = run.unit.enrolments.of_instance(run.instance.id)
        enrolment = new_code(run, earlier or self._blank(run, profile), self.parts)
        made: tuple[Entity, ...] = () if run.instance.mobile_id else (profile,)
        kept: tuple[Entity, ...] = (profile,) if run.instance.mobile_id else ()
        instance = replace(
            run.instance,
            mobile_id=profile.id,
            selected=tuple(kind for kind in Kind if kind in chosen),
            warnings=(VALIDITY_CLIPPED,) if self._end(run)[1] else (),
        )
        return Changes(
            instance=to_code(instance, enrolment, self.parts.times, at=run.now),
            new=made if earlier else (*made, enrolment),
            changed=(*kept, enrolment) if earlier else kept,
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

    @staticmethod
    def _blank(run: Run, profile: MobileID) -> Enrolment:
        return Enrolment(
            id=str(uuid.uuid4()),
            instance_id=run.instance.id,
            user_id=run.user.id,
            mobile_id=profile.id,
            code_number=0,
            token_hash=b"",
            typed_code_hash=b"",
            code_expires_at=run.now,
        )
