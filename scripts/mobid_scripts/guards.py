"""What a script goes through while it runs: guards that allow by exact type, and the step budget.

Nothing here asks what an object can do; it asks whether its type is one of the few that a script can have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from RestrictedPython.Guards import guarded_iter_unpack_sequence, guarded_unpack_sequence

from mobid_scripts.durations import Duration
from mobid_scripts.errors import OutOfSteps, ScriptFault
from mobid_scripts.outcome import Code
from mobid_scripts.views import Options, OptionsWriter, View
from mobid_scripts.wording import did_you_mean, kind_of, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MOST_LENGTH: Final = 100_000
MOST_BITS: Final = 512

_TEXT_METHODS: Final = (
    "lower upper title strip lstrip rstrip startswith endswith split rsplit join replace "
    "removeprefix removesuffix isdigit isalpha isalnum isupper islower casefold count find "
    "partition rpartition splitlines"
)
METHODS: Final[dict[type, frozenset[str]]] = {
    str: frozenset(_TEXT_METHODS.split()),
    list: frozenset({"append", "count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"get", "items", "keys", "values"}),
}
NUMBERS: Final = (int, float, bool)
_INDEXED: Final = frozenset({str, list, tuple, dict})
_SIZED: Final = (str, list, tuple)
_LOOPED: Final = frozenset(
    {
        str,
        list,
        tuple,
        dict,
        range,
        type({}.items()),
        type({}.keys()),
        type({}.values()),
        type(_ for _ in ()),
    }
)
_SHOWN: Final = frozenset({str, int, float, bool, Duration})


class Steps:
    """The budget of a run: each turn of a loop and each call of a function takes one step."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0

    def take(self) -> None:
        """Take one step; raises OutOfSteps when there is none left."""
        self.used += 1
        if self.used > self.most:
            raise OutOfSteps(f"The script takes more than {self.most:,} steps", Code.STEPS)


class Guards:
    """The functions that transformed code calls, under the names that it calls them by."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def names(self) -> dict[str, object]:
        """Return the guards for the globals of a script."""
        return {
            "_getattr_": attribute,
            "_getitem_": item,
            "_write_": writable,
            "_getiter_": self.turns,
            "_iter_unpack_sequence_": guarded_iter_unpack_sequence,
            "_unpack_sequence_": guarded_unpack_sequence,
            "_inplacevar_": in_place,
            "_operate_": operate,
            "_shown_": shown,
            "_step_": self._steps.take,
        }

    def turns(self, values: object) -> Iterator[object]:
        """Loop over values, a step for each."""
        if type(values) not in _LOOPED:
            raise ScriptFault(f"A loop goes over a list, not over {kind_of(values)}")
        return self._counted(values)  # type: ignore[arg-type]  # each type in _LOOPED has an iterator

    def _counted(self, values: Iterable[object]) -> Iterator[object]:
        for value in values:
            self._steps.take()
            yield value


def attribute(owner: object, name: str) -> object:
    """Read an attribute: of the objects of the language, or a method on the short list of its type."""
    if isinstance(owner, View):
        return owner.read(name)
    methods = METHODS.get(type(owner), frozenset())
    if name not in methods:
        near = did_you_mean(name, sorted(methods))
        raise ScriptFault(
            f"{kind_of(owner).capitalize()} has no {quoted(name)}{near}", Code.UNKNOWN_ATTRIBUTE
        )
    return _index_in(owner) if name == "index" else getattr(owner, name)


def _index_in(values: object) -> Callable[..., int]:
    """Return `index` of a list; Python's own error shows what it did not find, with its address."""

    def index(value: object, *bounds: object) -> int:
        try:
            return values.index(value, *bounds)  # type: ignore[attr-defined,no-any-return]  # a list or a tuple
        except ValueError:
            raise ScriptFault(
                "The list does not have that value; ask first: if x in values"
            ) from None

    return index


def item(owner: object, key: object) -> object:
    """Read an item or a slice."""
    if type(owner) not in _INDEXED:
        raise ScriptFault(f"[...] works on a list, a table or text, not on {kind_of(owner)}")
    return owner[key]  # type: ignore[index]  # each type in _INDEXED has items


def writable(owner: object) -> object:
    """Return what may be written to."""
    if type(owner) is Options:
        return OptionsWriter(owner)
    if type(owner) in (list, dict):
        return owner
    raise ScriptFault(f"{kind_of(owner).capitalize()} can not be changed", Code.READ_ONLY)


def operate(operator: str, left: object, right: object) -> object:
    """Do `+`, `-`, `*` or `%`, the operators that can make much out of little, or something else."""
    return _OPERATORS[operator](left, right)


def _add(left: object, right: object) -> object:
    if {type(left), type(right)} == {list, tuple}:
        raise ScriptFault("A list and a read-only list do not add up; write list(...) around both")
    if (
        isinstance(left, _SIZED)
        and isinstance(right, _SIZED)
        and len(left) + len(right) > MOST_LENGTH
    ):
        raise ScriptFault(f"A text or list would have more than {MOST_LENGTH:,} parts")
    _check_sum(left, right)
    return left + right  # type: ignore[operator]  # the script learns of a TypeError as such


def _subtract(left: object, right: object) -> object:
    # The keys of one table without those of another would be a set, in an order that chance decides.
    for value in (left, right):
        if type(value) not in NUMBERS:
            raise ScriptFault(f"- works on numbers, not on {kind_of(value)}")
    _check_sum(left, right)
    return left - right  # type: ignore[operator]  # both are numbers


def _multiply(left: object, right: object) -> object:
    for many, times in ((left, right), (right, left)):
        if isinstance(many, _SIZED) and isinstance(times, int) and len(many) * times > MOST_LENGTH:
            raise ScriptFault(f"A text or list would have more than {MOST_LENGTH:,} parts")
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return left * right  # type: ignore[operator]  # the same


def _rest(left: object, right: object) -> object:
    if type(left) is str:
        raise ScriptFault('% does not work on text; use an f-string: f"{...}"')
    return left % right  # type: ignore[operator]  # the same


_OPERATORS: Final = {"Add": _add, "Sub": _subtract, "Mult": _multiply, "Mod": _rest}


def in_place(operator: str, left: object, right: object) -> object:
    """Do `name += value` and its like; a list is never changed in place, it may have another name."""
    if operator in _NAMES:
        return operate(_NAMES[operator], left, right)
    if operator == "/=":
        return left / right  # type: ignore[operator]  # the same
    if operator == "//=":
        return left // right  # type: ignore[operator]  # the same
    raise ScriptFault(f"The operator {operator} is not in the language")


def shown(value: object) -> object:
    """Let a value into text."""
    if value is None:
        raise ScriptFault('None can not be put into text; ask first: if user.has("department")')
    if type(value) not in _SHOWN:
        raise ScriptFault(f"{kind_of(value).capitalize()} can not be put into text")
    return str(value) if type(value) is Duration else value


_NAMES: Final = {"+=": "Add", "-=": "Sub", "*=": "Mult", "%=": "Mod"}


def _check_sum(left: object, right: object) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(max(left.bit_length(), right.bit_length()) + 1)


def _check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise ScriptFault("The number is too large")
