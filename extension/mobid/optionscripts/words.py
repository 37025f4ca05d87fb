"""What our scripts can set and ask: options, attributes and constants, declared to the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.domain.options import (
    LEAST_VALIDITY_DAYS,
    MOST_PROFILE_NAME,
    MOST_SERVER_NAME,
    MOST_USER_ID,
    MOST_VALIDITY_YEARS,
    Kind,
    Notify,
    QRLocation,
    Recovery,
)
from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid_scripts.declaration import Declaration
from mobid_scripts.kinds import Choice, Choices, Flag, Numbers, Span, Table, Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from mobid_scripts.kinds import OptionKind

_NO_ARCHIVE: Final = "needs the key archive, which this version does not have"
_NO_MAIL: Final = "needs a mail server, which this site does not have: set mail.host"
_NO_ENCRYPTION: Final = {Kind.ENCRYPTION.value: f"{_NO_ARCHIVE}; leave it out"}


def _values(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(word) for word in words)


def _options(*, mail: bool) -> tuple[OptionKind, ...]:
    no_mail = (
        {} if mail else {QRLocation.EMAIL.value: f'{_NO_MAIL}; use "{QRLocation.SELF_SERVICE}"'}
    )
    return (
        Choices(
            name="certificates", values=_values(Kind), least=1, most=8, unavailable=_NO_ENCRYPTION
        ),
        Choices(
            name="selectable_certificates", values=_values(Kind), most=8, unavailable=_NO_ENCRYPTION
        ),
        Choice(
            name="qr_location",
            values=_values(QRLocation),
            yes=QRLocation.SELF_SERVICE.value,
            no=QRLocation.EMAIL.value,
            unavailable=no_mail,
        ),
        Span(name="validity", least_days=LEAST_VALIDITY_DAYS, most_years=MOST_VALIDITY_YEARS),
        Text(name="user_id", most=MOST_USER_ID),
        Text(name="server_name", most=MOST_SERVER_NAME),
        Text(name="profile_name", most=MOST_PROFILE_NAME),
        Table(
            name="properties",
            key="[a-z][a-z0-9_]{0,31}",
            key_words='it is a lower-case letter, then up to 31 lower-case letters, digits or "_"',
            most_keys=20,
            most_value=256,
        ),
        Choice(
            name="recover_encryption",
            values=_values(Recovery),
            unavailable={
                str(word): f'{_NO_ARCHIVE}; use "{Recovery.NONE}"'
                for word in Recovery
                if word is not Recovery.NONE
            },
        ),
        Choice(name="notify", values=_values(Notify)),
    )


GROUPS: Final = "groups"
MOST_REMIND_DAYS: Final = 365
_MOST_REMINDERS: Final = 20


def declaration(*, mail: bool, released: Collection[str] = SCRIPT_ATTRIBUTES) -> Declaration:
    """Return what `MobileIDScriptOptions` can say at a site, with or without a mail server."""
    return _declared(
        _options(mail=mail), released, {"cert": {kind.name: kind.value for kind in Kind}}
    )


def expiring_declaration(*, released: Collection[str] = SCRIPT_ATTRIBUTES) -> Declaration:
    """Return what `MobileIDScriptExpiringOptions` can say."""
    options = (
        Numbers(name="remind_days", least=1, most=MOST_REMIND_DAYS, most_numbers=_MOST_REMINDERS),
        Flag(name="daily_after_last"),
    )
    return _declared(options, released, {})


def _declared(
    options: tuple[OptionKind, ...],
    released: Collection[str],
    constants: Mapping[str, Mapping[str, str]],
) -> Declaration:
    return Declaration(
        options=options,
        attributes=tuple(name for name in SCRIPT_ATTRIBUTES if name in released),
        groups=GROUPS,
        constants=constants,
        withheld=tuple(name for name in SCRIPT_ATTRIBUTES if name not in released),
    )


DECLARATION: Final = declaration(mail=True)
"""Everything that an option script can say anywhere."""
