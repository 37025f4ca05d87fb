"""What a run may take: steps, depth, time, memory, output. Each limit ends the run, and only the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid_scripts.limits import Limits
from mobid_scripts.outcome import Code, Verdict
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.scripts.conftest import Product, Scripts

# No loop of the language can go on for ever; searching in long text is the slowest thing it can do.
BUSY = (
    "h = 'a' * 90000\nn = 'a' * 45000 + 'b'\nfor i in range(9000):\n" + "    x = h.count(n)\n" * 20
)


def test_the_step_budget_is_the_same_on_every_machine(scripts: Scripts) -> None:
    """20,000 turns of loops are fine, one more is not, however busy the machine is."""
    loop = "for i in range(100):\n    for j in range({}):\n        pass\n"
    outcome = scripts.run(loop.format(199))
    assert (outcome.outcome, outcome.steps) == (Verdict.OK, 20_000)
    assert scripts.fault(loop.format(200)) == "The script takes more than 20,000 steps (line 2)."


def test_recursion_costs_steps_and_has_a_bottom(scripts: Scripts) -> None:
    """A function that calls itself too deep, or too often, is stopped at a line."""
    deep = scripts.run("def f(n):\n    return f(n + 1)\nf(0)")
    assert deep.diagnostics[0].message.startswith("Functions call each other more than 200 deep")
    often = "def f(n):\n    return 0 if n == 0 else f(n - 1) + f(n - 1)\nf(30)"
    assert scripts.run(often).diagnostics[0].code is Code.STEPS


def test_too_much_processor_time_is_stopped(product: Product, own_sandbox: Sandbox) -> None:
    """The limit is exact, and the answer comes right after it."""
    outcome = product.run(own_sandbox, BUSY)
    assert outcome.outcome is Verdict.KILLED_BY_LIMIT
    assert str(outcome.diagnostics[0]) == (
        "The script used more than 0.3 s of processor time and was stopped."
    )
    assert outcome.ms < 6000
    assert product.run(own_sandbox, "").outcome is Verdict.OK


def test_too_much_time_on_the_clock_is_stopped(product: Product) -> None:
    """What takes long without being at work is stopped by the fork server."""
    with Sandbox(product.declaration, Limits(cpu_seconds=30, wall_seconds=0.2)) as sandbox:
        outcome = product.run(sandbox, BUSY)
    assert outcome.outcome is Verdict.KILLED_BY_LIMIT
    assert str(outcome.diagnostics[0]) == "The script ran longer than 0.2 s and was stopped."
    assert outcome.ms < 1200


@pytest.mark.parametrize(
    "source",
    [
        "x = []\nfor i in range(2000):\n    x.append('a' * 90000 + str(i))",
        "x = ','.join(['a' * 90000 for i in range(5000)])",
        "x = ('a' * 90000).replace('a', 'b' * 90000)",
    ],
)
def test_too_much_memory_is_stopped(source: str, scripts: Scripts) -> None:
    """The child has 64 MiB of its own, and what it does not have it does not take from others."""
    outcome = scripts.run(source)
    assert outcome.outcome is Verdict.KILLED_BY_LIMIT
    assert str(outcome.diagnostics[0]) == "The script uses too much memory."


def test_a_flood_of_log_lines_is_cut(scripts: Scripts) -> None:
    """Fifty lines are kept, the rest is counted; a long line is cut; nothing in it can break a terminal."""
    outcome = scripts.run("for i in range(1000):\n    log('x' * 5000, '\\x1b[2J')")
    assert len(outcome.log) == 51
    assert outcome.log[0] == "x" * 500
    assert outcome.log[-1] == "(950 more lines were left out)"
    nested = "x = [1]\nfor i in range(20):\n    x = [x] * 20\nlog(x)"
    assert len(scripts.run(nested).log[0]) == 500
    assert scripts.run("log('a\\n\\x1b\\ud800')").log == ("a???",)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("#" * 17_000, "The script has 17,000 bytes; the most is 16,384."),
        ("x = 1" + " " * 1000, "A line has 1,005 characters; the most is 1,000 (line 1)."),
        (
            "x = 1\ny = " + "[" * 41 + "]" * 41,
            "More than 40 brackets are open at once; name the inner parts (line 2).",
        ),
        ("x = 9999999999999", "Not in the language: a number beyond 1,000,000,000,000 (line 1)."),
        ("\n".join(["x = [1, 1, 1, 1]"] * 900), "The script is too long; the most is 4,000 parts"),
    ],
)
def test_a_script_that_is_too_large_is_not_looked_at(
    source: str, message: str, scripts: Scripts
) -> None:
    """Size, width and depth are bounded before a parser sees them."""
    assert scripts.check(source).diagnostics[0].message.startswith(message)


def test_limits_must_make_sense() -> None:
    """A wrong limit is an error that names it."""
    with pytest.raises(ValueError, match=r"Limit cpu_seconds is 0; it must be more than 0\."):
        Limits(cpu_seconds=0)
    with pytest.raises(
        ValueError, match=r"There is no layer moat; there are rlimits, no_new_privs"
    ):
        Limits(required=frozenset({"moat"}))
