"""Values at the edges: of types, Unicode, calendars and columns, and what others would read into them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

ODD_TEXTS: Final = (
    *("", " ", "\x00", "a\x00b", "\ud800", "\udc00x", "\ud83d", "\U0010ffff", "\uffff", "\ufeff"),
    *("\u202eabc", "a\u200bb", "e\u0301", "ﬁ", "ß", "ẞ", "İ", "ı", "ſ", "K", "аnna", "\u1160"),  # noqa: RUF001  # look-alikes
    *("\t", "\r\n", "\x1b[2J", "\x7f", "\x85", "\u2028", "%", "_", "%%", "a_b", "\\", "\\%", "\\\\"),
    *("'", '"', '\\"', "''", "';--", "{{7*7}}", "${x}", "%(a)s", "%s", "{0}", "../..", "<img src=x>"),
    *("bulkId:", "bulkId:a", "bulkId:bulkId:a", "null", "true", "True", "FALSE", "NaN", "-0", "1e999"),
    *("x" * 256, "x" * 257, "ﷺ" * 255, "x" * 2_000, "x" * 2_001, "é" * 3_000, "x" * 70_000),
    *("a" * 255 + "\U0001f600", "\U0001f600" * 256, "0" * 300, "//", "/Users", "http://[", "urn:"),
    *('W/"1"', "=", "==", "YQ==", "YQ", "-_", "*", ".", "a.b.c", "[", "]", "a[b", "eq", "not"),
)  # fmt: skip
DATES: Final = (
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0000-01-01T00:00:00Z", "0001-01-01"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-14:00"),
    *("10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "-4713-01-01T00:00:00Z"),
    "294277-01-01T00:00:00Z",
    *("2026-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "2016-12-31T23:59:60Z"),
    "2026-01-01T24:00:00Z",
    *("2026-01-01T00:00:00", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+23:59"),
    "1900-01-01T00:00:00Z",
    *("2026-01-01T00:00:00.0000001Z", "2026-01-01t00:00:00z", "2026-W01-1", "infinity"),
    "２０２６-01-01T00:00:00Z",  # noqa: RUF001  # digits that are no ASCII
    *("1969-12-31T23:59:59.999999Z", "2038-01-19T03:14:08Z", "2026-13-01T00:00:00Z"),
    "2026-01-01T00:00:00Z\n",
)  # fmt: skip
ODD_NUMBERS: Final = (
    *(0, -1, 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64, 10**400),
    *(-0.0, 0.1, 1e15, 1e16, 1.5e300, 1e-320, float("nan"), float("inf"), float("-inf")),
)
LETTERS: Final = (
    *"abcxyzABCXYZ019 .,:;/\\|\"'`~!@#$%^&*()[]{}<>?=+-_\t\n\r\x00\x1f\x7f",
    *"éßİ\u0301\u200b\u202e\ufeff\uffff\ud800\U0001f600",
)
_DEEP: Final = 3
_HALF: Final = 0.5
_SELDOM: Final = 0.01


def odd_text(rng: Random) -> str:
    """Return a text that somebody could stumble over."""
    match rng.randrange(4):
        case 0:
            return rng.choice(DATES)
        case 1:
            return "".join(rng.choices(LETTERS, k=rng.randrange(1, 12)))
        case _:
            return rng.choice(ODD_TEXTS)


def odd_value(rng: Random, depth: int = 0) -> object:
    """Return a JSON value of any type."""
    makers = (_scalar, _scalar, _scalar, _empty, _several, _object, _object, nested)
    make = rng.choice(makers if depth < _DEEP else makers[:4])
    return make(rng, depth)


def _scalar(rng: Random, _: int) -> object:
    return rng.choice((odd_text(rng), odd_text(rng), rng.choice(ODD_NUMBERS), True, False, None))


def _empty(rng: Random, _: int) -> object:
    return rng.choice(([], {}, [[]], [None], {"": None}, [{}], {"value": None}))


def _several(rng: Random, depth: int) -> object:
    return [
        odd_value(rng, depth + 1)
        for _ in range(60 if rng.random() < _SELDOM else rng.randrange(1, 4))
    ]


def _object(rng: Random, depth: int) -> object:
    names = ("value", "type", "primary", "$ref", "id", "schemas", "", "VALUE", odd_text(rng))
    return {rng.choice(names): odd_value(rng, depth + 1) for _ in range(rng.randrange(1, 4))}


def nested(rng: Random, _: int = 0) -> object:
    """Return a value that is deep."""
    found: object = odd_text(rng)
    for _level in range(rng.choice((5, 20, 31, 40, 200))):
        found = [found] if rng.random() < _HALF else {"value": found}
    return found
