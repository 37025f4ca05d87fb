"""A fork server tries known ways out on itself before it serves; a wall that only seems to stand is found."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pytest

from mobid_scripts.selftest import ESCAPES, HONEST

if TYPE_CHECKING:
    from tests.scripts.conftest import Product, Scripts

# A fork server in which something was broken on purpose before it tries itself.
_BROKEN: Final = """
import socket, sys
from mobid_scripts import execution, grammar, guards, landlock, seccomp, wall, zygote
from mobid_scripts.declaration import Declaration
from mobid_scripts.limits import Limits
{broken}
declaration = Declaration.from_json(sys.stdin.read())
print(zygote.Zygote(socket.socketpair()[0], declaration, Limits(cpu_seconds=0.3)).unfit())
"""
_PRETENDS: Final = "wall.lock_down = lambda *_: wall.Wall(layers=({layers}))"


def _unfit(broken: str, product: Product) -> str:
    run = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", _BROKEN.replace("{broken}", broken)],
        input=product.declaration.to_json(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return run.stdout.rstrip("\n")


def test_an_honest_server_is_fit(product: Product) -> None:
    """Nothing that is tried comes through."""
    assert _unfit("", product) == ""


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (
            _PRETENDS.format(layers="'rlimits', 'seccomp'"),
            "its self-test failed: to open a file is possible in spite of rlimits, seccomp; to read the env",
        ),
        (_PRETENDS.format(layers=""), "to open a file is possible in spite of no layer"),
        (
            "seccomp.put_up = lambda _: ''",
            "its self-test failed: seccomp stands and stops nothing (status 1)",
        ),
        (
            "import ast\ngrammar._ALLOWED |= {ast.Starred}",
            "its self-test failed: a script reached unpacking with a star",
        ),
        ("grammar.findings = lambda *_: []", "its self-test ended without an answer (status -27)"),
        (
            "guards.METHODS[str] = guards.METHODS[str] - {'upper'}",
            "its self-test failed: an honest script ended as rejected_at_upload",
        ),
        (
            "execution._without_insides = str\nguards._index_in = lambda values: values.index",
            "its self-test failed: a script reached an address in an error",
        ),
        (
            "zygote.selftest.faults = lambda *_: 1 / 0",
            "its self-test ended without an answer (status 1)",
        ),
    ],
)
def test_what_is_broken_is_found(broken: str, words: str, product: Product) -> None:
    """A hole in the language, a wall that says it stands, an interpreter that cannot work: no script runs."""
    assert words in _unfit(broken, product)


def test_what_is_tried_is_told_apart_by_the_sandbox(scripts: Scripts) -> None:
    """None of it gets through the whole, and the honest script does."""
    for name, source in ESCAPES.items():
        assert scripts.run(source).options is None, name
    assert scripts.run(HONEST).log == ("010 [2 days] X False",)


def test_what_a_product_releases_is_not_what_is_tried(product: Product) -> None:
    """A site that keeps the groups to itself, or has no words at all, is as fit as any other."""
    bare = replace(product.declaration, options=(), attributes=("email",), constants={})
    assert _unfit("", replace(product, declaration=bare)) == ""
