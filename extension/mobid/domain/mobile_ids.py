"""A mobile ID (profile) and its state table: what may happen to it, and by whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mobid.domain.actors import Actor, ActorKind
from mobid.domain.errors import IllegalTransition, ProfileNotLockable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet
    from datetime import datetime


class ProfileState(StrEnum):
    """The states of a mobile ID; the last four are final."""

    PENDING = "pending"
    ACTIVE = "active"
    INACTIVE = "inactive"
    LOCKING = "locking"
    LOCKED = "locked"
    EXPIRED = "expired"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE: Final = frozenset({ProfileState.PENDING, ProfileState.ACTIVE, ProfileState.INACTIVE})
"""The states that hold a user's only slot; locking does not."""

CAN_END: Final = frozenset({ProfileState.ACTIVE, ProfileState.INACTIVE})
"""The states of what a phone has and a CA vouches for; only these are held, resumed, or expire."""

LOCKABLE: Final = {
    ActorKind.USER: frozenset({ProfileState.ACTIVE}),
    ActorKind.OPERATOR: LIVE,
    ActorKind.SCIM_CLIENT: LIVE,
    ActorKind.DEVICE: LIVE,
    ActorKind.CA: CAN_END,
    ActorKind.SYSTEM: CAN_END,
}
"""Which states may be locked by whom: a user's own Lock is for active ones."""


class Hold(StrEnum):
    """Why a mobile ID is suspended. Holds are a set: each is lifted by its own kind only."""

    USER_STATE = "user_state"
    """Its user is inactive; it goes when the user is active again."""
    OPERATOR = "operator"
    """An operator placed it, and an operator lifts it."""
    MASS_CHANGE = "mass_change"
    """Its user was deleted with so many others that it may be a mistake; an operator decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Who placed a hold, when, and why, for whoever has to decide whether to lift it."""

    placed_by: Actor
    placed_at: datetime
    why: str = ""


