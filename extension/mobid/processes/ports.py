"""What the processes need from outside, as protocols. `mobid.app` plugs the real ones in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from contextlib import AbstractContextManager
    from datetime import datetime, timedelta

    from mobid.crashpoints import CrashPoint
    from mobid.domain.actors import Actor
    from mobid.domain.certificates import Certificate
    from mobid.domain.enrolments import Claim, Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mails import Mail, MailEvent
    from mobid.domain.mobile_ids import Hold, MobileID, ProfileState
    from mobid.domain.options import Options
    from mobid.domain.users import User, UserState
    from mobid.processes.authority import Authority, Capabilities
    from mobid.processes.script_tests import ScriptTest, ScriptTestResult

Entity: TypeAlias = "MobileID | Certificate | Instance | Enrolment | Mail"


class Users(Protocol):
    """The people, as SCIM wrote them."""

    def get(self, user_id: str) -> User:
        """Return a user, a deleted one included; raise `NotFound`."""

    def lock(self, user_id: str) -> User:
        """Return a user whom nobody else writes about until this unit of work ends.

        Every unit of work that changes something of a user begins with this call, so that all
        that happens to one user happens in one order, and no two units wait for each other.
        """

    def several(self, user_ids: Sequence[str]) -> Sequence[User]:
        """Return those of these users who are there, in any order."""

    def count(self) -> int:
        """Return how many users there are who are not deleted; it reads every one."""

    def keep_names(self, user_id: str) -> None:
        """Note what a user is known by, so that `restore` can bring it back."""

    def restore(self, user_id: str, state: UserState) -> None:
        """Bring a deleted user back in this state, with their names; raise `UserNotRestorable`."""


class MobileIDs(Protocol):
    """The profiles."""

    def get(self, mobile_id: str) -> MobileID:
        """Return one; raise `NotFound`."""

    def live_of(self, user_id: str) -> MobileID | None:
        """Return the one that holds the user's slot: pending, active or inactive."""

    def of_user(self, user_id: str) -> Sequence[MobileID]:
        """Return all that a user ever had, the newest first."""

    def past_end(self, at: datetime, limit: int) -> Sequence[MobileID]:
        """Return active and inactive ones whose end is reached."""

    def ending(
        self,
        since: datetime,
        until: datetime,
        *,
        day_began_after: datetime | None,
        after: MobileID | None,
        limit: int,
    ) -> Sequence[MobileID]:
        """Return active ones that end between two moments, what ends first at the front.

        With `day_began_after`, only those for which a day began after that moment, and by `since`:
        24 hours, counted back from their end. With `after`, those that come after that one.
        """

    def held(self, hold: Hold, *, by: str) -> Sequence[str]:
        """Return the ids of live ones with this hold that somebody of this name placed."""

    def latest(
        self, limit: int, *, state: ProfileState | None = None, hold: Hold | None = None
    ) -> Sequence[MobileID]:
        """Return those that changed last, in this state and with this hold if they are given."""


class Certificates(Protocol):
    """The certificates: ours and, in `ca_state`, the CA's word on them."""

    def get(self, certificate_id: str) -> Certificate:
        """Return one; raise `NotFound`."""

    def of_mobile_id(self, mobile_id: str) -> Sequence[Certificate]:
        """Return all of a profile, quarantined and duplicate ones too, by kind."""

    def key_known(self, key_hash: bytes) -> bool:
        """Return whether any certificate was ever ordered for this public key."""

    def serial_known(self, ca: str, serial: str) -> bool:
        """Return whether this CA has given us a certificate with this serial number before."""

    def to_ask(self, before: datetime, limit: int) -> Sequence[Certificate]:
        """Return live settled ones whose status the CA was last asked for before then.

        Those whose CA was declared gone are among them.
        """

    def unconfirmed(self, ca: str) -> Sequence[str]:
        """Return the ids of those whose revocation a CA has not confirmed."""


class Instances(Protocol):
    """The runs of processes."""

    def get(self, instance_id: str) -> Instance:
        """Return one; raise `NotFound`."""

    def running_get(self, user_id: str) -> Instance | None:
        """Return the user's only running Get."""

    def running_locks(self, mobile_id: str) -> Sequence[Instance]:
        """Return the running Locks of a profile."""

    def running_of(self, user_id: str) -> Sequence[Instance]:
        """Return all running instances of a user, the newest first."""

    def due(self, at: datetime, limit: int) -> Sequence[Instance]:
        """Return running ones whose time is over."""


