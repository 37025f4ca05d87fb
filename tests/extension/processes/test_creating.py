"""The CA works: what it may do wrong in a Get, and what becomes of the mobile ID then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from mobid.domain.certificates import CAState, Wanted
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import ProfileState
from mobid.processes.authority import Issued, OutcomeUnknown, Pending, Rejected, Status
from mobid.processes.errors import CodeNotUsable
from mobid.processes.not_yet import NotYet
from mobid.processes.orders import order_of as order_for

if TYPE_CHECKING:
    from tests.extension.processes.conftest import LineToCA, Person, Phone, Place

    from mobid.processes.authority import Order
    from mobid.processes.views import InstanceView

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FAILED = (InstanceState.FAILED, StepName.FAILED)
WAITS_FOR_CA = (InstanceState.WAITING_CA, StepName.CREATING)
WAITS_FOR_PHONE = (InstanceState.WAITING_DEVICE, StepName.CREATING)


def where(view: InstanceView) -> tuple[InstanceState, StepName]:
    """Return where a run stands."""
    return view.state, view.step_name


def why(view: InstanceView) -> str | None:
    """Return the code of what a run failed of."""
    return None if view.error is None else view.error.code


def approved_with_the_ca_away(place: Place, anne: Person) -> tuple[InstanceView, Phone]:
    """Come to *creating*, and no further."""
    place.ca.away.add("all")
    view, phone = anne.gets_to_creating()
    assert where(view) == WAITS_FOR_CA
    place.ca.away.clear()
    return view, phone


class TestCancel:
    """Cancel still works."""

    def test_before_the_ca_has_made_anything(self, place: Place, anne: Person) -> None:
        """Then nothing is there, and nothing is asked for."""
        with place.crash():
            view, _ = anne.gets_to_creating()
        anne.clicks("cancel", view)
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert place.voices(view.mobile_id) == {("revoked", "absent")}
        assert place.ca.says("issue") == 0
        assert place.effects.wanting() == []

    def test_after_the_ca_has_made_everything(self, place: Place, anne: Person) -> None:
        """What was issued is revoked, here and in the CA."""
        view, phone = anne.gets_to_creating()
        anne.clicks("cancel", view)
        assert place.profile(view.mobile_id).state is ProfileState.CANCELLED
        assert place.voices(view.mobile_id) == {("revoked", "revoked")}
        assert place.in_ca(view.mobile_id) == {"revoked"}
        with pytest.raises(CodeNotUsable):
            phone.fetches()

    def test_after_the_ca_has_made_one_of_two(self, place: Place, anne: Person) -> None:
        """The one is revoked, the other never ordered."""
        with place.crash():
            view, _ = anne.gets_to_creating()
        place.effects.attempt("certificate", place.certificates(view.mobile_id)[0].id)
        seen = anne.sees(view)
        assert str(seen.step.text) == "The CA has made 1 of 2 certificates."
        anne.clicks("cancel", seen)
        assert place.voices(view.mobile_id) == {("revoked", "revoked"), ("revoked", "absent")}
        assert place.ca.says("issue") == 1

    def test_while_the_ca_is_at_it(self, place: Place, anne: Person) -> None:
        """What it then returns is stored and revoked, not lost."""
        with place.crash():
            view, _ = anne.gets_to_creating()
        first, _ = place.certificates(view.mobile_id)

        def cancelled_meanwhile(order: Order) -> None:
            if order.key == first.id:
                anne.clicks("cancel", anne.sees(view))

        place.ca.before_issue = cancelled_meanwhile
        place.effects.attempt("certificate", first.id)
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "revoked"), ("revoked", "absent")}
        assert place.in_ca(view.mobile_id) == {"revoked"}

    def test_an_order_that_may_be_on_its_way_is_not_given_up_too_early(
        self, place: Place, anne: Person
    ) -> None:
        """Who sent it may still be at it; only when no call lasts that long it counts as absent."""
        view, _ = approved_with_the_ca_away(place, anne)
        anne.clicks("cancel", view)
        assert place.voices(view.mobile_id) == {("revoked", "requested")}
        place.clock.pass_by(timedelta(seconds=59))
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "requested")}
        place.clock.pass_by(timedelta(seconds=1))
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "absent")}
        assert place.in_ca(view.mobile_id) == set()

    def test_an_order_that_is_given_up_before_it_leaves_does_not_leave(
        self, place: Place, anne: Person
    ) -> None:
        """The user cancels while the CA is asked for an earlier try: no other one is sent."""
        view, _ = approved_with_the_ca_away(place, anne)
        asked = place.ca.says("issue")

        def cancelled_meanwhile(_: Order) -> None:
            place.ca.after_find = lambda _: None
            anne.clicks("cancel", view)

        place.ca.after_find = cancelled_meanwhile
        place.effects.attempt("certificate", place.certificates(view.mobile_id)[0].id)
        assert place.ca.says("issue") == asked
        assert "Somebody else has dealt with this order meanwhile." in str(place.effects.errors)

    def test_an_order_that_is_answered_while_it_is_given_up_is_not_absent(
        self, place: Place, anne: Person
    ) -> None:
        """The CA had nothing when we looked, and something when another job did."""
        view, _ = approved_with_the_ca_away(place, anne)
        anne.clicks("cancel", view)
        place.clock.pass_by(timedelta(minutes=2))
        first, _ = place.certificates(view.mobile_id)

        def answered_meanwhile(order: Order) -> None:
            place.ca.after_find = lambda _: None
            place.ca.ca.issue(order)
            place.effects.attempt("certificate", first.id)

        place.ca.after_find = answered_meanwhile
        place.effects.attempt("certificate", first.id)
        assert place.voices(view.mobile_id) == {("revoked", "revoked"), ("revoked", "requested")}
        assert place.in_ca(view.mobile_id) == {"revoked"}


class TestRejected:
    """The CA refuses for good."""

    def test_fails_the_get_all_or_nothing(self, place: Place, anne: Person) -> None:
        """The first certificate is made, the second refused: the first is revoked."""
        seen: list[str] = []

        def the_second_is_refused(order: Order) -> None:
            seen.append(order.key)
            if len(seen) == 2:
                raise Rejected("This name is not for you.")

        place.ca.before_issue = the_second_is_refused
        view, _ = anne.gets_to_creating()
        assert (*where(view), why(view)) == (*FAILED, "CA_REJECTED")
        profile = place.profile(view.mobile_id)
        assert (profile.state, profile.failure) == (ProfileState.FAILED, "CA_REJECTED")
        assert place.voices(view.mobile_id) == {("revoked", "revoked"), ("revoked", "absent")}
        assert place.in_ca(view.mobile_id) == {"revoked"}
        assert place.effects.wanting() == []
        assert anne.starts_get().step_name is StepName.CONFIRM


class TestUnavailable:
    """The CA does not answer."""

    def test_comes_back_in_time(self, place: Place, anne: Person) -> None:
        """The Get goes on as if nothing had been."""
        view, phone = approved_with_the_ca_away(place, anne)
        assert str(view.step.text) == "The CA has made 0 of 2 certificates."
        place.clock.pass_by(timedelta(minutes=14))
        place.effects.later()
        assert where(anne.sees(view)) == WAITS_FOR_PHONE
        assert phone.confirms() is ProfileState.ACTIVE

    def test_comes_back_too_late(self, place: Place, anne: Person) -> None:
        """After a quarter of an hour the Get fails; what is made then is revoked."""
        place.ca.mute.add("issue")
        view, _ = anne.gets_to_creating()
        place.ca.mute.clear()
        place.ca.away.add("all")
        place.clock.pass_by(timedelta(minutes=15))
        assert place.time_outs.end_instances() == 1
        seen = anne.sees(view)
        assert (*where(seen), why(seen)) == (*FAILED, "CA_UNAVAILABLE")
        assert place.profile(view.mobile_id).state is ProfileState.FAILED
        place.ca.away.clear()
        place.effects.later()
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "revoked")}
        assert place.in_ca(view.mobile_id) == {"revoked"}
        assert place.effects.wanting() == []


class TestOutcomeUnknown:
    """The order was sent, and no answer came."""

    def test_what_was_made_is_found_and_adopted(self, place: Place, anne: Person) -> None:
        """The CA is asked before anything is sent again: it makes each certificate once."""
        place.ca.mute.add("issue")
        view, phone = anne.gets_to_creating()
        assert where(view) == WAITS_FOR_CA
        assert isinstance(place.effects.errors[0], OutcomeUnknown)
        place.ca.mute.clear()
        place.effects.later()
        assert place.ca.says("issue") == 2
        assert place.ca.says("find") == 2
        assert phone.confirms() is ProfileState.ACTIVE

    def test_what_was_not_made_is_ordered_again(self, place: Place, anne: Person) -> None:
        """An empty answer to *find* means that nothing was made, if the CA settles at once."""
        view, _ = approved_with_the_ca_away(place, anne)
        place.effects.later()
        assert (place.ca.says("find"), place.ca.says("issue")) == (2, 4)
        assert where(anne.sees(view)) == WAITS_FOR_PHONE

    def test_a_ca_that_settles_slowly_is_not_asked_twice_too_early(
        self, place: Place, anne: Person
    ) -> None:
        """Its empty answer is no proof before its settle time is over."""
        place.ca.settle_seconds = 120
        view, _ = approved_with_the_ca_away(place, anne)
        place.clock.pass_by(timedelta(seconds=119))
        place.effects.errors.clear()
        place.effects.later()
        assert place.ca.says("issue") == 2
        early = [error for error in place.effects.errors if "may still be issued" in str(error)]
        assert [error.retry_after for error in early if isinstance(error, NotYet)] == [1.0, 1.0]
        place.clock.pass_by(timedelta(seconds=1))
        place.effects.later()
        assert place.ca.says("issue") == 4
        assert where(anne.sees(view)) == WAITS_FOR_PHONE

    def test_a_cancelled_order_that_was_made_is_found_and_revoked(
        self, place: Place, anne: Person
    ) -> None:
        """A certificate that exists somewhere and is unknown here is the one fault nobody can repair."""
        place.ca.mute.add("issue")
        view, _ = anne.gets_to_creating()
        place.ca.mute.clear()
        anne.clicks("cancel", view)
        place.effects.later()
        assert place.voices(view.mobile_id) == {("revoked", "revoked")}
        assert place.in_ca(view.mobile_id) == {"revoked"}


class TestPending:
    """The CA takes its time."""

    def test_is_asked_again_when_it_says_and_no_order_is_sent_twice(
        self, place: Place, anne: Person
    ) -> None:
        """`find` tells what became of the order."""
        answers: list[Order] = []

        def pending(order: Order) -> Pending:
            answers.append(order)
            return Pending("ticket", poll_after=5.0)

        place.ca.before_issue = pending
        view, _ = anne.gets_to_creating()
        waits = [error.retry_after for error in place.effects.errors if isinstance(error, NotYet)]
        assert waits[:2] == [5.0, 5.0]
        assert where(view) == WAITS_FOR_CA
        for order in answers:
            place.ca.ca.issue(order)
        place.effects.later()
        assert place.ca.says("issue") == 2
        assert where(anne.sees(view)) == WAITS_FOR_PHONE


class TestWrongCertificate:
    """What comes back is not what was ordered. No CA is believed, ours included."""

    def somebody_elses(self, ca: LineToCA, order: Order) -> Issued:
        """Return a real certificate of this CA for another name."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Mallory")])
        return ca.ca.issue(replace(order, subject=name))

    def test_is_quarantined_and_revoked_and_the_get_fails(self, place: Place, anne: Person) -> None:
        """Nobody gets it; a real certificate of the CA is revoked there."""
        place.ca.before_issue = lambda order: self.somebody_elses(place.ca, order)
        view, phone = anne.gets_to_creating()
        assert (*where(view), why(view)) == (*FAILED, "CA_REJECTED")
        first = next(one for one in place.certificates(view.mobile_id) if one.quarantined)
        assert (first.wanted, first.ca_state) == (Wanted.REVOKED, CAState.REVOKED)
        assert place.ca.ca.status(first.der or b"") is Status.REVOKED
        assert "certificate.quarantined" in place.audited(first.id)
        with pytest.raises(CodeNotUsable):
            phone.fetches()
        assert place.effects.wanting() == []

    @pytest.mark.parametrize("garbage", [b"no certificate", b""], ids=["bytes", "empty"])
    def test_what_its_ca_does_not_know_is_absent(
        self, place: Place, anne: Person, garbage: bytes
    ) -> None:
        """There is nothing to revoke, so the work ends; it is not tried for ever."""
        place.ca.before_issue = lambda _: Issued(garbage)
        view, _ = anne.gets_to_creating()
        assert why(view) == "CA_REJECTED"
        assert place.voices(view.mobile_id) == {("revoked", "absent")}
        assert place.effects.wanting() == []

    def test_of_another_ca_is_absent_here(
        self, place: Place, anne: Person, other_ca: LineToCA
    ) -> None:
        """A stranger signed it, and our CA cannot take it back."""
        place.ca.before_issue = other_ca.ca.issue
        view, _ = anne.gets_to_creating()
        assert why(view) == "CA_REJECTED"
        assert place.voices(view.mobile_id) == {("revoked", "absent")}

    def test_that_comes_after_a_cancel_is_revoked_too(self, place: Place, anne: Person) -> None:
        """The order was given up; what came of it is not let be."""
        with place.crash():
            view, _ = anne.gets_to_creating()
        first, _ = place.certificates(view.mobile_id)

        def wrong_and_too_late(order: Order) -> Issued:
            anne.clicks("cancel", anne.sees(view))
            return self.somebody_elses(place.ca, order)

        place.ca.before_issue = wrong_and_too_late
        place.effects.attempt("certificate", first.id)
        place.effects.later()
        assert ("revoked", "revoked") in place.voices(view.mobile_id)
        assert place.in_ca(view.mobile_id) == {"revoked"}
        assert place.effects.wanting() == []


