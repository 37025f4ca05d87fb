"""Users, groups and mobile IDs over SCIM: the repositories behind the engine, on our storage."""

from mobid.provisioning.access import Caller, authorize
from mobid.provisioning.service import cursors, service

__all__ = ["Caller", "authorize", "cursors", "service"]
