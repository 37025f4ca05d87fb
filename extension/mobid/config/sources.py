"""Finds values: `mobid.toml`, then `MOBID_<NAME>`, and for both a file that has the value alone.

One rule for secrets: `mobid.toml` is for its owner only and may hold them, and so may a variable;
better, each names a file: `<name>_file` in `mobid.toml`, `MOBID_<NAME>_FILE` in the environment.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mobid.config.errors import Fault, UnsafeFile
from mobid.config.found import Found, Origin, unknown
from mobid.config.private import read_private, read_secret_file
from mobid.config.readers import table
from mobid.config.schema import GROUPS, IN_FILE, SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid.config.schema import Setting

SETTINGS_FILE: Final = "mobid.toml"

_NOT_SETTINGS: Final = frozenset({"MOBID_HOME", "MOBID_CRASHPOINT"})
_BY_VARIABLE: Final = {setting.variable: setting for setting in SETTINGS.values()}
_BY_FILE: Final = {
    setting.name + IN_FILE: setting
    for setting in SETTINGS.values()
    if setting.secret and setting.accepts.read is not table
}


def from_toml(home: Path, faults: list[Fault]) -> Iterator[Found]:
    """Yield what the file gives. A home without the file is set up by its environment alone."""
    path = home / SETTINGS_FILE
    try:
        content = dict(_flat(tomllib.loads(read_private(path).decode())))
    except FileNotFoundError:
        return
    except (UnsafeFile, ValueError) as error:
        faults.append(Fault(SETTINGS_FILE, str(path), str(error)))
        return
    for name, value in content.items():
        if name in SETTINGS:
            yield Found(SETTINGS[name], value, SETTINGS_FILE, Origin.FILE)
        elif name not in _BY_FILE:
            faults.append(unknown(name, SETTINGS_FILE, [*SETTINGS, *_BY_FILE, *GROUPS]))
        elif _BY_FILE[name].name in content:
            problem = f"{_BY_FILE[name].name} is set, too; keep one of them."
            faults.append(Fault(name, SETTINGS_FILE, problem))
        elif not isinstance(value, str):
            problem = "it must be the path of a file that holds the value."
            faults.append(Fault(name, SETTINGS_FILE, problem))
        else:
            yield from _from_file(_BY_FILE[name], SETTINGS_FILE, home / value, faults)


def from_environ(environ: Mapping[str, str], faults: list[Fault]) -> Iterator[Found]:
    """Yield what the environment gives; variables that are not ours are left alone."""
    for variable in sorted(environ):
        if not variable.startswith("MOBID_") or variable in _NOT_SETTINGS:
            continue
        name = variable if variable in _BY_VARIABLE else variable.removesuffix(IN_FILE.upper())
        setting = _BY_VARIABLE.get(name)
        if setting is None:
            faults.append(unknown(name, "environment", _BY_VARIABLE))
        elif setting.accepts.read is table:
            faults.append(Fault(setting.name, variable, f"it is {setting.accepts.words}."))
        elif variable == name:
            yield Found(setting, environ[variable], variable, Origin.VARIABLE)
        elif name in environ:
            faults.append(Fault(setting.name, variable, f"{name} is set, too; keep one of them."))
        else:
            yield from _from_file(setting, variable, Path(environ[variable]), faults)


def _flat(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in content.items():
        if name in GROUPS and isinstance(value, dict):
            yield from ((f"{name}.{inner}", one) for inner, one in value.items())
        else:
            yield name, value


def _from_file(setting: Setting, source: str, path: Path, faults: list[Fault]) -> Iterator[Found]:
    try:
        value = read_secret_file(path).reveal()
    except UnsafeFile as error:
        faults.append(Fault(setting.name, source, str(error)))
    else:
        yield Found(setting, value, source, Origin.OWN_FILE)
