"""The errors of the audit log.

AuditError
├── InvalidEvent     an event that must not be recorded as it is; a fault in our own code
└── InvalidRecord    stored bytes that are no record of ours; a fault in the database
"""

from __future__ import annotations


class AuditError(Exception):
    """Something is wrong with the audit log."""


class InvalidEvent(AuditError):
    """An event that cannot be recorded. The message shows no value, as it may be a secret."""

    def __init__(self, action: str, field: str, *, accepted: str) -> None:
        self.action = action
        self.field = field
        super().__init__(
            f'Audit event "{action}": {field} is not recorded as it is; it must be {accepted}.'
        )


class InvalidRecord(AuditError):
    """Bytes that no event is written as."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"A stored audit record is damaged: {problem}. Run: mobid audit verify")
