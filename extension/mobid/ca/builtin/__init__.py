"""The built-in CA, behind the same door as every other: `create(settings, surroundings)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.ca.builtin.authority import BuiltinCA
from mobid.ca.builtin.keys import initialise, load
from mobid.ca.builtin.ocsp import request_of_get
from mobid.ca.builtin.settings import BuiltinSettings
from mobid.ca.errors import RecordMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid.ca.connectors import Surroundings

__all__ = ["BuiltinCA", "BuiltinSettings", "create", "initialise", "load", "request_of_get"]


def create(settings: Mapping[str, object], surroundings: Surroundings) -> BuiltinCA:
    """Return the CA whose key lies in the key folder; see `BuiltinSettings` for the settings.

    Raise `InvalidSettings`, `RecordMissing`, or `KeyMissing`, `UnsafeFile` or `BrokenKey` of
    `mobid.config`.
    """
    checked = BuiltinSettings.read(settings)
    if surroundings.store is None:
        raise RecordMissing
    return BuiltinCA(
        settings=checked,
        issuer=load(surroundings.key_folder),
        store=surroundings.store,
        clock=surroundings.clock,
        public_url=surroundings.public_url,
    )
