"""The kinds of options that a product can declare; each checks a value and says what would be right.

The same check runs twice: in the child, where an error still knows its line, and on the host, where the
answer of the child is JSON from a stranger. So it takes plain JSON values only, looks at exact types, and
trusts nothing.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from mobid_scripts.durations import Duration
from mobid_scripts.errors import BadValue
from mobid_scripts.wording import did_you_mean, kind_of, one_of, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

# Controls, whatever formats or joins without being seen, private use, surrogates, unassigned, line ends.
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
# Letters and a symbol that are drawn as nothing at all.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")


class OptionKind(Protocol):
    """An option: its name, and what it accepts."""

    @property
    def name(self) -> str:
        """The name that a script assigns to."""

    def check(self, value: object, now: datetime) -> object:
        """Return the value in its one plain form, or raise BadValue with what would be right."""


def is_plain(character: str) -> bool:
    """Tell whether a character may stand in one line of text, without effect on what is around it."""
    return character not in _BLANK and unicodedata.category(character) not in _UNPRINTABLE


def tidy(line: str) -> str:
    """Return the text with a question mark for each character that is not plain."""
    return "".join(c if is_plain(c) else "?" for c in line)


def plain_line(value: object, what: str, most: int) -> str:
    """Return one line of printable text in NFC with 1 to `most` characters, or raise BadValue."""
    if type(value) is not str:
        raise BadValue(f"{what} takes text, not {kind_of(value)}")
    for place, character in enumerate(value, 1):
        if not is_plain(character):
            raise BadValue(
                f"{what} takes one line of plain text; "
                f"U+{ord(character):04X} at character {place} is not allowed"
            )
    text = unicodedata.normalize("NFC", value)
    if not text.strip():
        raise BadValue(f"{what} is empty; the least is 1 character")
    if len(text) > most:
        raise BadValue(f"{what}: {len(text)} characters are too many; the most is {most}")
    return text


def _option(name: str) -> str:
    return f'Option "{name}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line of text."""

    name: str
    most: int

    def check(self, value: object, now: datetime) -> str:  # noqa: ARG002 - the protocol of all kinds
        """Return the text in NFC."""
        return plain_line(value, _option(self.name), self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of a few words. `yes` and `no` are the words that True and False stand for, if they stand for any.

    `unavailable` maps a known word to the clause that says why it is refused today.
    """

    name: str
    values: tuple[str, ...]
    yes: str | None = None
    no: str | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: object, now: datetime) -> str:  # noqa: ARG002 - the protocol of all kinds
        """Return the word."""
        word = self.yes if value is True else self.no if value is False else value
        return _word(word, self.name, self.values, self.unavailable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """A list of different words out of a few."""

    name: str
    values: tuple[str, ...]
    least: int = 0
    most: int = 8
    unavailable: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: object, now: datetime) -> list[str]:  # noqa: ARG002 - the protocol of all kinds
        """Return the words in the order given."""
        if type(value) is not list:
            raise BadValue(
                f"{_option(self.name)} takes a list, not {kind_of(value)}; write [...] around it"
            )
        if not self.least <= len(value) <= self.most:
            right = (
                f"the least is {self.least}"
                if len(value) < self.least
                else f"the most is {self.most}"
            )
            raise BadValue(f"{_option(self.name)}: a list of {len(value)} is not allowed; {right}")
        words = [_word(word, self.name, self.values, self.unavailable) for word in value]
        for place, word in enumerate(words):
            if word in words[:place]:
                raise BadValue(
                    f"{_option(self.name)}: {quoted(word)} is there twice; once is enough"
                )
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration between `least_days` and `most_years`, counted from the moment of the run."""

    name: str
    least_days: int
    most_years: int

    def check(self, value: object, now: datetime) -> str:
        """Return the text form."""
        duration = Duration.of(value) if type(value) is str else None
        if duration is None:
            raise BadValue(
                f"{_option(self.name)}: {kind_of(value)} is no duration; "
                'use days(90), months(6), years(2) or until("2027-06-30")'
            )
        least = Duration(self.least_days, "D")
        most = Duration(self.most_years, "Y")
        if not duration.last_day and duration.count < 1:
            raise BadValue(f"{_option(self.name)}: {duration} is too short; the least is {least}")
        try:
            end = duration.end(now)
        except OverflowError:
            raise BadValue(
                f"{_option(self.name)}: {duration} is too long; the most is {most}"
            ) from None
        if end - now < timedelta(days=self.least_days):
            raise BadValue(
                f"{_option(self.name)}: {duration} is too short on {now.date()}; the least is {least}"
            )
        if end > _end_or_last(most, now):
            raise BadValue(f"{_option(self.name)}: {duration} is too long; the most is {most}")
        return duration.text


def _end_or_last(duration: Duration, start: datetime) -> datetime:
    """Return when a duration ends, or the last moment of the calendar; a test can be as of any year."""
    try:
        return duration.end(start)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of text to text. `key` is a pattern, and `key_words` says it in words."""

    name: str
    key: str
    key_words: str
    most_keys: int
    most_value: int

    def check(self, value: object, now: datetime) -> dict[str, str]:  # noqa: ARG002 - the protocol of all kinds
        """Return the table with values in NFC."""
        if type(value) is not dict:
            raise BadValue(
                f"{_option(self.name)} takes a table, not {kind_of(value)}; write {{...}}"
            )
        if len(value) > self.most_keys:
            raise BadValue(
                f"{_option(self.name)}: {len(value)} keys are too many; the most is {self.most_keys}"
            )
        return {self._key(key): self._value(key, text) for key, text in value.items()}

    def _key(self, key: object) -> str:
        if type(key) is not str or re.fullmatch(self.key, key) is None:
            shown = quoted(key) if type(key) is str else kind_of(key)
            raise BadValue(
                f"{_option(self.name)}: the key {shown} is not allowed; {self.key_words}"
            )
        return key

    def _value(self, key: object, text: object) -> str:
        return plain_line(text, f"{_option(self.name)}, key {quoted(str(key))}", self.most_value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """A list of different whole numbers, kept with the highest first."""

    name: str
    least: int
    most: int
    most_numbers: int

    def check(self, value: object, now: datetime) -> list[int]:  # noqa: ARG002 - the protocol of all kinds
        """Return the numbers, the highest first."""
        if type(value) is not list:
            raise BadValue(
                f"{_option(self.name)} takes a list, not {kind_of(value)}; write [...] around it"
            )
        if len(value) > self.most_numbers:
            raise BadValue(
                f"{_option(self.name)}: a list of {len(value)} is not allowed; "
                f"the most is {self.most_numbers}"
            )
        for place, number in enumerate(value):
            if type(number) is not int:
                raise BadValue(f"{_option(self.name)} takes whole numbers, not {kind_of(number)}")
            if not self.least <= number <= self.most:
                raise BadValue(
                    f"{_option(self.name)}: {number} is not allowed; it takes {self.least} to {self.most}"
                )
            if number in value[:place]:
                raise BadValue(f"{_option(self.name)}: {number} is there twice; once is enough")
        return sorted(value, reverse=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """True or False."""

    name: str

    def check(self, value: object, now: datetime) -> bool:  # noqa: ARG002 - the protocol of all kinds
        """Return the value."""
        if type(value) is not bool:
            raise BadValue(f"{_option(self.name)} takes True or False, not {kind_of(value)}")
        return value


KINDS: Final = {kind.__name__: kind for kind in (Text, Choice, Choices, Span, Table, Numbers, Flag)}


def _word(word: object, name: str, values: tuple[str, ...], unavailable: Mapping[str, str]) -> str:
    if type(word) is not str:
        raise BadValue(f"{_option(name)} takes {one_of(values)}, not {kind_of(word)}")
    if word not in values:
        near = did_you_mean(word, values) or f"; it takes {one_of(values)}"
        raise BadValue(f"{_option(name)}: {quoted(word)} is not known{near}")
    if word in unavailable:
        raise BadValue(f"{_option(name)}: {quoted(word)} {unavailable[word]}")
    return word
