"""A script means what Python means: random programs of the language, run here and by plain CPython."""

from __future__ import annotations

import warnings
from string import Formatter
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mobid_scripts.outcome import Code, Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import LanguageAlone, Scripts

# In these programs `a` is a number, `b` a text, `c` a list of numbers, `own` a function, `d` what a loop has.
_Kinds = dict[str, st.SearchStrategy[str]]
_FORMS = {
    "number": (
        "({number} + {number})|({number} - {number})|({number} * {number})|({number} / {number})"
        "|(-{number})"
        "|({number} // {number})|({number} % {number})|({number} if {truth} else {number})|len({text})"
        "|len({list})"
        "|sum({list})|max({list})|min({number}, {number})|abs({number})|round({number})|int({truth})"
        "|{list}[0]"
        "|int({number})|{text}.count({text})|{text}.find({text})|{list}.count({number})"
        "|own({number}, {number})[0]"
        "|sum(1 for d in {list})|{{'x': {number}}}['x']|{{'x': {number}}}.get({text}, {number})"
        "|bool({list})"
    ),
    "text": (
        "({text} + {text})|({text} * 2)|{text}.upper()|{text}.lower()|{text}.title()|{text}.strip()"
        "|{text}[0]"
        "|{text}[1:]|{text}[::-1]|{text}.replace({text}, {text})|{text}.join([{text}, {text}])"
        "|str({number})"
        "|f'{{{number}}}|{{{name}}}'|f'{{a:05.1f}}'|f'<{{b:>5}}>'|({text} if {truth} else {text})"
        "|str({truth})"
        "|{text}.split(',')[0]|{text}.removeprefix({text})|{text}.partition(',')[2]|max([{text}, {text}])"
        "|{text}.casefold()|[d for d in {{{text}: 1}}][0]|''.join(sorted({text}))"
    ),
    "list": (
        "[{number}, {number}]|({list} + {list})|({list} * 2)|{list}[1:]|{list}[::-1]|sorted({list})"
        "|list({list})"
        "|sorted({list}, reverse={truth})|[d * 2 for d in {list}]|[d for d in {list} if d > {number}]"
        "|[d + e for d in {list} for e in {list}]|list(range(3))|own({number}, {number})"
        "|({list} if {truth} else {list})"
        "|[e for d, e in zip({list}, {list})]|[d for d, e in enumerate({list})]|list({{1: 2}}.values())"
        "|[len(d) for d in {text}.split(',')]|[d for d in ({number}, {number})]"
    ),
    "truth": (
        "({number} < {number})|({number} <= {number} < {number})|({number} == {number})|({text} != {text})"
        "|({text} in {text})|({number} not in {list})|(not {truth})|({truth} and {truth})"
        "|({truth} or {truth})"
        "|bool({text})|any({list})|all(d > 0 for d in {list})|({list} == {list})|{text}.isdigit()"
        "|({number} is None)"
        "|{text}.startswith({text})|({text} < {text})|({list} < {list})"
    ),
}
_LEAVES: _Kinds = {
    "number": st.sampled_from(["a", "0", "1", "7", "-2", "0.5", "100", "10000000000"]),
    "text": st.sampled_from(["b", "''", "'a'", "'x,y'", "' Ab '", "'12'", "'ÄÖß'"]),
    "list": st.sampled_from(["c", "[]", "[2]", "[1, 2, 3]", "range(3)"]),
    "truth": st.sampled_from(["True", "False", "a", "b"]),
    "name": st.sampled_from("abc"),
}


def _grown(inner: _Kinds) -> _Kinds:
    """Return expressions of each kind whose parts are these."""
    return {
        **inner,
        **{kind: _of_forms(forms, inner) | inner[kind] for kind, forms in _FORMS.items()},
    }


def _of_forms(forms: str, inner: _Kinds) -> st.SearchStrategy[str]:
    def filled(form: str) -> st.SearchStrategy[str]:
        named = [field for _, field, _, _ in Formatter().parse(form) if field]
        parts = st.tuples(*(inner[field] for field in named))
        return parts.map(lambda chosen: _fill(form, chosen))

    return st.sampled_from(forms.split("|")).flatmap(filled)


def _fill(form: str, chosen: tuple[str, ...]) -> str:
    left = list(chosen)
    return "".join(
        text + (left.pop(0) if field else "") for text, field, _, _ in Formatter().parse(form)
    )


_KINDS = _grown(_grown(_LEAVES))
_ANY = st.sampled_from(["number", "text", "list", "truth"]).flatmap(_KINDS.__getitem__)


