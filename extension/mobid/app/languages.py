"""The languages of scripts as a site speaks them; without a site, with all that there is anywhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mobid.optionscripts import EXPIRING_NAME, SCRIPT_NAME, ExpiringScripts, Limits, OptionScripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid.config import Settings
    from mobid.optionscripts import ScriptLanguage


@contextmanager
def languages(settings: Settings | None) -> Iterator[Mapping[str, ScriptLanguage]]:
    """Give the language of each script by its name, without a database; it is closed at the end."""
    if settings is None:
        found: dict[str, ScriptLanguage] = {
            SCRIPT_NAME: OptionScripts(mail=True),
            EXPIRING_NAME: ExpiringScripts(),
        }
    else:
        rules = settings.scripts
        walls = Limits(required=frozenset(rules.layers), development=rules.development)
        found = {
            SCRIPT_NAME: OptionScripts(
                walls, mail=settings.mail is not None, released=rules.released
            ),
            EXPIRING_NAME: ExpiringScripts(walls, released=rules.released),
        }
    try:
        yield found
    finally:
        for language in found.values():
            language.close()
