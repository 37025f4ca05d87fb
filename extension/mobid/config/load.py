"""Reads the settings: `mobid.toml`, then `MOBID_<NAME>`, or `MOBID_<NAME>_FILE` for a file with the value.

Every fault is collected, so that an operator mends them in one go.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mobid.config.errors import Fault, InvalidSettings, UnsafeFile
from mobid.config.private import read_private
from mobid.config.readers import SETTINGS, Setting, database_url, is_loopback, table, url_host
from mobid.config.settings import DEFAULT_HOST, DEFAULT_PORT, Settings, Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SETTINGS_FILE: Final = "mobid.toml"

_NOT_SETTINGS: Final = frozenset({"MOBID_HOME", "MOBID_CRASHPOINT"})
_IN_FILE: Final = "_FILE"
_BY_VARIABLE: Final = {setting.variable: setting for setting in SETTINGS.values()}


@dataclass(frozen=True, slots=True)
class _Given:
    """A value for a setting, as it was found, and where."""

    setting: Setting
    value: object
    source: str

    def fault(self) -> Fault:
        """Say that the value is not accepted, and what would be; a secret is not shown."""
        shown = "its value" if self.setting.secret else _shown(self.value)
        problem = f"{shown} is not accepted; what is: {self.setting.accepted}."
        return Fault(self.setting.name, self.source, problem)


def load(home: Path, environ: Mapping[str, str]) -> Settings:
    """Return the settings of the home directory; raise `InvalidSettings` with all faults."""
    home = home.absolute()
    faults = list(_faults_of_home(home))
    given = {
        found.setting.name: found
        for found in [*_from_toml(home / SETTINGS_FILE, faults), *_from_environ(environ, faults)]
    }
    read = dict(_read(given.values(), faults))
    if "database_url" not in given and not faults:
        read["database_url"] = database_url(f"sqlite:///{home / 'mobid.db'}")
    if "public_url" not in given:
        read |= _default_public_url(read, faults)
    if faults:
        raise InvalidSettings(faults)
    times = {name.removeprefix("times."): read.pop(name) for name in [*read] if "." in name}
    return Settings(home=home, times=Times(**times), **read)


def fits_a_url(home: Path) -> bool:
    """Tell whether the URL of a database in this directory can be written."""
    return "?" not in str(home) and str(home).isprintable()


def _faults_of_home(home: Path) -> Iterator[Fault]:
    if not home.is_dir():
        yield Fault("home", str(home), "there is no such directory; `mobid init` makes one.")
    if not fits_a_url(home):
        yield Fault("home", str(home), "a database URL cannot hold this path; choose another name.")


def _from_toml(path: Path, faults: list[Fault]) -> Iterator[_Given]:
    """Yield what the file gives. A home without the file is set up by its environment alone."""
    try:
        content = tomllib.loads(read_private(path).decode())
    except FileNotFoundError:
        return
    except (UnsafeFile, ValueError) as error:
        faults.append(Fault(SETTINGS_FILE, str(path), str(error)))
        return
    for name, value in _flat(content):
        if name in SETTINGS:
            yield _Given(SETTINGS[name], value, SETTINGS_FILE)
        else:
            faults.append(_unknown(name, SETTINGS_FILE, SETTINGS))


def _flat(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in content.items():
        if name == "times" and isinstance(value, dict):
            yield from ((f"times.{inner}", duration) for inner, duration in value.items())
        else:
            yield name, value


def _from_environ(environ: Mapping[str, str], faults: list[Fault]) -> Iterator[_Given]:
    for variable in sorted(environ):
        if not variable.startswith("MOBID_") or variable in _NOT_SETTINGS:
            continue
        name = variable if variable in _BY_VARIABLE else variable.removesuffix(_IN_FILE)
        setting = _BY_VARIABLE.get(name)
        if setting is None:
            faults.append(_unknown(name, "environment", _BY_VARIABLE))
        elif setting.read is table:
            faults.append(Fault(setting.name, variable, f"it is {setting.accepted}."))
        elif variable == name:
            yield _Given(setting, environ[variable], variable)
        elif name in environ:
            faults.append(Fault(setting.name, variable, f"{name} is set, too; keep one of them."))
        else:
            yield from _from_file(setting, variable, Path(environ[variable]), faults)


def _from_file(
    setting: Setting, variable: str, path: Path, faults: list[Fault]
) -> Iterator[_Given]:
    try:
        value = read_private(path).decode().removesuffix("\n")
    except FileNotFoundError:
        faults.append(Fault(setting.name, variable, f"there is no file {path}."))
    except UnicodeDecodeError:
        faults.append(Fault(setting.name, variable, f"{path} does not hold UTF-8 text."))
    except UnsafeFile as error:
        faults.append(Fault(setting.name, variable, str(error)))
    else:
        yield _Given(setting, value, variable)


def _read(given: Iterable[_Given], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for found in given:
        try:
            yield found.setting.name, found.setting.read(found.value)
        except ValueError:
            faults.append(found.fault())


def _default_public_url(read: Mapping[str, Any], faults: list[Fault]) -> dict[str, str]:
    """Without a public URL we serve this machine only, as its own user reaches us."""
    host = read.get("listen_host", DEFAULT_HOST)
    if is_loopback(host):
        port = read.get("listen_port", DEFAULT_PORT)
        return {"public_url": f"http://{url_host(host)}:{port}"}
    problem = f"needed, since listen_host {host} can be reached from other machines; accepted is: "
    faults.append(Fault("public_url", "absent", problem + SETTINGS["public_url"].accepted + "."))
    return {}


def _unknown(name: str, source: str, known: Iterable[str]) -> Fault:
    close = get_close_matches(name, known, n=1)
    meant = f'; did you mean "{close[0]}"?' if close else "."
    return Fault(name, source, f"there is no such setting{meant}")


def _shown(value: object) -> str:
    """Show a scalar as an operator wrote it, and of anything else only that it is no scalar."""
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)[:80]
    return "a list or a table" if isinstance(value, list | dict) else str(value)
