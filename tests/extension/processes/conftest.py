"""A small composition of the processes: real storage, sandbox and CA, and effects done at once.

People click and phones speak as in life, without HTTP. The line to the CA can fail in every way in
which a line to a CA fails; behind it is the built-in CA.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.ca import Surroundings
from mobid.ca.builtin import create, initialise
from mobid.config import Limits, Times
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import Certificate
from mobid.domain.enrolments import Claim, DeviceKey, Enrolment
from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import Device, MobileID, ProfileState
from mobid.domain.options import Kind, Validity
from mobid.domain.users import UserState
from mobid.optionscripts import SCRIPT_NAME, SHIPPED_VERSION_0, OptionScripts
from mobid.processes.authority import (
    AuthorityError,
    Issued,
    OutcomeUnknown,
    Pending,
    Reason,
    Rejected,
    Status,
    Unavailable,
)
from mobid.processes.cascades import user_deactivated, user_deleted, user_reactivated
from mobid.processes.certificate_work import CertificateWork
from mobid.processes.codes import Codes
from mobid.processes.csr import check_csr
from mobid.processes.decision import OptionDecision, names_for
from mobid.processes.enrolment import Caller as PhoneCaller
from mobid.processes.enrolment import Claimed, PhoneSide, Result
from mobid.processes.get import Parts
from mobid.processes.instance_work import InstanceWork
from mobid.processes.limits import Attempts, mails
from mobid.processes.mail_work import MailWork
from mobid.processes.mailing import MailRefused, MailUnavailable
from mobid.processes.not_yet import NotYet
from mobid.processes.orders import order_of as order_for
from mobid.processes.orders import serial_text
from mobid.processes.ports import StoredScript
from mobid.processes.reconciliation import Reconciliation
from mobid.processes.runner import Runner
from mobid.processes.settlement import Settlement
from mobid.processes.steps import Act, Caller
from mobid.processes.timeouts import TimeOuts
from mobid.storage import SQLUnits, Transactions
from mobid.storage.effects import KINDS, table_of
from mobid.storage.tables import audit_events, authority_records, mobile_ids, users
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.conftest import Database, Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA
    from mobid.ca.builtin.store import CAStore
    from mobid.domain.users import User
    from mobid.processes.authority import Capabilities, Order
    from mobid.processes.enrolment import ResultPending
    from mobid.processes.mailing import Letter
    from mobid.processes.ports import Evaluation
    from mobid.processes.views import InstanceView
    from mobid.storage.unit_of_work import SQLUnit

CA: Final = "builtin"
HR: Final = Actor(ActorKind.SCIM_CLIENT, "hr")


class LineToCA:
    """The built-in CA, behind a line on which everything goes wrong that a test asks for.

    Implements `Authority` for a CA that cannot hold; `HoldingLine` can.
    """

    holds = False

    def __init__(self, ca: BuiltinCA) -> None:
        self.ca = ca
        self.away: set[str] = set()
        """Verbs that do not reach the CA; `all` is every verb."""
        self.mute: set[str] = set()
        """Verbs that take effect, and whose answer is lost."""
        self.settle_seconds = 0.0
        self.before_issue: Callable[[Order], Issued | Pending | None] = lambda _: None
        """What answers in the place of the CA, if it answers; or what happens before it does."""
        self.before: Callable[[str], None] = lambda _: None
        """What happens before a verb reaches the CA."""
        self.also: list[Issued] = []
        """More certificates that the CA has for the orders that it is asked to find."""
        self.forgets: set[str] = set()
        """Verbs that the CA accepts, and then does not do."""
        self.loses: set[bytes] = set()
        """Certificates that are not in the CA's record any more."""
        self.known_reasons = frozenset(Reason)
        self.reasons: list[Reason] = []
        """Why the CA was told to revoke, each time."""
        self.after_find: Callable[[Order], None] = lambda _: None
        """What happens when the CA has looked for an order, and before we have heard what it found."""
        self.after_status: Callable[[], None] = lambda: None
        """What happens when the CA has answered for a certificate, and before we have heard it."""
        self.calls: list[str] = []

    def says(self, verb: str) -> int:
        """Return how often a verb was called."""
        return self.calls.count(verb)

    def revokes(self, certificate: Certificate) -> None:
        """Revoke without being asked to."""
        assert certificate.der is not None
        self.ca.revoke(certificate.der, Reason.UNSPECIFIED, certificate.ordered_at)

    @contextmanager
    def _line(self, verb: str) -> Iterator[None]:
        self.calls.append(verb)
        if self.away & {verb, "all"}:
            raise Unavailable("The CA does not answer.")
        self.before(verb)
        yield
        if verb in self.mute:
            raise OutcomeUnknown("The answer of the CA was lost.")

    def capabilities(self) -> Capabilities:
        """Return what the built-in CA can do, as far as this line lets it."""
        with self._line("capabilities"):
            known = self.ca.capabilities()
        return replace(
            known,
            holds=self.holds,
            reasons=self.known_reasons,
            settle_seconds=self.settle_seconds,
        )

    def issue(self, order: Order) -> Issued | Pending:
        """Ask for one certificate."""
        with self._line("issue"):
            return self.before_issue(order) or self.ca.issue(order)

    def find(self, order: Order) -> Sequence[Issued | Pending]:
        """Return everything the CA holds for this order."""
        with self._line("find"):
            found = [*self.ca.find(order), *self.also]
        self.after_find(order)
        return found

    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:
        """Revoke for good."""
        with self._line("revoke"):
            if certificate in self.loses:
                raise Rejected("There is no such certificate.")
            self.reasons.append(reason)
            if "revoke" not in self.forgets:
                self.ca.revoke(certificate, reason, at)

    def status(self, certificate: bytes) -> Status:
        """Return the CA's own word."""
        with self._line("status"):
            status = self.ca.status(certificate)
        self.after_status()
        return Status.UNKNOWN if certificate in self.loses else status


