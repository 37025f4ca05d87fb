"""The CAs that the contract suite runs over. A new connector adds its name and a fixture `<name>_ca`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.ca import Authority


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
