"""The settings of one mobid: what an operator can decide, and what holds when nothing is said.

These classes are the schema. Each field says how it is read, what it is for, and its default;
`mobid.config.schema` makes the one table of them, by which files and environment are read and the
documentation is written. A field whose type is such a class is a group: a table in `mobid.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the schema reads these types when it is made
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - see above
from typing import Annotated, Final

from mobid.config.readers import (
    HIGHEST_PORT,
    Accepts,
    address,
    certificates_file,
    choice,
    database_url,
    duration,
    flag,
    host,
    name,
    name_of_people,
    number,
    public_url,
    secret_text,
    several,
    table,
    text,
)
from mobid.config.secret import Secret  # noqa: TC001 - see above
from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid_scripts.limits import LAYERS

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080

LONGEST: Final = timedelta(days=90)
LONGEST_TIMEOUT: Final = timedelta(seconds=60)
ANSWERS_IN_ALL: Final = 3
"""A whole talk with a mail server may take as long as this many answers."""


@dataclass(frozen=True, slots=True)
class Otherwise:
    """What holds when a setting without a fixed default is not given."""

    words: str


Duration = Annotated[
    timedelta, Accepts(duration(LONGEST), "a duration from 1s to 90d, such as 90s, 30m or 24h")
]
Host = Annotated[str, Accepts(host, "a host name or an IP address")]
Port = Annotated[int, Accepts(number(1, HIGHEST_PORT), f"a whole number from 1 to {HIGHEST_PORT}")]
Flag = Annotated[bool, Accepts(flag, "true or false")]
Often = Annotated[int, Accepts(number(1, 1_000_000), "a whole number from 1 to 1000000")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long each thing may take, and how long each secret lives."""

    form_idle: Annotated[Duration, "A form that waits for its user."] = timedelta(minutes=30)
    page_code: Annotated[Duration, "A QR code on the page, with its typed code."] = timedelta(
        minutes=10
    )
    mailed_link: Annotated[
        Duration, "The link, QR code and typed code in a mail; worthless without the mail code."
    ] = timedelta(hours=24)
    mail_code: Annotated[
        Duration, "The code on the page that the phone asks for when its link came by mail."
    ] = timedelta(minutes=10)
    notification: Annotated[
        Duration, "How long a mail that tells of something is tried before it would come too late."
    ] = timedelta(days=3)
    ordered: Annotated[
        Duration, "How long a mobile ID that a SCIM client ordered waits for its owner."
    ] = timedelta(days=14)
    code_renewable: Annotated[Duration, "How long a lapsed code can still be renewed."] = timedelta(
        minutes=30
    )
    approve: Annotated[
        Duration, "The user's approval, from the moment at which the phone's keys have arrived."
    ] = timedelta(minutes=10)
    ca: Annotated[Duration, "The CA's work in one Get."] = timedelta(minutes=15)
    phone_confirm: Annotated[
        Duration, "The phone's confirmation, from the moment at which the result can be fetched."
    ] = timedelta(minutes=60)
    fresh_login: Annotated[
        Duration, "How old the login of a user may be who starts or approves a Get."
    ] = timedelta(minutes=20)
    attempt_lost: Annotated[
        Duration,
        "After which an attempt at an effect that said nothing counts as lost, and another begins; "
        "longer than all time-outs of one call of the CA, or of one mail, together.",
    ] = timedelta(seconds=60)
    clock_drift: Annotated[
        Duration,
        "How far wall and monotonic clock may part between two sweeps before a sweep only watches.",
    ] = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often one may do what costs others something, or could be guessing."""

    starts_per_hour: Annotated[Often, "Starts of Get mobile ID, per user."] = 10
    mails_per_minute: Annotated[Often, "Mails with a link to a mobile ID, per user."] = 1
    claims_per_minute: Annotated[
        Often, "Claims of a code by phones, per IPv4 address or IPv6 network of 64 bits."
    ] = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """How many users one SCIM client may delete before an operator is asked whether that was meant."""

    deletions: Annotated[
        int,
        Accepts(number(0, 1_000_000), "a whole number from 0 to 1000000"),
        "Deletions in the window that are let through in any case.",
    ] = 20
    percent: Annotated[
        int,
        Accepts(number(0, 100), "a whole number from 0 to 100"),
        "The share of all users that may be deleted in the window, if it is more; 100: no guard.",
    ] = 5
    window: Annotated[Duration, "For how long deletions are counted together."] = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRules:
    """What a version of an option script has to go through, and what scripts see."""

    four_eyes: Annotated[
        Flag, "Whether the author of a version may not activate it: somebody else has to."
    ] = False
    tests_required: Annotated[Flag, "Whether a version without stored tests is not activated."] = (
        False
    )
    released: Annotated[
        tuple[str, ...],
        Accepts(several(SCRIPT_ATTRIBUTES), f"a list out of {', '.join(SCRIPT_ATTRIBUTES)}"),
        "Which attributes of users scripts may read; a script that reads another one is refused.",
    ] = SCRIPT_ATTRIBUTES
    quarantine: Annotated[
        Flag,
        "Whether a version that got out of its language is not run again until it is released.",
    ] = True
    layers: Annotated[
        tuple[str, ...],
        Accepts(several(LAYERS), f"a list out of {', '.join(LAYERS)}"),
        "Which layers of the sandbox must stand: where one is missing, no script runs.",
    ] = ("rlimits", "no_new_privs", "seccomp")
    development: Annotated[
        Flag,
        "Whether scripts run without walls on a system that has none, to try them. Never for real.",
    ] = False


class LogLevel(StrEnum):
    """From where on something is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """What a line of the log looks like."""

    JSON = "json"
    """An object a line, for programs."""
    CONSOLE = "console"
    """In colour, for people."""
    AUTO = "auto"
    """Console on a terminal, JSON otherwise."""


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    """It begins in the clear and must be encrypted before anything is said (RFC 3207)."""
    TLS = "tls"
    """It is encrypted from its first byte (RFC 8314, 3)."""
    NONE = "none"
    """Not at all; for a mail server on this machine itself only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """The mail server, and whom our mails come from."""

    host: Annotated[Host, "The mail server. Without one there is no mail at all."]
    sender: Annotated[
        str,
        Accepts(address, "a plain e-mail address, such as mobid@example.org"),
        "The address in From.",
    ]
    sender_name: Annotated[
        str,
        Accepts(name_of_people, "one line of 1 to 64 characters"),
        "The name before the address in From.",
    ] = "Mobile ID"
    port: Annotated[Port, "Where the mail server listens; 465 with security tls, usually."] = 587
    security: Annotated[
        MailSecurity,
        Accepts(choice(MailSecurity), "starttls, tls, or none (only for this machine itself)"),
        "How the connection is encrypted; the certificate of the server is always checked.",
    ] = MailSecurity.STARTTLS
    username: Annotated[
        str | None, Accepts(text, "one line"), "As whom we log in; needs a password."
    ] = None
    password: Annotated[
        Secret[str] | None,
        Accepts(secret_text, "one line", secret=True),
        "The password of that user.",
    ] = None
    ca_file: Annotated[
        Path | None,
        Accepts(certificates_file, "the absolute path of a file with certificates in PEM"),
        "The certificates that the server's is checked with.",
        Otherwise("those of the system"),
    ] = None
    timeout: Annotated[
        timedelta,
        Accepts(duration(LONGEST_TIMEOUT), "a duration from 1s to 60s"),
        "How long each answer of the server is waited for; three times that is less than "
        "times.attempt_lost.",
    ] = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `mobid.toml` and the environment decide, checked."""

    home: Path
    """The directory of `mobid.toml`, the keys and the embedded database; absolute."""
    database_url: Annotated[
        Secret[str],
        Accepts(
            database_url,
            "sqlite:////absolute/path.db or postgresql://user:password@host:port/database",
            secret=True,
        ),
        "Where everything is kept.",
        Otherwise("mobid.db in the home"),
    ]
    public_url: Annotated[
        str,
        Accepts(
            public_url,
            "https://host or https://host:port without a path (http only for this machine itself)",
        ),
        "What phones and clients call.",
        Otherwise("where we listen, if that is this machine itself"),
    ]
    listen_host: Annotated[Host, "Where the server listens."] = DEFAULT_HOST
    listen_port: Annotated[Port, "The port it listens on."] = DEFAULT_PORT
    authority: Annotated[
        str,
        Accepts(name, "the name of an installed CA connector, such as builtin"),
        "The CA: the name of an entry point of the group mobid.authorities.",
    ] = "builtin"
    authority_settings: Annotated[
        Mapping[str, object],
        Accepts(table, "a table in mobid.toml", secret=True),
        "The table that is handed on to that CA, which checks it. It may hold secrets.",
        Otherwise("an empty table"),
    ] = field(default_factory=dict, repr=False)
    demo: Annotated[Flag, "Whether sample users can sign in with a click. Never for real."] = False
    max_codes: Annotated[
        int,
        Accepts(number(1, 20), "a whole number from 1 to 20"),
        "How many codes one Get can show, the first one included.",
    ] = 5
    log_level: Annotated[
        LogLevel,
        Accepts(choice(LogLevel), "debug, info, warning or error"),
        "From where on the server and the worker log.",
    ] = LogLevel.INFO
    log_format: Annotated[
        LogFormat,
        Accepts(choice(LogFormat), "auto, json or console"),
        "A JSON object a line, or colours for people; auto has colours on a terminal.",
    ] = LogFormat.AUTO
    trusted_proxies: Annotated[
        int,
        Accepts(number(0, 10), "a whole number from 0 to 10"),
        "How many reverse proxies of ours a request passes; each adds to X-Forwarded-For.",
    ] = 0
    limits: Limits = field(default_factory=Limits)
    guard: Guard = field(default_factory=Guard)
    scripts: ScriptRules = field(default_factory=ScriptRules)
    times: Times = field(default_factory=Times)
    mail: MailSettings | None = None
    """Without one there is no mail channel, and nobody is notified."""