def _indented(body: str) -> str:
    return "\n".join("    " + line for line in body.split("\n"))


def _statements(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    truth, values = _KINDS["truth"], _KINDS["list"]
    return st.one_of(
        st.tuples(truth, inner).map(lambda p: f"if {p[0]}:\n{_indented(p[1])}"),
        st.tuples(truth, inner, inner).map(
            lambda p: f"if {p[0]}:\n{_indented(p[1])}\nelse:\n{_indented(p[2])}"
        ),
        st.tuples(values, inner).map(lambda p: f"for a in {p[0]}:\n{_indented(p[1])}"),
        st.tuples(values, truth, inner).map(
            lambda p: (
                f"for d in {p[0]}:\n    if {p[1]}:\n        continue\n{_indented(p[2])}\n    break"
            )
        ),
        st.tuples(inner, inner).map("\n".join),
    )


_SIMPLE = st.one_of(
    *(
        _KINDS[kind].map(form.format)
        for form, kind in (
            ("a = {}", "number"),
            ("b = {}", "text"),
            ("c = {}", "list"),
            ("a += {}", "number"),
            ("a -= {}", "number"),
            ("a *= {}", "number"),
            ("b += {}", "text"),
            ("a, d = {0}, {0}", "number"),
            ("c[0] = {}", "number"),
            ("c.append({})", "number"),
        )
    ),
    # Now and then what Python itself refuses, or what a script may not do.
    st.tuples(st.sampled_from("abc"), _ANY).map(" = ".join),
)
_PROGRAMS = st.lists(st.recursive(_SIMPLE, _statements, max_leaves=4), min_size=1, max_size=4).map(
    "\n".join
)

_BEFORE = "a = 1\nb = 'xy'\nc = [3, 1]\ndef own(x, y):\n    return [y, x]\n"


def _by_python(program: str) -> dict[str, Any] | str:
    """Run a program in plain CPython; return its variables, or the kind of error that it ends with."""
    names: dict[str, Any] = {"enumerate": lambda values: list(enumerate(values))}
    names |= {"zip": lambda *values: list(zip(*values, strict=False))}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "is" with a number
            exec(_BEFORE + program, names)  # noqa: S102 - a program that was made here, of harmless parts
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what Python means
        return type(error).__name__
    return {name: names[name] for name in "abc"}


def _shown(value: object) -> str:
    """Write a value as `log` writes it."""
    if isinstance(value, bool | int | float | str) or value is None:
        return "".join(c if c.isprintable() else "?" for c in str(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(_shown(part) for part in value[:20])}]"
    return "a table" if isinstance(value, dict) else "this value"


def _depth(value: object) -> int:
    if isinstance(value, list | tuple):
        return 1 + max(map(_depth, value), default=0)
    return 0


@settings(
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(program=_PROGRAMS)
@example(program="a = 7 // -2\nb = -7 % 3\nc = 2 - -1")
@example(program="for a in [1, 2]:\n    b += 'z'\nc = c[::-1]")
@example(program="c = {str(d): d for d in c}\nb = c['3']\na = [d for d in c]")
def test_what_a_script_computes_is_what_python_computes(
    program: str, language_alone: LanguageAlone
) -> None:
    """Where a script goes through, Python does too, with the same values."""
    answer = language_alone.run(f"{_BEFORE}{program}\nlog(a)\nlog(b)\nlog(c)", fork=False)
    if answer["outcome"] != Verdict.OK:
        # Python might never end here: a list can grow while it is gone through.
        assert answer["outcome"] in (Verdict.FAILED_AT_RUN, Verdict.REJECTED_AT_UPLOAD), program
        return
    meant = _by_python(program)
    assert isinstance(meant, dict), (program, meant)
    if max(_depth(meant[name]) for name in "abc") <= 2:
        assert answer["log"] == [_shown(meant[name])[:500] for name in "abc"], program


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(programs=st.lists(_PROGRAMS, min_size=1, max_size=2))
def test_no_program_of_the_language_breaks_the_server(
    programs: list[str], scripts: Scripts
) -> None:
    """It computes, or fails with a line; it neither crashes its process nor makes a forbidden call."""
    scripts.run("")
    before = scripts.sandbox.server_pid
    outcome = scripts.run(_BEFORE + "\n".join(programs))
    assert not {fault.code for fault in outcome.diagnostics} & {
        Code.CRASH,
        Code.VIOLATION,
        Code.BAD_ANSWER,
    }
    assert scripts.sandbox.server_pid == before
