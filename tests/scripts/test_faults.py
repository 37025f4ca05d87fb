"""Everything that is wrong with a script is told at once, each with its place and what would be right."""

# ruff: noqa: RUF001 - letters that look like others are what these tests are about

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid_scripts.outcome import MOST_DIAGNOSTICS, Code, Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import LanguageAlone, Scripts


def _told(source: str, scripts: Scripts) -> list[tuple[int | None, int | None, str]]:
    """Return line, column and message of each fault; check and run must agree on them."""
    checked = scripts.check(source)
    assert scripts.run(source).diagnostics == checked.diagnostics
    return [
        (fault.line, fault.column, fault.message.rpartition(" (line ")[0] or fault.message)
        for fault in checked.diagnostics
    ]


def test_faults_of_every_kind_come_together(scripts: Scripts) -> None:
    """Characters, syntax, words, names and flow: one upload tells of all of them, in order."""
    source = (
        "# \u202e\n"
        "x = 1 1\n"
        "if x\n"
        "    options.validty = days(3)\n"
        "import os\n"
        "while x: pass  #\x07\n"
        "y = f'{user.deparment:>99999}'\n"
        "return y\n"
    )
    assert _told(source, scripts) == [
        (1, 3, "The character U+202E is not allowed in a script"),
        (2, 7, "This can not be read: invalid syntax"),
        (3, 5, "This can not be read: expected ':'"),
        (4, 5, 'There is no option "validty"; did you mean "validity"?'),
        (
            5,
            1,
            "Not in the language: import; nothing needs importing, everything is already there",
        ),
        (6, 1, "Not in the language: while; loops run over a list: for x in [...]"),
        (6, 17, "The character U+0007 is not allowed in a script"),
        (7, 5, 'Not in the language: the format ">99999"; use a short one such as 03d or .1f'),
        (7, 8, 'user has no attribute "deparment"; did you mean "department"?'),
        (8, 1, '"return" is outside of a function'),
    ]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("if True\n    x = 1\ny = (1 +* 2)\nfor z in [1]\n    log(z)\nx = 3 3", [1, 3, 4, 6]),
        ("if 1:\n    x = 1\nelif 2\n    x = 2\nelse\n    x = 3\nimport os", [3, 5, 7]),
        ("def f(a b):\n    return a\nlog(f(1))\nx = = 2", [1, 4]),
        ("x = 'abc\ny = 3 3\nz = 4", [1, 2]),
        ("x y\nx y\nlog(x, y)", [1, 2]),
        ("x = (1\ny = 2\nz =", [1]),
        ("x = '''\ny = 1 1", [1]),
        ("x = [\n  1 2,\n  3 4]\ny = 1 1", [2]),
        ("x = 1\n   y = 2\n   z = 2\nz = 3 3", [2, 4]),
        ("if 1:\nx = 1\nz = 3 3", [2, 3]),
        ("if 1:\n    x = 1\n  y = 2\nimport os", [3]),
    ],
)
def test_a_line_that_can_not_be_read_hides_no_other(
    source: str, lines: list[int], scripts: Scripts
) -> None:
    """As long as it is clear where it ends; nothing is told that only follows from another fault."""
    assert [line for line, _, _ in _told(source, scripts)] == lines


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        ("return 5", [(1, 1, '"return" is outside of a function')]),
        ("if 1:\n    break", [(2, 5, '"break" is outside of a loop')]),
        (
            "for x in [1]:\n    def f():\n        continue",
            [(3, 9, '"continue" is outside of a loop')],
        ),
        ("for x in [1]:\n    pass\nelse:\n    break", [(4, 5, '"break" is outside of a loop')]),
        ("def f(a, b, a):\n    return a", [(1, 13, '"a" is there twice')]),
        ("x = sorted([1], reverse=1, reverse=2)", [(1, 28, '"reverse" is there twice')]),
        (
            "x = [1, 2]\nx[0:1] = [3]",
            [
                (
                    2,
                    1,
                    (
                        "Not in the language: an assignment to a part of a list; "
                        "make a new list: a = a[:2] + more"
                    ),
                )
            ],
        ),
    ],
)
def test_what_a_compiler_would_find_one_by_one(
    source: str, faults: list[tuple[int, int, str]], scripts: Scripts
) -> None:
    """Flow has places and words like everything else."""
    assert _told(source, scripts) == faults


@pytest.mark.parametrize(
    ("source", "line", "column", "name"),
    [
        ("ｘ = 1", 1, 1, "ｘ"),
        ("x = 1\nlog(ｕｓｅｒ.userName)", 2, 5, "ｕｓｅｒ"),
        ("log(user.ｕserName)", 1, 10, "ｕserName"),
        ("log(usеr.userName)", 1, 5, "usеr"),
        ("log(f'{ｕｓｅｒ.userName}')", 1, 8, "ｕｓｅｒ"),
        ("x = f'ö{{é}}{ \"ü\" + ｕｓｅｒ.userName}'", 1, 21, "ｕｓｅｒ"),
        ("x = f'''a\nb{user.ｕserName}'''", 2, 8, "ｕ"),
        ("ﬁ = 1", 1, 1, "ﬁ"),
        ("def ªf():\n    return 1", 1, 5, "ªf"),
        ("x = sorted([1], ｒeverse=True)", 1, 17, "ｒeverse"),
    ],
)
def test_a_name_is_what_a_reader_sees(
    source: str, line: int, column: int, name: str, scripts: Scripts
) -> None:
    """Python takes full-width letters for plain ones (NFKC), in f-strings, too; and some only look alike."""
    (first, *_) = _told(source, scripts)
    assert first[:2] == (line, column)
    assert first[2].startswith(f'The name "{name}')
    assert first[2].endswith("is not plain ASCII; write it in a to z")