class Enrolments(Protocol):
    """The codes and the phones."""

    def find(self, enrolment_id: str) -> Enrolment | None:
        """Return one, or none."""

    def of_instance(self, instance_id: str) -> Enrolment | None:
        """Return the enrolment of a Get, if it has come that far."""

    def by_code(self, code_hash: bytes) -> Enrolment | None:
        """Return the enrolment whose current token or typed code has this hash."""

    def bind(
        self, enrolment: Enrolment, claim: Claim, *, mail_code_hash: bytes | None = None
    ) -> bool:
        """Bind an unclaimed, open, unexpired code to a phone in one conditional UPDATE; say who won.

        A code that went by mail binds if the mail code is right, too, and has not expired.
        """


class Mails(Protocol):
    """The messages to people. A new one is nothing if there is one of its event, subject and number."""

    def get(self, mail_id: str) -> Mail:
        """Return one; raise `NotFound`."""

    def find(self, event: MailEvent, subject_id: str, number: int) -> Mail | None:
        """Return the message of an event, or none."""

    def numbers(self, event: MailEvent, subject_ids: Sequence[str]) -> AbstractSet[tuple[str, int]]:
        """Return subject and number of the messages of an event about any of these subjects."""

    def last_number(self, event: MailEvent, subject_id: str) -> int:
        """Return the highest number of a message of an event, or 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredScript:
    """One immutable version of an option script."""

    name: str
    version: int
    source: str
    sha256: str
    author: str
    comment: str
    created_at: datetime
    tests: tuple[ScriptTest, ...] = ()
    """What it promises: run again whenever it is activated."""
    quarantined_at: datetime | None = None
    """Since when it is not run any more, and why: it did what no script can do."""
    quarantined_why: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """That a version became the active one, and which one it replaced; 0 is the shipped one."""

    number: int
    version: int
    replaced: int
    by: str
    at: datetime


class ScriptVersions(Protocol):
    """The versions of option scripts, and which one is active."""

    def active(self, name: str) -> StoredScript | None:
        """Return the active version; none means the shipped version 0."""

    def get(self, name: str, version: int) -> StoredScript:
        """Return one version; raise `NotFound`."""

    def all(self, name: str) -> Sequence[StoredScript]:
        """Return every version, the newest first."""

    def add(
        self,
        name: str,
        *,
        source: str,
        sha256: str,
        author: str,
        comment: str,
        tests: Sequence[ScriptTest] = (),
    ) -> StoredScript:
        """Store a new version under the next number."""

    def activations(self, name: str, limit: int) -> Sequence[Activation]:
        """Return which version became active when, the last first."""

    def activate(self, name: str, version: int, *, expected: int, by: str) -> None:
        """Make a version the active one if `expected` (0: none) still is; raise `VersionConflict`.

        Version 0 takes the activation back: the shipped script holds again.
        """

    def quarantine(self, name: str, version: int, why: str) -> bool:
        """Let a version not be run any more; tell whether it could be until now. Raise `NotFound`."""

    def release(self, name: str, version: int) -> bool:
        """Let a version be run again; tell whether it was in quarantine. Raise `NotFound`."""


class AuthorityRecords(Protocol):
    """The CAs' last stored answers, so that a CA that is down delays a Get at *creating* only."""

    def capabilities(self, name: str) -> Capabilities | None:
        """Return the last answer of a CA, or none if it never answered."""

    def record(self, name: str, capabilities: Capabilities) -> None:
        """Store a CA's answer."""


class Used(Protocol):
    """What may be used once: nonces of phones, and the `jti` of assertions."""

    def first_use(self, what: str, *, until: datetime) -> bool:
        """Remember a use until it would be refused anyway; say whether it was the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How often a thing was done in its present window, and when a new window can begin."""

    number: int
    ends_at: datetime


class Counters(Protocol):
    """How often somebody did a thing lately, against guessing and flooding."""

    def add(self, what: str, whose: str, *, window: timedelta) -> Count:
        """Count one, in this transaction. A window is fixed: it begins with its first event."""