class TestDuplicates:
    """The CA has made more than one certificate for an order."""

    def test_one_is_taken_and_the_others_are_quarantined_and_revoked(
        self, place: Place, anne: Person, other_orders: list[Issued]
    ) -> None:
        """The Get goes on, and nobody forgets the extra ones."""
        place.ca.mute.add("issue")
        view, phone = anne.gets_to_creating()
        place.ca.mute.clear()
        first, second = place.certificates(view.mobile_id)
        place.ca.also = other_orders
        place.effects.attempt("certificate", first.id)
        place.ca.also = []
        place.effects.later()
        extra = [one for one in place.certificates(view.mobile_id) if one.quarantined]
        assert len(extra) == len(other_orders)
        assert {(one.wanted, one.ca_state) for one in extra} == {
            (Wanted.REVOKED, CAState.REVOKED),
        }
        assert {one.kind for one in extra} == {first.kind}
        assert place.audited(extra[0].id)[0] == "certificate.duplicate"
        assert phone.confirms() is ProfileState.ACTIVE
        assert {one.id for one in place.certificates(view.mobile_id) if one.usable} == {
            first.id,
            second.id,
        }

    def test_the_same_certificate_twice_is_no_duplicate(self, place: Place, anne: Person) -> None:
        """A CA may find an order in two places; the certificate must not be revoked as its own twin."""
        place.ca.mute.add("issue")
        view, phone = anne.gets_to_creating()
        place.ca.mute.clear()
        for one in place.certificates(view.mobile_id):
            place.ca.also = [*place.ca.ca.find(order_for(one))]
            place.effects.attempt("certificate", one.id)
        assert place.voices(view.mobile_id) == {("valid", "valid")}
        assert phone.confirms() is ProfileState.ACTIVE

    def test_a_mobile_id_with_a_duplicate_is_held_resumed_and_locked_like_any_other(
        self, place: Place, anne: Person, other_orders: list[Issued]
    ) -> None:
        """The extra one is revoked for good, and in the way of nothing."""
        place.ca.mute.add("issue")
        view, phone = anne.gets_to_creating()
        place.ca.mute.clear()
        place.ca.also = other_orders
        place.effects.attempt("certificate", place.certificates(view.mobile_id)[0].id)
        place.ca.also = []
        place.effects.later()
        phone.confirms()
        anne.deactivated()
        assert place.profile(view.mobile_id).state is ProfileState.INACTIVE
        anne.reactivated()
        assert place.profile(view.mobile_id).state is ProfileState.ACTIVE
        anne.clicks("next", anne.starts_lock(view.mobile_id))
        assert place.profile(view.mobile_id).state is ProfileState.LOCKED


