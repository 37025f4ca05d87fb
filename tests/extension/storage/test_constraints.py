"""Every rule that the database keeps really refuses, by its name, on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, text

from mobid.domain.actors import SYSTEM
from mobid.domain.instances import InstanceState, Process
from mobid.domain.mobile_ids import Hold, ProfileState
from mobid.domain.options import Kind
from mobid.domain.users import UserState
from mobid.processes.errors import KeyReused
from mobid.storage import ConstraintBroken
from mobid.storage.tables import (
    active_scripts,
    ca_certificates,
    ca_intents,
    external_ids,
    metadata,
    user_values,
)
from mobid.storage.tables.access import Audience
from mobid.storage.tokens import APIToken, APITokens
from mobid.storage.users import insert_user

if TYPE_CHECKING:
    from tests.extension.storage.conftest import Make

    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.ports import Entity
    from mobid.storage import SQLUnits, Transactions

# What an end and a suspension need beside their state, so that only the state is wrong.
BESIDE = {
    ("instances", "state"): ", ended_at = 1",
    ("ca_certificates", "standing"): ", revoked_at = 1",
}
LIVE = [ProfileState.PENDING, ProfileState.ACTIVE, ProfileState.INACTIVE]


@pytest.fixture
def mobile_id(units: SQLUnits, make: Make, user_id: str) -> MobileID:
    """A pending mobile ID in the database, on hold for good measure."""
    pending = make.mobile_id(user_id, holds=make.holds(*Hold))
    write(units, pending)
    return pending


@pytest.fixture
def instance(units: SQLUnits, make: Make, mobile_id: MobileID) -> Instance:
    """A running Get in the database."""
    running = make.instance(mobile_id.user_id, mobile_id=mobile_id.id)
    write(units, running)
    return running


@pytest.fixture
def enrolment(units: SQLUnits, make: Make, instance: Instance, mobile_id: MobileID) -> Enrolment:
    """An enrolment in the database."""
    new = make.enrolment(instance, mobile_id.id, keys=(make.device_key(Kind.SIGNATURE),))
    write(units, new)
    return new


def write(units: SQLUnits, *entities: Entity) -> None:
    """Commit new rows."""
    with units() as unit:
        unit.add(*entities)
        unit.commit()


def update(transactions: Transactions, table: str, change: str) -> None:
    """Change every row of a table behind the back of the code."""
    with transactions.writing() as connection:
        connection.execute(text(f"UPDATE {table} SET {change}"))  # noqa: S608  # our own names


def refused(units: SQLUnits, entity: Entity, rule: str) -> None:
    """Check that a new row is refused by a rule, and that the error names it."""
    with pytest.raises(ConstraintBroken, match=f'would break the rule "{rule}"') as broken:
        write(units, entity)
    assert broken.value.constraint == rule


class TestOneOfAKind:
    """What there can be once only."""

    @pytest.mark.parametrize("state", LIVE)
    def test_live_profile_of_a_user(
        self, units: SQLUnits, make: Make, mobile_id: MobileID, state: ProfileState
    ) -> None:
        """Pending, active and inactive ones hold the slot; all other states leave it free."""
        refused(units, make.mobile_id(mobile_id.user_id, state=state), "ux_mobile_ids_live")

    def test_profiles_that_are_not_live_are_many(
        self, units: SQLUnits, make: Make, mobile_id: MobileID
    ) -> None:
        """Locking does not hold the slot."""
        states = [state for state in ProfileState if state not in LIVE]
        write(units, *(make.mobile_id(mobile_id.user_id, state=state) for state in states * 2))

    @pytest.mark.parametrize(
        "state",
        [InstanceState.WAITING_USER, InstanceState.WAITING_DEVICE, InstanceState.WAITING_CA],
    )
    def test_running_get_of_a_user(
        self, units: SQLUnits, make: Make, instance: Instance, state: InstanceState
    ) -> None:
        """An ended one does not count, and neither does a Lock."""
        user = instance.user_id
        refused(units, make.instance(user, state=state), "ux_instances_running_get")
        write(units, make.instance(user).end(InstanceState.FAILED, at=make.clock()))
        write(units, make.instance(user, process=Process.LOCK))

    def test_running_lock_of_a_profile(
        self, units: SQLUnits, make: Make, mobile_id: MobileID
    ) -> None:
        """An ended one does not count."""

        def lock() -> Instance:
            return make.instance(mobile_id.user_id, process=Process.LOCK, mobile_id=mobile_id.id)

        write(units, lock())
        refused(units, lock(), "ux_instances_running_lock")
        write(units, lock().end(InstanceState.EXPIRED, at=make.clock()))

    @pytest.mark.parametrize("field", ["token_hash", "typed_code_hash", "instance_id", "id"])
    def test_codes_and_their_run(
        self, units: SQLUnits, make: Make, enrolment: Enrolment, field: str
    ) -> None:
        """No two codes are alike, and a run has one enrolment."""
        other = make.instance(enrolment.user_id).end(InstanceState.FAILED, at=make.clock())
        write(units, other)
        fields = {field: getattr(enrolment, field)}
        twin = replace(make.enrolment(other, enrolment.mobile_id), **fields)
        rule = "pk_enrolments" if field == "id" else f"uq_enrolments_{field}"
        refused(units, twin, rule)

    def test_key_of_a_certificate(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> None:
        """One key belongs to one certificate, ever: the caller is told which kind to make anew."""
        first = make.certificate(mobile_id.id)
        write(units, first)
        twin = make.certificate(mobile_id.id, kind=Kind.SIGNATURE, key_hash=first.key_hash)
        with pytest.raises(KeyReused, match="The key for signature was used before"):
            write(units, twin)

    def test_serial_number_of_a_ca(self, units: SQLUnits, make: Make, mobile_id: MobileID) -> None:
        """Another CA may use the same, and an order has none yet."""
        first = make.certificate(mobile_id.id, serial="1f")
        write(units, first, make.certificate(mobile_id.id, serial="1f", ca="other"))
        write(units, make.certificate(mobile_id.id), make.certificate(mobile_id.id))
        twin = make.certificate(mobile_id.id, serial="1f")
        refused(units, twin, "uq_certificates_ca_serial")

    def test_user_name_among_those_who_are_not_deleted(
        self, transactions: Transactions, make: Make
    ) -> None:
        """A deleted user's name is free again."""
        row = make.user_row(state=UserState.INACTIVE)
        taken = make.user_row(user_name_key=row.user_name_key)
        with transactions.writing() as connection:
            insert_user(connection, row)
            insert_user(connection, replace(make.user_row(), state=UserState.DELETED))
        with (
            pytest.raises(ConstraintBroken, match="ux_users_user_name_key"),
            transactions.writing() as connection,
        ):
            insert_user(connection, taken)
        with transactions.writing() as connection:
            insert_user(connection, replace(taken, state=UserState.DELETED))

    def test_external_id_of_a_client_and_type(self, transactions: Transactions) -> None:
        """Other clients and other types have their own."""
        row = {"resource_type": "User", "client": "hr", "external_id": "1", "resource_id": "u-1"}
        with transactions.writing() as connection:
            for other in ({}, {"client": "it"}, {"resource_type": "Group"}):
                connection.execute(insert(external_ids).values(row | other))
        for twin, rule in (
            ({"resource_id": "u-2"}, "pk_external_ids"),
            ({"external_id": "2"}, "uq_external_ids_resource_type_resource_id_client"),
        ):
            with (
                pytest.raises(ConstraintBroken, match=rule),
                transactions.writing() as connection,
            ):
                connection.execute(insert(external_ids).values(row | twin))


