"""The errors of setting up a CA, and of the built-in CA's parts.

What a CA answers to a call is an `AuthorityError` (`mobid.processes.authority`), never one of these.
A private key file that is missing, loose or broken is a `mobid.config.KeyFileError`.

    CAError
    ├── ConnectorNotFound      no installed connector has that name
    ├── ConnectorBroken        its entry point cannot be loaded
    ├── InvalidSettings        all faults of a connector's settings, together
    ├── RecordMissing          the built-in CA was opened without its record
    ├── LintFailed             a certificate that we were about to sign breaks our own rules
    └── StoreError             what a `CAStore` raises
        ├── StoreUnavailable   the database is away; the same call may be made again
        ├── KeyTaken           the public key belongs to another order
        ├── SerialTaken        the serial number is in use
        ├── NotIssued          no certificate of that issuer has that serial number
        ├── AlreadyRevoked     revoked is for good; it can not be held or released
        └── OtherCertificate   another certificate is recorded under that serial number
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class CAError(Exception):
    """A CA cannot be used."""


class ConnectorNotFound(CAError):
    """No connector of that name is installed."""

    def __init__(self, name: str, installed: Iterable[str]) -> None:
        self.name = name
        names = ", ".join(sorted(installed)) or "none"
        super().__init__(f'There is no CA connector "{name}"; installed are: {names}.')


class ConnectorBroken(CAError):
    """A connector is installed and cannot be loaded."""

    def __init__(self, name: str, target: str, problem: str) -> None:
        self.name = name
        super().__init__(f'The CA connector "{name}" ({target}) cannot be loaded: {problem}.')


class InvalidSettings(CAError):
    """Settings of a CA that cannot be used; `faults` names every one of them."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("The settings of the CA cannot be used: " + "; ".join(faults) + ".")


class RecordMissing(CAError):
    """Opened where there is no database to keep it, which only a check of settings does."""

    def __init__(self) -> None:
        super().__init__("The built-in CA needs a record (CAStore), and none was given.")


class LintFailed(CAError):
    """A planned certificate breaks the rules that we rely on; nothing was signed with the CA key."""

    def __init__(self, findings: Sequence[str]) -> None:
        self.findings = tuple(findings)
        super().__init__("The planned certificate breaks our own rules: " + "; ".join(findings))


class StoreError(CAError):
    """The CA's record refuses or cannot be reached."""


class StoreUnavailable(StoreError):
    """The database does not answer, or was too busy; the same call may be made again."""


class KeyTaken(StoreError):
    """One key belongs to one order."""

    def __init__(self, order_key: str) -> None:
        super().__init__(f"The public key of order {order_key} belongs to another order already.")


class SerialTaken(StoreError):
    """A serial number is used once per issuer."""

    def __init__(self, serial: int) -> None:
        super().__init__(f"The serial number {serial:x} is in use already; draw another one.")


class NotIssued(StoreError):
    """Nothing was planned or issued under that serial number."""

    def __init__(self, serial: int) -> None:
        super().__init__(f"This CA has no certificate with the serial number {serial:x}.")


class AlreadyRevoked(StoreError):
    """Revoked is for good."""

    def __init__(self, serial: int) -> None:
        super().__init__(
            f"The certificate {serial:x} is revoked for good; it can not be held or released."
        )


class OtherCertificate(StoreError):
    """Two different certificates under one serial number: never to happen, never to pass."""

    def __init__(self, serial: int) -> None:
        super().__init__(f"Another certificate is recorded under the serial number {serial:x}.")
