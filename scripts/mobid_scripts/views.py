"""The objects that a script sees: the user, the options, and the constants of the product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid_scripts.durations import Duration
from mobid_scripts.errors import BadResult, BadValue, ScriptFault
from mobid_scripts.kinds import Span
from mobid_scripts.outcome import Code
from mobid_scripts.places import line_now
from mobid_scripts.wording import did_you_mean, kind_of, quoted, withheld

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mobid_scripts.declaration import Declaration

USER_METHODS: Final = ("has", "in_group")
_MOST_VALUES: Final = 1000
_MOST_CHARACTERS: Final = 60_000
_MOST_DEPTH: Final = 4


class View:
    """An object of the language. Its attributes are what `read` answers, not what Python would find."""

    __slots__ = ()

    def read(self, name: str) -> object:
        """Return the value of an attribute, or raise ScriptFault."""
        raise NotImplementedError


class User(View):
    """The released attributes of the user, read-only; one that the user does not have reads as None."""

    __slots__ = ("_declaration", "_values")

    def __init__(self, values: Mapping[str, object], declaration: Declaration) -> None:
        self._declaration = declaration
        self._values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}

    def read(self, name: str) -> object:
        """Return an attribute, or one of the two questions that can be asked."""
        if name == "has":
            return self._has
        return self._in_group if name == "in_group" else self._attribute(name)

    def _attribute(self, name: str) -> object:
        if name in self._declaration.withheld:
            raise ScriptFault(withheld(name), Code.UNKNOWN_ATTRIBUTE)
        if name not in self._declaration.attributes:
            near = did_you_mean(name, (*self._declaration.attributes, *USER_METHODS))
            raise ScriptFault(f"user has no attribute {quoted(name)}{near}", Code.UNKNOWN_ATTRIBUTE)
        return self._values.get(name)

    def _has(self, name: object) -> bool:
        if type(name) is not str:
            raise ScriptFault(
                f'user.has() takes the name of an attribute, "email", not {kind_of(name)}'
            )
        return self._attribute(name) not in (None, "", ())

    def _in_group(self, group: object) -> bool:
        if type(group) is not str:
            raise ScriptFault(f"user.in_group() takes the name of a group, not {kind_of(group)}")
        groups = self._attribute(self._declaration.groups)
        return isinstance(groups, tuple) and group in groups


class Constants(View):
    """A name with a few members, each of them a word."""

    __slots__ = ("_members", "_name")

    def __init__(self, name: str, members: Mapping[str, str]) -> None:
        self._name = name
        self._members = members

    def read(self, name: str) -> object:
        """Return the word of a member."""
        if name not in self._members:
            near = did_you_mean(name, self._members)
            raise ScriptFault(
                f"{self._name} has no attribute {quoted(name)}{near}", Code.UNKNOWN_ATTRIBUTE
            )
        return self._members[name]


class Options(View):
    """What the script sets: checked when set, and again at the end, since a list can be changed meanwhile."""

    __slots__ = ("_kinds", "_lines", "_now", "_values")

    def __init__(
        self, declaration: Declaration, defaults: Mapping[str, object], now: datetime
    ) -> None:
        self._kinds = {kind.name: kind for kind in declaration.options}
        self._now = now
        self._lines: dict[str, int | None] = {}
        self._values = {name: self._as_seen(name, default) for name, default in defaults.items()}

    def read(self, name: str) -> object:
        """Return what is set now."""
        self._known(name)
        self._lines[name] = line_now()
        return self._values[name]

    def set(self, name: str, value: object) -> None:
        """Take a value, or raise ScriptFault."""
        self._known(name)
        checked = self._kinds[name].check(plain(value), self._now)
        self._values[name] = self._as_seen(name, checked)
        self._lines[name] = line_now()

    def result(self) -> tuple[dict[str, object], list[tuple[str, int | None]]]:
        """Return all options in plain form, and what is wrong, with the line that touched the option last."""
        values: dict[str, object] = {}
        faults: list[tuple[str, int | None]] = []
        for name, kind in self._kinds.items():
            try:
                values[name] = kind.check(plain(self._values[name]), self._now)
            except (BadValue, BadResult) as bad:
                default = (
                    "" if name in self._lines else "; this is the default, so let the script set it"
                )
                faults.append((bad.clause + default, self._lines.get(name)))
        return values, faults

    def _known(self, name: str) -> None:
        if name not in self._kinds:
            near = did_you_mean(name, self._kinds)
            raise ScriptFault(f"There is no option {quoted(name)}{near}", Code.UNKNOWN_OPTION)

    def _as_seen(self, name: str, value: object) -> object:
        is_span = isinstance(self._kinds[name], Span) and isinstance(value, str)
        return Duration.of(str(value)) if is_span else value


class OptionsWriter:
    """What `options.name = value` is done to."""

    __slots__ = ("_options",)
    _options: Options

    def __init__(self, options: Options) -> None:
        object.__setattr__(self, "_options", options)

    def __setattr__(self, name: str, value: object) -> None:
        self._options.set(name, value)

    def __setitem__(self, key: object, value: object) -> None:
        raise ScriptFault("Write options.name = value, without brackets", Code.READ_ONLY)


def plain(value: object) -> object:
    """Return a copy in plain JSON values, bounded in count, size and depth."""
    return _Copy().of(value, 0)


class _Copy:
    def __init__(self) -> None:
        self._values = _MOST_VALUES
        self._characters = _MOST_CHARACTERS

    def of(self, value: object, depth: int) -> object:
        self._values -= 1
        if self._values < 0 or depth > _MOST_DEPTH:
            raise BadResult("An option holds too many or too deeply nested values", Code.BAD_VALUE)
        if type(value) is str:
            return self._text(value)
        if type(value) is Duration:
            return value.text
        if type(value) in (list, tuple):
            return [self.of(part, depth + 1) for part in value]  # type: ignore[attr-defined]  # a list or a tuple
        if type(value) is dict:
            return {self._key(k): self.of(v, depth + 1) for k, v in value.items()}
        if value is None or type(value) in (bool, int, float):
            return value
        raise BadResult(
            f"An option can not hold {kind_of(value)}; call it, or name a plain value",
            Code.BAD_VALUE,
        )

    def _key(self, key: object) -> str:
        if type(key) is not str:
            raise BadResult(f"The keys of a table are text, not {kind_of(key)}", Code.BAD_VALUE)
        return self._text(key)

    def _text(self, value: str) -> str:
        self._characters -= len(value)
        if self._characters < 0:
            raise BadResult("An option holds too much text", Code.BAD_VALUE)
        return value