class TestReferences:
    """Nothing refers to what is not there. SQLite does not say which rule it was."""

    def test_are_checked_at_the_commit(self, units: SQLUnits, make: Make, user_id: str) -> None:
        """So that rows can be written in any order."""
        profile = make.mobile_id(user_id)
        with units() as unit:
            unit.add(make.certificate(profile.id))
            unit.add(profile)
            unit.commit()

    @pytest.mark.parametrize(
        "rule",
        [
            "fk_mobile_ids_user_id",
            "fk_certificates_mobile_id",
            "fk_instances_parent_id",
            "fk_enrolments_mobile_id",
        ],
    )
    def test_to_nothing_are_refused(
        self, units: SQLUnits, make: Make, user_id: str, rule: str
    ) -> None:
        """Nothing is left of what was written before, and the next unit works as ever."""
        run = make.instance(user_id)
        entities: dict[str, Entity] = {
            "fk_mobile_ids_user_id": make.mobile_id("nobody"),
            "fk_certificates_mobile_id": make.certificate("nothing"),
            "fk_instances_parent_id": make.instance(
                user_id, process=Process.LOCK, parent_id="nothing"
            ),
            "fk_enrolments_mobile_id": make.enrolment(run, "nothing"),
        }
        with pytest.raises(ConstraintBroken) as broken:
            write(units, run, entities[rule])
        assert broken.value.constraint in {rule, None}
        with units.reading() as unit:
            assert unit.instances.running_of(user_id) == []
        write(units, run)

    def test_of_users_scripts_and_the_ca_record(
        self, transactions: Transactions, make: Make
    ) -> None:
        """Values belong to a user, what is active is a version, what is issued was planned."""
        for table, row in (
            (user_values, {"user_id": "nobody", "attr": "emails", "position": 0}),
            (
                active_scripts,
                {"name": "s", "version": 1, "activated_by": "a", "activated_at": make.clock()},
            ),
            (
                ca_certificates,
                {"issuer": "i", "serial": "0", "standing": "valid", "not_after": make.clock()},
            ),
        ):
            with pytest.raises(ConstraintBroken), transactions.writing() as connection:
                connection.execute(insert(table).values(row))


