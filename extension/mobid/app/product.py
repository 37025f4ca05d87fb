"""One mobid, plugged together: what HTTP, workers and commands all stand on. Nothing is global."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from mobid import qr
from mobid.app.languages import languages_of
from mobid.auth.assertions import Assertions
from mobid.auth.frontends import FrontEndRegistry
from mobid.auth.tokens import BearerTokens
from mobid.ca import Surroundings, open_authority
from mobid.ca.builtin import BuiltinCA
from mobid.config import key_folder, read_keys
from mobid.jobs import Effects, Periodic, Timing
from mobid.notify import SMTPMailer
from mobid.optionscripts import SHIPPED, SHIPPED_EXPIRING
from mobid.processes.ca_gone import LostAuthorities
from mobid.processes.care import Care
from mobid.processes.certificate_work import CertificateWork
from mobid.processes.codes import Codes
from mobid.processes.decision import OptionDecision
from mobid.processes.enrolment import PhoneSide
from mobid.processes.get import Parts
from mobid.processes.instance_work import InstanceWork
from mobid.processes.limits import Attempts, mails
from mobid.processes.mail_work import MailWork
from mobid.processes.mass_changes import MassChangeGuard
from mobid.processes.option_scripts import ManagedScript, OptionScriptLife
from mobid.processes.reconciliation import Reconciliation
from mobid.processes.reminders import Reminders
from mobid.processes.runner import Runner
from mobid.processes.script_comparison import ScriptComparisons
from mobid.processes.settlement import Settlement
from mobid.processes.timeouts import TimeOuts
from mobid.provisioning import SCIM_PREFIX, UserPopulation
from mobid.storage import SQLUnits, Transactions, open_engine
from mobid.storage.audit_log import AuditLog
from mobid.storage.ca_store import SQLCAStore
from mobid.storage.counters import purge_counters
from mobid.storage.frontends import FrontEnds
from mobid.storage.tokens import APITokens
from mobid.storage.used import purge_used

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self

    from mobid.audit import Report
    from mobid.config import Settings
    from mobid.optionscripts import ScriptLanguage
    from mobid.processes.authority import Authority
    from mobid.processes.mailing import Mailer
    from mobid.processes.ports import Clock
    from mobid.storage.audit_log import Sealing


class Product:
    """Every part of one deployment, as one process has it. Close it when the process ends."""

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, mailer: Mailer | None = None
    ) -> None:
        self.settings: Final = settings
        folder = key_folder(settings.home)
        self.keys: Final = read_keys(folder)
        self.clock: Final[Clock] = clock or utc_now
        self.engine: Final = open_engine(settings.database_url.reveal())
        self.transactions: Final = Transactions(self.engine)
        # Units of work nudge effects, and effects are handled in units of work: the circle is
        # closed here, by handlers that find their parts when they are called.
        self.effects: Final = Effects(
            self.transactions,
            url=settings.database_url.reveal(),
            handlers={
                "certificate": self._work_on_certificate,
                "instance": self._work_on_instance,
                "mail": self._work_on_mail,
            },
            timing=Timing(
                stale=settings.times.attempt_lost, clock_drift=settings.times.clock_drift
            ),
            clock=clock,
        )
        self.units: Final = SQLUnits(
            self.engine, clock=clock, nudge=self.effects.nudge, committed=self.effects.committed
        )
        surroundings = Surroundings(
            clock=self.clock,
            key_folder=folder.path,
            public_url=settings.public_url,
            store=SQLCAStore(self.engine),
        )
        self.authorities: Final[Mapping[str, Authority]] = {
            settings.authority: open_authority(
                settings.authority, settings.authority_settings, surroundings
            )
        }
        mailer = mailer or mailer_of(settings)
        spoken = languages_of(settings.scripts, mail=mailer is not None)
        self.sandbox: Final = spoken[0]
        self.expiring: Final = spoken[1]
        self.settlement: Final = Settlement(phone_confirm=settings.times.phone_confirm)
        self.certificate_work: Final = CertificateWork(
            self.units,
            self.authorities,
            self.settlement,
            longest_call=settings.times.attempt_lost,
        )
        self.instance_work: Final = InstanceWork(self.units, self.settlement)
        codes = Codes(self.keys.enrolment.reveal())
        self.mail_work: Final = MailWork(
            self.units,
            mailer,
            codes,
            qr.png,
            settings.public_url,
            notification=settings.times.notification,
        )
        self.reconciliation: Final = Reconciliation(
            self.units, self.authorities, self.certificate_work.ask
        )
        self.time_outs: Final = TimeOuts(self.units)
        # Without a mail server nobody is told anything.
        self.reminders: Final = (
            None
            if mailer is None
            else Reminders(
                self.units, self.expiring, SHIPPED_EXPIRING, quarantine=settings.scripts.quarantine
            )
        )
        self.care: Final = Care(self.units, self.settlement)
        self.guard: Final = MassChangeGuard(settings.guard)
        self.lost_authorities: Final = LostAuthorities(
            self.units, self.authorities, self.settlement
        )
        self.audit_log: Final = AuditLog(self.engine, clock=clock)
        self.tokens: Final = BearerTokens(APITokens(self.transactions, clock=clock), self.units)
        front_ends = FrontEnds(self.transactions)
        self.front_ends: Final = FrontEndRegistry(front_ends, self.units)
        self.assertions: Final = Assertions(front_ends, self.units, settings.public_url)
        self.scripts: Final = OptionScriptLife(
            self.units,
            [ManagedScript(self.sandbox, SHIPPED), ManagedScript(self.expiring, SHIPPED_EXPIRING)],
            settings.scripts,
        )
        self.languages: Final[Mapping[str, ScriptLanguage]] = {
            SHIPPED.name: self.sandbox,
            SHIPPED_EXPIRING.name: self.expiring,
        }
        self.comparisons: Final = ScriptComparisons(
            self.scripts, UserPopulation(self.units, settings.public_url + SCIM_PREFIX), self.clock
        )
        self.phones: Final = PhoneSide(self.units, settings.times)
        self.attempts: Final = Attempts(self.units, settings.limits)
        self.runner: Final = Runner(
            self.units,
            Parts(
                times=settings.times,
                max_codes=settings.max_codes,
                codes=codes,
                decision=OptionDecision(
                    self.units,
                    self.sandbox,
                    SHIPPED,
                    settings.authority,
                    quarantine=settings.scripts.quarantine,
                ),
                ca=settings.authority,
                public_url=settings.public_url,
                mails=mails(settings.limits),
            ),
            self.attempts,
        )

    def _work_on_certificate(self, certificate_id: str) -> None:
        self.certificate_work(certificate_id)

    def _work_on_instance(self, instance_id: str) -> None:
        self.instance_work(instance_id)

    def _work_on_mail(self, mail_id: str) -> None:
        self.mail_work(mail_id)

    def start_worker(self) -> None:
        """Do what is left over, and what time brings, in this process."""
        self.effects.start_worker(self._periodic())

    def _periodic(self) -> Iterable[Periodic]:
        if self.reminders is not None:
            yield Periodic(
                name="reminders",
                every=timedelta(hours=1),
                run=self.reminders,
                irreversible=True,
            )
        yield from (
            Periodic(name="audit seal", every=timedelta(seconds=1), run=self.seal_audit),
            Periodic(name="ca probe", every=timedelta(minutes=1), run=self.reconciliation.probe),
            Periodic(
                name="time-outs",
                every=timedelta(seconds=5),
                run=self.time_outs.end_instances,
                irreversible=True,
            ),
            Periodic(
                name="expiry",
                every=timedelta(seconds=10),
                run=self.time_outs.expire_mobile_ids,
                irreversible=True,
            ),
            Periodic(
                name="reconciliation",
                every=timedelta(minutes=10),
                run=self.reconciliation.overdue,
            ),
            Periodic(name="used codes", every=timedelta(minutes=10), run=self._forget_used),
            Periodic(name="old counters", every=timedelta(minutes=10), run=self._forget_counters),
        )

    def seal_audit(self) -> Sealing:
        """Number and chain what was committed since the last seal."""
        return self.audit_log.seal(self.keys.audit)

    def verify_audit(self) -> Report:
        """Read the whole audit log, up to now."""
        self.seal_audit()
        return self.audit_log.verify(self.keys.audit.public_key())

    @property
    def publishers(self) -> Mapping[str, BuiltinCA]:
        """The CAs that publish at our own addresses: other CAs publish at theirs."""
        ours = [one for one in self.authorities.values() if isinstance(one, BuiltinCA)]
        return {one.name: one for one in ours}

    def _forget_used(self) -> None:
        self._forget(purge_used)

    def _forget_counters(self) -> None:
        self._forget(purge_counters)

    def _forget(self, purge: Callable[..., int]) -> None:
        """Forget all that is over, in bounded transactions: strangers decide how much there is.

        It is over by the database's clock, which may be behind this one.
        """
        purged, before = True, self.clock() - self.settings.times.clock_drift
        while purged:
            with self.transactions.writing() as connection:
                purged = purge(connection, before=before) > 0

    def close(self) -> None:
        """Stop and give back everything that this process holds."""
        with ExitStack() as rest:
            rest.callback(self.engine.dispose)
            rest.callback(self.sandbox.close)
            rest.callback(self.expiring.close)
            rest.callback(self.effects.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def mailer_of(settings: Settings) -> Mailer | None:
    """Return who sends letters: nobody, if no mail server is set."""
    return None if settings.mail is None else SMTPMailer(settings.mail)


def utc_now() -> datetime:
    """Return the time of this process."""
    return datetime.now(UTC)
