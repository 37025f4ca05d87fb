"""What an option script can say: the language for people who write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobid_scripts.outcome import Code, Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import Scripts

EXPRESSIONS = [
    ("1 + 2 * 3 - 8 // 3 % 2", "7"),
    ("7 / 2", "3.5"),
    ("'a' + 'b' * 3", "abbb"),
    ("[1, 2] + [3]", "[1, 2, 3]"),
    ("len('abc') + len([1]) + len({'a': 1})", "5"),
    ("int(' 42 ') + int(True) + int(1.9)", "44"),
    ("str(12) + str(1.5)", "121.5"),
    ("bool([]) or bool('x')", "True"),
    ("min(3, 1, 2) + max([4, 9])", "10"),
    ("any(x > 2 for x in [1, 3])", "True"),
    ("all([True, False])", "False"),
    ("sum([1, 2, 3])", "6"),
    ("sorted([2, 3, 1], reverse=True)", "[3, 2, 1]"),
    ("list('abc')", "[a, b, c]"),
    ("round(2.567, 2)", "2.57"),
    ("round(2.5)", "2"),
    ("abs(-3)", "3"),
    ("[x * x for x in range(4) if x % 2]", "[1, 9]"),
    ("{k: v for k, v in [('a', 1)]}['a']", "1"),
    ("[i for i, x in enumerate('ab')]", "[0, 1]"),
    ("[a + b for a, b in zip([1, 2], [3, 4])]", "[4, 6]"),
    ("'x' if 1 < 2 <= 2 else 'y'", "x"),
    ("'a,b'.split(',')[1].upper()", "B"),
    ("'-'.join(['a', 'b'])[1:]", "-b"),
    ("f'{7:03d}|{1.25:.1f}|{\"x\":>3}'", "007|1.2|  x"),
    ("user.displayName.split(' ')[0]", "Ada"),
    ("user.in_group('staff') and not user.in_group('boss')", "True"),
    ("user.has('email') and user.has('groups')", "True"),
    ("cert.SIGNATURE", "signature"),
    ("days(1)", "1 day"),
    ("months(6)", "6 months"),
    ("f'{years(2)}'", "2 years"),
    ("until('2027-06-30')", "until 2027-06-30"),
    ("options.validity", "2 years"),
    ("{}.get('x')", "None"),
    ("'Finance' in ['Legal', user.department]", "True"),
]


@pytest.mark.parametrize(("expression", "shown"), EXPRESSIONS)
def test_expressions(expression: str, shown: str, scripts: Scripts) -> None:
    """The small part of Python that scripts need means what it means in Python."""
    outcome = scripts.run(f"log({expression})")
    assert outcome.log == (shown,), [str(fault) for fault in outcome.diagnostics]


def test_functions_loops_and_tables(scripts: Scripts) -> None:
    """A script may have functions of its own, loops over values, and tables."""
    options = scripts.options(
        """
DAYS = {"Finance": 90, "Legal": 60}

def site_of(groups):
    for group in groups:
        if group.startswith("site-"):
            return group.removeprefix("site-")
    return "default"

count = 0
for department, number in DAYS.items():
    if department == "Legal":
        continue
    count += number