class TestStates:
    """A state that the code does not know cannot be stored, whoever writes it."""

    @pytest.fixture
    def one_of_each(
        self, units: SQLUnits, transactions: Transactions, make: Make, enrolment: Enrolment
    ) -> None:
        """A row in every table that has states."""
        write(units, make.certificate(enrolment.mobile_id), make.mail(enrolment.user_id))
        APITokens(transactions).add(
            APIToken(
                id="t-1",
                client="hr",
                audience=Audience.SCIM,
                scopes=(),
                dialect="strict",
                secret_hash=b"hash",
                created_at=make.clock(),
                expires_at=make.clock(),
            )
        )
        intent: dict[str, Any] = {
            "order_key": "o",
            "order_digest": b"",
            "issuer": "i",
            "serial": "0",
            "key_hash": b"",
            "profile": "p",
            "profile_hash": "h",
            "tbs": b"",
            "not_after": make.clock(),
            "planned_at": make.clock(),
        }
        entry = {"issuer": "i", "serial": "0", "standing": "valid", "not_after": make.clock()}
        with transactions.writing() as connection:
            connection.execute(insert(ca_intents).values(intent))
            connection.execute(insert(ca_certificates).values(entry))

    @pytest.mark.usefixtures("one_of_each")
    def test_of_every_table_are_checked(self, transactions: Transactions) -> None:
        """Each column that holds one of an enum has its rule."""
        checked = {
            (table.name, str(constraint.name))
            for table in metadata.tables.values()
            for constraint in table.constraints
            if str(constraint.name).endswith("_is_known")
        }
        assert len(checked) >= 12
        for table, rule in checked:
            column = rule.removeprefix(f"ck_{table}_").removesuffix("_is_known")
            change = f"{column} = 'unheard of'" + BESIDE.get((table, column), "")
            with pytest.raises(ConstraintBroken, match=f'"{rule}"'):
                update(transactions, table, change)

    @pytest.mark.usefixtures("one_of_each")
    @pytest.mark.parametrize(
        ("table", "change", "rule"),
        [
            ("instances", "ended_at = 1", "only_what_ended_has_an_end"),
            ("instances", "state = 'failed'", "only_what_ended_has_an_end"),
            ("instances", "work_claimed = 1", "work_claim_was_nudged"),
            ("certificates", "work_claimed = 1", "work_claim_was_nudged"),
            ("mails", "sent_at = 1, dropped = 'refused'", "sent_or_dropped"),
            ("certificates", "wanted = 'revoked'", "revocation_has_its_time"),
            ("enrolments", "claimed_at = 1", "claim_is_whole_or_none"),
            ("enrolments", "mail_code_expires_at = 1", "mail_code_has_its_end"),
            ("enrolments", "claim_thumbprint = 'x'", "claim_is_whole_or_none"),
            ("ca_certificates", "standing = 'held'", "standing_has_its_facts"),
            ("ca_certificates", "reason = 1", "standing_has_its_facts"),
        ],
    )
    def test_have_their_facts(
        self, transactions: Transactions, table: str, change: str, rule: str
    ) -> None:
        """What a state needs beside it is there, and what it excludes is not."""
        with pytest.raises(ConstraintBroken, match=f'"ck_{table}_{rule}"'):
            update(transactions, table, change)

    def test_of_an_audit_event_are_sealed_or_not(
        self, units: SQLUnits, transactions: Transactions
    ) -> None:
        """A number without a hash is no place in the chain."""
        with units() as unit:
            unit.audit(SYSTEM, "a", "b", "c")
            unit.commit()
        with pytest.raises(ConstraintBroken, match="ck_audit_events_sealed_or_not"):
            update(transactions, "audit_events", "seq = 1")


def test_an_error_shows_no_sql_and_no_values(transactions: Transactions, make: Make) -> None:
    """Its message goes to people."""
    row = make.user_row(doc='{"secret":"hunter2"}')
    with transactions.writing() as connection:
        insert_user(connection, row)
    with pytest.raises(ConstraintBroken) as broken, transactions.writing() as connection:
        insert_user(connection, replace(row, user_name_key="other"))
    assert str(broken.value) == (
        'The database refused the change, as it would break the rule "pk_users". '
        "Nothing was written."
    )
