"""What a fork server tries on itself before it serves: known ways out of each wall, and an honest script.

It runs in a child that has locked itself down like any other. One way out that is open, or an honest script
that does not come through, and no script runs on this machine.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from mobid_scripts import execution
from mobid_scripts.declaration import Declaration
from mobid_scripts.outcome import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

HONEST: Final = """
def doubled(numbers):
    return [2 * number for number in numbers if number > 1]

total = 0
for number in doubled([1, 2, 3]):
    total += number
log(f"{total:03d}", {"a": [days(2)]}.get("a"), "x,y".split(",")[0].upper(), user.in_group("b"))
"""
_WORDS: Final = Declaration(options=(), attributes=("groups",), groups="groups")
_LOGGED: Final = ["010 [2 days] X False"]

ESCAPES: Final[Mapping[str, str]] = {
    "the class of a value": "x = ().__class__.__mro__[1].__subclasses__()",
    "the inside of a value, by its name in full-width letters": "x = ().＿＿class＿＿",  # noqa: RUF001 - the escape
    "attributes in a format": "x = '{0.__class__}'.format(1)",
    "attributes in an f-string": "x = f'{(1).__class__}'",
    "attributes by string.Formatter": "x = 'a'.format_map({})",
    "the frame of a generator": "g = (x for x in [1])\ny = g.gi_frame",
    "the frame of an error": "try:\n    x = 1 / 0\nexcept Exception as e:\n    y = e.__traceback__",
    "an except* block (CVE-2025-22153)": "try:\n    x = 1\nexcept* Exception:\n    x = 2",
    "a guard as a parameter (CVE-2026-55830)": "def f(_getattr_, /):\n    return [].append",
    "a guard as a variable": "_getiter_ = len",
    "a guard by := ": "x = (_getitem_ := 1)",
    "the builtins": "x = __builtins__",
    "an import": "import os",
    "open()": "x = open('/etc/passwd')",
    "eval()": "x = eval('1')",
    "a class": "class A:\n    pass",
    "an address in an error": "x = [1].index(len)\n",
    "an unreleased attribute": "x = user._values",
    "the inside of the options": "x = options._values",
    "a write to the user": "user.groups = ['admins']",
    "unpacking with a star": "x = [*range(9)]",
    "an annotation": "x: len = 1",
    "a large power": "x = 9 ** 9 ** 9",
    "a wide format": "x = f'{1:2000000000}'",
}
"""What a script might try, by what it is after. None may come through, not one of its names in a log."""


def tried(source: str) -> execution.Answer:
    """Run a script for nobody, in words of our own: what a product declares is not what is tried here."""
    request = {"user": {}, "defaults": {}, "now": "2026-01-01T00:00:00+00:00", "source": source}
    return execution.run(request, _WORDS)


def faults(layers: Collection[str]) -> Iterator[str]:
    """Yield what does not hold, in the locked-down child that this is."""
    # Without options, a script that comes through needs no defaults; and whatever a site has released
    # to its scripts, the honest one may ask for groups.
    honest = tried(HONEST)
    if (honest["outcome"], honest["log"]) != (Verdict.OK, _LOGGED):
        yield f"an honest script ended as {honest['outcome']}"
    for name, source in ESCAPES.items():
        answer = tried(source)
        if answer["outcome"] == Verdict.OK or "0x" in str(answer):
            yield f"a script reached {name}"
    for name, attempt in _ATTEMPTS.items():
        if not _fails(attempt):
            yield f"{name} is possible in spite of {', '.join(layers) or 'no layer'}"


def break_out() -> None:
    """Do what no interpreter at work does; with seccomp the process ends here."""
    socket.socketpair()


def _fails(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


# Each fails by the resource limits alone, and quietly: what would end the process is not tried here.
_ATTEMPTS: Final[Mapping[str, Callable[[], object]]] = {
    "to open a file": lambda: os.open("/", os.O_RDONLY),
    "to read the environment": lambda: os.open("/proc/self/environ", os.O_RDONLY),
}
