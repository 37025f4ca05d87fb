"""From a user to what a script sees of one: the released attributes, and the defaults that depend on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.domain.options import Options
from mobid.domain.users import User, UserState
from mobid.optionscripts.words import GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mobid_scripts.declaration import Declaration

_NAMED: Final = frozenset({"userName", "displayName", "email", "principalName"})
_SAMPLE: Final = "sample"
_SIMPLE: Final = (str, int, float, bool)


def sample_user(attributes: Mapping[str, object]) -> User:
    """Return the user whom these attributes describe, in the spelling of scripts; nobody need exist."""

    def text(name: str) -> str | None:
        value = attributes.get(name)
        return None if value is None else str(value)

    user_name = text("userName") or _SAMPLE
    told = {name: value for name, value in attributes.items() if name not in _NAMED}
    return User(
        id=_SAMPLE,
        state=UserState.ACTIVE,
        user_name=user_name,
        display_name=text("displayName") or user_name,
        email=text("email"),
        principal_name=text("principalName"),
        # As for a user who is there: in no group is an empty list.
        attributes={GROUPS: [], **told},
    )


def attributes_of(user: User, declaration: Declaration) -> dict[str, object]:
    """Return the attributes of a user that scripts may read, without those that this user does not have."""
    named = {
        **user.attributes,
        "userName": user.user_name,
        "displayName": user.display_name,
        "email": user.email,
        "principalName": user.principal_name,
    }
    found = {name: _plain(named.get(name)) for name in declaration.attributes}
    return {name: value for name, value in found.items() if value is not None}


def defaults_for(user: User) -> dict[str, object]:
    """Return every option as it is when the script does not set it, in plain form.

    The profile name is cut where it is too long; one that a script chose is refused.
    """
    options = Options.for_user(user)
    return {
        "certificates": _words(options.certificates),
        "selectable_certificates": _words(options.selectable_certificates),
        "qr_location": options.qr_location.value,
        "validity": options.validity.text,
        "user_id": options.user_id,
        "server_name": options.server_name,
        "profile_name": options.profile_name,
        "properties": dict(options.properties),
        "recover_encryption": options.recover_encryption.value,
        "notify": options.notify.value,
    }


def _words(kinds: Iterable[str]) -> list[str]:
    return [str(kind) for kind in kinds]


def _plain(value: object) -> object:
    """Return a value as JSON has it: one simple value, or a list of them; None for anything else."""
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [part for part in value if isinstance(part, _SIMPLE)]
    return None
