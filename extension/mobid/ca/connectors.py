"""Finding CA connectors by their entry points, and opening one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, cast

from mobid.ca.errors import CAError, ConnectorBroken, ConnectorNotFound, InvalidSettings
from mobid.config.errors import KeyFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from importlib.metadata import EntryPoint
    from pathlib import Path

    from mobid.ca.builtin.store import CAStore
    from mobid.processes.authority import Authority

GROUP: Final = "mobid.authorities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a connector gets from the application that it is plugged into."""

    clock: Callable[[], datetime]
    """Aware, UTC."""
    key_folder: Path
    """Where private keys of this CA may lie; private to the operating-system user."""
    public_url: str
    """The address of this deployment without a slash at its end, e.g. https://mobid.example.org."""
    store: CAStore | None = None
    """The record of the built-in CA. Other CAs keep their own."""


class Connector(Protocol):
    """What an entry point of the group `mobid.authorities` names."""

    def __call__(self, settings: Mapping[str, object], surroundings: Surroundings) -> Authority:
        """Return the CA that these settings describe.

        Checks its settings first, and then reads its keys; raise `CAError` (all faults of the
        settings in one `InvalidSettings`) or `KeyFileError`. A secret that a setting names by its
        file is read with `mobid.config.read_secret_file`, whose words go into the fault.
        Calls no CA: one that is down must not keep the product down, and the settings are checked
        by opening the CA and throwing it away.
        """


def connectors() -> Mapping[str, EntryPoint]:
    """Return the installed connectors by name, not loaded."""
    return {point.name: point for point in entry_points(group=GROUP)}


def open_authority(
    name: str, settings: Mapping[str, object], surroundings: Surroundings
) -> Authority:
    """Load the connector `name` and open its CA.

    Raise `ConnectorNotFound`, `ConnectorBroken`, or what the connector itself raises.
    """
    installed = connectors()
    point = installed.get(name)
    if point is None:
        raise ConnectorNotFound(name, installed)
    try:
        create = cast("Connector", point.load())
    except (ImportError, AttributeError) as error:
        raise ConnectorBroken(name, point.value, str(error)) from error
    return create(settings, surroundings)


def faults_of_settings(
    name: str, settings: Mapping[str, object], surroundings: Surroundings
) -> Sequence[str]:
    """Return everything that the connector `name` finds wrong with its settings; nothing if all is well.

    No connector of that name is such a fault, too. A key or a record that is missing is none: it
    is told by whoever opens the CA to use it.
    """
    try:
        open_authority(name, settings, surroundings)
    except InvalidSettings as invalid:
        return invalid.faults
    except (ConnectorNotFound, ConnectorBroken) as absent:
        return [str(absent)]
    except (CAError, KeyFileError):
        return []
    return []
