"""Users, groups and mobile IDs over SCIM: the repositories behind the engine, on our storage."""

from typing import Final

from mobid.provisioning.access import Caller, authorize
from mobid.provisioning.population import UserPopulation
from mobid.provisioning.service import cursors, service

SCIM_PREFIX: Final = "/scim/v2"
"""Where the service is below the public URL."""

__all__ = ["SCIM_PREFIX", "Caller", "UserPopulation", "authorize", "cursors", "service"]
