"""What the contract suites run over.

A new CA connector adds its name to `authority` and a fixture `<name>_ca`; a new record of the
built-in CA adds the name of its fixture to `store`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.ca import Authority
    from mobid.ca.builtin.store import CAStore


@pytest.fixture
def clock(clock: StandingClock) -> StandingClock:
    """The time of day, standing still: a CA in a process of its own looks at its own clock."""
    clock.now = datetime.now(UTC)
    return clock


@pytest.fixture(params=["builtin"])
def authority(request: pytest.FixtureRequest) -> Authority:
    """Each CA in turn."""
    ca: Authority = request.getfixturevalue(f"{request.param}_ca")
    return ca


@pytest.fixture(params=["ca_store"])
def store(request: pytest.FixtureRequest) -> CAStore:
    """Each record of the built-in CA in turn, empty."""
    record: CAStore = request.getfixturevalue(request.param)
    return record