@pytest.mark.parametrize(
    "source", ["x = f'é{user.userName}ü{{é}}'", "x = 'ｕ'\n# ｕ", "x = f'{\"é\"}'"]
)
def test_text_may_be_in_any_letters(source: str, scripts: Scripts) -> None:
    """Only names are plain ASCII."""
    assert scripts.check(source).accepted


_UNSEEN = """
0 8 b c 1b 7f 85 ad 34f 61c 115f 180e 200b 200d 200e 2028 202a 202e 2060 2066 2800 3164 d800 e000 feff ffa0
ffff e0041
"""


@pytest.mark.parametrize(
    "character",
    [chr(int(point, 16)) for point in _UNSEEN.split()],
    ids=_UNSEEN.split(),
)
def test_a_character_that_nobody_sees_is_refused_everywhere(
    character: str, scripts: Scripts
) -> None:
    """In the text of a script, and in what a script puts together for a name, a mail or a refusal."""
    fault = f"The character U+{ord(character):04X} is not allowed in a script"
    assert (2, 6, fault) in _told(f"x = 1\n# {character * 3} é", scripts) or (2, 3, fault) in _told(
        f"x = 1\n# {character * 3} é", scripts
    )
    written = f"\\U{ord(character):08x}"
    assert f"U+{ord(character):04X} at character 2 is not allowed" in scripts.fault(
        f"options.user_id = 'a{written}b'"
    )
    assert f"U+{ord(character):04X} at character 2 is not allowed" in scripts.fault(
        f"refuse('a{written}b')"
    )
    assert scripts.run(f"log('a{written}b')").log == ("a?b",)


def test_a_lone_carriage_return_ends_no_line(scripts: Scripts) -> None:
    """Python would begin a new line where no editor shows one; before a line feed it is as usual."""
    assert _told("x = 1\rimport os", scripts)[0] == (
        1,
        6,
        "The character U+000D is not allowed in a script",
    )
    assert scripts.check("x = 1\r\ny = 2\r\n").accepted


def test_a_flood_of_faults_is_counted(scripts: Scripts) -> None:
    """Nobody reads a thousand; how many there are is told."""
    faults = scripts.check("import os\n" * 500).diagnostics
    assert len(faults) == MOST_DIAGNOSTICS
    assert (faults[-1].code, faults[-1].message) == (
        Code.SOURCE,
        "There are 401 more faults; mend these first.",
    )


# Every kind of value that a script can have, and everything that could put one into words.
_VALUES = """
user|options|cert|user.has|len|log|days(1)|1|'a'|[1]|{}|None|{}.items()|range(3)|own|(y for y in [1])
"""
_USES = """
log({0})|log([[{0}]])|x = str({0})|x = f'{{{0}}}'|x = int({0})|x = [1].index({0})|x = user.groups.index({0})
x = [1].count({0})|x = {{}}[{0}]|x = {{}}.get({0})|x = [1][{0}]|x = {0}[0]|x = {0} + 1|x = 1 + {0}|x = -{0}
x = 'a'.join([{0}])|x = 'a'.split({0})|x = 'a'.replace({0}, 'b')|x = 'a' in {0}|x = {0} in 'a'|x = {0} < 1
x = sorted([{0}, 1])|x = max({0}, 1)|x = sum([{0}])|x = round({0})|x = len({0})|x = range({0})
x = zip({0}, [1])|x = {0}()|x = {0}(1, 2, 3)|x = {0}.count(1, 2, 3, 4, 5)|x = {0} * 'a'|x = {0} % 2
x = {{{0}: 1}}[1]|x = days({0})|a, b = {0}|x = until({0})|refuse({0})|x = user.has({0})|x = user.in_group({0})
options.user_id = {0}|options.properties = {{'a': {0}}}|options.certificates = [{0}]|options.validity = {0}
options.qr_location = {0}|x = abs({0})|x = {0}.upper(1)|x = [1][{0}:]|x = list({0})|x = all({0})|x = {0} // 0
log({0} == {0}, {0} is None)
"""


def test_no_text_tells_where_in_memory_something_is(language_alone: LanguageAlone) -> None:
    """An address is half of an attack on the interpreter; no message, log line or option may hold one."""
    uses = [use for line in _USES.strip().split("\n") for use in line.split("|")]
    seen = set()
    for value in _VALUES.strip().split("|"):
        for use in uses:
            source = "def own():\n    return 1\n" + use.format(value)
            answer = language_alone.run(source, fork=False)
            assert "0x" not in str(answer), (source, answer)
            assert " at 0" not in str(answer), (source, answer)
            assert "object" not in str(answer).replace("object is not", ""), (source, answer)
            seen.add(answer["outcome"])
    assert {Verdict.OK, Verdict.FAILED_AT_RUN} <= seen