class UnitOfWork(Protocol):
    """One transaction. Leaving it without `commit` rolls back. `now` is the database's clock."""

    @property
    def users(self) -> Users:
        """The people."""

    @property
    def mobile_ids(self) -> MobileIDs:
        """The profiles."""

    @property
    def certificates(self) -> Certificates:
        """The certificates."""

    @property
    def instances(self) -> Instances:
        """The runs."""

    @property
    def enrolments(self) -> Enrolments:
        """The codes and phones."""

    @property
    def mails(self) -> Mails:
        """The messages."""

    @property
    def scripts(self) -> ScriptVersions:
        """The option scripts."""

    @property
    def authorities(self) -> AuthorityRecords:
        """The CAs' last answers."""

    @property
    def used(self) -> Used:
        """What was used once."""

    @property
    def counters(self) -> Counters:
        """How often somebody did a thing lately."""

    @property
    def now(self) -> datetime:
        """The time of this unit of work: aware, UTC, the same at every call."""

    def add(self, *entities: Entity) -> None:
        """Write new rows."""

    def save(self, *entities: Entity) -> None:
        """Write changed rows. An instance is written only if `step_seq` is still what was read.

        A row whose work is wanted at a new attempt is nudged in the same transaction, and tried
        at once by the thread that commits.
        """

    def audit(
        self,
        actor: Actor,
        action: str,
        thing: str,
        thing_id: str,
        **details: str | int | bool | None,
    ) -> None:
        """Record who did what to which thing, in the same transaction: no audit, no effect."""

    def passes(self, point: CrashPoint) -> None:
        """Let the process pass a crash point right after the commit, before any work is tried."""

    def commit(self) -> None:
        """Make it so. Everything is written together, or nothing."""


class Units(Protocol):
    """Where units of work come from."""

    def __call__(self) -> AbstractContextManager[UnitOfWork]:
        """Begin a unit of work that writes."""

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """Begin one that only reads, and never waits for writers."""


class Outcome(StrEnum):
    """How a check or a run of an option script ended."""

    OK = "ok"
    REFUSED = "refused"
    REJECTED_AT_UPLOAD = "rejected_at_upload"
    FAILED_AT_RUN = "failed_at_run"
    KILLED_BY_LIMIT = "killed_by_limit"
    INVALID_RESULT = "invalid_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One fault of a script, where it is (line and column count from 1), and what would be right."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None
    caret: str = ""
    """The line of the source, and below it carets under the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What became of a script: options, or the words of its refusal, or what is wrong with it."""

    outcome: Outcome
    options: Options | None = None
    """The options of a mobile ID, if the script decides those."""
    values: Mapping[str, object] | None = None
    """Every option of the script in plain form, if it set all of them rightly."""
    refusal: str | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    log: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    ms: float = 0.0


class OptionScript(Protocol):
    """The sandbox, with the options of one script declared to it."""

    def check(self, source: str) -> Evaluation:
        """Compile only."""

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Run a script on the released attributes of a user."""


class ScriptLanguage(OptionScript, Protocol):
    """More of the same sandbox, for those who look after scripts."""

    def recall(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Return what `evaluate` returns, without a run if all that the script can read was the same.

        It is for many users at once; what something is issued for is a run of its own.
        """

    def depends_on_user(self, source: str) -> bool:
        """Tell whether the result of a script can be another one for another user."""

    def read_tests(self, plain: Sequence[object]) -> tuple[ScriptTest, ...]:
        """Read tests from plain values; raise `InvalidInput` with the first fault of one."""

    def test(
        self, source: str, tests: Sequence[ScriptTest], *, at: datetime
    ) -> tuple[ScriptTestResult, ...]:
        """Run tests, each at its own moment or else this one."""


class Population(Protocol):
    """The users that a filter of SCIM matches (RFC 7644, 3.4.2.2)."""

    def count(self, filter_text: str) -> int:
        """Return how many there are now; raise `InvalidInput` for what is no filter over users."""

    def pages(self, filter_text: str, size: int) -> Iterator[Sequence[User]]:
        """Yield them page by page, each page read when it is asked for; raise as `count` does."""


class AuthorityDirectory(Protocol):
    """The CAs that are configured, by name."""

    def __getitem__(self, name: str) -> Authority:
        """Return one; raise `KeyError` for a name that is not configured."""


Clock = Callable[[], "datetime"]
"""Tells the time: aware, UTC."""
