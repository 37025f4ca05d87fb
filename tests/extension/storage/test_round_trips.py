"""What is stored comes back as it was, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import CAState, RevocationReason, Wanted
from mobid.domain.instances import InstanceState, Process, ScriptVersion, StepName
from mobid.domain.mails import MailEvent
from mobid.domain.mobile_ids import Device, Hold, LockReason, ProfileState
from mobid.domain.options import Kind, Notify, Options, QRLocation, Recovery, Validity
from mobid.domain.users import UserState
from mobid.domain.work import Work
from mobid.processes.authority import Capabilities, Reason
from mobid.processes.errors import NotFound
from mobid.storage.users import insert_user, update_user

if TYPE_CHECKING:
    from tests.conftest import StandingClock
    from tests.extension.storage.conftest import Make

    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Enrolment
    from mobid.domain.mobile_ids import MobileID
    from mobid.storage import SQLUnits, Transactions

MOMENT = datetime(2027, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.fixture
def mobile_id(units: SQLUnits, make: Make, user_id: str) -> MobileID:
    """A pending mobile ID in the database."""
    pending = make.mobile_id(user_id)
    with units() as unit:
        unit.add(pending)
        unit.commit()
    return pending


class TestUsers:
    """Users, as SCIM will write them."""

    def test_every_column_that_processes_see_comes_back(
        self, units: SQLUnits, transactions: Transactions, make: Make
    ) -> None:
        """State and names come from columns, attributes from the document, on one level."""
        row = make.user_row(email="anne@example.org", principal_name="anne@corp.example.org")
        with transactions.writing() as connection:
            insert_user(connection, row)
        with units.reading() as unit:
            user = unit.users.get(row.id)
        assert (user.id, user.state) == (row.id, UserState.ACTIVE)
        assert (user.user_name, user.display_name) == (row.user_name, "Änne Example")
        assert (user.email, user.principal_name) == ("anne@example.org", "anne@corp.example.org")
        assert user.attributes == {
            "userName": "Änne",
            "familyName": "Example",
            "department": "Finance",
            "groups": [],
        }

    def test_a_deleted_one_is_still_there(
        self, units: SQLUnits, transactions: Transactions, make: Make
    ) -> None:
        """A tombstone answers to its id, and frees its user name for others."""
        row = make.user_row()
        gone = replace(row, state=UserState.DELETED, deleted_at=MOMENT, version=2)
        with transactions.writing() as connection:
            insert_user(connection, row)
            assert update_user(connection, row, gone)
            assert not update_user(connection, row, gone)
            insert_user(connection, make.user_row(user_name_key=row.user_name_key))
        with units() as unit:
            assert unit.users.lock(row.id).state is UserState.DELETED

    @pytest.mark.parametrize("unknown", ["nobody", "", "\x00", "\ud800", "x" * 5000])
    def test_an_unknown_one_is_not_found(self, units: SQLUnits, unknown: str) -> None:
        """Whatever the id looks like: what cannot be stored is not found either."""
        with units() as unit:
            for look in (
                unit.users.get,
                unit.users.lock,
                unit.mobile_ids.get,
                unit.certificates.get,
                unit.instances.get,
                unit.mails.get,
            ):
                with pytest.raises(NotFound, match="There is no"):
                    look(unknown)
            assert unit.enrolments.find(unknown) is None


class TestMobileIDs:
    """Mobile IDs with their holds."""

    def test_a_new_one_comes_back(self, units: SQLUnits, mobile_id: MobileID) -> None:
        """As it was added, and as its user's live one."""
        with units.reading() as unit:
            assert unit.mobile_ids.get(mobile_id.id) == mobile_id
            assert unit.mobile_ids.live_of(mobile_id.user_id) == mobile_id

    def test_every_field_comes_back(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> None:
        """Each field has a place of its own."""
        full = replace(
            mobile_id,
            state=ProfileState.LOCKING,
            version=2,
            changed_at=MOMENT,
            valid_from=MOMENT - timedelta(days=1),
            valid_to=MOMENT,
            device=Device(name="Änne's phone", platform="iOS", model="iPhone"),
            holds=make.holds(*Hold),
            failure="CA_REJECTED",
            locked_at=MOMENT,
            locked_by=Actor(ActorKind.OPERATOR, "olga"),
            locked_for=LockReason.LOST_OR_STOLEN,
        )
        with units() as unit:
            unit.save(full)
            unit.commit()
        with units.reading() as unit:
            assert unit.mobile_ids.get(full.id) == full
            assert unit.mobile_ids.live_of(full.user_id) is None

    def test_holds_come_and_go(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> None:
        """They are a set: each is placed and lifted by itself."""
        held = replace(mobile_id, version=2, holds=make.holds(Hold.USER_STATE))
        free = replace(mobile_id, version=3, holds={})
        for stored in (held, free):
            with units() as unit:
                unit.save(stored)
                unit.commit()
            with units.reading() as unit:
                assert unit.mobile_ids.get(mobile_id.id).holds == stored.holds

    def test_all_of_a_user_the_newest_first(
        self, units: SQLUnits, make: Make, user_id: str, clock: StandingClock
    ) -> None:
        """The order is that of their making."""
        made = []
        for _ in range(3):
            clock.pass_by(timedelta(seconds=1))
            made.append(make.mobile_id(user_id, state=ProfileState.LOCKED))
        with units() as unit:
            unit.add(*made)
            unit.commit()
            assert unit.mobile_ids.of_user(user_id) == made[::-1]

    @pytest.mark.parametrize("state", ProfileState)
    def test_past_their_end(
        self, units: SQLUnits, make: Make, user_id: str, state: ProfileState
    ) -> None:
        """Only active and inactive ones expire, from the very moment of their end on."""
        one = make.mobile_id(user_id, state=state, valid_to=MOMENT)
        with units() as unit:
            unit.add(one)
            unit.commit()
        expires = [one] if state in {ProfileState.ACTIVE, ProfileState.INACTIVE} else []
        with units.reading() as unit:
            assert unit.mobile_ids.past_end(MOMENT, 10) == expires
            assert unit.mobile_ids.past_end(MOMENT - timedelta(microseconds=1), 10) == []


class TestCertificates:
    """Certificates, ours and the CA's word."""

    @pytest.fixture
    def full(self, make: Make, mobile_id: MobileID) -> Certificate:
        """A certificate with something in every field."""
        return make.certificate(
            mobile_id.id,
            kind=Kind.ENCRYPTION,
            wanted=Wanted.REVOKED,
            ca_state=CAState.UNKNOWN,
            quarantined=True,
            holdable=False,
            sent_at=MOMENT,
            der=b"\x30\x00\xff",
            chain=(b"issuer\x00", b"root"),
            serial="f" * 40,
            reason=RevocationReason.KEY_COMPROMISE,
            revoked_at=MOMENT,
            asked_at=MOMENT,
            work=Work(
                wanted=True,
                attempt=7,
                nudged_at=MOMENT,
                wanted_since=MOMENT,
                error="no answer",
                dead=False,
            ),
        )

    def test_every_field_comes_back(self, units: SQLUnits, full: Certificate) -> None:
        """Each field has a place of its own, also when it was not there first."""
        bare = replace(full, der=None, chain=(), serial=None, sent_at=None, asked_at=None)
        for write in ("add", "save"):
            one = bare if write == "add" else full
            with units() as unit:
                getattr(unit, write)(one)
                unit.commit()
            with units.reading() as unit:
                assert unit.certificates.get(full.id) == one
                assert unit.certificates.of_mobile_id(full.mobile_id) == [one]

    def test_keys_and_serials_are_known(self, units: SQLUnits, full: Certificate) -> None:
        """A key is known everywhere, a serial number to its CA."""
        with units() as unit:
            assert not unit.certificates.key_known(full.key_hash)
            assert not unit.certificates.serial_known("builtin", "f" * 40)
            unit.add(full)
            assert unit.certificates.key_known(full.key_hash)
            assert unit.certificates.serial_known("builtin", "f" * 40)
            assert not unit.certificates.serial_known("other", "f" * 40)

    def test_those_of_a_profile_come_by_kind(
        self, units: SQLUnits, make: Make, mobile_id: MobileID
    ) -> None:
        """Whatever order they were written in."""
        made = [make.certificate(mobile_id.id, kind=kind) for kind in reversed(Kind)]
        with units() as unit:
            unit.add(*made)
            found = unit.certificates.of_mobile_id(mobile_id.id)
        assert [one.kind for one in found] == [Kind.AUTHENTICATION, Kind.ENCRYPTION, Kind.SIGNATURE]

    def test_to_ask_are_the_live_and_settled(
        self, units: SQLUnits, make: Make, mobile_id: MobileID
    ) -> None:
        """Asked long enough ago, agreed upon, and not gone: exactly what the domain says of each."""
        made = [
            make.certificate(
                mobile_id.id,
                wanted=wanted,
                ca_state=ca_state,
                holdable=holdable,
                asked_at=MOMENT,
                revoked_at=MOMENT,
            )
            for wanted, ca_state, holdable in product(Wanted, CAState, [True, False])
        ]
        with units() as unit:
            unit.add(*made)
            unit.commit()
        live = {CAState.VALID, CAState.HELD}
        expected = {one.id for one in made if one.settled and one.ca_state in live}
        with units.reading() as unit:
            found = unit.certificates.to_ask(MOMENT + timedelta(seconds=1), 100)
            assert {one.id for one in found} == expected
            assert len(unit.certificates.to_ask(MOMENT + timedelta(seconds=1), 2)) == 2
            assert unit.certificates.to_ask(MOMENT, 100) == []


class TestInstances:
    """Runs of processes."""

    def test_every_field_comes_back(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> None:
        """Options, script, choices and warnings are frozen as they were."""
        parent = make.instance(mobile_id.user_id)
        full = make.instance(
            mobile_id.user_id,
            process=Process.LOCK,
            actor=Actor(ActorKind.OPERATOR, "olga"),
            state=InstanceState.FAILED,
            step=StepName.FAILED,
            expires_at=None,
            step_seq=9,
            mobile_id=mobile_id.id,
            parent_id=parent.id,
            options=Options(
                certificates=tuple(Kind),
                selectable_certificates=(Kind.SIGNATURE,),
                qr_location=QRLocation.EMAIL,
                validity=Validity("2027-06-30"),
                user_id="änne",
                server_name="Server",
                profile_name="Profile",
                properties={"b": "2", "a": "1"},
                recover_encryption=Recovery.ALL,
                notify=Notify.NONE,
            ),
            script=ScriptVersion(name="MobileIDScriptOptions", version=3, sha256="ab"),
            basis="basis",
            decided="decided",
            selected=(Kind.SIGNATURE, Kind.ENCRYPTION),
            warnings=("VALIDITY_CLIPPED",),
            error="CA_REJECTED",
            reference="REF-1",
            ended_at=MOMENT,
            work=Work(attempt=2, nudged_at=MOMENT, error="no", dead=True),
        )
        with units() as unit:
            unit.add(full, parent)
            unit.commit()
        with units.reading() as unit:
            assert unit.instances.get(full.id) == full
            assert unit.instances.get(parent.id) == parent

    def test_the_running_ones(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, clock: StandingClock
    ) -> None:
        """Found by their user, by their profile, and by process; what has ended is not."""
        user = mobile_id.user_id
        get = make.instance(user)
        clock.pass_by(timedelta(seconds=1))
        lock = make.instance(user, process=Process.LOCK, mobile_id=mobile_id.id)
        ended = make.instance(user).end(InstanceState.CANCELLED, at=MOMENT)
        with units() as unit:
            unit.add(get, lock, ended)
            unit.commit()
        with units.reading() as unit:
            assert unit.instances.running_get(user) == get
            assert unit.instances.running_get("nobody") is None
            assert unit.instances.running_locks(mobile_id.id) == [lock]
            assert unit.instances.running_of(user) == [lock, get]

    def test_those_whose_time_is_over(
        self, units: SQLUnits, make: Make, user_id: str, clock: StandingClock
    ) -> None:
        """From the very moment on, and never what has ended or never ends."""
        end = clock() + timedelta(minutes=30)
        due = make.instance(user_id)
        ended = make.instance(user_id).end(InstanceState.CANCELLED, at=MOMENT)
        endless = make.instance(user_id, process=Process.LOCK, expires_at=None)
        with units() as unit:
            unit.add(due, ended, endless)
            unit.commit()
        with units.reading() as unit:
            assert unit.instances.due(end, 10) == [due]
            assert unit.instances.due(end, 0) == []
            assert unit.instances.due(end - timedelta(microseconds=1), 10) == []


class TestEnrolments:
    """Codes and phones."""

    @pytest.fixture
    def enrolment(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> Enrolment:
        """An enrolment in the database, with the instance that it belongs to."""
        instance = make.instance(mobile_id.user_id, mobile_id=mobile_id.id)
        enrolment = make.enrolment(instance, mobile_id.id)
        with units() as unit:
            unit.add(enrolment, instance)
            unit.commit()
        return enrolment

    def test_a_new_one_is_found_in_every_way(self, units: SQLUnits, enrolment: Enrolment) -> None:
        """By id, by instance, by the hash of token or typed code, and not otherwise."""
        with units.reading() as unit:
            assert unit.enrolments.find(enrolment.id) == enrolment
            assert unit.enrolments.of_instance(enrolment.instance_id) == enrolment
            assert unit.enrolments.by_code(enrolment.token_hash) == enrolment
            assert unit.enrolments.by_code(enrolment.typed_code_hash) == enrolment
            assert unit.enrolments.by_code(b"other") is None

    def test_every_field_comes_back(
        self, units: SQLUnits, make: Make, enrolment: Enrolment
    ) -> None:
        """With its phone and its keys, in their order; and without them after a new code."""
        keys = tuple(make.device_key(kind) for kind in (Kind.SIGNATURE, Kind.AUTHENTICATION))
        full = replace(
            enrolment.with_keys(keys, {"kty": "EC", "x": "ä"}, at=MOMENT),
            claim=make.claim(),
            mail_code_number=3,
            mail_code_hash=b"mail code",
            mail_code_expires_at=MOMENT,
            mail_code_tries=4,
            bad_keys=2,
            approved=b"\x00approved",
            confirmed_at=MOMENT,
            closed=True,
        )
        renewed = full.renewed(number=2, token_hash=b"t2", typed_code_hash=b"c2", expires_at=MOMENT)
        for stored in (full, renewed):
            with units() as unit:
                unit.save(stored)
                unit.commit()
            with units.reading() as unit:
                assert unit.enrolments.find(enrolment.id) == stored
        with units.reading() as unit:
            assert unit.enrolments.by_code(enrolment.token_hash) is None

    def test_one_that_is_not_there_cannot_be_saved(
        self, units: SQLUnits, enrolment: Enrolment
    ) -> None:
        """A save is never an insert."""
        with units() as unit, pytest.raises(NotFound, match='There is no enrolment "lost" here'):
            unit.save(replace(enrolment, id="lost"))


class TestMails:
    """Messages to people."""

    def test_every_field_comes_back(self, units: SQLUnits, make: Make, user_id: str) -> None:
        """A new one, and one that was dropped."""
        new = make.mail(user_id, event=MailEvent.QR_CODE, number=3, give_up_at=MOMENT)
        for mail in (new, new.drop("the code is no longer valid")):
            with units() as unit:
                (unit.add if mail is new else unit.save)(mail)
                unit.commit()
            with units.reading() as unit:
                assert unit.mails.get(mail.id) == mail
                assert unit.mails.find(mail.event, mail.subject_id, 3) == mail
                assert unit.mails.find(mail.event, mail.subject_id, 2) is None
                assert unit.mails.find(MailEvent.INVITATION, mail.subject_id, 3) is None
                assert unit.mails.last_number(mail.event, mail.subject_id) == 3
                assert unit.mails.last_number(MailEvent.INVITATION, mail.subject_id) == 0

    def test_an_event_is_told_once(self, units: SQLUnits, make: Make, user_id: str) -> None:
        """Whoever writes it second writes nothing, and the first one stays as it is."""
        first = make.mail(user_id, subject_id="run")
        again = make.mail(user_id, subject_id="run", to="other@example.org")
        following = make.mail(user_id, subject_id="run", number=2)
        for mail in (first, again, following):
            with units() as unit:
                unit.add(mail)
                unit.commit()
        with units.reading() as unit:
            assert unit.mails.find(first.event, "run", 1) == first
            assert unit.mails.find(first.event, "run", 2) == following
            with pytest.raises(NotFound, match=f'There is no mail "{again.id}" here'):
                unit.mails.get(again.id)

    def test_one_that_is_not_there_cannot_be_saved(
        self, units: SQLUnits, make: Make, user_id: str
    ) -> None:
        """A save is never an insert."""
        with units() as unit, pytest.raises(NotFound, match='There is no mail "lost" here'):
            unit.save(make.mail(user_id, id="lost"))


class TestAuthorityRecords:
    """What CAs said that they can do."""

    def test_the_last_answer_counts(self, units: SQLUnits) -> None:
        """A CA that never answered has none."""
        first = Capabilities(
            kinds=frozenset(Kind),
            reasons=frozenset(Reason),
            not_after=MOMENT,
            profile_hash={Kind.SIGNATURE: "ab"},
            issuers=(b"\x30\x00",),
            holds=True,
            find=False,
            settle_seconds=2.5,
        )
        second = replace(first, kinds=frozenset({Kind.SIGNATURE}), holds=False, find=True)
        with units() as unit:
            assert unit.authorities.capabilities("builtin") is None
            for answer in (first, second):
                unit.authorities.record("builtin", answer)
                assert unit.authorities.capabilities("builtin") == answer
