"""Users by a SCIM filter, for those who are no client: dry runs of option scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mobid.processes.errors import InvalidInput
from mobid.provisioning.types import USER_EXTENSION, USER_TYPE
from mobid.storage.scim_users import user_attributes, user_place
from mobid_scim.errors import SCIMError
from mobid_scim.filter import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement

    from mobid.domain.users import User
    from mobid.storage import SQLUnits

_NOBODY: Final = ""
"""An `externalId` is its client's own, so nobody has one here."""


class UserPopulation:
    """Implements the port `Population`, with the engine that answers SCIM clients."""

    def __init__(self, units: SQLUnits, base_url: str) -> None:
        """`base_url` is where SCIM clients reach us, which filters about `$ref` compare with."""
        self._units = units
        self._attributes: Final = user_attributes(profiles=f"{USER_EXTENSION.id}:mobileIds")
        self._place: Final = user_place(_NOBODY, base_url)

    def count(self, filter_text: str) -> int:
        """Return how many there are now; raise `InvalidInput` for what is no filter over users."""
        condition = self._condition(filter_text)
        with self._units.reading() as unit:
            return unit.users.count_meeting(condition, self._place.asking)

    def pages(self, filter_text: str, size: int) -> Iterator[Sequence[User]]:
        """Yield them page by page, each in a transaction of its own; raise as `count` does."""
        condition, after = self._condition(filter_text), ""
        while True:
            with self._units.reading() as unit:
                page = unit.users.meeting(condition, self._place.asking, after=after, limit=size)
            if not page:
                return
            yield page
            after = page[-1].id

    def _condition(self, filter_text: str) -> ColumnElement[bool]:
        try:
            return self._attributes.condition(parse(filter_text, USER_TYPE))
        except SCIMError as error:
            raise InvalidInput("filter", f"is no filter over users: {error}") from None
