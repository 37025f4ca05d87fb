"""The settings of one mobid: what an operator can decide, and what holds when nothing is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mobid.config.secret import Secret

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long each thing may take, and how long each secret lives."""

    form_idle: timedelta = timedelta(minutes=30)
    """A form that waits for its user."""
    page_code: timedelta = timedelta(minutes=10)
    """A QR code on the page, with its typed code."""
    mailed_link: timedelta = timedelta(hours=24)
    """The link, QR code and typed code in a mail; worthless without the mail code."""
    mail_code: timedelta = timedelta(minutes=10)
    """The code on the page that the phone asks for when its link came by mail."""
    notification: timedelta = timedelta(days=3)
    """How long a mail that tells of something is tried before it would come too late."""
    ordered: timedelta = timedelta(days=14)
    """How long a mobile ID that a SCIM client ordered waits for its owner."""
    code_renewable: timedelta = timedelta(minutes=30)
    """How long a lapsed code can still be renewed."""
    approve: timedelta = timedelta(minutes=10)
    """The user's approval, from the moment at which the phone's keys have arrived."""
    ca: timedelta = timedelta(minutes=15)
    """The CA's work in one Get."""
    phone_confirm: timedelta = timedelta(minutes=60)
    """The phone's confirmation, from the moment at which the result can be fetched."""
    fresh_login: timedelta = timedelta(minutes=20)
    """How old the login of a user may be who starts or approves a Get."""
    attempt_lost: timedelta = timedelta(seconds=60)
    """After which an attempt at an effect that said nothing counts as lost, and another begins. It must be
    longer than all time-outs of one call of the CA together."""
    clock_drift: timedelta = timedelta(minutes=5)
    """How far wall and monotonic clock may part between two sweeps before a sweep only watches."""


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

    host: str
    sender: str
    """The address in From."""
    sender_name: str = "Mobile ID"
    port: int = 587
    security: MailSecurity = MailSecurity.STARTTLS
    username: str | None = None
    password: Secret[str] | None = None
    ca_file: Path | None = None
    """The certificates that the server's is checked with (PEM); none: those of the system."""
    timeout: timedelta = timedelta(seconds=15)
    """For each answer of the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that `mobid.toml` and the environment decide, checked."""

    home: Path
    """The directory of `mobid.toml`, the keys and the embedded database; absolute."""
    database_url: Secret[str]
    """For SQLAlchemy: `sqlite:////…` or `postgresql+psycopg://…`."""
    public_url: str
    """What phones and clients call: scheme, host and port, without a slash at the end."""
    listen_host: str = DEFAULT_HOST
    listen_port: int = DEFAULT_PORT
    authority: str = "builtin"
    """The CA: the name of an entry point of the group `mobid.authorities`."""
    authority_settings: Mapping[str, object] = field(default_factory=dict, repr=False)
    """The table that is handed on to that CA, which checks it. It may hold secrets."""
    mail: MailSettings | None = None
    """Without one there is no mail channel, and nobody is notified."""
    demo: bool = False
    times: Times = field(default_factory=Times)
    max_codes: int = 5
    """How many codes one Get can show, the first one included."""
