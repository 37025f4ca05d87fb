"""A line to the built-in CA on which everything goes wrong that a test asks for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from mobid.processes.authority import (
    Issued,
    OutcomeUnknown,
    Pending,
    Reason,
    Rejected,
    Status,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mobid.ca.builtin import BuiltinCA
    from mobid.domain.certificates import Certificate
    from mobid.processes.authority import Capabilities, Order


class LineToCA:
    """The built-in CA, behind a line on which everything goes wrong that a test asks for.

    Implements `Authority` for a CA that cannot hold; `HoldingLine` can.
    """

    holds = False

    def __init__(self, ca: BuiltinCA) -> None:
        self.ca = ca
        self.away: set[str] = set()
        """Verbs that do not reach the CA; `all` is every verb."""
        self.mute: set[str] = set()
        """Verbs that take effect, and whose answer is lost."""
        self.settle_seconds = 0.0
        self.before_issue: Callable[[Order], Issued | Pending | None] = lambda _: None
        """What answers in the place of the CA, if it answers; or what happens before it does."""
        self.before: Callable[[str], None] = lambda _: None
        """What happens before a verb reaches the CA."""
        self.also: list[Issued] = []
        """More certificates that the CA has for the orders that it is asked to find."""
        self.forgets: set[str] = set()
        """Verbs that the CA accepts, and then does not do."""
        self.loses: set[bytes] = set()
        """Certificates that are not in the CA's record any more."""
        self.known_reasons = frozenset(Reason)
        self.reasons: list[Reason] = []
        """Why the CA was told to revoke, each time."""
        self.after_find: Callable[[Order], None] = lambda _: None
        """What happens when the CA has looked for an order, and before we have heard what it found."""
        self.after_status: Callable[[], None] = lambda: None
        """What happens when the CA has answered for a certificate, and before we have heard it."""
        self.calls: list[str] = []

    def says(self, verb: str) -> int:
        """Return how often a verb was called."""
        return self.calls.count(verb)

    def revokes(self, certificate: Certificate) -> None:
        """Revoke without being asked to."""
        assert certificate.der is not None
        self.ca.revoke(certificate.der, Reason.UNSPECIFIED, certificate.ordered_at)

    @contextmanager
    def _line(self, verb: str) -> Iterator[None]:
        self.calls.append(verb)
        if self.away & {verb, "all"}:
            raise Unavailable("The CA does not answer.")
        self.before(verb)
        yield
        if verb in self.mute:
            raise OutcomeUnknown("The answer of the CA was lost.")

    def capabilities(self) -> Capabilities:
        """Return what the built-in CA can do, as far as this line lets it."""
        with self._line("capabilities"):
            known = self.ca.capabilities()
        return replace(
            known,
            holds=self.holds,
            reasons=self.known_reasons,
            settle_seconds=self.settle_seconds,
        )

    def issue(self, order: Order) -> Issued | Pending:
        """Ask for one certificate."""
        with self._line("issue"):
            return self.before_issue(order) or self.ca.issue(order)

    def find(self, order: Order) -> Sequence[Issued | Pending]:
        """Return everything the CA holds for this order."""
        with self._line("find"):
            found = [*self.ca.find(order), *self.also]
        self.after_find(order)
        return found

    def revoke(self, certificate: bytes, reason: Reason, at: datetime) -> None:
        """Revoke for good."""
        with self._line("revoke"):
            if certificate in self.loses:
                raise Rejected("There is no such certificate.")
            self.reasons.append(reason)
            if "revoke" not in self.forgets:
                self.ca.revoke(certificate, reason, at)

    def status(self, certificate: bytes) -> Status:
        """Return the CA's own word."""
        with self._line("status"):
            status = self.ca.status(certificate)
        self.after_status()
        return Status.UNKNOWN if certificate in self.loses else status


class HoldingLine(LineToCA):
    """A line to a CA that can hold."""

    holds = True

    def hold(self, certificate: bytes, at: datetime) -> None:
        """Suspend."""
        with self._line("hold"):
            self.ca.hold(certificate, at)

    def release(self, certificate: bytes, at: datetime) -> None:
        """Take the suspension back."""
        with self._line("release"):
            self.ca.release(certificate, at)
