"""The service provider, through a SCIM client that is not of its making: it checks every answer."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scim2_client import SCIMClientException
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import Context, ListResponse, Resource, SCIMException

from .differences import SHOWN
from .errors import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx2

PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
PAGE: Final = 100
CONFLICT: Final = 409
HOPELESS: Final = frozenset({401, 403, 429, 502, 503})
"""What is true of the next request, too: the token is not good, or patience is over."""


class Refused(Exception):
    """The service provider refused one thing, with these words; others may go on."""

    def __init__(self, status: int | None, detail: str) -> None:
        self.status = status
        super().__init__(detail)


@dataclass(frozen=True, slots=True)
class There:
    """A user or group as the service provider has it."""

    id: str
    document: dict[str, Any]

    @property
    def external_id(self) -> str:
        """What we call it; empty if it is none of ours."""
        return str(self.document.get("externalId") or "")


class Provider:
    """What the program asks of a service provider. Raises Refused, and Failed when it cannot go on."""

    def __init__(self, http: httpx2.Client) -> None:
        self._scim: Final = SyncSCIMClient(http)
        with _translated(fatal=True):
            self._scim.discover()
        self._check_abilities()

    def users(self) -> Iterator[There]:
        """Read all users, page by page."""
        return self._all("User", SHOWN)

    def user(self, external_id: str) -> There | None:
        """Return the user that we know by this identifier, if there is one."""
        text = external_id.replace("\\", "\\\\").replace('"', '\\"')
        query = {"filter": f'externalId eq "{text}"', "attributes": list(SHOWN)}
        _, found = self._page("User", query)
        return found[0] if found else None

    def groups(self) -> Iterator[There]:
        """Read all groups without their members, who may be many."""
        return self._all("Group", ("externalId", "displayName"))

    def members(self, group_id: str) -> set[str]:
        """Return the ids of the members of a group."""
        with _translated():
            query = {"attributes": ["members.value"]}
            found = self._scim.query(self._model("Group"), group_id, query_parameters=query)
        document = _document(found)
        return {str(one["value"]) for one in document.get("members") or ()}

    def create_user(self, body: dict[str, Any]) -> str:
        """Create a user and return its id.

        One that is there already by the same `externalId` was created by a request whose answer got
        lost: its id is returned.
        """
        try:
            return self._create("User", body)
        except Refused as refused:
            there = self.user(body["externalId"]) if refused.status == CONFLICT else None
            if there is None:
                raise
            return there.id

    def create_group(self, name: str, external_id: str) -> str:
        """Create a group without members and return its id."""
        body = {"schemas": [GROUP], "displayName": name, "externalId": external_id}
        return self._create("Group", body)

    def change(self, kind: str, resource_id: str, operations: Sequence[dict[str, Any]]) -> None:
        """Carry out operations on a user or group, all or none."""
        patch = {"schemas": [PATCH_OP], "Operations": list(operations)}
        with _translated():
            # Only whether it was done is of interest; a group's answer could have all its members.
            headers = {"Prefer": "return=minimal"}
            self._scim.modify(self._model(kind), resource_id, patch, headers=headers)

    def _create(self, kind: str, body: dict[str, Any]) -> str:
        with _translated():
            created = self._scim.create(self._model(kind), body)
        return _there(created).id

    def _all(self, kind: str, attributes: Sequence[str]) -> Iterator[There]:
        start, total = 1, 1
        while start <= total:
            query = {"startIndex": start, "count": PAGE, "attributes": list(attributes)}
            total, found = self._page(kind, query)
            if not found:
                return
            yield from found
            start += len(found)

    def _page(self, kind: str, query: dict[str, Any]) -> tuple[int, list[There]]:
        with _translated():
            page = self._scim.query(self._model(kind), query_parameters=query)
        if not isinstance(page, ListResponse):
            raise Failed(f"The answer to a search of {kind} is no list.")
        return page.total_results or 0, [_there(one) for one in page.resources or ()]

    def _model(self, kind: str) -> type[Resource[Any]]:
        model = self._scim.get_resource_model(kind)
        if model is None:
            raise Failed(f"The service provider has no resource type {kind}.")
        return model

    def _check_abilities(self) -> None:
        """Refuse a provider that cannot do what is needed, before anything is written."""
        config = self._scim.provider.config
        for name in ("patch", "filter"):
            ability = getattr(config, name, None)
            if ability is None or not ability.supported:
                raise Failed(f'The service provider does not support "{name}", which is needed.')
        for kind in ("User", "Group"):
            self._model(kind)


@contextmanager
def _translated(*, fatal: bool = False) -> Iterator[None]:
    """Raise Refused for what the service provider refuses, and Failed for what is no sound answer."""
    try:
        yield
    except SCIMException as refused:
        words = f"{refused.status}: {refused.detail}"
        if fatal or refused.status in HOPELESS:
            raise Failed(f"The service provider refuses: {words}") from None
        raise Refused(refused.status, words) from None
    except SCIMClientException as unsound:
        notes = " ".join(getattr(unsound, "__notes__", ()))
        raise Failed(f"The service provider cannot be worked with: {unsound} {notes}") from None


def _there(found: object) -> There:
    document = _document(found)
    return There(str(document["id"]), document)


def _document(found: object) -> dict[str, Any]:
    if not isinstance(found, Resource):
        raise Failed(f"The service provider answered with {type(found).__name__} for a resource.")
    document: dict[str, Any] = found.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
    return document
