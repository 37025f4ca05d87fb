"""What each letter says: from a mail and what is stored, to the values that fill its templates.

Every letter has `name` (how to address its reader), `server_name` (who speaks) and `url` (where to
act, on our own site). `at` is when it happened. All texts are plain, one line each, and for people:
no id among them. Times are aware. The table, by event:

=================  ==========  ==============  ======================================================
event              subject     url             more values
=================  ==========  ==============  ======================================================
`qr_code`          instance    its page        `profile_name`, `expires_at` (the link's end); `enclosed`
                                               has link, typed code and picture
`invitation`       instance    self-service    `profile_name`, `expires_at` (when it lapses)
`get_succeeded`    instance    its *Lock*      `at`, `profile_name`, `user_id`, `device`, `valid_to`,
                                               `certificates` (a list: how each kind is called)
`get_failed`       instance    self-service    `at`, `reason` (why, and what to do), `reference`
`not_mine`         instance    self-service    `at`, `device` (the phone that was refused), `reference`
`locked_by_other`  mobile ID   the mobile ID   `at`, `profile_name`, `device`, `by` (who locked, in
                                               words), `reason` (in words)
`address_changed`  user        self-service    `at`, `address` (the new one, masked; "" if none is left)
`expiring`         mobile ID   the mobile ID   `profile_name`, `device`, `valid_to`, `days` (left until
                                               then, counted up, as of when the letter is sent)
=================  ==========  ==============  ======================================================

`device` is "" where no phone has ever been. The url of a mobile ID leads to its page, and that of a
new one to where *Lock* is on it: "not you? lock it".
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mobid.domain.actors import ActorKind
from mobid.domain.instances import StepName
from mobid.domain.mails import MailEvent, masked
from mobid.domain.mobile_ids import LockReason, ProfileState
from mobid.domain.options import SERVER_NAME
from mobid.processes.codes import link_of
from mobid.processes.ended import failure_of
from mobid.processes.get.confirm import KIND_NAMES
from mobid.processes.mailing import Enclosed, Letter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mobid.domain.enrolments import Enrolment
    from mobid.domain.instances import Instance
    from mobid.domain.mails import Mail
    from mobid.domain.mobile_ids import MobileID
    from mobid.processes.codes import Codes
    from mobid.processes.mailing import QRPicture
    from mobid.processes.ports import UnitOfWork

BY: Final = {
    ActorKind.USER: "another user",
    ActorKind.OPERATOR: "an operator",
    ActorKind.SCIM_CLIENT: "your organisation's identity management",
    ActorKind.DEVICE: "a phone",
    ActorKind.CA: "the certificate authority",
    ActorKind.SYSTEM: "the mobile ID server",
}
REASONS: Final = {
    LockReason.LOST_OR_STOLEN: "The phone is lost or stolen.",
    LockReason.REPLACED: "It was replaced.",
    LockReason.REMOVED: "It was removed from the phone.",
    LockReason.USER_DELETED: "Your account was deleted.",
    LockReason.CA_REVOKED: "The certificate authority revoked a certificate of it.",
}
_NO_REASON: Final = "No reason was given."
_CANCELLED: Final = "It was cancelled for you, and nothing was created. Contact your service desk."

Values = dict[str, object]


class NothingToSay(Exception):
    """What the letter would say holds no more; the message says why."""


class Letters:
    """Writes letters. Codes are derived again from their numbers, and drawn."""

    def __init__(self, codes: Codes, picture: QRPicture, public_url: str) -> None:
        self._codes = codes
        self._picture = picture
        self._public_url = public_url
        self._values: Final[Mapping[MailEvent, Callable[[UnitOfWork, Mail], Values]]] = {
            MailEvent.QR_CODE: self._qr_code,
            MailEvent.INVITATION: self._invitation,
            MailEvent.GET_SUCCEEDED: self._succeeded,
            MailEvent.GET_FAILED: self._failed,
            MailEvent.NOT_MINE: self._not_mine,
            MailEvent.LOCKED_BY_OTHER: self._locked,
            MailEvent.ADDRESS_CHANGED: self._address_changed,
            MailEvent.EXPIRING: self._expiring,
        }

    def write(self, unit: UnitOfWork, mail: Mail) -> Letter:
        """Return the letter of a mail as of now; raise `NothingToSay`."""
        user = unit.users.get(mail.user_id)
        always = {"name": user.display_name or user.user_name, "at": mail.created_at}
        letter = Letter(
            id=mail.id,
            event=mail.event,
            to=mail.to,
            values=always | self._values[mail.event](unit, mail),
        )
        if mail.event is MailEvent.QR_CODE:
            return replace(letter, enclosed=self._enclosed(unit, mail))
        return letter

    def _qr_code(self, unit: UnitOfWork, mail: Mail) -> Values:
        instance = unit.instances.get(mail.subject_id)
        enrolment = self._live_code(unit, instance, mail)
        return {
            **_of_profile(unit.mobile_ids.get(enrolment.mobile_id)),
            "url": f"{self._public_url}/instances/{instance.id}",
            "expires_at": enrolment.code_expires_at,
        }

    def _enclosed(self, unit: UnitOfWork, mail: Mail) -> Enclosed:
        enrolment = self._live_code(unit, unit.instances.get(mail.subject_id), mail)
        link = link_of(self._public_url, self._codes.token(enrolment.id, mail.number))
        return Enclosed(
            link=link,
            typed_code=self._codes.typed(enrolment.id, mail.number),
            picture=self._picture(link),
        )

    @staticmethod
    def _live_code(unit: UnitOfWork, instance: Instance, mail: Mail) -> Enrolment:
        """Never a dead code: it must be the current one of a run that still waits for a phone."""
        enrolment = waiting_code(unit, instance, mail)
        if enrolment is None or unit.now >= enrolment.code_expires_at:
            raise NothingToSay("the code is no longer valid")
        if unit.users.get(mail.user_id).email != mail.to:
            raise NothingToSay("its reader has another address now")
        return enrolment

    def _invitation(self, unit: UnitOfWork, mail: Mail) -> Values:
        instance = unit.instances.get(mail.subject_id)
        if not instance.running or instance.over(unit.now):
            raise NothingToSay("the order is not waiting any more")
        return {**self._of_run(unit, instance), "expires_at": instance.expires_at}

    def _succeeded(self, unit: UnitOfWork, mail: Mail) -> Values:
        instance = unit.instances.get(mail.subject_id)
        profile = unit.mobile_ids.get(instance.mobile_id or "")
        return {
            **_of_profile(profile),
            "url": f"{self._page_of(profile)}#lock",
            "user_id": profile.user_label,
            "valid_to": profile.valid_to,
            "certificates": [str(KIND_NAMES[kind]) for kind in instance.selected],
        }

    def _failed(self, unit: UnitOfWork, mail: Mail) -> Values:
        instance = unit.instances.get(mail.subject_id)
        failure = failure_of(instance)
        return {
            **self._of_run(unit, instance),
            "reason": str(failure.text) if failure else _CANCELLED,
            "reference": instance.reference,
        }

    def _not_mine(self, unit: UnitOfWork, mail: Mail) -> Values:
        instance = unit.instances.get(mail.subject_id)
        enrolment = unit.enrolments.of_instance(instance.id)
        claim = enrolment.claim if enrolment else None
        return {
            **self._of_run(unit, instance),
            "device": claim.device.name if claim else "",
            "reference": instance.reference,
        }

    def _locked(self, unit: UnitOfWork, mail: Mail) -> Values:
        profile = unit.mobile_ids.get(mail.subject_id)
        return {
            **_of_profile(profile),
            "url": self._page_of(profile),
            "by": BY[profile.locked_by.kind] if profile.locked_by else "",
            "reason": REASONS.get(profile.locked_for or LockReason.OTHER, _NO_REASON),
        }

    def _address_changed(self, unit: UnitOfWork, mail: Mail) -> Values:
        new = unit.users.get(mail.user_id).email
        return {
            "server_name": SERVER_NAME,
            "url": f"{self._public_url}/",
            "address": masked(new) if new else "",
        }

    def _expiring(self, unit: UnitOfWork, mail: Mail) -> Values:
        profile = unit.mobile_ids.get(mail.subject_id)
        if profile.state is not ProfileState.ACTIVE or profile.valid_to is None:
            raise NothingToSay(f"the mobile ID is {profile.state}")
        if unit.now >= profile.valid_to:
            raise NothingToSay("the mobile ID has ended")
        return {
            **_of_profile(profile),
            "url": self._page_of(profile),
            "valid_to": profile.valid_to,
            "days": -((unit.now - profile.valid_to) // timedelta(days=1)),
        }

    def _of_run(self, unit: UnitOfWork, instance: Instance) -> Values:
        """Return what is said of a run whose mobile ID may not even have a name yet."""
        url: Values = {"url": f"{self._public_url}/"}
        if instance.mobile_id is None:
            options = instance.options
            return url | {
                "server_name": options.server_name if options else SERVER_NAME,
                "profile_name": options.profile_name if options else "",
            }
        names = _of_profile(unit.mobile_ids.get(instance.mobile_id))
        return url | {name: names[name] for name in ("server_name", "profile_name")}

    def _page_of(self, profile: MobileID) -> str:
        return f"{self._public_url}/mobile-ids/{profile.id}"


def waiting_code(unit: UnitOfWork, instance: Instance, mail: Mail) -> Enrolment | None:
    """Return the enrolment whose current code is in this mail, if its run still waits for a phone."""
    enrolment = unit.enrolments.of_instance(instance.id)
    if enrolment is None or not instance.running or instance.step is not StepName.MAIL:
        return None
    untouched = enrolment.code_number == mail.number and enrolment.claim is None
    return enrolment if untouched and not enrolment.closed else None


def _of_profile(profile: MobileID) -> Mapping[str, object]:
    return {
        "server_name": profile.server_name,
        "profile_name": profile.profile_name,
        "device": profile.device.name if profile.device else "",
    }
