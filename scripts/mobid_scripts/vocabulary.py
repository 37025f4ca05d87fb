"""The functions of the language: the usual small ones, durations, `log` and `refuse`."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from mobid_scripts.durations import Duration
from mobid_scripts.errors import Refusal, ScriptFault
from mobid_scripts.guards import NUMBERS
from mobid_scripts.kinds import plain_line, tidy
from mobid_scripts.views import Options, User
from mobid_scripts.wording import kind_of, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Iterate = Callable[[object], Iterator[object]]

# fmt: off
BUILTINS: Final = (
    "abs", "all", "any", "bool", "enumerate", "int", "len", "list", "max", "min", "range", "round", "sorted",
    "str", "sum", "zip", "days", "months", "years", "until", "log", "print", "refuse",
)
# fmt: on
MOST_LOG_LINES: Final = 50
MOST_LOG_COLUMNS: Final = 500
MOST_REFUSAL: Final = 300
_MOST_LOG_DEPTH: Final = 2
_MOST_RANGE: Final = 10_000
_MOST_DIGITS: Final = 20
_MOST_COUNT: Final = 99_999
_WHOLE: Final = re.compile(rf"[+-]?\d{{1,{_MOST_DIGITS}}}")


class Log:
    """The lines a script logs; what does not fit is counted, not kept."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._left_out = 0

    def add(self, *values: object) -> None:
        """Log a line."""
        if len(self._lines) >= MOST_LOG_LINES:
            self._left_out += 1
            return
        line = " ".join(_logged(value) for value in values)[:MOST_LOG_COLUMNS]
        self._lines.append(tidy(line))

    def lines(self) -> list[str]:
        """Return what was logged."""
        more = [f"({self._left_out:,} more lines were left out)"] if self._left_out else []
        return self._lines + more


def functions(iterate: Iterate, log: Log) -> dict[str, object]:
    """Return the functions of a script, by name; `iterate` is how they loop over what they are given."""
    made = {
        **_plain_functions(),
        **_looping_functions(iterate),
        **_logging_functions(log),
    }
    for name, function in made.items():
        # An error of Python's, "len() takes 1 argument", shall name what the script called.
        function.__name__ = function.__qualname__ = name
    return dict(made)


def _logging_functions(log: Log) -> dict[str, Callable[..., object]]:
    def logs(*values: object) -> None:
        log.add(*values)

    return {"log": logs}  # print is read as log when a script is compiled


def _plain_functions() -> dict[str, Callable[..., object]]:
    return {
        "abs": _abs,
        "bool": _bool,
        "int": _int,
        "len": _len,
        "range": _range,
        "round": _round,
        "str": _str,
        "days": _counted("days", "D"),
        "months": _counted("months", "M"),
        "years": _counted("years", "Y"),
        "until": _until,
        "refuse": _refuse,
    }


def _looping_functions(iterate: Iterate) -> dict[str, Callable[..., object]]:
    def the_values(values: tuple[object, ...], name: str) -> list[object]:
        found = list(iterate(values[0])) if len(values) == 1 else list(values)
        if not found:
            raise ScriptFault(f"{name}() needs at least one value")
        return found

    def summed(values: object) -> object:
        numbers = list(iterate(values))
        if wrong := [value for value in numbers if type(value) not in NUMBERS]:
            raise ScriptFault(f"sum() takes numbers, not {kind_of(wrong[0])}")
        return sum(numbers)  # type: ignore[arg-type]  # all of them are numbers

    def ordered(values: object, *, reverse: object = False) -> list[object]:
        if type(reverse) is not bool:
            raise ScriptFault(f"sorted() takes True or False for reverse, not {kind_of(reverse)}")
        return sorted(iterate(values), reverse=reverse)  # type: ignore[type-var]  # or a TypeError for the script

    return {
        "all": lambda values: all(iterate(values)),
        "any": lambda values: any(iterate(values)),
        "enumerate": lambda values: list(enumerate(iterate(values))),
        "list": lambda values=(): list(iterate(values)),
        "max": lambda *values: max(the_values(values, "max")),  # type: ignore[type-var]  # the same
        "min": lambda *values: min(the_values(values, "min")),  # type: ignore[type-var]  # the same
        "sorted": ordered,
        "sum": summed,
        "zip": lambda *values: list(zip(*(list(iterate(v)) for v in values), strict=False)),
    }


def _abs(value: object) -> object:
    if type(value) not in NUMBERS:
        raise ScriptFault(f"abs() takes a number, not {kind_of(value)}")
    return abs(value)  # type: ignore[arg-type]  # a number


def _bool(value: object = False) -> bool:  # noqa: FBT002 - as in Python
    return bool(value)


def _int(value: object = 0) -> int:
    if type(value) is str:
        digits = value.strip()
        if _WHOLE.fullmatch(digits) is None:
            raise ScriptFault(f"int() can not read {quoted(value)} as a whole number")
        return int(digits)
    if type(value) not in NUMBERS:
        raise ScriptFault(f"int() takes a number or text, not {kind_of(value)}")
    return int(value)  # type: ignore[call-overload,no-any-return]  # a number


def _len(value: object) -> int:
    if type(value) not in (str, list, tuple, dict, range):
        raise ScriptFault(f"len() takes a list, a table or text, not {kind_of(value)}")
    return len(value)  # type: ignore[arg-type]  # it has a length


def _range(*bounds: object) -> range:
    if any(type(bound) is not int for bound in bounds) or not 1 <= len(bounds) <= 3:  # noqa: PLR2004 - as in Python
        raise ScriptFault("range() takes one to three whole numbers")
    numbers = range(*bounds)  # type: ignore[call-overload]  # whole numbers
    if numbers[_MOST_RANGE:]:
        raise ScriptFault(f"range() of more than {_MOST_RANGE:,} numbers")
    return numbers  # type: ignore[no-any-return]  # follows from the line above


def _round(value: object, digits: object = None) -> object:
    if type(value) not in NUMBERS or type(digits) not in (int, type(None)):
        raise ScriptFault("round() takes a number, and how many digits to keep")
    if isinstance(digits, int) and abs(digits) > _MOST_DIGITS:
        raise ScriptFault(f"round() keeps up to {_MOST_DIGITS} digits, not {digits:,}")
    return round(value, digits)  # type: ignore[call-overload]  # numbers


def _str(value: object = "") -> str:
    if type(value) not in (str, int, float, bool, Duration):
        raise ScriptFault(f"str() takes text, a number or a duration, not {kind_of(value)}")
    return str(value)


def _counted(name: str, unit: str) -> Callable[..., object]:
    def make(count: object) -> Duration:
        if type(count) is not int or abs(count) > _MOST_COUNT:
            raise ScriptFault(f"{name}() takes a whole number up to {_MOST_COUNT:,}")
        return Duration(count, unit)

    return make


def _until(day: object) -> Duration:
    duration = Duration.of(day) if type(day) is str else None
    if duration is None or not isinstance(duration.last_day, date):
        raise ScriptFault('until() takes a date as text: until("2027-06-30")')
    return duration


def _refuse(why: object = "") -> None:
    raise Refusal(plain_line(why, "refuse()", MOST_REFUSAL))


def _logged(value: object, depth: int = 0) -> str:
    if type(value) in (str, int, float, bool, type(None), Duration):
        return str(value)
    if type(value) in (list, tuple) and depth < _MOST_LOG_DEPTH:
        parts = [_logged(part, depth + 1) for part in value[:20]]  # type: ignore[index]  # it has parts
        return f"[{', '.join(parts)}]"
    if isinstance(value, (User, Options)):
        return type(value).__name__.lower()
    return kind_of(value)
