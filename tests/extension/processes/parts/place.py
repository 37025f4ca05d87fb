"""One mobid without its edges: real storage, sandbox and CA, and effects done at once."""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from cryptography import x509
from tests.extension.processes.parts.effects import Effects
from tests.extension.processes.parts.people import Person
from tests.extension.processes.parts.post import Post

from mobid.config import Limits, Times
from mobid.domain.certificates import Certificate
from mobid.domain.users import UserState
from mobid.optionscripts import SCRIPT_NAME, SHIPPED_VERSION_0, OptionScripts
from mobid.processes.certificate_work import CertificateWork
from mobid.processes.codes import Codes
from mobid.processes.decision import OptionDecision, names_for
from mobid.processes.enrolment import PhoneSide
from mobid.processes.get import Parts
from mobid.processes.instance_work import InstanceWork
from mobid.processes.limits import Attempts, mails
from mobid.processes.mail_work import MailWork
from mobid.processes.orders import order_of as order_for
from mobid.processes.orders import serial_text
from mobid.processes.ports import StoredScript
from mobid.processes.reconciliation import Reconciliation
from mobid.processes.runner import Runner
from mobid.processes.settlement import Settlement
from mobid.processes.timeouts import TimeOuts
from mobid.storage import SQLUnits, Transactions
from mobid.storage.tables import audit_events, authority_records, mobile_ids, users
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Engine
    from tests.conftest import StandingClock
    from tests.extension.processes.parts.line import LineToCA

    from mobid.domain.enrolments import DeviceKey, Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.ports import Evaluation

CA: Final = "builtin"


class WatchedSandbox:
    """The real sandbox, during whose runs something happens that a test asks for."""

    def __init__(self, scripts: OptionScripts) -> None:
        self._scripts = scripts
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens once, while a script runs."""

    def check(self, source: str) -> Evaluation:
        """Compile only."""
        return self._scripts.check(source)

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Run a script."""
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        return self._scripts.evaluate(source, user, at=at)


