"""A connector for tests: the built-in CA at the end of a line that can be cut, with somebody who refuses.

A file of the folder that the setting `switches` names is a switch: while `cut` is there the CA does
not answer, while `refuse` is there it rejects every order. So a test switches every process at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

from mobid.ca.builtin import BuiltinCA, BuiltinSettings, load
from mobid.ca.errors import InvalidSettings, RecordMissing
from mobid.processes.authority import Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mobid.ca import Capabilities, Issued, Order, Reason, Status, Surroundings


def create(settings: Mapping[str, object], surroundings: Surroundings) -> CAOnALine:
    """Return the CA whose key lies in the key folder."""
    switches = settings.get("switches")
    if not isinstance(switches, str):
        raise InvalidSettings(["this CA needs the setting switches, a folder"])
    if surroundings.store is None:
        raise RecordMissing
    ca = CAOnALine(
        settings=BuiltinSettings(),
        issuer=load(surroundings.key_folder),
        store=surroundings.store,
        clock=surroundings.clock,
        public_url=surroundings.public_url,
    )
    ca.switches = Path(switches)
    return ca


class CAOnALine(BuiltinCA):
    """Each of its verbs needs the line; what it publishes does not."""

    switches: Path

    @override
    def capabilities(self) -> Capabilities:
        self._need_the_line()
        return super().capabilities()

    @override
    def issue(self, order: Order) -> Issued:
        self._need_the_line()
        if (self.switches / "refuse").exists():
            raise Rejected("The registration authority says no.")
        return super().issue(order)

    @override
    def find(self, order: Order) -> Sequence[Issued]:
        self._need_the_line()
        return super().find(order)

    @override
    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:
        self._need_the_line()
        super().revoke(certificate, reason, at)

    @override
    def status(self, certificate: bytes) -> Status:
        self._need_the_line()
        return super().status(certificate)

    @override
    def hold(self, certificate: bytes, at: datetime) -> None:
        self._need_the_line()
        super().hold(certificate, at)

    @override
    def release(self, certificate: bytes, at: datetime) -> None:
        self._need_the_line()
        super().release(certificate, at)

    def _need_the_line(self) -> None:
        if (self.switches / "cut").exists():
            raise Unavailable("The line to the CA is cut.")
