"""JSON from a stranger: bytes to objects, and nothing that another reader would read differently.

Refused are other encodings than UTF-8, bodies above the limits, duplicate keys, NaN and infinite
numbers, integers beyond 64 bits, U+0000 and lone surrogates. It knows no HTTP, so that every
surface can share it.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Final, NoReturn

from mobid_scim.errors import MalformedJSON, PayloadTooLarge

# A string may be cut off at the end of the text: were its closing quote required, a body of
# escaped quotes would be scanned once per quote.
_STRING_OR_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*+"?|[\[\]{}]', re.DOTALL)
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_INT64: Final = range(-(2**63), 2**63)
_DIGITS_OF_INT64: Final = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read: `size` in bytes, `depth` in nested arrays and objects."""

    size: int = 1024 * 1024
    depth: int = 32


DEFAULT_LIMITS: Final = Limits()


def loads(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> object:
    """Return the one value that `data` holds.

    Raises PayloadTooLarge above `limits.size`, and MalformedJSON for everything else.
    """
    if len(data) > limits.size:
        raise PayloadTooLarge(f"The body is larger than {limits.size} bytes.")
    text = _decode(data)
    if not text.strip():
        raise MalformedJSON("it is empty")
    _check_depth(text, limits.depth)
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=finite_number,
            parse_int=integer,
        )
    except json.JSONDecodeError as error:
        raise MalformedJSON(error.msg.removesuffix(" at"), position=error.pos) from None
    if "\\u" in text:
        _check_characters(value)
    return value


def check_storable(text: str) -> None:
    """Refuse U+0000 and lone surrogates, which databases store differently or not at all."""
    if found := _UNSTORABLE.search(text):
        raise MalformedJSON(f"a string holds U+{ord(found.group()):04X}")


def integer(digits: str) -> int:
    """Return the integer, if it fits into 64 bits: JSON writers and databases end there."""
    if len(digits) > _DIGITS_OF_INT64 or (number := int(digits)) not in _INT64:
        raise MalformedJSON("an integer does not fit into 64 bits")
    return number


def finite_number(digits: str) -> float:
    """Return the number, unless it overflows to infinity, as 1e999 does."""
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJSON("a number is too large")
    return number


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"byte {error.start + 1} is not UTF-8") from None


def _check_depth(text: str, limit: int) -> None:
    if text.count("[") + text.count("{") <= limit:
        return
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        first = found.group()[0]
        if first in "[{":
            depth += 1
        elif first in "]}":
            depth -= 1
        if depth > limit:
            reason = f"it is nested more than {limit} deep"
            raise MalformedJSON(reason, position=found.start())


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in members if names.count(name) > 1)
        raise MalformedJSON(f'the key "{twice[:64]}" comes twice in one object')
    return members


def _no_constant(name: str) -> NoReturn:
    raise MalformedJSON(f"{name} is no JSON number")


def _check_characters(value: object) -> None:
    if isinstance(value, str):
        check_storable(value)
    elif isinstance(value, list):
        for item in value:
            _check_characters(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_storable(name)
            _check_characters(item)