class TestDoubledWork:
    """A job that was thought lost comes back while another does the same work."""

    def test_the_second_answer_is_the_same_certificate(self, place: Place, anne: Person) -> None:
        """It is stored once, and no certificate is taken for a stranger's."""
        with place.crash():
            view, phone = anne.gets_to_creating()
        first, second = place.certificates(view.mobile_id)
        inside: list[str] = []

        def another_job_is_faster(order: Order) -> None:
            if order.key == first.id and not inside:
                inside.append(order.key)
                place.effects.attempt("certificate", first.id)

        place.ca.before_issue = another_job_is_faster
        place.effects.attempt("certificate", first.id)
        place.effects.attempt("certificate", second.id)
        assert inside == [first.id]
        assert place.voices(view.mobile_id) == {("valid", "valid")}
        assert len(place.certificates(view.mobile_id)) == 2
        assert phone.confirms() is ProfileState.ACTIVE

    def test_a_late_rejection_does_not_take_back_what_came(
        self, place: Place, anne: Person
    ) -> None:
        """The certificate is there, whatever a second order was told."""
        with place.crash():
            view, phone = anne.gets_to_creating()
        first, second = place.certificates(view.mobile_id)
        inside: list[str] = []

        def another_job_is_faster(order: Order) -> None:
            if order.key == first.id and not inside:
                inside.append(order.key)
                place.effects.attempt("certificate", first.id)
                raise Rejected("There is one already.")

        place.ca.before_issue = another_job_is_faster
        place.effects.attempt("certificate", first.id)
        place.effects.attempt("certificate", second.id)
        assert phone.confirms() is ProfileState.ACTIVE

    def test_duplicates_that_two_jobs_find_are_stored_once(
        self, place: Place, anne: Person, other_orders: list[Issued]
    ) -> None:
        """The second job finds nothing that is new."""
        place.ca.mute.add("issue")
        view, phone = anne.gets_to_creating()
        place.ca.mute.clear()
        first, second = place.certificates(view.mobile_id)

        def another_job_is_faster(_: Order) -> None:
            place.ca.after_find = lambda _: None
            place.effects.attempt("certificate", first.id)

        place.ca.also = other_orders
        place.ca.after_find = another_job_is_faster
        place.effects.attempt("certificate", first.id)
        place.ca.also = []
        place.effects.attempt("certificate", second.id)
        assert len(place.certificates(view.mobile_id)) == 2 + len(other_orders)
        assert phone.confirms() is ProfileState.ACTIVE

    def test_work_that_is_done_is_not_done_again(self, place: Place, anne: Person) -> None:
        """A nudge that comes late finds nothing to do."""
        mobile_id, _ = anne.has_active()
        before = len(place.ca.calls)
        for one in place.certificates(mobile_id):
            place.work(one.id)
        assert len(place.ca.calls) == before


