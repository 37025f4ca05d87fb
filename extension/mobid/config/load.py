"""Reads the settings of a home. Every fault is collected, so that an operator mends them in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobid.config.errors import Fault, InvalidSettings
from mobid.config.found import ABSENT, Origin
from mobid.config.readers import database_url, is_loopback, url_host
from mobid.config.rules import broken
from mobid.config.schema import GROUPS, IN_FILE, SETTINGS
from mobid.config.settings import DEFAULT_HOST, DEFAULT_PORT, Settings
from mobid.config.sources import from_environ, from_toml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mobid.config.found import Found

CheckAuthority = Callable[[str, Mapping[str, object], "Path"], Iterable[str]]
"""Says what a CA's connector finds wrong with its table, from the connector's name, the table, and the
home; it lives above us, so it is handed in."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each of them comes from."""

    settings: Settings
    found: Mapping[str, Found]
    """By name; what is not in it is a default."""

    def origin(self, name: str) -> Origin:
        """Return the kind of place that a setting comes from."""
        return self.found[name].origin if name in self.found else Origin.DEFAULT


def load(
    home: Path, environ: Mapping[str, str], *, check_authority: CheckAuthority | None = None
) -> Settings:
    """Return the settings of the home directory; raise `InvalidSettings` with all faults."""
    return load_with_origins(home, environ, check_authority=check_authority).settings


def load_with_origins(
    home: Path, environ: Mapping[str, str], *, check_authority: CheckAuthority | None = None
) -> Loaded:
    """Return the settings and where each comes from; raise `InvalidSettings` with all faults."""
    home = home.absolute()
    faults = list(_faults_of_home(home))
    found = {
        one.setting.name: one for one in [*from_toml(home, faults), *from_environ(environ, faults)]
    }
    read = dict(_read(found.values(), faults))
    told = {one.setting.removesuffix(IN_FILE) for one in faults}
    faults += (one for one in broken(read, found) if one.setting not in told)
    if check_authority is not None:
        faults += _faults_of_authority(read, found, home, check_authority)
    if "database_url" not in found and not faults:
        read["database_url"] = database_url(f"sqlite:///{home / 'mobid.db'}")
    if "public_url" not in found:
        read |= _default_public_url(read, faults)
    if faults:
        raise InvalidSettings(faults)
    return Loaded(_assembled(home, read), found)


def fits_a_url(home: Path) -> bool:
    """Tell whether the URL of a database in this directory can be written."""
    return "?" not in str(home) and str(home).isprintable()


def _assembled(home: Path, read: Mapping[str, Any]) -> Settings:
    """Put what was read into the classes of the settings, group by group."""
    values = {name: value for name, value in read.items() if "." not in name}
    for name, group in GROUPS.items():
        prefix = f"{name}."
        inner = {
            one.removeprefix(prefix): value for one, value in read.items() if one.startswith(prefix)
        }
        if inner or not group.optional:
            values[name] = group.kind(**inner)
    return Settings(home=home, **values)


def _faults_of_home(home: Path) -> Iterator[Fault]:
    if not home.is_dir():
        yield Fault("home", str(home), "there is no such directory; `mobid init` makes one.")
    if not fits_a_url(home):
        yield Fault("home", str(home), "a database URL cannot hold this path; choose another name.")


def _faults_of_authority(
    read: Mapping[str, Any], found: Mapping[str, Found], home: Path, check: CheckAuthority
) -> Iterator[Fault]:
    """Tell what the CA's connector finds, unless which one it is could not be read."""
    if {"authority", "authority_settings"} & found.keys() <= read.keys():
        given = next((one for one in ("authority_settings", "authority") if one in found), None)
        source = ABSENT if given is None else found[given].source
        authority = read.get("authority", Settings.__dataclass_fields__["authority"].default)
        for problem in check(authority, read.get("authority_settings", {}), home):
            yield Fault(given or "authority_settings", source, problem)


def _read(found: Iterable[Found], faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    for one in found:
        try:
            yield one.setting.name, one.setting.accepts.read(one.value)
        except ValueError:
            faults.append(one.fault())


def _default_public_url(read: Mapping[str, Any], faults: list[Fault]) -> dict[str, str]:
    """Without a public URL we serve this machine only, as its own user reaches us."""
    host = read.get("listen_host", DEFAULT_HOST)
    if is_loopback(host):
        port = read.get("listen_port", DEFAULT_PORT)
        return {"public_url": f"http://{url_host(host)}:{port}"}
    accepted = SETTINGS["public_url"].accepts.words
    problem = f"needed, since listen_host {host} can be reached from other machines; accepted is: "
    faults.append(Fault("public_url", ABSENT, f"{problem}{accepted}."))
    return {}
