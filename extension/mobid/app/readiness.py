"""Whether the parts of a product work now: asked at most once a second, and never waited for long."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from mobid.storage.migrate import is_current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mobid.app.product import Product

KEPT: Final = 1.0
PATIENCE: Final = 2.0
"""Seconds; a part that has not said by then that it works does not."""

_log: Final = structlog.get_logger(__name__)


class Readiness:
    """Asks every part in a thread of its own, so that one that hangs holds nobody up.

    A part works if its function returns True. One that still hangs is not asked again meanwhile.
    """

    def __init__(
        self,
        parts: Mapping[str, Callable[[], bool]],
        *,
        kept: float = KEPT,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kept: Final = kept
        self._patience: Final = patience
        self._monotonic: Final = monotonic
        self._lock: Final = threading.Lock()
        self._parts: Final = [_Part(name, works) for name, works in parts.items()]
        self._failing: Sequence[str] = ()
        self._asked_at: float | None = None

    def failing(self) -> Sequence[str]:
        """Return the names of the parts that do not work; what was found a moment ago still holds."""
        with self._lock:
            now = self._monotonic()
            if self._asked_at is None or now - self._asked_at >= self._kept:
                self._failing = self._ask()
                self._asked_at = self._monotonic()
            return self._failing

    def _ask(self) -> Sequence[str]:
        for part in self._parts:
            part.ask()
        deadline = self._monotonic() + self._patience
        return [one.name for one in self._parts if not one.works_by(deadline - self._monotonic())]


class _Part:
    """One part, and whoever asks it now."""

    def __init__(self, name: str, works: Callable[[], bool]) -> None:
        self.name: Final = name
        self._works: Final = works
        self._said = False
        self._asking: threading.Thread | None = None

    def ask(self) -> None:
        if self._asking is None or not self._asking.is_alive():
            self._said = False
            self._asking = threading.Thread(
                target=self._run, name=f"readiness-{self.name}", daemon=True
            )
            self._asking.start()

    def works_by(self, seconds: float) -> bool:
        """Wait for the answer at most so long; who has not said yes by then does not work."""
        if self._asking is not None:
            self._asking.join(max(0.0, seconds))
        return self._said

    def _run(self) -> None:
        try:
            self._said = self._works()
        except Exception as error:  # noqa: BLE001 - whatever it is, the part does not work
            _log.warning("not_ready", part=self.name, error=str(error))


def readiness_of(product: Product) -> Readiness:
    """Return the readiness of a product; a worker counts only where one was started."""
    return Readiness(
        {
            "database": partial(is_current, product.engine),
            "sandbox": product.sandbox.is_alive,
            "worker": lambda: product.effects.worker_lives is not False,
        }
    )