class HoldingLine(LineToCA):
    """A line to a CA that can hold."""

    holds = True

    def hold(self, certificate: bytes, at: datetime) -> None:
        """Suspend."""
        with self._line("hold"):
            self.ca.hold(certificate, at)

    def release(self, certificate: bytes, at: datetime) -> None:
        """Take the suspension back."""
        with self._line("release"):
            self.ca.release(certificate, at)


class Post:
    """A mail server in memory, which refuses, falls silent, or dies when a test asks for it."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        """What it has taken, in order."""
        self.refuses = ""
        """Why it takes no letter, if it takes none."""
        self.silent = False
        self.loses_answers = False
        """Whether it takes letters and nobody hears of it, as when we die meanwhile."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens once, while it takes a letter."""

    def send(self, letter: Letter) -> None:
        """Take a letter."""
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        if self.silent:
            raise MailUnavailable("The mail server does not answer.")
        if self.refuses:
            raise MailRefused(self.refuses)
        self.letters.append(letter)
        if self.loses_answers:
            raise MailUnavailable("The answer of the mail server was lost.")

    def told(self) -> list[str]:
        """Return the events that were told, in their order."""
        return [letter.event.value for letter in self.letters]

    def last(self, event: str) -> Letter:
        """Return the last letter of an event."""
        return [letter for letter in self.letters if letter.event == event][-1]


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


class Effects:
    """Does what a commit wants, at once and on the thread that committed; the rest waits for `later`.

    The same as the product's jobs, without their claims and back-off.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self.handlers: dict[str, Callable[[str], None]] = {}
        self.errors: list[AuthorityError | MailUnavailable | NotYet] = []
        """What work has ended with so far that was not done."""
        self.resting = False
        """Whether commits are followed by nothing, as after a crash."""
        self._queue: list[tuple[str, str]] = []
        self._at_work = False

    def committed(self, nudges: Sequence[tuple[str, str, int]]) -> None:
        """Try what a commit wants, certificates before instances."""
        if self.resting:
            return
        self._queue += sorted((kind, row_id) for kind, row_id, _ in nudges)
        if self._at_work:
            return
        self._at_work = True
        try:
            while self._queue:
                self.attempt(*self._queue.pop(0))
        finally:
            self._at_work = False

    def attempt(self, kind: str, row_id: str) -> None:
        """Do the work of one row; what a healthy system meets is kept, everything else is raised."""
        try:
            self.handlers[kind](row_id)
        except (AuthorityError, MailUnavailable, NotYet) as error:
            self.errors.append(error)

    def wanting(self) -> list[tuple[str, str]]:
        """Return the rows that want work."""
        found = []
        with self._transactions.reading() as connection:
            for kind in KINDS:
                rows = table_of(kind)
                query = sa.select(rows.c.id).where(rows.c.work_wanted).order_by(rows.c.id)
                found += [(kind, row_id) for row_id in connection.scalars(query)]
        return found

    def later(self) -> None:
        """Try every row that wants work once more, as the jobs would."""
        for kind, row_id in self.wanting():
            self.attempt(kind, row_id)


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


class Phone:
    """A phone with a device key of its own."""

    def __init__(self, place: Place, name: str = "Pixel of Änne") -> None:
        self.place = place
        self.device = Device(name=name, platform="Android", model="Pixel")
        self.thumbprint = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
        self.code = ""
        """What it has claimed, or tried to."""
        self.csrs: dict[Kind, bytes] = {}
        self._claimed: Claimed | None = None
        self._caller: PhoneCaller | None = None

    @property
    def claimed(self) -> Claimed:
        """What it learned when it claimed a code."""
        assert self._claimed is not None
        return self._claimed

    @property
    def caller(self) -> PhoneCaller:
        """As whom it calls."""
        assert self._caller is not None
        return self._caller

    @property
    def jwk(self) -> Mapping[str, str]:
        """Its device key, of which nothing but the thumbprint counts here."""
        return {"kty": "EC", "crv": "P-256", "x": self.thumbprint, "y": "y"}

    def claims(self, code: str, mail_code: object = None) -> Claimed:
        """Claim a code, scanned or typed, with the mail code of the page if it came by mail."""
        self.code = code
        self._claimed = self.place.phones.claim(
            code,
            thumbprint=self.thumbprint,
            jwk=self.jwk,
            device=self.device,
            mail_code=None if mail_code is None else str(mail_code),
        )
        self._caller = PhoneCaller(self._claimed.enrolment_id, self.thumbprint)
        return self._claimed

    def is_bound_to(self, instance: Instance) -> Enrolment:
        """Have gone through a Get; return what it keeps of this phone."""
        self.csrs = {kind: self.makes_csr() for kind in instance.selected}
        enrolment = Enrolment(
            id=str(uuid.uuid4()),
            instance_id=instance.id,
            user_id=instance.user_id,
            mobile_id=str(uuid.uuid4()),
            code_number=1,
            token_hash=secrets.token_bytes(32),
            typed_code_hash=secrets.token_bytes(32),
            code_expires_at=instance.created_at,
            claim=Claim(
                thumbprint=self.thumbprint,
                jwk=self.jwk,
                device=self.device,
                at=instance.created_at,
                number=42,
                numbers=(17, 42, 99),
            ),
            keys=tuple(
                DeviceKey(kind=kind, csr=csr, key_hash=check_csr(kind, csr).key_hash)
                for kind, csr in self.csrs.items()
            ),
        )
        self._caller = PhoneCaller(enrolment.id, self.thumbprint)
        return enrolment

    def scans(self, view: InstanceView) -> Claimed:
        """Claim the code of the QR picture."""
        link = view.step.data["link"]
        assert isinstance(link, str)
        return self.claims(link.partition("#1.")[2])

    def opens(self, letter: Letter, mail_code: object = None) -> Claimed:
        """Claim the code in a letter."""
        assert letter.enclosed is not None
        return self.claims(letter.enclosed.link.partition("#1.")[2], mail_code)

    def sends_keys(
        self,
        csrs: Mapping[Kind, bytes] | None = None,
        transport: Mapping[str, str] | None = None,
    ) -> None:
        """Make a key for every kind that was asked for, and send the requests."""
        if csrs is None:
            csrs = {kind: self.makes_csr() for kind in self.claimed.kinds}
        self.csrs = dict(csrs)
        self.place.phones.keys(self.caller, self.csrs, transport)

    @staticmethod
    def makes_csr() -> bytes:
        """Return a request with a fresh key."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        request = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        return request.public_bytes(Encoding.DER)

    def fetches(self) -> Result | ResultPending:
        """Ask for the certificates."""
        return self.place.phones.result(self.caller)

    def confirms(self, *hashes: bytes) -> ProfileState:
        """Confirm what it fetched, or these hashes."""
        if not hashes:
            result = self.fetches()
            assert isinstance(result, Result)
            hashes = tuple(hashlib.sha256(one.der).digest() for one in result.certificates)
        return self.place.phones.confirm(self.caller, frozenset(hashes))


