"""The phone's side of Get: claim, keys, fetch, confirm, and later status and remove."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import ECKey

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.instances import InstanceState, StepName
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.options import Kind
from mobid.domain.users import UserState
from mobid.processes.cascades import user_deactivated
from mobid.processes.enrolment import Caller, Result, ResultPending
from mobid.processes.errors import (
    BadCertificateRequest,
    CodeNotUsable,
    KeyReused,
    WrongConfirmation,
)

if TYPE_CHECKING:
    from tests.extension.processes.conftest import Person, Place

HR = Actor(ActorKind.SCIM_CLIENT, "hr")
NOT_USABLE = r"^This code cannot be used\. Ask for a new code on the page and try again\.$"


class TestClaim:
    """A code belongs to the first phone that comes."""

    def test_the_same_phone_gets_its_answer_again(self, anne: Person) -> None:
        """By the picture or by typing, before its keys and after them."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        first = phone.scans(view)
        assert phone.claims(str(view.step.data["typed_code"])) == first
        phone.sends_keys()
        assert phone.scans(view).number == first.number

    def test_another_phone_does_not_get_it(self, place: Place, anne: Person) -> None:
        """It is told what everybody is told, and the log knows that it tried."""
        view = anne.gets_to_qr()
        anne.phone().scans(view)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            anne.phone().scans(view)
        assert place.audited(view.id)[-1] == "get.claimed_again"

    def test_unknown_used_lapsed_burnt_and_closed_are_answered_alike(
        self, place: Place, anne: Person
    ) -> None:
        """A guesser learns nothing from the answer."""
        lapsed = place.person().gets_to_qr()
        place.clock.pass_by(timedelta(minutes=10))
        used, burnt, closed = (place.person() for _ in range(3))
        views = [lapsed, *(person.gets_to_qr() for person in (used, burnt, closed))]
        anne.phone().scans(views[1])
        burnt.clicks("renew", views[2])
        closed.clicks("cancel", views[3])
        codes = [str(view.step.data["link"])[-43:] for view in views]
        answers = set()
        for code in (*codes, "A" * 43, "0000-0000-0000-0000", "", "?", "1." + codes[0]):
            with pytest.raises(CodeNotUsable, match=NOT_USABLE) as refusal:
                anne.phone().claims(code)
            answers.add(str(refusal.value))
        assert len(answers) == 1

    def test_not_for_a_user_who_is_not_active(self, place: Place, anne: Person) -> None:
        """Whatever became of the run."""
        view = anne.gets_to_qr()
        place.change(anne, state=UserState.INACTIVE)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            anne.phone().scans(view)

    def test_a_phone_that_claimed_in_time_may_finish_after_the_code_has_lapsed(
        self, place: Place, anne: Person
    ) -> None:
        """Making keys takes a slow phone a moment; the run itself is not over."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        place.clock.pass_by(timedelta(minutes=10, seconds=30))
        phone.sends_keys()
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_what_a_phone_is_told(self, place: Place, anne: Person) -> None:
        """Names, kinds, the properties of the script, and a number for its owner's eyes."""
        place.activate('options.properties = {"site": "north"}\noptions.server_name = "ACME ID"')
        claimed = anne.phone().scans(anne.gets_to_qr())
        assert dict(claimed.properties) == {"site": "north"}
        assert claimed.server_name == "ACME ID"
        assert claimed.kinds == (Kind.AUTHENTICATION, Kind.SIGNATURE)
        assert 10 <= claimed.number <= 99

    def test_the_number_does_not_show_on_the_page_before_its_time(self, anne: Person) -> None:
        """What the page knows of the phone is its name."""
        view = anne.gets_to_qr()
        claimed = anne.phone().scans(view)
        seen = anne.sees(view)
        assert str(seen.step.text) == "Pixel of Änne is connected and makes its keys."
        assert set(seen.step.data) == {
            "link",
            "typed_code",
            "server",
            "code_expires_at",
            "codes_left",
            "device",
        }
        assert claimed.number not in seen.step.data.values()


