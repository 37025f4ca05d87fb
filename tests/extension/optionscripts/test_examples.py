"""The scripts in `examples/option-scripts`: each keeps the word of its tests, and type checkers accept it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from mypy import api as mypy

from mobid.optionscripts import ENDING, EXPIRING_NAME, SCRIPT_NAME, plain_tests, stub
from mobid.optionscripts.words import DECLARATION, expiring_declaration

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

    from mobid.optionscripts import ExpiringScripts

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
_FOLDER: Final = Path(__file__).parents[3] / "examples" / "option-scripts"
_README: Final = (_FOLDER / "README.md").read_text("utf-8")
OPTIONS: Final = sorted(_FOLDER.glob("*.txt"))
EXPIRING: Final = sorted((_FOLDER / "expiring").glob("*.txt"))
ALL: Final = pytest.mark.parametrize(
    "file", [*OPTIONS, *EXPIRING], ids=lambda file: str(file.relative_to(_FOLDER))
)


@ALL
def test_every_example_keeps_the_word_of_its_tests(
    file: Path, mailing_scripts: Scripts, expiring: ExpiringScripts
) -> None:
    """Whoever copies one starts from a script that works, and from tests that show how."""
    language = mailing_scripts.port if file in OPTIONS else expiring
    tests = language.read_tests(plain_tests(file.with_name(file.stem + ENDING).read_text("utf-8")))
    results = language.test(file.read_text("utf-8"), tests, at=NOW)
    assert [result for result in results if not result.passed] == []
    assert tests


@ALL
def test_every_example_is_listed(file: Path) -> None:
    """With what it shows."""
    name = file.relative_to(_FOLDER)
    assert f"| [{name}]({name}) |" in _README


def test_there_are_no_tests_of_nothing() -> None:
    """A file of tests stands beside its script."""
    tests = {file.name.removesuffix(ENDING) for file in _FOLDER.rglob(f"*{ENDING}")}
    assert tests == {file.stem for file in (*OPTIONS, *EXPIRING)}


def test_type_checkers_accept_the_examples_with_the_stub(tmp_path: Path) -> None:
    """All of them in one run; what an editor would underline is a fault of the stub, or of the script."""
    languages = (
        (SCRIPT_NAME, DECLARATION, OPTIONS),
        (EXPIRING_NAME, expiring_declaration(), EXPIRING),
    )
    files = []
    for name, declaration, scripts in languages:
        (tmp_path / f"{name}.pyi").write_text(stub(name, declaration))
        for script in scripts:
            file = tmp_path / f"{script.stem.replace('-', '_')}.py"
            file.write_text(f"from {name} import *\n{script.read_text('utf-8')}")
            files.append(file)
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        f"from {SCRIPT_NAME} import *\n"
        "options.validty = days(3)\n"
        'options.qr_location = "wall"\n'
        "options.validity = 3\n"
        "x = user.deparment\n"
        'user.has("deparment")\n'
    )
    out, _, _ = mypy.run(
        [
            *("--config-file=", "--python-version=3.11", f"--cache-dir={tmp_path / 'cache'}"),
            *map(str, (*files, wrong)),
        ]
    )
    faults = [
        line.partition(":")[2].partition(":")[0] for line in out.splitlines() if ": error:" in line
    ]
    assert [
        line for line in out.splitlines() if ": error:" in line and "wrong.py" not in line
    ] == []
    assert faults == ["2", "3", "4", "5", "6"], out