# --- fixtures ---------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def sandbox() -> Iterator[OptionScripts]:
    """One real sandbox for the session: its fork server takes a moment to start."""
    scripts = OptionScripts(mail=True)
    yield scripts
    scripts.close()


@pytest.fixture(scope="session")
def ca_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of one CA for the session; its record is new for every test."""
    folder = tmp_path_factory.mktemp("authority") / "ca"
    initialise(folder, name="Example Mobile ID CA", now=datetime(2026, 11, 22, 12, tzinfo=UTC))
    return folder


@pytest.fixture
def builtin_ca(ca_folder: Path, clock: StandingClock, ca_store: CAStore) -> BuiltinCA:
    """A built-in CA with that key, for all three kinds."""
    surroundings = Surroundings(
        clock=clock, key_folder=ca_folder, public_url="http://id.example.org", store=ca_store
    )
    return create({"kinds": list(Kind)}, surroundings)


@pytest.fixture
def ca(builtin_ca: BuiltinCA) -> LineToCA:
    """A line to a CA that can hold; tests of one that cannot override it by `plain_ca`."""
    return HoldingLine(builtin_ca)


@pytest.fixture
def plain_ca(builtin_ca: BuiltinCA) -> LineToCA:
    """A line to a CA that cannot hold."""
    return LineToCA(builtin_ca)


@pytest.fixture
def other_ca(tmp_path: Path, clock: StandingClock, ca_store: CAStore) -> LineToCA:
    """A CA of somebody else."""
    folder = tmp_path / "other"
    initialise(folder, name="Other CA", now=clock())
    surroundings = Surroundings(
        clock=clock,
        key_folder=folder,
        public_url="http://other.example.org",
        store=type(ca_store)(),
    )
    return HoldingLine(create({"kinds": list(Kind)}, surroundings))


@pytest.fixture
def other_orders(builtin_ca: BuiltinCA, order_of: Orders) -> list[Issued]:
    """Certificates of our CA that we know nothing of."""
    return [builtin_ca.issue(order_of()) for _ in range(2)]


@pytest.fixture
def place(database: Database, clock: StandingClock, ca: LineToCA, sandbox: OptionScripts) -> Place:
    """A mobid on each database."""
    return Place(database.engine, clock, ca, sandbox)


@pytest.fixture
def anne(place: Place) -> Person:
    """A user."""
    return place.person()
