"""What settings owe to each other: rules over several of them, each with its own fault."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mobid.config.errors import Fault
from mobid.config.found import ABSENT, Found
from mobid.config.readers import is_loopback
from mobid.config.schema import GROUPS, SETTINGS, written
from mobid.config.settings import ANSWERS_IN_ALL, MailSecurity, MailSettings, Times

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def broken(read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """Yield what does not fit together: `read` has the values that could be read, `found` all."""
    for rule in _RULES:
        yield from rule(read, found)


def _complete_groups(_read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """A group that can be absent is given whole."""
    for name in [name for name, group in GROUPS.items() if group.optional]:
        given = next((one for one in found if one.startswith(f"{name}.")), None)
        for setting in SETTINGS.values():
            needed = setting.required and setting.name.startswith(f"{name}.")
            if given is not None and needed and setting.name not in found:
                problem = f"needed, since {given} is set; accepted is: {setting.accepts.words}."
                yield Fault(setting.name, ABSENT, problem)


def _mail_login(_read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """A user name without a password is half a login, and so is the other half."""
    names = ("mail.username", "mail.password")
    given = [name for name in names if name in found]
    if len(given) == 1:
        (missing,) = set(names) - set(given)
        yield Fault(missing, ABSENT, f"needed, since {given[0]} is set; give both or neither.")


def _mail_in_the_clear(read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """What is not encrypted stays on this machine: codes and passwords are in it."""
    host = read.get("mail.host")
    if read.get("mail.security") is MailSecurity.NONE and host and not is_loopback(host):
        problem = (
            f'"none" is for a mail server on this machine itself, and {host} is another one; '
            "accepted is: starttls or tls."
        )
        yield Fault("mail.security", found["mail.security"].source, problem)


def _mail_in_time(read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """A talk with the mail server is over before its attempt counts as lost, or the mail goes twice."""
    timeout = read.get("mail.timeout", _default(MailSettings, "timeout"))
    lost = read.get("times.attempt_lost", _default(Times, "attempt_lost"))
    if "mail.host" in read and timeout * ANSWERS_IN_ALL >= lost:
        problem = (
            f"{written(timeout)} for an answer is too long: a mail may take {ANSWERS_IN_ALL} times that, "
            f"which is to be less than the {written(lost)} of times.attempt_lost; "
            "lower this one or raise that one."
        )
        source = found["mail.timeout"].source if "mail.timeout" in found else ABSENT
        yield Fault("mail.timeout", source, problem)


def _development_at_home(read: Mapping[str, Any], found: Mapping[str, Found]) -> Iterator[Fault]:
    """Scripts without walls are for whoever writes them, at a server that nobody else can reach."""
    host = urlsplit(read.get("public_url", "")).hostname
    if read.get("scripts.development") and host and not is_loopback(host):
        problem = (
            f"development mode runs scripts without walls, and {host} is no address of this machine "
            "alone; leave it out, and run the server on Linux."
        )
        yield Fault("scripts.development", found["scripts.development"].source, problem)


def _default(group: type, name: str) -> Any:
    return {one.name: one.default for one in fields(group)}[name]


_RULES: Final = (
    *(_complete_groups, _mail_login, _mail_in_the_clear, _mail_in_time),
    _development_at_home,
)
