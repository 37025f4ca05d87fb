"""The CAs: what a connector author needs, and the connectors themselves.

A connector is a function `create(settings, surroundings)` behind an entry point of the group
`mobid.authorities`; what it returns keeps the promises of `Authority`.
"""

from mobid.ca.connectors import (
    Connector,
    Surroundings,
    connectors,
    faults_of_settings,
    open_authority,
)
from mobid.ca.errors import (
    CAError,
    ConnectorBroken,
    ConnectorNotFound,
    InvalidSettings,
    RecordMissing,
)
from mobid.processes.authority import (
    Addresses,
    Authority,
    AuthorityError,
    Capabilities,
    Holds,
    Issued,
    Order,
    OutcomeUnknown,
    Pending,
    Publisher,
    Reason,
    Rejected,
    Status,
    Unavailable,
    Unsupported,
)

__all__ = [
    "Addresses",
    "Authority",
    "AuthorityError",
    "CAError",
    "Capabilities",
    "Connector",
    "ConnectorBroken",
    "ConnectorNotFound",
    "Holds",
    "InvalidSettings",
    "Issued",
    "Order",
    "OutcomeUnknown",
    "Pending",
    "Publisher",
    "Reason",
    "RecordMissing",
    "Rejected",
    "Status",
    "Surroundings",
    "Unavailable",
    "Unsupported",
    "connectors",
    "faults_of_settings",
    "open_authority",
]
