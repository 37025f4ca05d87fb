"""How checks are run: in their order, in bounded time, and none stops the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

from mobid.app.doctor.finding import Health, examine, ok

if TYPE_CHECKING:
    from mobid.app.doctor.finding import Finding


def well() -> list[Finding]:
    """Find nothing wrong."""
    return [ok("good", "as it must be")]


def test_a_check_that_fails_itself_is_a_finding() -> None:
    """The others go on, and the error is told, not swallowed."""

    def broken() -> NoReturn:
        raise RuntimeError("no such thing")

    first, second = examine({"odd": broken, "good": well})

    assert (first.name, first.health) == ("odd", Health.FAILED)
    assert first.seen == "this check itself failed: RuntimeError: no such thing"
    assert second == ok("good", "as it must be")


def test_a_check_that_hangs_is_a_finding() -> None:
    """A doctor that waits for ever helps nobody."""
    go_on = threading.Event()

    def hangs() -> list[Finding]:
        go_on.wait(30)
        return well()

    (found,) = examine({"slow": hangs}, patience=0.05)
    go_on.set()

    assert (found.name, found.health) == ("slow", Health.FAILED)
    assert found.seen == "no answer within 0.05 s"
