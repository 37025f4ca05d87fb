"""Finding CA connectors by their entry points, and opening one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, cast

from mobid.ca.errors import ConnectorBroken, ConnectorNotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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
    http: object | None = None
    """An HTTP session with the deployment's proxy, time-outs and trust; the connector narrows it."""


class Connector(Protocol):
    """What an entry point of the group `mobid.authorities` names."""

    def __call__(self, settings: Mapping[str, object], surroundings: Surroundings) -> Authority:
        """Return the CA that these settings describe.

        Reads its keys and checks its settings; raise `CAError` (all faults of the
        settings in one `InvalidSettings`) or `KeyFileError`.
        Calls no CA: one that is down must not keep the product down.
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
