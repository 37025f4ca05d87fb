"""Requests that are nearly right, at real servers: whatever comes in, SCIM answers, and nothing breaks.

The program that makes them is `fuzz/fuzz_scim.py`; by hand it makes as many as are wanted, and with
the seed of a failure the same ones again.
"""

from __future__ import annotations

import importlib
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Site

PROGRAM: Final = Path(__file__).with_name("fuzz")
REQUESTS: Final = 600
GOOD: Final = frozenset({200, 201, 204})


@pytest.fixture(scope="module")
def program() -> Any:
    """The modules of the program."""
    sys.path.append(str(PROGRAM))
    try:
        names = ("running", "tokens")
        return {one: importlib.import_module(f"scim_fuzz.{one}") for one in names}
    finally:
        sys.path.remove(str(PROGRAM))


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_is_nearly_right_is_answered_in_scim(
    program: Any, new_site: Callable[[str], Site], database: str
) -> None:
    """Never a 5xx, always an error as RFC 7644, 3.12 has it, and nothing is changed by what is refused."""
    # A server of its own: what is left there, nobody else's tests would expect.
    site = new_site(database)
    site.serve()
    target = program["running"].Target(
        port=int(site.url.rpartition(":")[2]),
        pid=site.pid,
        log=site.log,
        tokens=program["tokens"].tokens_of(site.home, {}),
    )
    found = program["running"].run(target, requests=REQUESTS, seed=secrets.randbits(32))
    assert found.faults == [], str(found)
    assert site.pid == target.pid
    # It is about requests that come far, too.
    assert sum(found.statuses[one] for one in GOOD) > REQUESTS // 5, str(found)
    assert found.compared > REQUESTS // 50, str(found)
    site.stop()
