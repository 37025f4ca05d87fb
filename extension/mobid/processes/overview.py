"""What users see of their mobile IDs outside a process: all they ever had, and each with its certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobid.domain.mobile_ids import LOCKABLE
from mobid.processes.lock import own_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobid.domain.certificates import Certificate
    from mobid.domain.mobile_ids import MobileID
    from mobid.domain.users import User
    from mobid.processes.ports import Units
    from mobid.processes.steps import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A mobile ID as its owner sees it."""

    profile: MobileID
    lockable: bool
    """Whether this caller could lock it now."""
    certificates: tuple[Certificate, ...] = ()
    """All of them, quarantined ones too, where one mobile ID is looked at; none in a list."""


class Overview:
    """Reads what belongs to the caller; somebody else's is not found."""

    def __init__(self, units: Units) -> None:
        self._units = units

    def user(self, caller: Caller) -> User:
        """Return who the caller is; raise `NotFound`."""
        with self._units.reading() as unit:
            return unit.users.get(caller.user_id)

    def of_user(self, caller: Caller) -> Sequence[ProfileView]:
        """Return all mobile IDs that the caller ever had, the newest first."""
        with self._units.reading() as unit:
            mine = unit.mobile_ids.of_user(caller.user_id)
            return [_view(caller, profile.as_of(unit.now)) for profile in mine]

    def one(self, caller: Caller, mobile_id: str) -> ProfileView:
        """Return one of the caller's mobile IDs with its certificates; raise `NotFound`."""
        with self._units.reading() as unit:
            profile = own_profile(unit, caller, mobile_id)
            return _view(caller, profile, unit.certificates.of_mobile_id(profile.id))


def _view(
    caller: Caller, profile: MobileID, certificates: Sequence[Certificate] = ()
) -> ProfileView:
    return ProfileView(
        profile=profile,
        lockable=profile.state in LOCKABLE[caller.actor.kind],
        certificates=tuple(certificates),
    )