class LockReason(StrEnum):
    """Why a mobile ID is locked, in the user's words."""

    LOST_OR_STOLEN = "lost_or_stolen"
    REPLACED = "replaced"
    REMOVED = "removed"
    USER_DELETED = "user_deleted"
    CA_REVOKED = "ca_revoked"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The phone that a mobile ID lives on, as it described itself."""

    name: str
    platform: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileID:
    """One profile on one phone. It never leaves the database; its states tell what became of it."""

    id: str
    user_id: str
    state: ProfileState
    profile_name: str
    server_name: str
    user_label: str
    created_at: datetime
    changed_at: datetime
    version: int = 1
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    device: Device | None = None
    holds: Mapping[Hold, Placed] = field(default_factory=dict)
    failure: str | None = None
    locked_at: datetime | None = None
    locked_by: Actor | None = None
    locked_for: LockReason | None = None

    @property
    def live(self) -> bool:
        """Whether it holds its user's slot."""
        return self.state in LIVE

    def usable(self, at: datetime) -> bool:
        """Whether it can be used: active, and not past its end, even if no sweep has come by yet."""
        return self.state is ProfileState.ACTIVE and not self.past_end(at)

    def past_end(self, at: datetime) -> bool:
        """Whether its end is reached."""
        return self.valid_to is not None and at >= self.valid_to

    def can_expire(self, at: datetime) -> bool:
        """Whether nothing but `expire` may happen to it any more."""
        return self.state in CAN_END and self.past_end(at)

    def activate(self, *, device: Device, at: datetime) -> MobileID:
        """The phone confirmed with its new keys, and the caller has seen the user still active."""
        self._must_be({ProfileState.PENDING}, "confirm", "is for a pending one")
        self._must_not_be_past_its_end(at, "confirm")
        return self._changed(at, state=ProfileState.ACTIVE, device=device)

    def cancel(self, *, at: datetime) -> MobileID:
        """The user, or whoever may lock it, does not want the pending mobile ID any more."""
        self._must_be({ProfileState.PENDING}, "cancel", "is for a pending one")
        return self._changed(at, state=ProfileState.CANCELLED)

    def fail(self, code: str, *, at: datetime) -> MobileID:
        """The pending mobile ID cannot become active: `code` says why. All or nothing."""
        self._must_be({ProfileState.PENDING}, "fail", "is for a pending one")
        return self._changed(at, state=ProfileState.FAILED, failure=code)

    def lock(self, *, by: Actor, reason: LockReason, at: datetime) -> MobileID:
        """Make it unusable at once and for good; a pending one is cancelled by this."""
        if self.state not in LOCKABLE[by.kind]:
            raise ProfileNotLockable(
                "Mobile ID",
                self.id,
                state=self.state,
                event="lock",
                right="is for " + _either(LOCKABLE[by.kind]),
            )
        if self.state is ProfileState.PENDING:
            return self.cancel(at=at)
        return self._changed(
            at, state=ProfileState.LOCKING, locked_at=at, locked_by=by, locked_for=reason
        )

    def hold(self, hold: Hold, *, by: Actor, why: str, at: datetime) -> MobileID:
        """Suspend it for one more reason; the same reason twice is one, and the first stands."""
        self._must_be(CAN_END, "hold", "is for an active or inactive one")
        placed = {hold: Placed(placed_by=by, placed_at=at, why=why)}
        return self._changed(at, state=ProfileState.INACTIVE, holds={**placed, **self.holds})

    def lift(self, hold: Hold, *, at: datetime) -> MobileID:
        """Take one reason back. It stays inactive until `resume`: the CA has the last word."""
        self._must_be({ProfileState.INACTIVE}, "lift of a hold", "is for an inactive one")
        left = {one: placed for one, placed in self.holds.items() if one is not hold}
        return self._changed(at, holds=left)

    def resume(self, *, at: datetime) -> MobileID:
        """The last hold is lifted and the CA has confirmed every release."""
        self._must_be({ProfileState.INACTIVE}, "resume", "is for an inactive one")
        if self.holds:
            raise IllegalTransition(
                "Mobile ID",
                self.id,
                state=self.state,
                event="resume",
                right="needs its holds lifted first: " + ", ".join(sorted(self.holds)),
            )
        self._must_not_be_past_its_end(at, "resume")
        return self._changed(at, state=ProfileState.ACTIVE)

    def confirm_locked(self, *, at: datetime) -> MobileID:
        """Every certificate is confirmed revoked, absent or past its end."""
        self._must_be({ProfileState.LOCKING}, "end of locking", "is for one that is being locked")
        return self._changed(at, state=ProfileState.LOCKED)

    def expire(self, *, at: datetime) -> MobileID:
        """Its end is reached."""
        self._must_be(CAN_END, "expiry", "is for an active or inactive one")
        if not self.past_end(at):
            raise IllegalTransition(
                "Mobile ID", self.id, state=self.state, event="expiry", right="is not due yet"
            )
        return self._changed(at, state=ProfileState.EXPIRED)

    def as_of(self, at: datetime) -> MobileID:
        """Return it as the clock has it: expired, if its end is reached and nobody has seen it yet."""
        return self.expire(at=at) if self.can_expire(at) else self

    def touch(self, *, at: datetime) -> MobileID:
        """Return the next version: something that is shown with it, such as a certificate, changed."""
        return self._changed(at)

    def _changed(self, at: datetime, **fields: object) -> MobileID:
        return replace(self, changed_at=at, version=self.version + 1, **fields)  # type: ignore[arg-type]  # replace() checks the names at run time

    def _must_be(self, states: AbstractSet[ProfileState], event: str, right: str) -> None:
        if self.state not in states:
            raise IllegalTransition(
                "Mobile ID", self.id, state=self.state, event=event, right=right
            )

    def _must_not_be_past_its_end(self, at: datetime, event: str) -> None:
        if self.valid_to is not None and self.past_end(at):
            raise IllegalTransition(
                "Mobile ID",
                self.id,
                state=self.state,
                event=event,
                right=f"came after its end, {self.valid_to:%Y-%m-%d %H:%M} UTC",
            )


def _either(states: frozenset[ProfileState]) -> str:
    *others, last = [state.value for state in ProfileState if state in states]
    names = f"{', '.join(others)} or {last}" if others else last
    return f"{'an' if names[0] in 'aeiou' else 'a'} {names} one"
