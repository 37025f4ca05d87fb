"""A mobile ID that a client orders: it waits for its owner, who opens it, and then it is a Get like any."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.domain.users import UserState
from mobid.processes.errors import (
    AlreadyHasMobileID,
    IllegalAction,
    NotFound,
    OptionScriptFailed,
    ProcessRunning,
    ReauthenticationRequired,
    RefusedByScript,
    UserNotActive,
)
from mobid.processes.locking import lock_profile
from mobid.processes.ordering import is_unopened, order
from mobid.storage.tables import mails

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID

HR = Actor(ActorKind.SCIM_CLIENT, "hr")
LAPSES = timedelta(days=14)


def ordered(place: Place, person: Person) -> tuple[MobileID, Instance]:
    """Let a client order a mobile ID for somebody; return it with the Get that waits."""
    with place.units() as unit:
        user = unit.users.lock(person.id)
        profile = order(unit, user, by=HR, lapses_after=LAPSES)
        instance = unit.instances.running_get(person.id)
        unit.commit()
    assert instance is not None
    return profile, instance


def invited(place: Place) -> list[tuple[str, str]]:
    """Return to whom invitations went, and about which Get."""
    table = mails.c
    query = sa.select(table.to, table.subject_id).where(table.event == MailEvent.INVITATION)
    with place.transactions.reading() as connection:
        return [(row.to, row.subject_id) for row in connection.execute(query)]


class TestOrdered:
    """What there is before its owner has come."""

    def test_a_pending_one_and_a_get_that_waits_without_options(
        self, place: Place, anne: Person
    ) -> None:
        """No script has run; an invitation is on its way."""
        place.activate("refuse('Nobody gets one.')")
        profile, instance = ordered(place, anne)
        assert place.profile(profile.id) == profile
        assert (profile.state, profile.profile_name) == (
            ProfileState.PENDING,
            "MobileID Änne Example",
        )
        assert (instance.step, instance.state) == (StepName.CONFIRM, InstanceState.WAITING_USER)
        assert (instance.mobile_id, instance.options, instance.actor) == (profile.id, None, HR)
        assert instance.expires_at == place.clock() + LAPSES
        assert invited(place) == [("anne@example.org", instance.id)]
        assert place.audited(profile.id) == ["mobile_id.order"]

    def test_its_first_names_are_those_that_it_has_where_no_script_sets_any(
        self, place: Place, anne: Person
    ) -> None:
        """One line that fits on a phone, whatever a directory has in a name: it stands in the mail."""
        place.change(anne, display_name=f"Änne\tvon\nund zu {'X' * 40} Example")
        profile, _ = ordered(place, anne)
        assert profile.profile_name == f"MobileID Änne von und zu {'X' * 39}"

    def test_without_an_address_nobody_is_invited(self, place: Place) -> None:
        """Its owner finds it on the dashboard all the same."""
        person = place.person(email=None)
        _, instance = ordered(place, person)
        assert invited(place) == []
        (view,) = place.runner.running(person.caller)
        assert view.id == instance.id

    def test_on_the_dashboard_it_is_told_and_not_opened(self, place: Place, anne: Person) -> None:
        """Whoever only looks at the list has decided nothing, however long ago they signed in."""
        _, instance = ordered(place, anne)
        place.clock.pass_by(timedelta(days=1))
        (view,) = place.runner.running(anne.caller)
        assert str(view.step.text).startswith("A mobile ID was ordered for you.")
        assert view.step.actions == ("cancel",)
        assert is_unopened(place.instance(instance.id))

    @pytest.mark.parametrize("state", [UserState.INACTIVE, UserState.DELETED])
    def test_not_for_a_user_who_is_not_active(
        self, place: Place, anne: Person, state: UserState
    ) -> None:
        """Nothing is stored."""
        place.change(anne, state=state)
        with pytest.raises(UserNotActive, match=f"account is {state};"):
            ordered(place, anne)
        assert invited(place) == []

    @pytest.mark.parametrize("suspended", [False, True])
    def test_not_beside_a_live_one(self, place: Place, anne: Person, suspended: bool) -> None:
        """The error names it, and its state."""
        mobile_id, _ = anne.has_active()
        if suspended:
            anne.deactivated()
            place.change(anne, state=UserState.ACTIVE)
        state = "inactive" if suspended else "active"
        with pytest.raises(AlreadyHasMobileID, match=f"has the mobile ID {mobile_id}, .* {state};"):
            ordered(place, anne)

    def test_beside_one_that_is_over(self, place: Place, anne: Person) -> None:
        """Expired before any sweep, or being locked: the slot is free."""
        mobile_id, _ = anne.has_active()
        place.clock.now = place.end_of(mobile_id)
        ordered(place, anne)
        assert place.profile(mobile_id).state is ProfileState.EXPIRED

    def test_not_while_a_get_runs(self, place: Place, anne: Person) -> None:
        """With or without a profile, and not twice; one whose time is over does not count."""
        view = anne.starts_get()
        with pytest.raises(ProcessRunning, match=f"process {view.id} is at step confirm"):
            ordered(place, anne)
        place.clock.pass_by(timedelta(minutes=30))
        _, instance = ordered(place, anne)
        assert place.instance(view.id).state is InstanceState.EXPIRED
        with pytest.raises(ProcessRunning, match=f"process {instance.id} is at step confirm"):
            ordered(place, anne)


class TestOpened:
    """Its owner is there: the guards of a start hold, and the script runs now."""

    @pytest.mark.parametrize("by_start", [True, False], ids=["get", "link"])
    def test_by_whoever_clicks_get_or_follows_the_link(
        self, place: Place, anne: Person, by_start: bool
    ) -> None:
        """The options are frozen; its time stays, so that a look costs nothing."""
        _, instance = ordered(place, anne)
        place.activate("options.certificates = [cert.SIGNATURE]")
        place.clock.pass_by(timedelta(days=1))
        anne.signs_in()
        if by_start:
            view, is_new = place.runner.start_get(anne.caller)
            assert not is_new
        else:
            view = place.runner.show(anne.caller, instance.id)
        assert (view.id, view.step_seq) == (instance.id, instance.step_seq + 1)
        assert view.step.actions == ("next", "cancel")
        assert view.step.data["certificates"] == ["signature"]
        assert view.expires_at == instance.expires_at
        assert place.instance(instance.id).actor == anne.caller.actor
        assert place.audited(instance.id) == ["get.open"]
        place.activate("refuse('Too late.')")
        assert anne.sees(view) == view

    def test_it_ends_with_an_active_mobile_id(self, place: Place, anne: Person) -> None:
        """The very one that was ordered."""
        profile, _ = ordered(place, anne)
        mobile_id, _ = anne.finishes(anne.starts_get())
        assert mobile_id == profile.id
        active = place.profile(mobile_id)
        assert (active.state, active.user_label) == (ProfileState.ACTIVE, "anne@example.org")
        assert {one.kind for one in place.certificates(mobile_id)} == {
            Kind.AUTHENTICATION,
            Kind.SIGNATURE,
        }

    def test_the_names_are_those_of_the_script(self, place: Place, anne: Person) -> None:
        """What the order was called before gives way at Next."""
        profile, _ = ordered(place, anne)
        place.activate("options.profile_name = 'Badge'\noptions.user_id = 'anne'")
        anne.clicks("next", anne.starts_get())
        named = place.profile(profile.id)
        assert (named.profile_name, named.user_label) == ("Badge", "anne")

    def test_a_login_of_long_ago_is_not_enough(self, place: Place, anne: Person) -> None:
        """By either way."""
        _, instance = ordered(place, anne)
        place.clock.pass_by(timedelta(minutes=21))
        with pytest.raises(ReauthenticationRequired):
            anne.starts_get()
        with pytest.raises(ReauthenticationRequired):
            place.runner.show(anne.caller, instance.id)
        assert is_unopened(place.instance(instance.id))

    def test_a_refusal_leaves_the_order_waiting(self, place: Place, anne: Person) -> None:
        """What the script says may be mended before the order lapses."""
        profile, instance = ordered(place, anne)
        place.activate("refuse('Ask your manager.')")
        with pytest.raises(RefusedByScript, match="Ask your manager"):
            anne.starts_get()
        place.activate("options.validity = 7")
        with pytest.raises(OptionScriptFailed):
            place.runner.show(anne.caller, instance.id)
        assert place.profile(profile.id).state is ProfileState.PENDING
        place.activate("options.validity = years(1)")
        assert anne.starts_get().id == instance.id

    def test_a_change_while_the_script_runs_is_decided_on_anew(
        self, place: Place, anne: Person
    ) -> None:
        """What is frozen is of the user as they are."""
        ordered(place, anne)
        place.sandbox.meanwhile = lambda: place.change(anne, email="new@example.org")
        view = anne.starts_get()
        assert view.step.data["user_id"] == "new@example.org"

    def test_nobody_goes_on_with_what_they_have_not_seen(self, place: Place, anne: Person) -> None:
        """Next is for a step with options."""
        ordered(place, anne)
        (view,) = place.runner.running(anne.caller)
        with pytest.raises(
            IllegalAction, match="at step confirm has no action next; it knows cancel"
        ):
            anne.clicks("next", view)

    def test_somebody_else_finds_nothing(self, place: Place, anne: Person) -> None:
        """Not even that it is there."""
        _, instance = ordered(place, anne)
        with pytest.raises(NotFound):
            place.runner.show(place.person().caller, instance.id)


class TestNotWanted:
    """It ends before anybody has it."""

    @pytest.mark.parametrize("after_opening", [False, True])
    def test_its_owner_cancels_it(self, place: Place, anne: Person, after_opening: bool) -> None:
        """Opened or not, and in their own name."""
        profile, instance = ordered(place, anne)
        (view,) = [anne.starts_get()] if after_opening else place.runner.running(anne.caller)
        assert anne.clicks("cancel", view).state is InstanceState.CANCELLED
        assert place.profile(profile.id).state is ProfileState.CANCELLED
        assert place.audited(instance.id)[-1] == "get.cancel"
        assert anne.starts_get().id != instance.id

    @pytest.mark.parametrize("opened", [False, True])
    def test_it_lapses_after_a_fortnight(self, place: Place, anne: Person, opened: bool) -> None:
        """Not a moment before; then another one can be ordered."""
        profile, instance = ordered(place, anne)
        if opened:
            anne.starts_get()
        place.clock.pass_by(LAPSES - timedelta(microseconds=1))
        assert place.time_outs.end_instances() == 0
        place.clock.pass_by(timedelta(microseconds=1))
        assert place.time_outs.end_instances() == 1
        run = place.instance(instance.id)
        assert (run.state, run.error) == (InstanceState.EXPIRED, "ENROLMENT_EXPIRED")
        assert place.profile(profile.id).state is ProfileState.FAILED
        assert ordered(place, anne)[0].id != profile.id

    def test_one_that_has_lapsed_is_not_opened(self, place: Place, anne: Person) -> None:
        """Its link shows that its time was over, and Get begins a new one."""
        _, instance = ordered(place, anne)
        place.clock.pass_by(LAPSES)
        anne.signs_in()
        assert place.runner.show(anne.caller, instance.id).state is InstanceState.EXPIRED
        assert anne.starts_get().id != instance.id

    def test_nobody_is_given_one_that_has_lapsed(self, place: Place, anne: Person) -> None:
        """Get ends it and begins another, before any sweep."""
        profile, instance = ordered(place, anne)
        place.clock.pass_by(LAPSES)
        anne.signs_in()
        view, is_new = place.runner.start_get(anne.caller)
        assert (view.id != instance.id, is_new) == (True, True)
        assert place.profile(profile.id).state is ProfileState.FAILED

    def test_the_client_takes_it_back(self, place: Place, anne: Person) -> None:
        """A Lock of a pending one cancels it with its Get."""
        profile, instance = ordered(place, anne)
        with place.units() as unit:
            unit.users.lock(anne.id)
            lock_profile(unit, unit.mobile_ids.get(profile.id), by=HR, reason=LockReason.REMOVED)
            unit.commit()
        assert place.profile(profile.id).state is ProfileState.CANCELLED
        assert place.instance(instance.id).state is InstanceState.CANCELLED

    @pytest.mark.parametrize("change", ["deactivated", "deleted"])
    def test_its_owner_leaves(self, place: Place, anne: Person, change: str) -> None:
        """It fails like every Get."""
        profile, instance = ordered(place, anne)
        getattr(anne, change)()
        assert place.profile(profile.id).failure == "USER_NOT_ACTIVE"
        assert place.instance(instance.id).error == "USER_NOT_ACTIVE"


def test_what_was_opened_is_an_ordinary_run(place: Place, anne: Person) -> None:
    """Frozen options, whoever opened it, and a step further: nothing else has changed."""
    _, before = ordered(place, anne)
    anne.starts_get()
    after = place.instance(before.id)
    assert not is_unopened(after)
    same = replace(
        after,
        actor=before.actor,
        step_seq=before.step_seq,
        options=None,
        script=None,
        basis="",
        decided="",
    )
    assert same == before
