"""The step of Get in which the CA works, and then the phone confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from mobid.domain.instances import InstanceState, StepName
from mobid.processes.get.moves import cancel
from mobid.processes.steps import (
    CANCEL,
)
from mobid.processes.views import Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.processes.steps import Action, Run


class Creating:
    """The CA works, then the phone fetches and confirms. Nothing is active before that."""

    name: ClassVar[StepName] = StepName.CREATING

    def view(self, run: Run) -> StepView:
        """Say how far it is."""
        ready = sum(certificate.usable for certificate in run.certificates)
        values = {"ready": ready, "count": len(run.certificates)}
        if run.instance.state is InstanceState.WAITING_DEVICE:
            text = Message("The certificates are made. Your phone installs them and confirms.")
        else:
            text = Message("The CA has made %(ready)d of %(count)d certificates.", values)
        return StepView(title=Message("Creating your mobile ID"), text=text, data=values)

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # the same at every run
        """Cancel still works: what was issued is revoked."""
        return {CANCEL: cancel}
