"""The README of the engine says of every code and every module what it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from mobid_scripts.execution import MOST_CALLS, MOST_STEPS
from mobid_scripts.limits import LAYERS, Limits
from mobid_scripts.outcome import MOST_DIAGNOSTICS, Code, Verdict

_FOLDER: Final = Path(__file__).parents[2] / "scripts"
_README: Final = (_FOLDER / "README.md").read_text("utf-8")
_ROW: Final = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)


def test_every_code_is_explained() -> None:
    """In the order of the code, each with words, and the outcomes that it comes with."""
    rows = _ROW.findall(_README)
    assert [code for code, _, _ in rows] == [code.value for code in Code]
    for _, words, ends in rows:
        assert words.endswith(".")
        assert {end.strip("` ") for end in ends.split(",")} <= {
            verdict.value for verdict in Verdict
        }


def test_the_limits_are_those_of_the_code() -> None:
    """A number in a text grows old; these may not."""
    limits = Limits()
    for said in (
        f"More than {MOST_STEPS:,} turns",
        f"more than {MOST_CALLS} deep",
        f"More than {limits.memory_bytes >> 20} MiB",
        f"More than {limits.cpu_seconds:g} s of processor time, or {limits.wall_seconds:g} s in all",
        ", ".join(f"`{layer}`" for layer in LAYERS),
    ):
        assert said in _README
    assert MOST_DIAGNOSTICS == 100
    assert set(LAYERS) - limits.required == {"landlock"}


def test_every_module_has_its_place() -> None:
    """A reader finds each in the order of a run, or by its name."""
    common = {
        "__init__",
        "errors",
        "declaration",
        "limits",
        "outcome",
        "places",
        "wording",
        "durations",
    }
    for module in (_FOLDER / "mobid_scripts").glob("*.py"):
        assert module.stem in common or f"`{module.stem}`" in _README, module.stem
