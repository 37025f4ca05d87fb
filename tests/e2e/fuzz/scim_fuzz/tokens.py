"""The tokens that requests come with: one client, which speaks every dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.app import Product
from mobid.auth.tokens import SCOPES
from mobid.config import load
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience
from mobid_scim.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CLIENT = "fuzz"


def tokens_of(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Make a token for each dialect at a home, and return them by its name."""
    scopes = SCOPES[Audience.SCIM]
    with Product(load(home, environ)) as product:
        return {
            name: product.tokens.create(
                _CLIENT, Audience.SCIM, scopes, by=SYSTEM, dialect=name
            ).bearer.reveal()
            for name in DIALECTS
        }
