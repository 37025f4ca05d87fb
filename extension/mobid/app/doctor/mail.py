"""Check of the mail server: connect, encrypt, log in, and ask it for an answer. No mail is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.app.doctor.finding import failed, ok
from mobid.config import InvalidSettings
from mobid.processes.mailing import MailRefused, MailUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mobid.app.doctor.finding import Finding
    from mobid.config import MailSettings

_REMEDY: Final = (
    "Mend the server, or the table [mail] in mobid.toml. Mails wait meanwhile: mobid effects list."
)


def mail(
    settings: MailSettings | None, connect: Callable[[MailSettings], None]
) -> Iterable[Finding]:
    """Talk to the mail server of the settings, if there is one, by `connect`."""
    if settings is None:
        return [ok("mail", "not set up: no codes by mail, and nobody is notified")]
    where = f"{settings.host}:{settings.port} ({settings.security})"
    try:
        connect(settings)
    except (InvalidSettings, MailRefused, MailUnavailable) as error:
        return [failed("mail", f"{where}: {error}", _REMEDY)]
    login = " after logging in" if settings.username is not None else ""
    return [ok("mail", f"{where} answers{login}")]
