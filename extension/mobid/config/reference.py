"""What can be set, and what is set: the tables that people read."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from mobid.config.found import Origin
from mobid.config.schema import SETTINGS, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.config.load import Loaded
    from mobid.config.schema import Setting

HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for one setting, and where it comes from; a secret is not in here."""

    name: str
    value: str
    origin: Origin
    source: str
    """Where somebody would change it: the file, the variable, or nothing for a default."""


def effective(loaded: Loaded) -> Iterator[Effective]:
    """Yield every setting as it holds."""
    for name, setting in SETTINGS.items():
        found = loaded.found.get(name)
        yield Effective(
            name=name,
            value=_shown(setting, loaded),
            origin=Origin.DEFAULT if found is None else found.origin,
            source="" if found is None else found.source,
        )


def _shown(setting: Setting, loaded: Loaded) -> str:
    if setting.name not in loaded.found and (setting.secret or _is_left_out(setting, loaded)):
        return setting.otherwise or "none"
    if setting.secret:
        return HIDDEN
    value = attrgetter(setting.name)(loaded.settings)
    return setting.otherwise if value is None else written(value)


def _is_left_out(setting: Setting, loaded: Loaded) -> bool:
    """Tell whether the group of a setting is not there at all."""
    group, dot, _ = setting.name.rpartition(".")
    return bool(dot) and getattr(loaded.settings, group) is None


def markdown() -> str:
    """Return the table of all settings, as it stands in the README."""
    rows = [
        f"| `{one.name}` | {one.about} | {_default(one)} | {one.accepts.words} |"
        for one in SETTINGS.values()
    ]
    return "\n".join(
        ["| setting | what it is for | otherwise | accepted |", "|---|---|---|---|", *rows]
    )


def _default(setting: Setting) -> str:
    return "needed, if its table is there" if setting.required else setting.otherwise