class TestKeys:
    """All keys of one phone, in one call."""

    def test_a_request_for_every_kind_that_was_asked_for(self, anne: Person) -> None:
        """A missing one is named."""
        phone = anne.phone()
        phone.scans(anne.gets_to_qr())
        with pytest.raises(
            BadCertificateRequest, match=r"^The certificate request for signature is missing\.$"
        ):
            phone.sends_keys({Kind.AUTHENTICATION: phone.makes_csr()})

    def test_and_for_no_other(self, anne: Person) -> None:
        """What was not asked for is not quietly ignored."""
        phone = anne.phone()
        phone.scans(anne.gets_to_qr())
        with pytest.raises(BadCertificateRequest, match="for encryption was not asked for"):
            phone.sends_keys({kind: phone.makes_csr() for kind in Kind})

    def test_five_bad_requests_burn_the_code(self, place: Place, anne: Person) -> None:
        """Four are forgiven; after the fifth even good ones come too late, until there is a new code."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        bad = {Kind.AUTHENTICATION: b"no request", Kind.SIGNATURE: phone.makes_csr()}
        for _ in range(5):
            with pytest.raises(BadCertificateRequest, match=r"for authentication is no PKCS#10"):
                phone.sends_keys(bad)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.sends_keys()
        assert place.audited(view.id)[-5:] == ["get.bad_keys"] * 5
        seen = anne.sees(view)
        assert (seen.step.data["link"], seen.step.data["device"]) == (None, None)
        hint = anne.clicks("next", seen).step.hint
        assert str(hint) == "The code has expired. Get a new code, then scan it."
        phone.scans(anne.clicks("renew", seen))
        phone.sends_keys()
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_four_bad_ones_and_a_good_one(self, anne: Person) -> None:
        """A phone may learn."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        for _ in range(4):
            with pytest.raises(BadCertificateRequest):
                phone.sends_keys({})
        phone.sends_keys()
        assert anne.sees(view).step_name is StepName.APPROVE

    def test_one_key_is_for_one_certificate_ever(self, place: Place, anne: Person) -> None:
        """Neither for two kinds, nor again in a later mobile ID of anybody."""
        _, old = anne.has_active()
        other = place.person()
        phone = other.phone()
        phone.scans(other.gets_to_qr())
        with pytest.raises(KeyReused, match=r"^The key for signature was used before\. Make a"):
            phone.sends_keys(dict.fromkeys(phone.claimed.kinds, phone.makes_csr()))
        with pytest.raises(KeyReused, match=r"^The key for authentication was used before\."):
            phone.sends_keys(old.csrs)

    def test_one_key_has_one_job(self, anne: Person) -> None:
        """A key that moves secrets, or that speaks for the phone, gets no certificate."""
        phone = anne.phone()
        phone.scans(anne.gets_to_qr())
        csr = phone.makes_csr()
        key = x509.load_der_x509_csr(csr).public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        transport = {name: str(part) for name, part in ECKey.import_key(pem).as_dict().items()}
        csrs = {Kind.AUTHENTICATION: csr, Kind.SIGNATURE: phone.makes_csr()}
        with pytest.raises(KeyReused, match=r"^The key for authentication was used before\."):
            phone.sends_keys(csrs, transport=transport)

    def test_the_same_keys_again_are_no_error(self, anne: Person) -> None:
        """The answer may have been lost; the step does not move."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        phone.sends_keys(transport={"kty": "EC", "x": "1"})
        moved = anne.sees(view)
        phone.sends_keys(phone.csrs, transport={"kty": "EC", "x": "1"})
        assert anne.sees(view) == moved

    def test_other_keys_come_too_late(self, anne: Person) -> None:
        """The user is about to approve what is stored: nothing of it can be exchanged."""
        view = anne.gets_to_qr()
        phone = anne.phone()
        phone.scans(view)
        phone.sends_keys(transport={"kty": "EC", "x": "1"})
        stored = phone.csrs
        for csrs, transport in (
            (None, {"kty": "EC", "x": "1"}),
            (stored, {"kty": "EC", "x": "2"}),
            (stored, None),
        ):
            with pytest.raises(CodeNotUsable, match=NOT_USABLE):
                phone.sends_keys(csrs, transport)
        view = anne.clicks("next", anne.sees(view), number=str(phone.claimed.number))
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.sends_keys()

    def test_only_from_the_phone_that_claimed(self, anne: Person) -> None:
        """Another device key is nobody here, even with the right enrolment."""
        view = anne.gets_to_qr()
        phone, thief = anne.phone(), anne.phone()
        phone.scans(view)
        stolen = Caller(phone.claimed.enrolment_id, thief.thumbprint)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            thief.place.phones.keys(stolen, {}, None)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            thief.place.phones.keys(Caller("nobody", phone.thumbprint), {}, None)

    def test_before_any_phone_has_claimed_there_is_no_device_key(
        self, place: Place, anne: Person
    ) -> None:
        """An enrolment alone proves nothing."""
        view = anne.gets_to_qr()
        enrolment = place.enrolment(view.id)
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            place.phones.device_key(enrolment.id)
        phone = anne.phone()
        phone.scans(view)
        assert place.phones.device_key(enrolment.id)["x"] == phone.thumbprint


class TestFetch:
    """The certificates, once all are there."""

    def test_waits_until_every_certificate_is_there(self, place: Place, anne: Person) -> None:
        """It is told when to ask again, and at which step its user is."""
        view, phone = anne.gets_to_approve()
        assert phone.fetches() == ResultPending(2, StepName.APPROVE)
        place.ca.away.add("all")
        anne.clicks("next", view, number=str(phone.claimed.number))
        assert phone.fetches() == ResultPending(2, StepName.CREATING)
        place.ca.away.clear()
        place.effects.later()
        assert isinstance(phone.fetches(), Result)

    def test_one_of_two_is_nothing_yet(self, place: Place, anne: Person) -> None:
        """All or nothing."""
        view, phone = anne.gets_to_approve()
        with place.crash():
            anne.clicks("next", view, number=str(phone.claimed.number))
        first, *_ = place.certificates(view.mobile_id)
        place.effects.attempt("certificate", first.id)
        assert phone.fetches() == ResultPending(2, StepName.CREATING)

    def test_may_be_fetched_again_until_confirmed_and_after(self, anne: Person) -> None:
        """A phone that crashed in between gets the same once more."""
        _, phone = anne.gets_to_creating()
        first = phone.fetches()
        assert isinstance(first, Result)
        assert [one.kind for one in first.certificates] == ["authentication", "signature"]
        assert all(len(one.chain) == 1 for one in first.certificates)
        phone.confirms()
        assert phone.fetches() == first

    def test_the_authentication_certificate_for_its_proof(self, anne: Person) -> None:
        """The one of this mobile ID, and none before it is there."""
        _, waiting = anne.gets_to_approve()
        phones = waiting.place.phones
        assert phones.authentication_certificate(waiting.caller) is None
        _, phone = waiting.place.person().has_active()
        result = phone.fetches()
        assert isinstance(result, Result)
        assert phones.authentication_certificate(phone.caller) == result.certificates[0].der


class TestConfirm:
    """The phone has installed every certificate, so the mobile ID is active (T5)."""

    def test_names_the_hash_of_every_certificate(self, place: Place, anne: Person) -> None:
        """Not one less, not one more, not another; then the right ones still do."""
        view, phone = anne.gets_to_creating()
        first, second = [hashlib.sha256(der).digest() for der in place.ders(view.mobile_id)]
        for hashes in ((first,), (first, second, bytes(32)), (first, bytes(32)), (bytes(32),)):
            with pytest.raises(WrongConfirmation, match="These are not the hashes of the cert"):
                phone.confirms(*hashes)
        assert place.profile(view.mobile_id).state is ProfileState.PENDING
        assert phone.confirms(first, second) is ProfileState.ACTIVE

    def test_no_hash_at_all_is_no_confirmation(self, place: Place, anne: Person) -> None:
        """An empty set is not every certificate."""
        _, phone = anne.gets_to_creating()
        with pytest.raises(WrongConfirmation):
            place.phones.confirm(phone.caller, frozenset())

    def test_the_phone_is_the_one_of_the_mobile_id(self, place: Place, anne: Person) -> None:
        """As it described itself when it claimed."""
        mobile_id, phone = anne.has_active()
        assert place.profile(mobile_id).device == phone.device

    def test_twice_is_once(self, place: Place, anne: Person) -> None:
        """The answer may have been lost."""
        mobile_id, phone = anne.finishes(anne.starts_get())
        assert phone.confirms() is ProfileState.ACTIVE
        assert place.audited(mobile_id) == ["get.active"]

    def test_not_before_the_certificates_are_there(self, place: Place, anne: Person) -> None:
        """Neither while the CA works, nor before the user has approved."""
        view, phone = anne.gets_to_approve()
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.confirms(bytes(32))
        place.ca.away.add("all")
        anne.clicks("next", view, number=str(phone.claimed.number))
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.confirms(bytes(32))

    def test_of_a_user_who_is_not_active_any_more_fails_the_get(
        self, place: Place, anne: Person
    ) -> None:
        """Their state is read again in the same transaction; everything issued is revoked."""
        view, phone = anne.gets_to_creating()
        place.change(anne, state=UserState.INACTIVE)
        assert phone.confirms() is ProfileState.FAILED
        seen = anne.sees(view)
        assert seen.error is not None
        assert (seen.state, seen.error.code) == (InstanceState.FAILED, "USER_NOT_ACTIVE")
        assert place.profile(view.mobile_id).failure == "USER_NOT_ACTIVE"
        assert place.in_ca(view.mobile_id) == {"revoked"}

    def test_after_a_cascade_comes_too_late(self, place: Place, anne: Person) -> None:
        """The transaction that made the user inactive has ended the Get."""
        view, phone = anne.gets_to_creating()
        with place.units() as unit:
            user_deactivated(unit, anne.id, by=HR)
            unit.commit()
        with pytest.raises(CodeNotUsable, match=NOT_USABLE):
            phone.confirms(bytes(32))
        assert place.profile(view.mobile_id).state is ProfileState.FAILED
        assert place.in_ca(view.mobile_id) == {"revoked"}


class TestLater:
    """A phone with a mobile ID."""

    def test_asks_for_its_state(self, anne: Person) -> None:
        """At any time, and it hears of a Lock by this."""
        mobile_id, phone = anne.has_active()
        phones = phone.place.phones
        assert phones.status(phone.caller) is ProfileState.ACTIVE
        anne.clicks("next", anne.starts_lock(mobile_id))
        assert phones.status(phone.caller) is ProfileState.LOCKED

    def test_removes_it(self, place: Place, anne: Person) -> None:
        """That is a Lock by the device; twice is once."""
        mobile_id, phone = anne.has_active()
        assert place.phones.remove(phone.caller) is ProfileState.LOCKING
        profile = place.profile(mobile_id)
        assert (profile.state, profile.locked_for) == (ProfileState.LOCKED, LockReason.REMOVED)
        assert profile.locked_by == Actor(ActorKind.DEVICE, phone.caller.enrolment_id)
        assert place.in_ca(mobile_id) == {"revoked"}
        assert place.phones.remove(phone.caller) is ProfileState.LOCKED

    def test_removes_a_pending_one_with_its_get(self, place: Place, anne: Person) -> None:
        """Whoever takes the phone back before the end cancels."""
        view, phone = anne.gets_to_creating()
        assert place.phones.remove(phone.caller) is ProfileState.CANCELLED
        assert anne.sees(view).state is InstanceState.CANCELLED
        assert place.in_ca(view.mobile_id) == {"revoked"}

    def test_does_nothing_for_another_phone(self, place: Place, anne: Person) -> None:
        """Neither status nor remove."""
        mobile_id, phone = anne.has_active()
        thief = Caller(phone.caller.enrolment_id, "another thumbprint")
        for verb in (place.phones.status, place.phones.remove, place.phones.result):
            with pytest.raises(CodeNotUsable, match=NOT_USABLE):
                verb(thief)
        assert place.profile(mobile_id).state is ProfileState.ACTIVE
