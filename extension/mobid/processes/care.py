"""What operators do with mobile IDs: look, hold and lift, and decide about what a mass change has held."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid.domain.certificates import CAState, Wanted
from mobid.domain.mobile_ids import Hold, LockReason
from mobid.domain.users import UserState
from mobid.processes.errors import InvalidInput, NotHeld
from mobid.processes.holds import lift, place
from mobid.processes.locking import lock_profile
from mobid.processes.owner_lock import owner_locked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mobid.domain.actors import Actor
    from mobid.domain.certificates import Certificate
    from mobid.domain.mobile_ids import MobileID, ProfileState
    from mobid.domain.users import User
    from mobid.processes.ports import UnitOfWork, Units
    from mobid.processes.settlement import Settlement

LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A mobile ID as an operator sees it: whose it is, and every certificate in both voices."""

    profile: MobileID
    user: User
    certificates: tuple[Certificate, ...]


class Care:
    """Looks after mobile IDs from outside any process. Each change is one transaction."""

    def __init__(self, units: Units, settlement: Settlement) -> None:
        self._units = units
        self._settlement = settlement

    def latest(
        self, limit: int, *, state: ProfileState | None = None, hold: Hold | None = None
    ) -> Sequence[Report]:
        """Return the mobile IDs that changed last, without their certificates."""
        with self._units.reading() as unit:
            return [
                Report(
                    profile=one.as_of(unit.now), user=unit.users.get(one.user_id), certificates=()
                )
                for one in unit.mobile_ids.latest(limit, state=state, hold=hold)
            ]

    def show(self, mobile_id: str) -> Report:
        """Return one with its certificates; raise `NotFound`."""
        with self._units.reading() as unit:
            profile = unit.mobile_ids.get(mobile_id).as_of(unit.now)
            return Report(
                profile=profile,
                user=unit.users.get(profile.user_id),
                certificates=tuple(unit.certificates.of_mobile_id(profile.id)),
            )

    def hold(self, mobile_id: str, *, by: Actor, why: str) -> MobileID:
        """Place an operator's hold; raise `AlreadyHeld`, `IllegalTransition` or `NotFound`."""
        reason = _one_line(why)
        if not reason:
            raise InvalidInput("reason", "must say why, for whoever lifts the hold")
        with self._locked(mobile_id) as (unit, profile):
            held = place(unit, profile, Hold.OPERATOR, by=by, why=reason)
            unit.commit()
            return held

    def lift(self, mobile_id: str, *, by: Actor, why: str = "") -> MobileID:
        """Lift an operator's hold, and no other; raise `NotHeld` or `NotFound`."""
        reason = _one_line(why)
        with self._locked(mobile_id) as (unit, profile):
            lifted = lift(unit, profile, Hold.OPERATOR, self._settlement, by=by, why=reason)
            unit.commit()
            return lifted

    def held_by_mass_change_of(self, client: str) -> Sequence[str]:
        """Return the ids of the mobile IDs that the deletions of one client have suspended."""
        with self._units.reading() as unit:
            return unit.mobile_ids.held(Hold.MASS_CHANGE, by=client)

    def release(self, mobile_id: str, *, by: Actor) -> MobileID:
        """The deletion was meant: go on and lock what it has suspended; raise `NotHeld`."""
        with self._held_by_mass_change(mobile_id) as (unit, profile):
            locked = lock_profile(unit, profile, by=by, reason=LockReason.USER_DELETED)
            unit.commit()
            return locked

    def restore(self, mobile_id: str, *, by: Actor) -> MobileID:
        """The deletion was a mistake: bring the user back as they were, and lift the hold.

        Raise `NotHeld`, or `UserNotRestorable` if somebody else has their name by now; then nothing
        is changed.
        """
        with self._held_by_mass_change(mobile_id) as (unit, profile):
            inactive = Hold.USER_STATE in profile.holds
            state = UserState.INACTIVE if inactive else UserState.ACTIVE
            unit.users.restore(profile.user_id, state)
            unit.audit(by, "user.restore", "user", profile.user_id, state=state)
            why = "The deletion of the user was a mistake."
            lifted = lift(unit, profile, Hold.MASS_CHANGE, self._settlement, by=by, why=why)
            unit.commit()
            return lifted

    @contextmanager
    def _held_by_mass_change(self, mobile_id: str) -> Iterator[tuple[UnitOfWork, MobileID]]:
        with self._locked(mobile_id) as (unit, profile):
            if Hold.MASS_CHANGE not in profile.holds or not profile.live:
                raise NotHeld(profile, Hold.MASS_CHANGE)
            yield unit, profile

    @contextmanager
    def _locked(self, mobile_id: str) -> Iterator[tuple[UnitOfWork, MobileID]]:
        """Begin a unit about a mobile ID, read once its user is locked."""
        with owner_locked(self._units, mobile_id) as unit:
            yield unit, unit.mobile_ids.get(mobile_id)


def _one_line(text: str) -> str:
    """Return a text that can be shown on a line of a terminal; raise `InvalidInput`."""
    stripped = text.strip()
    if len(stripped) > LONGEST_REASON or not stripped.isprintable():
        raise InvalidInput("reason", f"must be one line of at most {LONGEST_REASON} characters")
    return stripped


def standing_of(one: Certificate) -> str:
    """Say in a sentence how a certificate stands, here and in its CA, and nothing that is not known."""
    if one.ca_state is CAState.EXPIRED:
        return "Its end is reached."
    if one.given_up_at is not None:
        return (
            f"Revoked here; not confirmed by the CA {one.ca}, which last said {one.ca_state} and was "
            f"declared gone on {one.given_up_at:%Y-%m-%d %H:%M} UTC."
        )
    if one.held_here_only:
        return f"Suspended here; still valid in the CA {one.ca}, which cannot suspend certificates."
    if one.settled:
        return f"{_HERE[one.wanted]} here; the CA {one.ca} says {one.ca_state}."
    return f"{_HERE[one.wanted]} here; the CA {one.ca} last said {one.ca_state}, and is told until it agrees."


_HERE: Final = {
    Wanted.VALID: "Valid",
    Wanted.HELD: "Suspended",
    Wanted.REVOKED: "Revoked",
}
