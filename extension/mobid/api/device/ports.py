"""What this interface needs of the phone's side of Get; `mobid.processes.enrolment` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.domain.mobile_ids import Device, ProfileState
    from mobid.domain.options import Kind
    from mobid.processes.enrolment import Caller, Claimed, Result, ResultPending


class Phones(Protocol):
    """What phones can do. Everything may raise `CodeNotUsable`."""

    def claim(
        self,
        code: str,
        *,
        thumbprint: str,
        jwk: Mapping[str, str],
        device: Device,
        mail_code: str | None = None,
    ) -> Claimed:
        """Bind a code to the first phone that comes; the same phone gets its answer again.

        One that went by mail needs the mail code: raise `MailCodeRequired` or `BadMailCode`.
        """

    def device_key(self, enrolment_id: str) -> Mapping[str, str]:
        """Return the public key (JWK) of the phone that claimed."""

    def keys(
        self,
        phone: Caller,
        csrs: Mapping[Kind, bytes],
        transport_jwk: Mapping[str, str] | None,
    ) -> None:
        """Take all keys of a phone; the user is asked to approve them next."""

    def result(self, phone: Caller) -> ResultPending | Result:
        """Return the certificates once every one is issued, verified and stored."""

    def authentication_certificate(self, phone: Caller) -> bytes | None:
        """Return the DER of the new authentication certificate, if this mobile ID has one."""

    def confirm(self, phone: Caller, hashes: frozenset[bytes]) -> ProfileState:
        """The phone has installed every certificate."""

    def status(self, phone: Caller) -> ProfileState:
        """Return the state of the mobile ID on this phone."""

    def remove(self, phone: Caller) -> ProfileState:
        """Lock the mobile ID on this phone."""
