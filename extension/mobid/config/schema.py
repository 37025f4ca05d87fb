"""The one table of all settings, made of the classes in `mobid.config.settings`."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin, get_type_hints

from mobid.config.readers import Accepts
from mobid.config.settings import Otherwise, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from dataclasses import Field

IN_FILE: Final = "_file"
"""At the end of a setting's name: the value stands in the file that is named."""

_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its dotted name, what it accepts, what it is for, and what holds otherwise."""

    name: str
    accepts: Accepts
    about: str
    required: bool
    """Whether its group cannot be without it."""
    otherwise: str
    """Its default, as it would be written; of one that is computed, in words."""

    @property
    def secret(self) -> bool:
        """Whether its value is never shown."""
        return self.accepts.secret

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return "MOBID_" + self.name.replace(".", "_").upper()


@dataclass(frozen=True, slots=True)
class Group:
    """Settings that are one table in `mobid.toml`."""

    kind: type
    optional: bool
    """Whether there is no such group unless one of its settings is given."""


def written(value: object) -> str:
    """Return a value as somebody would write it in a setting."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case timedelta():
            return _written_duration(value)
        case StrEnum():
            return value.value
        case tuple():
            return ",".join(value)
    return str(value)


def _written_duration(value: timedelta) -> str:
    """Write it in the largest unit that has no remainder, but 24h and not 1d."""
    for unit, length in _UNITS.items():
        if not value % length and value > length:
            return f"{value // length}{unit}"
    return f"{value // timedelta(seconds=1)}s"


def _settings_of(owner: type, prefix: str = "") -> Iterator[Setting]:
    hints = get_type_hints(owner, include_extras=True)
    for one in fields(owner):
        if get_origin(hints[one.name]) is Annotated:
            yield _setting(prefix + one.name, one, get_args(hints[one.name])[1:])


def _setting(name: str, declared: Field[Any], said: tuple[object, ...]) -> Setting:
    (accepts,) = (one for one in said if isinstance(one, Accepts))
    (about,) = (one for one in said if isinstance(one, str))
    computed = next((one.words for one in said if isinstance(one, Otherwise)), None)
    if computed is None:
        computed = "" if declared.default is MISSING else written(declared.default)
    has_default = declared.default is not MISSING or declared.default_factory is not MISSING
    return Setting(
        name=name,
        accepts=accepts,
        about=about,
        required=not has_default and not computed,
        otherwise=computed,
    )


def _groups() -> Iterator[tuple[str, Group]]:
    hints = get_type_hints(Settings, include_extras=True)
    for one in fields(Settings):
        choices = get_args(hints[one.name]) or (hints[one.name],)
        for kind in choices:
            if isinstance(kind, type) and is_dataclass(kind):
                yield one.name, Group(kind, optional=NoneType in choices)


GROUPS: Final[Mapping[str, Group]] = dict(_groups())

SETTINGS: Final[Mapping[str, Setting]] = {
    setting.name: setting
    for setting in [
        *_settings_of(Settings),
        *(one for name, group in GROUPS.items() for one in _settings_of(group.kind, f"{name}.")),
    ]
}
