"""What a value of each simple type looks like in JSON (RFC 7643, 2.3)."""

import base64
import binascii
import datetime as dt
import re
from typing import Final

from mobid_scim.attributes import Type

_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)

_HOW: Final = {
    Type.STRING: "send one text in double quotes",
    Type.REFERENCE: "send one URL in double quotes",
    Type.BOOLEAN: "send true or false, without quotes",
    Type.INTEGER: "send a number without quotes and without a fraction",
    Type.DECIMAL: "send a number without quotes",
    Type.DATE_TIME: 'send one with a time zone, such as "2011-05-13T04:42:34Z"',
    Type.BINARY: "send base64 with its padding",
}


def fits(kind: Type, value: object) -> bool:
    """Tell whether a JSON value is one of that simple type; "true" is no boolean."""
    if isinstance(value, bool):
        return kind is Type.BOOLEAN
    if isinstance(value, int):
        return kind in (Type.INTEGER, Type.DECIMAL)
    if isinstance(value, float):
        return kind is Type.DECIMAL
    return isinstance(value, str) and _text_fits(kind, value)


def _text_fits(kind: Type, text: str) -> bool:
    match kind:
        case Type.STRING | Type.REFERENCE:
            return True
        case Type.DATE_TIME:
            return parse_date_time(text) is not None
        case Type.BINARY:
            return _is_base64(text)
        case _:
            return False


def with_article(kind: Type) -> str:
    """Return the name of a type for a sentence."""
    if kind in (Type.BINARY, Type.COMPLEX):
        return kind.value
    return f"an {kind}" if kind is Type.INTEGER else f"a {kind}"


def misfit(place: str, kind: Type, shown: str) -> str:
    """Say that what is shown is no value of a simple type, and how one is sent."""
    return f"{place} is {with_article(kind)}; {shown} is none: {_HOW[kind]}."


def parse_date_time(text: str) -> dt.datetime | None:
    """Return the moment in UTC, or None if the text is no xsd:dateTime with a time zone.

    Microseconds are kept, what is finer is cut off.
    """
    if _DATE_TIME.fullmatch(text) is None:
        return None
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _is_base64(text: str) -> bool:
    """Take base64 and base64url with padding (RFC 7643, 2.3.6; RFC 4648, 4 and 5)."""
    try:
        base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
