"""An instance: one run of a process, with its state, its step, and what was frozen into it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mobid.domain.errors import ProcessEnded
from mobid.domain.work import Work

if TYPE_CHECKING:
    from datetime import datetime

    from mobid.domain.actors import Actor
    from mobid.domain.options import Kind, Options


class Process(StrEnum):
    """The processes by their symbolic names."""

    GET = "MobileIDSelfServiceProcGet"
    LOCK = "MobileIDSelfServiceProcLock"


class InstanceState(StrEnum):
    """Whom an instance waits for, or how it ended."""

    WAITING_USER = "waiting_user"
    WAITING_DEVICE = "waiting_device"
    WAITING_CA = "waiting_ca"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    EXPIRED = "expired"


RUNNING: Final = frozenset(
    {InstanceState.WAITING_USER, InstanceState.WAITING_DEVICE, InstanceState.WAITING_CA}
)


class StepName(StrEnum):
    """The steps of Get and Lock, by the names that users of the hooks see."""

    HAS_ACTIVE = "has_active"
    CONFIRM = "confirm"
    QR = "qr"
    MAIL = "mail"
    APPROVE = "approve"
    CREATING = "creating"
    CONFIRM_LOCK = "confirm_lock"
    LOCKING = "locking"
    DONE = "done"
    FAILED = "failed"


SHOWS_CODE: Final = frozenset({StepName.QR, StepName.MAIL})
"""The steps at which a phone can claim the code and send its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptVersion:
    """Which version of an option script made the frozen options."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One run of a process for one user."""

    id: str
    process: Process
    user_id: str
    actor: Actor
    state: InstanceState
    step: StepName
    created_at: datetime
    expires_at: datetime | None
    step_seq: int = 1
    mobile_id: str | None = None
    parent_id: str | None = None
    options: Options | None = None
    script: ScriptVersion | None = None
    basis: str = ""
    """A digest of what the options were decided on: everything a script or a name can see of the user."""
    decided: str = ""
    """A digest of what was decided: the options, and the names of the certificates."""
    selected: tuple[Kind, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str | None = None
    reference: str = ""
    ended_at: datetime | None = None
    work: Work = field(default_factory=Work)

    @property
    def running(self) -> bool:
        """Whether the run has not ended."""
        return self.state in RUNNING

    def over(self, at: datetime) -> bool:
        """Whether it still runs, although its time is over."""
        return self.running and self.expires_at is not None and at >= self.expires_at

    def to(
        self, step: StepName, state: InstanceState, *, expires_at: datetime | None, at: datetime
    ) -> Instance:
        """Move to a step; every move raises `step_seq`, and waiting for the CA is work."""
        self.must_run(f"step {step}")
        waits = state is InstanceState.WAITING_CA
        return replace(
            self,
            step=step,
            state=state,
            step_seq=self.step_seq + 1,
            expires_at=expires_at,
            work=self.work.want(at) if waits else self.work.done(),
        )

    def end(self, state: InstanceState, *, at: datetime, error: str | None = None) -> Instance:
        """End the run; what it shows from now on is `done` or `failed`."""
        self.must_run(state)
        return replace(
            self,
            state=state,
            step=StepName.DONE if state is InstanceState.COMPLETED else StepName.FAILED,
            step_seq=self.step_seq + 1,
            error=error,
            ended_at=at,
            expires_at=None,
            work=self.work.done(),
        )

    def must_run(self, event: str) -> None:
        """Raise `ProcessEnded` unless the run has not ended."""
        if not self.running:
            raise ProcessEnded(
                "Process", self.id, state=self.state, event=event, right="is for a running one"
            )
