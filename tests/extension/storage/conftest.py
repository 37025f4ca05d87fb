"""Makes one of everything that storage keeps, and puts users into the database."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import Certificate
from mobid.domain.enrolments import Claim, DeviceKey, Enrolment
from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mails import Mail, MailEvent
from mobid.domain.mobile_ids import Device, Hold, MobileID, Placed, ProfileState
from mobid.domain.options import Kind, Options
from mobid.domain.users import UserState
from mobid.domain.work import Work
from mobid.storage import Transactions
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from tests.conftest import Database, StandingClock

    from mobid.processes.ports import Clock

DOCUMENT = {
    "userName": "Änne",
    "name": {"familyName": "Example"},
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Finance"},
}


def digest(name: str) -> bytes:
    """Return a hash that belongs to a name."""
    return hashlib.sha256(name.encode()).digest()


class Make:
    """Makes entities with names that do not collide; what a test cares about, it says."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._count = 0

    def name(self, kind: str) -> str:
        """Return another name."""
        self._count += 1
        return f"{kind}-{self._count}"

    def user_row(self, **fields: Any) -> UserRow:
        """Make a row of `users`."""
        name = self.name("user")
        given: dict[str, Any] = {
            "id": name,
            "state": UserState.ACTIVE,
            "user_name": name.title(),
            "user_name_key": name,
            "display_name": "Änne Example",
            "created_at": self.clock(),
            "changed_at": self.clock(),
            "client": "hr",
            "doc": json.dumps(DOCUMENT),
        }
        return UserRow(**(given | fields))

    def mobile_id(self, user_id: str, **fields: Any) -> MobileID:
        """Make a pending mobile ID."""
        given: dict[str, Any] = {
            "id": self.name("mobile-id"),
            "user_id": user_id,
            "state": ProfileState.PENDING,
            "profile_name": "MobileID Änne",
            "server_name": "Mobile ID",
            "user_label": "anne@example.org",
            "created_at": self.clock(),
            "changed_at": self.clock(),
        }
        return MobileID(**(given | fields))

    def holds(self, *holds: Hold) -> dict[Hold, Placed]:
        """Make holds that an operator has placed."""
        by = Actor(ActorKind.OPERATOR, "olga")
        return dict.fromkeys(
            holds, Placed(placed_by=by, placed_at=self.clock(), why="Änne lost it")
        )

    def certificate(self, mobile_id: str, **fields: Any) -> Certificate:
        """Make an order for a certificate, with nothing to do."""
        name = self.name("certificate")
        given: dict[str, Any] = {
            "id": name,
            "mobile_id": mobile_id,
            "kind": Kind.AUTHENTICATION,
            "ca": "builtin",
            "csr": b"csr",
            "key_hash": digest(name),
            "subject": b"subject",
            "san": "san",
            "not_before": self.clock(),
            "not_after": self.clock() + timedelta(days=730),
            "profile_hash": "profile",
            "ordered_at": self.clock(),
        }
        return Certificate(**(given | fields))

    def instance(self, user_id: str, **fields: Any) -> Instance:
        """Make a Get that waits for its user."""
        given: dict[str, Any] = {
            "id": self.name("instance"),
            "process": Process.GET,
            "user_id": user_id,
            "actor": Actor(ActorKind.USER, user_id),
            "state": InstanceState.WAITING_USER,
            "step": StepName.CONFIRM,
            "created_at": self.clock(),
            "expires_at": self.clock() + timedelta(minutes=30),
            "options": Options(user_id="anne@example.org", profile_name="MobileID Änne"),
        }
        return Instance(**(given | fields))

    def enrolment(self, instance: Instance, mobile_id: str, **fields: Any) -> Enrolment:
        """Make an enrolment that no phone has claimed."""
        name = self.name("enrolment")
        given: dict[str, Any] = {
            "id": name,
            "instance_id": instance.id,
            "user_id": instance.user_id,
            "mobile_id": mobile_id,
            "code_number": 1,
            "token_hash": digest(name + " token"),
            "typed_code_hash": digest(name + " typed"),
            "code_expires_at": self.clock() + timedelta(minutes=10),
        }
        return Enrolment(**(given | fields))

    def mail(self, user_id: str, **fields: Any) -> Mail:
        """Make a mail that is to be sent."""
        name = self.name("mail")
        given: dict[str, Any] = {
            "id": name,
            "event": MailEvent.GET_FAILED,
            "user_id": user_id,
            "to": "anne@example.org",
            "subject_id": "instance of " + name,
            "created_at": self.clock(),
            "work": Work().want(self.clock()),
        }
        return Mail(**(given | fields))

    def claim(self, thumbprint: str = "thumbprint") -> Claim:
        """Make the claim of a phone."""
        return Claim(
            thumbprint=thumbprint,
            jwk={"kty": "EC", "crv": "P-256", "x": thumbprint, "y": "y"},
            device=Device(name="Änne's phone", platform="Android", model="Pixel"),
            at=self.clock(),
            number=42,
            numbers=(17, 42, 99),
        )

    def device_key(self, kind: Kind) -> DeviceKey:
        """Make the key of a phone."""
        name = self.name("key")
        return DeviceKey(kind=kind, csr=name.encode(), key_hash=digest(name))


@pytest.fixture
def make(clock: StandingClock) -> Make:
    """A maker of everything."""
    return Make(clock)


@pytest.fixture
def transactions(database: Database) -> Transactions:
    """Plain transactions on the database of the test."""
    return Transactions(database.engine)


@pytest.fixture
def user_id(transactions: Transactions, make: Make) -> str:
    """A user who is in the database."""
    row = make.user_row()
    with transactions.writing() as connection:
        insert_user(connection, row)
    return row.id
