"""MobileIDSelfServiceProcGet: a user gets a mobile ID on their phone.

It reads as its list of steps. The page *extension/README.md* gives the order of the transactions
behind them, and why they stand in that order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.processes.get.approve import Approve
from mobid.processes.get.confirm import Confirm
from mobid.processes.get.creating import Creating
from mobid.processes.get.has_active import HasActive
from mobid.processes.get.parts import Parts
from mobid.processes.get.show_mail import ShowMail
from mobid.processes.get.show_qr import ShowQR
from mobid.processes.views import Message

if TYPE_CHECKING:
    from mobid.processes.steps import Step

__all__ = ["NAME", "Parts", "steps"]

NAME: Final = Message("Get mobile ID")


def steps(parts: Parts) -> tuple[Step, ...]:
    """Return the steps of Get, in their order."""
    return (
        HasActive(parts),
        Confirm(parts),
        ShowQR(parts),
        ShowMail(parts),
        Approve(parts),
        Creating(),
    )