class Place:
    """One mobid without its edges, and the people, phones and CA around it."""

    def __init__(
        self, engine: Engine, clock: StandingClock, ca: LineToCA, sandbox: OptionScripts
    ) -> None:
        self.clock = clock
        self.ca = ca
        self.sandbox = WatchedSandbox(sandbox)
        self.times = Times()
        self.transactions = Transactions(engine)
        self.effects = Effects(self.transactions)
        self.units = SQLUnits(engine, clock=clock, committed=self.effects.committed)
        self.settlement = Settlement(phone_confirm=self.times.phone_confirm)
        self.work = CertificateWork(self.units, {CA: ca}, self.settlement)
        self.post = Post()
        self.mail_work = MailWork(
            self.units, self.post, Codes(bytes(32)), str.encode, "https://id.example.org"
        )
        self.effects.handlers = {
            "certificate": self.work,
            "instance": InstanceWork(self.units, self.settlement),
            "mail": self.mail_work,
        }
        self.reconciliation = Reconciliation(self.units, {CA: ca}, self.work.ask)
        self.time_outs = TimeOuts(self.units)
        self.phones = PhoneSide(self.units, self.times)
        shipped = StoredScript(
            name=SCRIPT_NAME,
            version=0,
            source=SHIPPED_VERSION_0,
            sha256=hashlib.sha256(SHIPPED_VERSION_0.encode()).hexdigest(),
            author="mobid",
            comment="The shipped defaults.",
            created_at=clock(),
        )
        self.parts = Parts(
            times=self.times,
            max_codes=5,
            codes=Codes(bytes(32)),
            decision=OptionDecision(self.units, self.sandbox, shipped, CA),
            ca=CA,
            public_url="https://id.example.org",
            mails=mails(Limits()),
        )
        self.attempts = Attempts(self.units, Limits())
        self.runner = Runner(self.units, self.parts, self.attempts)
        self.reconciliation.probe()

    # --- what is there --------------------------------------------------------------------------

    def profile(self, mobile_id: str | None) -> MobileID:
        """Return a mobile ID as it is stored."""
        assert mobile_id is not None
        with self.units.reading() as unit:
            return unit.mobile_ids.get(mobile_id)

    def certificates(self, mobile_id: str | None) -> Sequence[Certificate]:
        """Return its certificates as they are stored."""
        assert mobile_id is not None
        with self.units.reading() as unit:
            return unit.certificates.of_mobile_id(mobile_id)

    def ders(self, mobile_id: str | None) -> list[bytes]:
        """Return those that have come back, as they came."""
        return [one.der for one in self.certificates(mobile_id) if one.der is not None]

    def end_of(self, mobile_id: str | None) -> datetime:
        """Return when a mobile ID ends."""
        end = self.profile(mobile_id).valid_to
        assert end is not None
        return end

    def voices(self, mobile_id: str | None) -> set[tuple[str, str]]:
        """Return what is wanted of its certificates, with what the CA has said of each."""
        found = self.certificates(mobile_id)
        return {(one.wanted.value, one.ca_state.value) for one in found}

    def in_ca(self, mobile_id: str | None) -> set[str]:
        """Return what the CA's own record says of its certificates, past any line."""
        return {self.ca.ca.status(der).value for der in self.ders(mobile_id)}

    def instance(self, instance_id: str) -> Instance:
        """Return an instance as it is stored."""
        with self.units.reading() as unit:
            return unit.instances.get(instance_id)

    def enrolment(self, instance_id: str) -> Enrolment:
        """Return the enrolment of a Get as it is stored."""
        with self.units.reading() as unit:
            found = unit.enrolments.of_instance(instance_id)
        assert found is not None
        return found

    def audited(self, thing_id: str) -> list[str]:
        """Return the actions in the audit log about one thing, in their order."""
        query = sa.select(audit_events.c.action).where(audit_events.c.object_id == thing_id)
        with self.transactions.reading() as connection:
            return list(connection.scalars(query.order_by(audit_events.c.id)))

    # --- what happens around it -----------------------------------------------------------------

    def person(self, **columns: Any) -> Person:
        """Let somebody join the company; SCIM has just written them."""
        user_id = str(uuid.uuid4())
        given: dict[str, Any] = {
            "id": user_id,
            "state": UserState.ACTIVE,
            "user_name": f"anne-{user_id}",
            "user_name_key": f"anne-{user_id}",
            "display_name": "Änne Example",
            "email": "anne@example.org",
            "created_at": self.clock(),
            "changed_at": self.clock(),
            "client": "hr",
            "doc": json.dumps({"department": "Finance"}),
        }
        row = UserRow(**(given | columns))
        with self.transactions.writing() as connection:
            insert_user(connection, row)
        return Person(self, user_id)

    def issued(self, key: DeviceKey, profile: MobileID, user: User) -> Certificate:
        """Let the CA issue for a key, and return the row that is left of it."""
        names = names_for(key.kind, user)
        assert profile.valid_to is not None
        row = Certificate(
            id=str(uuid.uuid4()),
            mobile_id=profile.id,
            kind=key.kind,
            ca=CA,
            csr=key.csr,
            key_hash=key.key_hash,
            subject=names.subject_der,
            san=names.san_text,
            not_before=profile.created_at,
            not_after=profile.valid_to,
            profile_hash="",
            ordered_at=profile.created_at,
            holdable=self.ca.holds,
        )
        answer = self.ca.ca.issue(order_for(row))
        return row.issued(
            der=answer.certificate,
            chain=answer.chain,
            serial=serial_text(x509.load_der_x509_certificate(answer.certificate).serial_number),
            at=profile.created_at,
        )

    def change(self, person: Person, **columns: Any) -> None:
        """Write a user's row, and nothing beside it: no cascade follows."""
        change = sa.update(users).where(users.c.id == person.id).values(columns)
        with self.transactions.writing() as connection:
            connection.execute(change)

    def activate(self, source: str) -> None:
        """Make a script the active one."""
        with self.units() as unit:
            active = unit.scripts.active(SCRIPT_NAME)
            digest = hashlib.sha256(source.encode()).hexdigest()
            stored = unit.scripts.add(
                SCRIPT_NAME, source=source, sha256=digest, author="ada", comment=""
            )
            unit.scripts.activate(
                SCRIPT_NAME, stored.version, expected=active.version if active else 0, by="ada"
            )
            unit.commit()

    def put(self, mobile_id: str, **columns: Any) -> None:
        """Write the row of a mobile ID, however it may have come to that."""
        change = sa.update(mobile_ids).where(mobile_ids.c.id == mobile_id).values(columns)
        with self.transactions.writing() as connection:
            connection.execute(change)

    def forgets_ca(self) -> None:
        """Forget what the CA has answered so far."""
        with self.transactions.writing() as connection:
            connection.execute(sa.delete(authority_records))

    @contextmanager
    def crash(self) -> Iterator[None]:
        """Let nothing follow the commits meanwhile, as if the process had died after each."""
        self.effects.resting = True
        yield
        self.effects.resting = False