class TestCrashes:
    """The process dies between two transactions; what is stored is all that is known."""

    def test_after_the_approval(self, place: Place, anne: Person) -> None:
        """The rows want work, and whoever restarts does it."""
        with place.crash():
            view, phone = anne.gets_to_creating()
        assert {kind for kind, _ in place.effects.wanting()} == {"certificate", "instance"}
        place.effects.later()
        assert where(anne.sees(view)) == WAITS_FOR_PHONE
        assert phone.confirms() is ProfileState.ACTIVE

    def test_between_the_last_certificate_and_the_offer_to_the_phone(
        self, place: Place, anne: Person
    ) -> None:
        """The instance is a row that wants work, too: it alone does T4."""
        with place.crash():
            view, _ = anne.gets_to_creating()
            with place.units() as unit:
                for one in unit.certificates.of_mobile_id(str(view.mobile_id)):
                    found = place.ca.ca.issue(order_for(one))
                    serial = x509.load_der_x509_certificate(found.certificate).serial_number
                    unit.save(
                        one.issued(
                            der=found.certificate,
                            chain=found.chain,
                            serial=format(serial, "x"),
                            at=unit.now,
                        )
                    )
                unit.commit()
        assert where(anne.sees(view)) == WAITS_FOR_CA
        place.effects.attempt("instance", view.id)
        assert where(anne.sees(view)) == WAITS_FOR_PHONE

    def test_a_kind_that_is_missing_is_waited_for(self, place: Place, anne: Person) -> None:
        """A quarantined one does not count, whatever else has come."""
        with place.crash():
            view, _ = anne.gets_to_creating()
            first, second = place.certificates(view.mobile_id)
            with place.units() as unit:
                unit.save(unit.certificates.get(first.id).quarantine(der=b"", serial=None, at=NOON))
                unit.commit()
            place.effects.attempt("certificate", second.id)
        assert where(anne.sees(view)) == WAITS_FOR_CA

    def test_an_instance_whose_certificates_are_not_there_waits_on(
        self, place: Place, anne: Person
    ) -> None:
        """Its work says when to look again; once the run has ended it is nothing."""
        view, _ = approved_with_the_ca_away(place, anne)
        work = place.effects.handlers["instance"]
        with pytest.raises(NotYet, match=f"Process {view.id} still waits for its CA") as early:
            work(view.id)
        assert early.value.retry_after == 15.0
        anne.clicks("cancel", view)
        work(view.id)
        assert anne.sees(view).state is InstanceState.CANCELLED


class TestRevokedByTheCA:
    """The CA takes back what it has just made."""

    def test_before_the_phone_has_confirmed(self, place: Place, anne: Person) -> None:
        """The Get fails, and the other certificate is revoked, too."""
        view, _ = anne.gets_to_creating()
        first, _ = place.certificates(view.mobile_id)
        place.ca.revokes(first)
        place.work.ask(first.id)
        seen = anne.sees(view)
        assert (*where(seen), why(seen)) == (*FAILED, "CA_REJECTED")
        assert place.in_ca(view.mobile_id) == {"revoked"}
        assert place.voices(view.mobile_id) == {("revoked", "revoked")}
