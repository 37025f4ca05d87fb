"""What the steps of Get work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobid.processes.errors import CANotAvailable

if TYPE_CHECKING:
    from mobid.config import Times
    from mobid.domain.instances import Instance
    from mobid.domain.options import Options
    from mobid.processes.authority import Capabilities
    from mobid.processes.codes import Codes
    from mobid.processes.decision import OptionDecision
    from mobid.processes.limits import Limit
    from mobid.processes.steps import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the steps of Get work with."""

    times: Times
    max_codes: int
    codes: Codes
    decision: OptionDecision
    ca: str
    public_url: str
    mails: Limit
    """How many mails with a link a user is sent."""

    def capabilities(self, run: Run) -> Capabilities:
        """Return the CA's last stored answer; raise `CANotAvailable`."""
        known = run.unit.authorities.capabilities(self.ca)
        if known is None:
            raise CANotAvailable(self.ca)
        return known


def options_of(instance: Instance) -> Options:
    """Return the frozen options that every Get has from its start."""
    if instance.options is None:
        raise LookupError(f"Process {instance.id} has no options frozen into it.")
    return instance.options
