"""`mobid scripts` for authors: check, test, try, compare, push, activate, go back, and describe."""

from __future__ import annotations

import json
import os
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from mobid.cli.scripts.files import saved
from mobid.cli.scripts.trying import as_table
from mobid.optionscripts import manual
from mobid.processes.script_comparison import Change, Comparison, Line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

SHORT = 'options.validity = days(90) if user.department == "Finance" else years(2)\n'
TESTS = """
[[test]]
name = "Finance gets 90 days"
user = { department = "Finance" }
expect = { validity = "90 days" }

[[test]]
name = "others get two years"
expect = { validity = "2 years" }
"""


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script with its tests beside it."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "short.tests.toml").write_text(TESTS)
    file = folder / "short.txt"
    file.write_text(SHORT)
    return file


class TestWithoutHome:
    """What a script repository needs in its CI: no home, no database."""

    def test_a_script_that_keeps_its_word(self, nowhere: Mobid, script: Path) -> None:
        """Alone, or with all others in its folder."""
        done = nowhere("scripts", "test", str(script))
        assert (done.exit_code, done.stdout) == (0, f"{script}: 2 of 2 tests passed\n")
        assert "is no home of mobid: any site's words are known" in done.stderr
        (one,) = nowhere.json("scripts", "test", str(script.parent))
        assert (one["passed"], len(one["tests"])) == (True, 2)
        assert nowhere("scripts", "check", str(script.parent)).stdout == f"{script}: ok\n"

    def test_a_script_that_does_not(self, nowhere: Mobid, script: Path) -> None:
        """Exit 3, and every difference under the name of its test."""
        script.write_text("options.validity = days(30)")
        done = nowhere("scripts", "test", str(script))
        assert done.exit_code == 3
        assert done.stdout == (
            f"{script}: 0 of 2 tests passed\n"
            "  Finance gets 90 days\n    validity: expected 90 days, got 30 days\n"
            "  others get two years\n    validity: expected 2 years, got 30 days\n"
        )

    def test_faults_come_before_tests(self, nowhere: Mobid, script: Path) -> None:
        """Exit 2 for a fault in the script, and for one in the tests."""
        script.write_text("options.validty = days(30)")
        done = nowhere("scripts", "test", str(script))
        assert (done.exit_code, 'did you mean "validity"?' in done.stdout) == (2, True)
        script.write_text(SHORT)
        tests = script.with_name("short.tests.toml")
        tests.write_text('[[test]]\nname = "a"\nexpect = { validty = 1 }')
        done = nowhere("scripts", "test", str(script))
        assert (done.exit_code, 'did you mean "validity"?' in done.stdout) == (2, True)
        tests.write_text("[[test]")
        done = nowhere("scripts", "test", str(script))
        assert (done.exit_code, f'{tests}: Input "tests" is no TOML' in done.stdout) == (2, True)
        tests.unlink()
        done = nowhere("scripts", "test", str(script))
        assert (done.exit_code, "there are no tests; put them into" in done.stdout) == (2, True)

    def test_one_that_can_not_be_read_hides_no_other(self, nowhere: Mobid, script: Path) -> None:
        """A file that is no text is told in its place, for people and for programs; exit 2."""
        script.with_name("a.txt").write_bytes(b"\xff\xfe")
        done = nowhere("scripts", "check", str(script.parent))
        assert done.exit_code == 2
        assert "a.txt: this is not UTF-8 (byte 0). Save it as UTF-8.\n" in done.stdout
        assert f"{script}: ok\n" in done.stdout
        done = nowhere("scripts", "test", str(script.parent), "-o", "json")
        bad, good = json.loads(done.stdout)
        assert ("not UTF-8" in bad["problem"], good["passed"]) == (True, True)

    def test_the_other_script_has_other_words(self, nowhere: Mobid, script: Path) -> None:
        """Its name says which language it is in."""
        script.write_text("options.remind_days = [30]")
        assert nowhere("scripts", "check", str(script)).exit_code == 2
        name = "MobileIDScriptExpiringOptions"
        assert nowhere("scripts", "check", str(script), "--name", name).exit_code == 0

    def test_what_there_is_to_write(self, nowhere: Mobid) -> None:
        """The stub for editors, and the manual for people."""
        stub = nowhere("scripts", "stub").stdout
        assert "def in_group(self, group: str) -> bool:" in stub
        other = nowhere("scripts", "stub", "--name", "MobileIDScriptExpiringOptions").stdout
        assert "remind_days: list[int]" in other
        assert "Cert" not in other
        assert nowhere("scripts", "manual").stdout == manual()


