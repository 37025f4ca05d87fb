"""The two steps at which every run ends: done, and failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from mobid.domain.instances import InstanceState, Process, StepName
from mobid.processes.views import Failure, Message, StepView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.instances import Instance
    from mobid.processes.steps import Action, Run

NOT_MINE_ERROR: Final = "NOT_MINE"

_WHY: Final = {
    "CA_REJECTED": "The CA refused the certificates. Tell your service desk the reference.",
    "CA_UNAVAILABLE": "The CA did not answer in time. Nothing is active. Try again later.",
    "DEVICE_NOT_CONFIRMED": "Your phone did not confirm in time. Nothing is active. Try again.",
    "ENROLMENT_EXPIRED": "The time for this was over. Nothing is active. Start again.",
    "USER_NOT_ACTIVE": "Your account is not active, so nothing was created. Contact your service desk.",
    "MOBILE_ID_SUSPENDED": "Your mobile ID was suspended meanwhile. Contact your operator.",
    "OPTION_SCRIPT_ERROR": "The options could not be decided. Tell your service desk the reference.",
    "REFUSED": "You may not get a mobile ID any more. Contact your service desk.",
    "NO_EMAIL": "Your account has no e-mail address, which your code would go to. "
    "Contact your service desk.",
    "QR_NOT_DELIVERED": "The mail with your code could not be delivered. Nothing is active. "
    "Have your e-mail address checked, then start again.",
    "MISSING_USER_ATTRIBUTE": "Your account lacks what a certificate needs. Contact your service desk.",
    NOT_MINE_ERROR: "The code was used by a phone that is not yours. It is burnt, and nothing was created. "
    "Tell your service desk the reference if you do not know that phone. Then start again.",
}

_CANCELLED: Final = {
    # A Lock that was made on the way of a Get stands, so nothing is said of locking there.
    Process.GET: Message("Nothing was created."),
    Process.LOCK: Message("Nothing was locked."),
}


def failure_of(instance: Instance) -> Failure | None:
    """Return why an instance ended without result, if it did."""
    if instance.error is None:
        return None
    return Failure(
        code=instance.error, text=Message(_WHY[instance.error]), reference=instance.reference
    )


class Done:
    """The run reached its outcome."""

    name: ClassVar[StepName] = StepName.DONE

    def view(self, run: Run) -> StepView:
        """Show the profile as it is now."""
        profile = run.mobile_id
        values = {"name": profile.profile_name, "state": profile.state.value}
        if run.instance.process is Process.LOCK:
            return StepView(title=Message("Mobile ID locked"), text=_how_far_locked(run))
        return StepView(
            title=Message("Your mobile ID is ready"),
            text=Message("%(name)s is %(state)s.", values),
            data={"valid_to": profile.valid_to, "device": profile.device and profile.device.name},
        )

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # no run knows more
        """Nothing can be done any more."""
        return {}


def _how_far_locked(run: Run) -> Message:
    """Say of the CA only what it has said itself."""
    name = run.mobile_id.profile_name
    never = sum(one.given_up_at is not None for one in run.certificates)
    if never:
        return Message(
            "%(name)s is locked here. Its CA is gone: %(count)d revocations were not confirmed by it.",
            {"name": name, "count": never},
        )
    return Message(
        "%(name)s is locked, and its certificates are revoked in the CA.", {"name": name}
    )


class Ended:
    """The run ended without its outcome: cancelled, failed or expired."""

    name: ClassVar[StepName] = StepName.FAILED

    def view(self, run: Run) -> StepView:
        """Say why, and what to do."""
        failure = failure_of(run.instance)
        if run.instance.state is InstanceState.CANCELLED and failure is None:
            return StepView(title=Message("Cancelled"), text=_CANCELLED[run.instance.process])
        text = failure.text if failure else Message("The time for this was over. Start again.")
        return StepView(title=Message("This did not work"), text=text)

    def actions(self, run: Run) -> Mapping[str, Action]:  # noqa: ARG002  # no run knows more
        """Nothing can be done any more."""
        return {}
