"""The languages of scripts as a site speaks them; without a site, with all that there is anywhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mobid.config import ScriptRules
from mobid.optionscripts import EXPIRING_NAME, SCRIPT_NAME, ExpiringScripts, Limits, OptionScripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid.config import Settings
    from mobid.optionscripts import ScriptLanguage


def languages_of(rules: ScriptRules, *, mail: bool) -> tuple[OptionScripts, ExpiringScripts]:
    """Return both languages at a site with these rules, with or without a mail server."""
    walls = Limits(required=frozenset(rules.layers), development=rules.development)
    return (
        OptionScripts(walls, mail=mail, released=rules.released),
        ExpiringScripts(walls, released=rules.released),
    )


@contextmanager
def languages(settings: Settings | None) -> Iterator[Mapping[str, ScriptLanguage]]:
    """Give the language of each script by its name, without a database; it is closed at the end."""
    rules = ScriptRules() if settings is None else settings.scripts
    mail = settings is None or settings.mail is not None
    found = dict(zip((SCRIPT_NAME, EXPIRING_NAME), languages_of(rules, mail=mail), strict=True))
    try:
        yield found
    finally:
        for language in found.values():
            language.close()