class TestWatching:
    """`--watch` looks again whenever something is saved."""

    def test_it_looks_when_a_script_or_its_tests_change(self, script: Path) -> None:
        """First at once; and not again for a file that is another one's."""
        tests = script.with_name("short.tests.toml")
        saves: list[Callable[[], object]] = [
            lambda: script.with_name("other.txt").write_text(""),
            lambda: os.utime(script, (1, 1)),
            lambda: os.utime(tests, (2, 2)),
            tests.unlink,
        ]
        waits: list[int] = []

        def wait() -> None:
            waits.append(1)
            saves.pop(0)()

        for number, _ in enumerate(islice(saved(script, wait), 4)):
            assert len(waits) == (0, 2, 3, 4)[number]


class TestSite:
    """With a home: stored versions, and users."""

    def test_tests_go_with_the_version_and_gate_it(self, mobid: Mobid, script: Path) -> None:
        """Stored beside it, run when it is activated, and again when somebody goes back to it."""
        assert mobid.json("scripts", "push", str(script))["tests"] == 2
        mobid("scripts", "activate", "1")
        script.write_text("options.validity = days(30)")
        assert mobid("scripts", "push", str(script)).exit_code == 0
        done = mobid("scripts", "activate", "2")
        assert done.exit_code == 3
        assert "Nothing was activated: 0 of 2 tests passed" in done.stderr
        assert "validity: expected 90 days, got 30 days" in done.stderr
        listed = mobid.json("scripts", "list")
        assert [(one["version"], one["active"], one["tests"]) for one in listed] == [
            *((2, False, 2), (1, True, 2), (0, False, 0)),
        ]
        assert mobid.json("scripts", "test", "1")["passed"] is True
        assert mobid("scripts", "test", "2").exit_code == 3
        assert mobid("scripts", "test", "9").exit_code == 1
        assert mobid("scripts", "test", "nine").exit_code == 2

    def test_there_and_back_again(self, mobid: Mobid, script: Path) -> None:
        """Rollback goes to what was active before, and says so."""
        assert mobid("scripts", "rollback").exit_code == 1
        mobid("scripts", "push", str(script))
        mobid("scripts", "activate", "1")
        back = mobid.json("scripts", "rollback")
        assert (back["active"], back["replaced"]) == (0, 1)
        assert mobid.json("scripts", "rollback")["active"] == 1
        done = mobid("scripts", "rollback", "--expected", "7")
        assert (done.exit_code, "is 1, not 7" in done.stderr) == (1, True)
        assert "is not in quarantine" in mobid("scripts", "release", "1").stdout

    def test_a_version_can_be_shown_and_compared(self, mobid: Mobid, script: Path) -> None:
        """Its text as it was stored; differences as diff shows them, with its exit codes."""
        mobid("scripts", "push", str(script), "-m", "Short for Finance")
        assert mobid("scripts", "show", "1").stdout == SHORT
        shown = mobid.json("scripts", "show", "1")
        assert (shown["source"], shown["comment"]) == (SHORT, "Short for Finance")
        assert [test["name"] for test in shown["tests"]] == [
            "Finance gets 90 days",
            "others get two years",
        ]
        assert mobid("scripts", "diff", str(script), "1").exit_code == 0
        script.write_text(SHORT.replace("90", "30"))
        done = mobid("scripts", "diff", str(script), "1")
        assert done.exit_code == 1
        assert f"+{SHORT.replace('90', '30')}" in done.stdout
        assert mobid("scripts", "diff", "1").exit_code == 1
        assert mobid("scripts", "show", "newest").exit_code == 2
        assert mobid("scripts", "show", "9").exit_code == 1

    def test_a_sample(self, mobid: Mobid, script: Path) -> None:
        """Options as a person reads them; a misspelt attribute is an error."""
        sample = ("-u", "userName=ada", "-u", "department=Finance", "-u", "groups=a,b")
        done = mobid("scripts", "run", str(script), *sample)
        assert (done.exit_code, "validity: 90 days\n" in done.stdout) == (0, True)
        assert mobid.json("scripts", "run", "0", *sample)["options"]["validity"] == "P2Y"
        script.write_text('log(user.groups)\nrefuse("Not you.")')
        done = mobid("scripts", "run", str(script), *sample)
        assert (done.exit_code, done.stdout) == (0, "log: [a, b]\nrefused: Not you.\n")
        script.write_text("x = 1 / 0")
        done = mobid("scripts", "run", str(script), *sample)
        assert (done.exit_code, f"{script}:1:5: " in done.stdout) == (2, True)
        for words, why in (
            (("-u", "deparment=x"), "Error: The sample cannot be used: "),
            (("-u", "deparment=x"), 'did you mean "department"?\n'),
            (("-u", "department"), "is neither ATTRIBUTE=VALUE, such as department=Finance, nor"),
            ((), "Say on whom"),
            ((*sample, "--filter", "userName pr"), "one of them only"),
        ):
            done = mobid("scripts", "run", str(script), *words)
            assert (done.exit_code, why in done.stderr) == (2, True), why
        assert mobid("scripts", "run", "nowhere.txt", *sample).exit_code == 2

    def test_a_sample_in_a_file(self, mobid: Mobid, script: Path) -> None:
        """A user as JSON, in SCIM spelling; with -u beside it, what is said there holds."""
        ada = script.with_name("ada.json")
        ada.write_text('{"userName": "ada", "department": "Finance", "groups": ["staff"]}')
        run = ("scripts", "run", str(script), "--user", str(ada))
        assert mobid.json(*run)["options"]["validity"] == "P90D"
        assert mobid.json(*run, "-u", "department=IT")["options"]["validity"] == "P2Y"
        for text, why in (
            ("[1]", "must be one user"),
            ("{", "is no JSON"),
            ('{"deparment": "x"}', 'did you mean "department"?'),
        ):
            ada.write_text(text)
            done = mobid(*run)
            assert (done.exit_code, why in done.stderr) == (2, True), why

    def test_push_says_what_comes_next(self, mobid: Mobid, script: Path) -> None:
        """The very command, for this home and script; and in which file tests are wrong."""
        script.write_text("options.remind_days = [9]")
        tests = script.with_name("short.tests.toml")
        tests.write_text('[[test]]\nname = "a"\nexpect = { remind_days = [9] }')
        name = "MobileIDScriptExpiringOptions"
        done = mobid("scripts", "push", str(script), "--name", name)
        command = f"scripts activate 1 --name {name}"
        assert done.stdout == (
            f"{name} version 1 is stored, with 1 test. Activate it: mobid --home {mobid.home} {command}\n"
        )
        assert mobid(*command.split()).exit_code == 0
        again = mobid(*command.split()).stdout
        assert again == f"{name}: version 1 was active already; nothing was changed.\n"
        tests.write_text("[[test]]")
        done = mobid("scripts", "push", str(script), "--name", name)
        assert (done.exit_code, f'Error: {tests}: Input "tests"' in done.stderr) == (2, True)

    def test_what_becomes_of_whom(self) -> None:
        """One line for all with the same difference; how a script ends is told in words."""
        why = "failed_at_run: ZeroDivisionError: division by zero (line 6)."
        line = partial(Line, count=2, examples=["ada", "bo"])
        end = Comparison(
            total=4,
            done=4,
            ended="complete",
            lines=[
                line(changes=(Change(what="outcome", before="ok", after=why),)),
                line(changes=(Change(what="outcome", before="refused: No.", after="ok"),)),
            ],
        )
        assert as_table(end, {}) == (
            "4 of 4 users, 0 without a difference.\n"
            "     2 users: from options to an error, ZeroDivisionError: division by zero (line 6)."
            "  (ada, bo)\n"
            '     2 users: from a refusal, "No." to options  (ada, bo)'
        )

    def test_many(self, mobid: Mobid, script: Path) -> None:
        """Nobody is there yet; what is no filter is told, and a faulty script before all."""
        end = mobid.json("scripts", "run", str(script), "--filter", "userName pr")
        assert (end["done"], end["ended"], end["lines"]) == (0, "complete", [])
        done = mobid("scripts", "run", str(script), "--filter", "userName")
        assert (done.exit_code, "is no filter over users" in done.stderr) == (2, True)
        done = mobid("scripts", "run", str(script), "--filter", "userName pr")
        assert (done.stdout, done.stderr) == ("No user matches the filter.\n", "")
        script.write_text("options.validty = 1")
        done = mobid("scripts", "run", str(script), "--filter", "userName pr")
        assert (done.exit_code, "did you mean" in done.stderr) == (2, True)

    def test_the_words_are_those_of_the_site(self, mobid: Mobid, script: Path) -> None:
        """What this site has not released is an error here, and not where there is no site."""
        settings = mobid.home / "mobid.toml"
        settings.write_text(settings.read_text() + '\n[scripts]\nreleased = ["userName"]\n')
        done = mobid("scripts", "check", str(script))
        assert done.exit_code == 2
        assert f'{script}:1:32: The attribute "department" of users is not released' in done.stdout
        faults = json.loads(mobid("scripts", "check", str(script), "-o", "json").stdout)
        assert faults["diagnostics"][0]["code"] == "unknown_attribute"
