"""People who click, without HTTP."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from tests.extension.processes.parts.phones import Phone

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import MobileID, ProfileState
from mobid.domain.options import Kind, Validity
from mobid.domain.users import UserState
from mobid.processes.cascades import user_deactivated, user_deleted, user_reactivated
from mobid.processes.steps import Act, Caller
from mobid.storage.tables import users

if TYPE_CHECKING:
    from datetime import datetime

    from tests.extension.processes.parts.place import Place

    from mobid.domain.enrolments import Enrolment
    from mobid.processes.views import InstanceView
    from mobid.storage.unit_of_work import SQLUnit

HR: Final = Actor(ActorKind.SCIM_CLIENT, "hr")


class Person:
    """A user who clicks, signed in a moment ago unless a test says otherwise."""

    def __init__(self, place: Place, user_id: str) -> None:
        self.place = place
        self.id = user_id
        self.signed_in_at = place.clock()

    @property
    def caller(self) -> Caller:
        """As whom they call."""
        actor = Actor(ActorKind.USER, self.id)
        return Caller(user_id=self.id, actor=actor, authenticated_at=self.signed_in_at)

    def signs_in(self) -> None:
        """A fresh login."""
        self.signed_in_at = self.place.clock()

    def deactivated(self) -> None:
        """SCIM sets `active` to false."""
        with self.place.units() as unit:
            self._becomes(unit, UserState.INACTIVE)
            user_deactivated(unit, self.id, by=HR)
            unit.commit()

    def reactivated(self) -> None:
        """SCIM sets `active` to true."""
        with self.place.units() as unit:
            self._becomes(unit, UserState.ACTIVE)
            user_reactivated(unit, self.id, self.place.settlement, by=HR)
            unit.commit()

    def deleted(self) -> None:
        """SCIM deletes them."""
        with self.place.units() as unit:
            self._becomes(unit, UserState.DELETED)
            user_deleted(unit, self.id, by=HR)
            unit.commit()

    def _becomes(self, unit: SQLUnit, state: UserState) -> None:
        unit.users.lock(self.id)
        unit.connection.execute(sa.update(users).where(users.c.id == self.id).values(state=state))

    def starts_get(self) -> InstanceView:
        """Click *Get mobile ID*."""
        return self.place.runner.start_get(self.caller)[0]

    def starts_lock(self, mobile_id: str | None) -> InstanceView:
        """Click *Lock mobile ID*."""
        assert mobile_id is not None
        return self.place.runner.start_lock(self.caller, mobile_id)[0]

    def sees(self, view: InstanceView) -> InstanceView:
        """Look again."""
        return self.place.runner.show(self.caller, view.id)

    def clicks(self, action: str, view: InstanceView, **answer: object) -> InstanceView:
        """Click a button on what they see."""
        act = Act(action=action, step_seq=view.step_seq, answer=answer)
        return self.place.runner.act(self.caller, view.id, act)

    def phone(self) -> Phone:
        """Take another phone into the hand."""
        return Phone(self.place)

    def gets_to_qr(self) -> InstanceView:
        """Come as far as the QR code."""
        view = self.clicks("next", self.starts_get())
        assert view.step_name is StepName.QR
        return view

    def gets_to_mail(self, *, notify: str = "both") -> InstanceView:
        """Come as far as the code that went by mail."""
        script = f'options.qr_location = "email"\noptions.notify = "{notify}"'
        self.place.activate(script)
        view = self.clicks("next", self.starts_get())
        assert view.step_name is StepName.MAIL
        return self.sees(view)

    def gets_to_approve(self) -> tuple[InstanceView, Phone]:
        """Come as far as the question whether this is their phone."""
        view = self.gets_to_qr()
        phone = self.phone()
        phone.scans(view)
        phone.sends_keys()
        view = self.sees(view)
        assert view.step_name is StepName.APPROVE
        return view, phone

    def gets_to_creating(self) -> tuple[InstanceView, Phone]:
        """Approve the phone."""
        view, phone = self.gets_to_approve()
        return self.clicks("next", view, number=str(phone.claimed.number)), phone

    def has_active(self) -> tuple[str, Phone]:
        """Have an active mobile ID already: the rows that a Get leaves behind, without the way there."""
        phone = self.phone()
        with self.place.units() as unit:
            instance = self._completed_get(unit.now)
            enrolment = phone.is_bound_to(instance)
            profile = self._active_profile(enrolment, unit.now)
            unit.add(profile, replace(instance, mobile_id=profile.id), enrolment)
            for key in enrolment.keys:
                unit.add(self.place.issued(key, profile, unit.users.get(self.id)))
            unit.commit()
        return profile.id, phone

    def _completed_get(self, now: datetime) -> Instance:
        return Instance(
            id=str(uuid.uuid4()),
            process=Process.GET,
            user_id=self.id,
            actor=self.caller.actor,
            state=InstanceState.COMPLETED,
            step=StepName.DONE,
            created_at=now,
            expires_at=None,
            ended_at=now,
            selected=(Kind.AUTHENTICATION, Kind.SIGNATURE),
        )

    def _active_profile(self, enrolment: Enrolment, now: datetime) -> MobileID:
        assert enrolment.claim is not None
        return MobileID(
            id=enrolment.mobile_id,
            user_id=self.id,
            state=ProfileState.ACTIVE,
            profile_name="MobileID Änne Example",
            server_name="Mobile ID",
            user_label="anne@example.org",
            created_at=now,
            changed_at=now,
            valid_from=now,
            valid_to=Validity.years(2).end(now),
            device=enrolment.claim.device,
        )

    def finishes(self, view: InstanceView) -> tuple[str, Phone]:
        """Go from *confirm* to the end, and have an active mobile ID."""
        view = self.clicks("next", view)
        phone = self.phone()
        phone.scans(view)
        phone.sends_keys()
        self.clicks("next", self.sees(view), number=str(phone.claimed.number))
        assert phone.confirms() == "active"
        assert view.mobile_id is not None
        return view.mobile_id, phone