options.validity = days(DAYS.get(user.department, 365))
options.properties["site"] = site_of(user.groups)
options.properties["count"] = str(count)
first, second = user.groups
options.user_id = f"{user.userName}@{second}"
"""
    )
    assert options["validity"] == "P90D"
    assert options["properties"] == {"site": "north", "count": "90"}
    assert options["user_id"] == "ada@site-north"


def test_an_empty_script_leaves_every_default(scripts: Scripts) -> None:
    """What a script does not set has the value of the defaults."""
    assert scripts.options("") == scripts.product.defaults


def test_a_script_sees_the_defaults(scripts: Scripts) -> None:
    """An option that was not set yet can be read, and added to."""
    options = scripts.options("options.certificates = options.certificates + [cert.SIGNATURE]")
    assert options["certificates"] == ["authentication", "signature"]


def test_an_attribute_that_the_user_does_not_have_reads_as_none(scripts: Scripts) -> None:
    """A released attribute is never an error, and never text by accident."""
    script = "log(user.department is None, user.has('department'), user.department == 'Finance')"
    assert scripts.run(script, department=None).log == ("True False False",)
    fault = scripts.fault("options.user_id = f'{user.department}'", department=None)
    assert fault == 'None can not be put into text; ask first: if user.has("department") (line 1).'


def test_refuse_ends_the_run_with_its_words(scripts: Scripts) -> None:
    """A refusal is not an error; nothing after it happens, and nothing before it counts."""
    outcome = scripts.run("log(1)\nrefuse('You are not in the group.')\nlog(2)")
    assert outcome.outcome is Verdict.REFUSED
    assert outcome.refusal == "You are not in the group."
    assert outcome.options is None
    assert outcome.log == ("1",)


def test_print_is_log(scripts: Scripts) -> None:
    """Who is used to print gets what they expect."""
    assert scripts.run("print('a', 1, user.groups)").log == ("a 1 [staff, site-north]",)


def test_what_a_script_does_to_a_list_stays_with_it(scripts: Scripts) -> None:
    """The second name of a list does not change what the first one meant."""
    script = "a = [1]\nb = a\nb += [2]\nlog(a, b)"
    assert scripts.run(script).log == ("[1] [1, 2]",)


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (
            "options.validty = days(90)",
            Code.UNKNOWN_OPTION,
            'There is no option "validty"; did you mean "validity"? (line 1).',
        ),
        (
            "x = user.deparment",
            Code.UNKNOWN_ATTRIBUTE,
            'user has no attribute "deparment"; did you mean "department"? (line 1).',
        ),
        (
            "x = user.has('deparment')",
            Code.UNKNOWN_ATTRIBUTE,
            'user has no attribute "deparment"; did you mean "department"? (line 1).',
        ),
        (
            "x = cert.SIGNATUR",
            Code.UNKNOWN_ATTRIBUTE,
            'cert has no attribute "SIGNATUR"; did you mean "SIGNATURE"? (line 1).',
        ),
        (
            "x = dayz(3)",
            Code.UNKNOWN_NAME,
            'There is nothing called "dayz"; did you mean "days"? (line 1).',
        ),
        (
            "while True:\n    pass",
            Code.NOT_IN_LANGUAGE,
            "Not in the language: while; loops run over a list: for x in [...] (line 1).",
        ),
        (
            "import os",
            Code.NOT_IN_LANGUAGE,
            "Not in the language: import; nothing needs importing, everything is already there (line 1).",
        ),
        (
            "x = 2 ** 9",
            Code.NOT_IN_LANGUAGE,
            "Not in the language: the operator **; write the number out (line 1).",
        ),
        (
            "len = 3",
            Code.READ_ONLY,
            '"len" belongs to the language; choose another name (line 1).',
        ),
        (
            "user.department = 'x'",
            Code.READ_ONLY,
            "Only options can be set: options.name = value (line 1).",
        ),
        ("return 5", Code.SYNTAX, '"return" is outside of a function (line 1).'),
        (
            "for x in [1]:\n    pass\nif x:\n    break",
            Code.SYNTAX,
            '"break" is outside of a loop (line 4).',
        ),
        ("if True\n    pass", Code.SYNTAX, "This can not be read: expected ':' (line 1)."),
        (
            "if True:\n\tx = 1\n        y = 2",
            Code.SYNTAX,
            "This can not be read: inconsistent use of tabs and spaces in indentation (line 3).",
        ),
        (
            "x = 1\n# \u202e",
            Code.SOURCE,
            "The character U+202E is not allowed in a script (line 2).",
        ),
        (
            "# coding: latin-1",
            Code.SOURCE,
            "A script is always UTF-8; remove the coding comment (line 1).",
        ),
    ],
)
def test_what_is_refused_at_upload(source: str, code: Code, message: str, scripts: Scripts) -> None:
    """An author learns what is wrong, where, and what would be right, before the script is stored."""
    (diagnostic,) = scripts.check(source).diagnostics
    assert (diagnostic.code, diagnostic.message) == (code, message)
    assert scripts.run(source).outcome is Verdict.REJECTED_AT_UPLOAD


def test_all_faults_are_reported_together(scripts: Scripts) -> None:
    """Nobody has to upload five times to find five faults."""
    source = "import os\nx = user.nobody\noptions.color = 1\nclass A:\n    pass\ny = z\n"
    lines = [diagnostic.line for diagnostic in scripts.check(source).diagnostics]
    assert lines == [1, 2, 3, 4, 6]


def test_a_diagnostic_points_at_its_place(scripts: Scripts) -> None:
    """Line and column count from 1, in characters, and the caret is below the fault."""
    source = 'if True:\n    x = "äöü" + user.nobody'
    (diagnostic,) = scripts.check(source).diagnostics
    assert (diagnostic.line, diagnostic.column) == (2, 17)
    assert diagnostic.caret == '    x = "äöü" + user.nobody\n                ^^^^^^^^^^^'


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ("x = 1\ny = 5 + x / 0", "ZeroDivisionError: division by zero (line 2).", 9),
        ("x = {}\ny = x['a']", 'There is no key "a"; .get() reads as None then (line 2).', 5),
        ("if False:\n    x = 1\ny = x", '"x" has no value yet (line 3).', 5),
        ("x = int('ten')", 'int() can not read "ten" as a whole number (line 1).', 5),
        ("x = user.groups\nx.append('a')", 'A read-only list has no "append" (line 2).', 1),
        ("x = 'a' % 3", '% does not work on text; use an f-string: f"{...}" (line 1).', 5),
        ("x = until('soon')", 'until() takes a date as text: until("2027-06-30") (line 1).', 5),
        ("x = days('3')", "days() takes a whole number up to 99,999 (line 1).", 5),
        ("for x in 3:\n    pass", "A loop goes over a list, not over a number (line 1).", 10),
    ],
)
def test_what_fails_while_it_runs(source: str, message: str, column: int, scripts: Scripts) -> None:
    """A fault that only a run can find has its line and column, too."""
    outcome = scripts.run(source)
    (diagnostic,) = outcome.diagnostics
    assert outcome.outcome is Verdict.FAILED_AT_RUN
    assert (diagnostic.message, diagnostic.column) == (message, column)


_NAMES = st.sampled_from(["x", "y", "user", "options", "cert", "log", "nobody", "_", "__x__"])
_LEAVES = st.one_of(
    _NAMES, st.integers(-5, 10**13).map(str), st.sampled_from(["'a'", "[]", "{}", "None", "1.5"])
)
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/%<"), inner).map(" ".join).map("({})".format),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]}, {pair[1]}]"),
        st.tuples(inner, st.sampled_from(["groups", "append", "__class__", "validity"])).map(
            ".".join
        ),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"{pair[0]}[{pair[1]}]"),
        inner.map(lambda value: f"[y for y in {value}]"),
        inner.map(lambda value: 'f"{' + value.replace('"', "'") + '}"'),
        inner.map("(lambda: {})".format),
    ),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(expressions=st.lists(_EXPRESSIONS, min_size=1, max_size=4))
def test_any_script_gets_an_answer(expressions: list[str], scripts: Scripts) -> None:
    """Whatever the script, there is an outcome that fits together, and the fork server goes on."""
    outcome = scripts.run("x = 1\n" + "\n".join(f"x = {text}" for text in expressions))
    assert (outcome.outcome is Verdict.OK) is (outcome.options is not None)
    assert bool(outcome.diagnostics) is (outcome.options is None)
    assert not {fault.code for fault in outcome.diagnostics} & {Code.CRASH, Code.VIOLATION}
