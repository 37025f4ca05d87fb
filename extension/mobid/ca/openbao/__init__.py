"""The connector to the PKI secrets engine of OpenBao: `create(settings, surroundings)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.ca.errors import ConnectorBroken
from mobid.ca.openbao.settings import OpenBaoSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.ca.connectors import Surroundings
    from mobid.ca.openbao.authority import OpenBaoCA

__all__ = ["OpenBaoSettings", "create"]


def create(settings: Mapping[str, object], surroundings: Surroundings) -> OpenBaoCA:
    """Return the CA behind an OpenBao; see `OpenBaoSettings` for the settings.

    Raise `InvalidSettings`, or `ConnectorBroken` if the extra is not installed that brings HTTP.
    """
    checked = OpenBaoSettings.read(settings)
    try:
        from mobid.ca.openbao.authority import OpenBaoCA  # noqa: PLC0415  # needs the extra "openbao"
    except ModuleNotFoundError as error:
        remedy = f"{error.name} is missing; install it with: pip install 'mobid[openbao]'"
        raise ConnectorBroken("openbao", f"{__name__}:create", remedy) from error
    return OpenBaoCA(checked, clock=surroundings.clock)
