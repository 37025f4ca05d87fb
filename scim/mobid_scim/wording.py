"""How messages name what a client has sent: quoted, cut where it is long, beside what may be meant."""

import difflib
from collections.abc import Iterable
from typing import Final

_QUOTED_LENGTH: Final = 64
_FEW: Final = 8
"""So many names a message can carry."""


def unknown(name: str, *, of: str, known: Iterable[str], what: str = "attribute") -> str:
    """Say that there is no such attribute, and which one may be meant, or which few there are."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower()[:_QUOTED_LENGTH], by_lower, n=1)
    hint = f" Did you mean {by_lower[near[0]]}?" if near else ""
    if not near and 0 < len(by_lower) <= _FEW:
        hint = f" Known are {', '.join(by_lower.values())}."
    return f"{of} has no {what} {quoted(name)}.{hint}"


def quoted(text: str) -> str:
    """Return a client's own text in quotes, cut where it is long."""
    return f'"{shortened(text)}"'


def shortened(text: str) -> str:
    """Return the text, cut to a length that a message can carry."""
    return text if len(text) <= _QUOTED_LENGTH else f"{text[:_QUOTED_LENGTH]}…"


def shown(value: object) -> str:
    """Return a JSON value as a message can carry it: texts in quotes, and what is larger by its kind."""
    match value:
        case str():
            return quoted(value)
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return "an array"
        case _:
            return "an object"
