"""What the errors of the product are in SCIM.

SCIMError
└── Unavailable   503; the same request may work later
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final

from mobid.domain.errors import IllegalTransition
from mobid.processes import errors as processes
from mobid.storage import ConstraintBroken, DatabaseUnavailable, Unstorable
from mobid_scim.errors import Conflict, InvalidValue, NotFound, SCIMError, Uniqueness
from mobid_scim.path import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid_scim.resource import Resource

RETRY_AFTER_SECONDS: Final = 5

_UNIQUE: Final = {"ux_users_user_name_key": "userName", "pk_external_ids": "externalId"}


class Unavailable(SCIMError):
    """Our side cannot do it now; the client did nothing wrong."""

    status: ClassVar[int] = 503

    def headers(self) -> Mapping[str, str]:
        """Say when to try again."""
        return {"Retry-After": str(RETRY_AFTER_SECONDS)}


_MEANING: Final[Mapping[type[Exception], type[SCIMError]]] = {
    processes.NotFound: NotFound,
    processes.VersionConflict: Conflict,
    processes.StaleStep: Conflict,
    IllegalTransition: Conflict,
    ConstraintBroken: Conflict,
    Unstorable: InvalidValue,
    DatabaseUnavailable: Unavailable,
}


def translate(error: Exception) -> SCIMError | None:
    """Return what an error of the product is in SCIM, or None for one that is not expected here."""
    for kind, meaning in _MEANING.items():
        if isinstance(error, kind):
            return meaning(str(error))
    return None


@contextmanager
def unique(resource: Resource) -> Iterator[None]:
    """Raise Uniqueness where the database has found a value of the resource taken."""
    try:
        yield
    except ConstraintBroken as broken:
        name = _UNIQUE.get(broken.constraint or "")
        if name is None:
            raise
        value = quoted(str(resource.get(name)))
        raise Uniqueness(
            f"Another {resource.type.name} has the {name} {value} already; send another one."
        ) from broken
