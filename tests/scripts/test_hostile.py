"""More scripts that want out, or want too much: what each is after, and the stage at which it has to end.

A sample like `escapes/`, made for this language: ways through its own objects, guards, errors and bounds.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid_scripts.outcome import Code, Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import LanguageAlone, Scripts

_BENCH: Final = Path(__file__).parents[1] / "bench" / "scripts.py"
UPLOAD, RUN, LIMIT = "upload", "run", "limit"
_STAGES: Final = {
    UPLOAD: {Verdict.REJECTED_AT_UPLOAD},
    RUN: {Verdict.FAILED_AT_RUN, Verdict.INVALID_RESULT},
    LIMIT: {Verdict.FAILED_AT_RUN, Verdict.KILLED_BY_LIMIT},
}

HOSTILE: Final = {
    # Guards and globals.
    "a guard as a function": (UPLOAD, "def _getattr_(a, b):\n    return a\nx = user.groups"),
    "a guard as a parameter": (UPLOAD, "def f(_getitem_):\n    return [1][0]\nf(len)"),
    "a guard in a comprehension": (UPLOAD, "x = [1 for _getiter_ in [len]]"),
    "a guard in a table comprehension": (UPLOAD, "x = {1: 2 for _write_ in [len]}"),
    "a guard as a loop's target": (UPLOAD, "for _operate_, x in [(len, 1)]:\n    pass"),
    "a guard called": (UPLOAD, "x = _getattr_(user, '__class__')"),
    "the step counter": (UPLOAD, "_step_()"),
    "a builtin of the language as a variable": (UPLOAD, "log = 1"),
    "a builtin as a function's name": (UPLOAD, "def refuse(why):\n    return why"),
    "the user as a parameter": (UPLOAD, "def f(user):\n    return user.x\nf(1)"),
    "the options as a loop's variable": (UPLOAD, "for options in [1]:\n    pass"),
    "a constant's owner as a variable": (UPLOAD, "cert, x = 1, 2"),
    "__name__ of the module": (UPLOAD, "x = __name__"),
    "printed, RestrictedPython's collector": (UPLOAD, "print(1)\nx = printed"),
    # Attributes.
    "a method of text that formats": (UPLOAD, "x = 'a'.format(1)"),
    "a method of text by str": (RUN, "x = str.upper('a')"),
    "a name from text": (UPLOAD, "x = getattr(user, 'groups')"),
    "the function behind a method": (UPLOAD, "x = user.has.__func__"),
    "the object behind a method": (UPLOAD, "x = [].append.__self__"),
    "the code of a function": (UPLOAD, "def f():\n    return 1\nx = f.__code__"),
    "the defaults of a function": (UPLOAD, "def f():\n    return 1\nx = f.func_defaults"),
    "a property of a range": (UPLOAD, "x = range(3).start"),
    "the numerator of a number": (UPLOAD, "x = (1).numerator"),
    "the inside of a duration": (UPLOAD, "x = days(1).count_"),
    "a method of a duration": (RUN, "x = days(1).count"),
    "an attribute of another thing": (RUN, "x = 'a'.department"),
    "an option of the user": (UPLOAD, "x = user.validity"),
    "an attribute of the options": (UPLOAD, "x = options.userName"),
    "encode and decode": (UPLOAD, "x = 'a'.encode('idna')"),
    "translate": (UPLOAD, "x = 'a'.translate({97: 'b'})"),
    "maketrans": (UPLOAD, "x = 'a'.maketrans('a', 'b')"),
    "zfill, for memory": (UPLOAD, "x = 'a'.zfill(2000000000)"),
    "center, for memory": (UPLOAD, "x = 'a'.center(2000000000)"),
    "expandtabs, for memory": (UPLOAD, "x = '\\t'.expandtabs(2000000000)"),
    "list.sort with a key": (UPLOAD, "x = [1]\nx.sort(key=len)"),
    "list.extend past the steps": (UPLOAD, "x = [1]\nx.extend(x)"),
    "dict.update": (UPLOAD, "x = {}\nx.update(x)"),
    "dict.setdefault": (UPLOAD, "x = {}.setdefault('a', [])"),
    # Writing.
    "an attribute of the user": (UPLOAD, "user.userName = 'root'"),
    "an item of the user": (RUN, "user['userName'] = 'root'"),
    "an item of the options": (RUN, "options['ca'] = True"),
    "a group of the user": (RUN, "user.groups[0] = 'admins'"),
    "an attribute of a constant": (UPLOAD, "cert.SIGNATURE = 'x'"),
    "an attribute of a list": (UPLOAD, "x = []\nx.y = 1"),
    "an attribute through a loop": (UPLOAD, "for options.user_id in ['x']:\n    pass"),
    "an item through a loop": (UPLOAD, "x = [1]\nfor x[0] in [2]:\n    pass"),
    "an attribute by unpacking": (UPLOAD, "options.user_id, x = 'a', 'b'"),
    "an attribute in place": (UPLOAD, "options.user_id += 'x'"),
    "a part of a list": (UPLOAD, "x = [1]\nx[:] = x"),
    "a growing list by a step": (UPLOAD, "x = [1]\nx[::2] = [3]"),
    "deleting an option": (UPLOAD, "del options.validity"),
    "the options under another name": (UPLOAD, "x = options\nx.user_id = 'a'"),
    "the options in a list": (UPLOAD, "[options][0].user_id = 'a'"),
    # Syntax.
    "a decorator": (UPLOAD, "@len\ndef f():\n    return 1"),
    "a default that is evaluated": (UPLOAD, "def f(a=[].append):\n    return a"),
    "a keyword-only parameter": (UPLOAD, "def f(*, a):\n    return a"),
    "a star in a call": (UPLOAD, "x = max(*[1, 2])"),
    "two stars in a call": (UPLOAD, "x = sorted([1], **{'reverse': True})"),
    "two stars in a table": (UPLOAD, "x = {**{'a': 1}}"),
    "a star in a target": (UPLOAD, "a, *b = [1, 2]"),
    "a lambda in a call": (UPLOAD, "x = sorted([1], key=lambda v: v)"),
    "a key function": (RUN, "def k(v):\n    return v\nx = sorted([1], key=k)"),
    "an await": (UPLOAD, "async def f():\n    await f()"),
    "an async comprehension": (UPLOAD, "x = [y async for y in [1]]"),
    "a yield in a comprehension": (UPLOAD, "def f():\n    return [(yield) for x in [1]]"),
    "a yield as a value": (UPLOAD, "def f():\n    x = yield 1"),
    "with": (UPLOAD, "with user as x:\n    pass"),
    "match with a class pattern": (
        UPLOAD,
        "match user:\n    case object(__class__=c):\n        pass",
    ),
    "global": (UPLOAD, "def f():\n    global x\n    x = 1"),
    "nonlocal": (UPLOAD, "def f():\n    x = 1\n    def g():\n        nonlocal x\n    return g"),
    "a relative import": (UPLOAD, "from . import wall"),
    "an import of a future": (UPLOAD, "from __future__ import annotations"),
    "an import in a function": (UPLOAD, "def f():\n    import ctypes"),
    "bytes": (UPLOAD, "x = b'a'"),
    "a complex number": (UPLOAD, "x = 1j"),
    "an ellipsis": (UPLOAD, "x = ..."),
    "a matrix product": (UPLOAD, "x = [1] @ [2]"),
    "an inverted number": (UPLOAD, "x = ~1"),
    "a set": (UPLOAD, "x = {1, 2}"),
    "raise": (UPLOAD, "raise SystemExit"),
    "assert": (UPLOAD, "assert False, user"),
    "a debugging f-string": (UPLOAD, "x = f'{user=}'"),
    "a format inside of a format": (UPLOAD, "x = f'{1:{9999999}}'"),
    "a repr in an f-string": (UPLOAD, "x = f'{user!r}'"),
    "an ascii in an f-string": (UPLOAD, "x = f'{user!a}'"),
    # Source.
    "a coding comment": (UPLOAD, "# -*- coding: utf-7 -*-\nx = 1"),
    "a coding comment in the second line": (UPLOAD, "#\n# vim: set fileencoding=rot13 :\n"),
    "a form feed that resets indentation": (UPLOAD, "if 1:\n    x = 1\n\x0c    y = 2"),
    "a line separator in a comment": (UPLOAD, "# \u2028import os"),
    "a comment that turns text around": (UPLOAD, "x = 1 # \u2067 admins"),
    "a soft hyphen in text": (UPLOAD, "options.user_id = 'ad\u00adm'"),
    "a tag character in text": (UPLOAD, "options.user_id = 'a\U000e0041'"),
    "a deep chain of calls": (UPLOAD, "x = 'a'" + ".upper()" * 120),
    "a deep chain of operators": (UPLOAD, "x = " + "-" * 900 + "1"),
    "a deep chain of not": (UPLOAD, "x = " + "not " * 200 + "1"),
    "a wide sum": (UPLOAD, "\n".join(["x = " + "1 + " * 200 + "1"] * 5)),
    "a long text": (
        UPLOAD,
        "\n".join(["x = ('" + "a" * 900 + "'"] + [" '" + "b" * 900 + "'"] * 3) + ")",
    ),
    "many faults": (UPLOAD, "import os;" * 90),
    "many lines that can not be read": (UPLOAD, "x y\n" * 400),
    "an indented flood": (UPLOAD, "".join(" " * n + "if 1:\n" for n in range(110))),
    "digits by another name": (UPLOAD, "x = \u0661"),
    "a large exponent": (RUN, "x = 1e308 * 10\noptions.validity = days(int(x))"),
    # Bounds of values.
    "a number that doubles": (RUN, "x = 3\nfor i in range(2000):\n    x = x * x"),
    "a number that is added up": (
        RUN,
        "x = 10000000000\nfor i in range(9):\n    x = x * 1000000000000 * x",
    ),
    "a text that doubles": (RUN, "x = 'ab'\nfor i in range(99):\n    x += x"),
    "a list that doubles": (RUN, "x = [1]\nfor i in range(99):\n    x = x + x"),
    "a text times itself": (RUN, "x = 'a' * 99999 * 99999"),
    "a table of long keys": (
        LIMIT,
        "x = {}\nfor i in range(9999):\n    x[str(i) + 'a' * 50000] = 1",
    ),
    "a text that replaces itself": (LIMIT, "x = 'a' * 9999\nx = x.replace('a', x).replace('a', x)"),
    "a text that joins itself": (LIMIT, "x = 'a' * 9999\nx = x.join(x).join(x)"),
    "nested comprehensions": (
        RUN,
        "x = [1 for a in range(999) for b in range(999) for c in range(999)]",
    ),
    "a sum of a generator of generators": (
        RUN,
        "x = sum(sum(1 for b in range(9999)) for a in range(9999))",
    ),
    "a generator that never stops": (RUN, "x = [1]\nfor i in x:\n    x.append(i)"),
    "a table that grows in a loop": (RUN, "x = {'a': 1}\nfor k in x:\n    x[k + 'a'] = 1"),
    "functions that call each other": (
        RUN,
        "def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\nf(1)",
    ),
    "a function that is its own argument": (RUN, "def f(g):\n    return g(g)\nf(f)"),
    "a range that is too long": (RUN, "x = range(-1000000000000, 1000000000000)"),
    "a range that stands still": (RUN, "x = range(0, 10, 0)"),
    "round to many digits": (RUN, "x = round(1, -100000)\nx = range('a')"),
    "int of a long text": (RUN, "x = int('9' * 5000)"),
    "int of a text of other digits": (RUN, "x = int('²')"),
    "a huge shift by multiplying": (RUN, "x = 1\nfor i in range(999):\n    x *= 1000000000000"),
    # What goes into names, mails and certificates.
    "a line end in a name": (RUN, "options.user_id = 'a\\nb'"),
    "a header in a name": (RUN, "options.user_id = 'a\\r\\nBcc: all@example.org'"),
    "a null in a name": (RUN, "options.user_id = 'a\\x00b'"),
    "an escape sequence in a refusal": (RUN, "refuse('\\x1b[2J')"),
    "a surrogate in a name": (RUN, "options.user_id = '\\ud800'"),
    "a name of nothing to see": (RUN, "options.user_id = '\\u3164'"),
    "a name of spaces": (RUN, "options.user_id = '   '"),
    "an override in a table": (RUN, "options.properties = {'a': '\\u202ex'}"),
    "a key with a line end": (RUN, "options.properties = {'a\\n': 'x'}"),
    "a key that is another's": (RUN, "options.properties = {'__proto__': 'x'}"),
    "a certificate that is not known": (RUN, "options.certificates = ['ca']"),
    "a certificate with a path": (RUN, "options.certificates = ['../../etc']"),
    "a validity of no days": (RUN, "options.validity = days(0)"),
    "a validity past the calendar": (RUN, "options.validity = years(99999)"),
    "a validity that ended": (RUN, "options.validity = until('0001-01-01')"),
    "a validity that is no day": (RUN, "options.validity = until('2027-02-30')"),
    "a table in a table": (RUN, "options.properties = {'a': {'b': 'c'}}"),
    "a table in itself": (RUN, "x = {}\nx['a'] = x\noptions.properties = x"),
    "a list in itself": (RUN, "x = [1]\nx.append(x)\noptions.certificates = x"),
    "a function as a value": (RUN, "options.user_id = user.has"),
    "a generator as a value": (RUN, "options.certificates = (x for x in ['signature'])"),
    "a number that is none": (RUN, "x = 1e308 * 10\noptions.validity = x - x"),
    "an option set behind its back": (
        RUN,
        "options.certificates.append('ca')",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_ends_where_it_has_to(
    name: str, scripts: Scripts, language_alone: LanguageAlone
) -> None:
    """With all walls and with the language alone; no options, no address, and no crash or violation."""
    stage, source = HOSTILE[name]
    outcome = scripts.run(source)
    assert outcome.outcome in _STAGES[stage], [str(fault) for fault in outcome.diagnostics]
    assert outcome.options is None
    codes = {fault.code for fault in outcome.diagnostics}
    assert codes
    assert not codes & {Code.CRASH, Code.VIOLATION, Code.BAD_ANSWER}
    assert "0x" not in str(outcome.diagnostics)
    if stage != LIMIT:
        assert language_alone.run(source)["outcome"] == outcome.outcome


def test_hostile_scripts_on_many_threads_leave_honest_ones_alone() -> None:
    """A small soak; `tests/bench/scripts.py --soak 1000` is the whole one."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(_BENCH), "--soak", "90", "--threads", "8"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "wrong honest answers: 0; goals reached: 0" in run.stdout
    assert "same fork server: True; children left: 0" in run.stdout
