"""People in memory, over SCIM: the least that a product brings along for the engine."""  # noqa: INP001  run by its path

# It searches and sorts by what the engine says that filters and orders mean, resource by resource.
# A product asks its database, and compares the answers with that. This is for one process and one thread.

import hmac
import uuid
from dataclasses import replace
from datetime import UTC, datetime

from flask import Flask, Request

from mobid_scim.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Uniqueness
from mobid_scim.filter import Operator
from mobid_scim.http import blueprint
from mobid_scim.listing import Page, Query
from mobid_scim.match import matches
from mobid_scim.ordering import ordered
from mobid_scim.projection import Projection
from mobid_scim.repository import Change
from mobid_scim.resource import Operation, Resource, ResourceType, StoredResource, represent
from mobid_scim.schemas.user import USER
from mobid_scim.service import Endpoint, Service

BASE_URL = "http://127.0.0.1:5000/scim/v2"
TOKENS = {"hr": "secret-of-hr", "auditor": "secret-of-the-auditor"}
"""Of a trial. A product keeps digests of tokens, and gives each a day on which it ends."""

USERS = ResourceType(
    name="User",
    endpoint="/Users",
    schema=USER,
    operations=frozenset(Operation),
    sorts=True,
)


class People:
    """A repository that clients read, change (the engine's `Writes`) and delete from (`Deletes`)."""

    operators = frozenset(Operator)

    def __init__(self) -> None:
        self._stored: dict[str, StoredResource] = {}

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the resource; nothing of it is costly, so `projection` does not matter."""
        del projection
        if resource_id not in self._stored:
            raise NotFound(f'There is no User "{resource_id}".')
        return self._stored[resource_id]

    def search(self, query: Query) -> Page:
        """Return a page, the oldest first unless the query says otherwise."""
        found = self._resources()
        if query.filter is not None:
            found = [each for each in found if matches(query.filter, each)]
        if query.sort_by is not None:
            found = ordered(found, query.sort_by, query.sort_order)
        page = found[query.offset : query.offset + query.count]
        return Page([self._stored[str(each.get("id"))] for each in page], len(found))

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store a new resource under an id of ours."""
        del projection
        now = datetime.now(UTC)
        new = StoredResource(
            id=str(uuid.uuid4()), version="1", created=now, last_modified=now, document=""
        )
        return self._keep(new, resource)

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store the changed resource, unless another change came before."""
        del projection
        before = self._expected(change.id, expected_version)
        after = replace(
            before, version=str(int(before.version) + 1), last_modified=datetime.now(UTC)
        )
        return self._keep(after, change.after)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Forget the resource."""
        self._expected(resource_id, expected_version)
        del self._stored[resource_id]

    def _expected(self, resource_id: str, version: str | None) -> StoredResource:
        stored = self.get(resource_id, projection=Projection(USERS))
        if version not in (None, stored.version):
            raise PreconditionFailed(f'User "{resource_id}" was changed; read it again.')
        return stored

    def _keep(self, stored: StoredResource, resource: Resource) -> StoredResource:
        name = str(resource.get("userName"))
        for other in self._resources():
            taken = str(other.get("userName")).casefold() == name.casefold()
            if taken and other.get("id") != stored.id:
                raise Uniqueness(f'Another User has the userName "{name}"; send another one.')
        self._stored[stored.id] = replace(
            stored, document=resource.document(), external_id=resource.external_id
        )
        return self._stored[stored.id]

    def _resources(self) -> list[Resource]:
        return [represent(each, USERS, BASE_URL) for each in self._stored.values()]


def authenticate(request: Request) -> str:
    """Return whose token it is."""
    sent = request.authorization.token if request.authorization else None
    for caller, token in TOKENS.items():
        if sent is not None and hmac.compare_digest(sent.encode(), token.encode()):
            return caller
    raise Unauthorized("Send the token of a client as a bearer token.")


def authorize(caller: str, scope: ResourceType, operation: Operation) -> None:
    """Let the auditor read, and nothing else."""
    if caller == "auditor" and operation not in (Operation.READ, Operation.SEARCH):
        raise Forbidden(f"{caller} may only read {scope.endpoint}.")


people = People()
service = Service[str]([Endpoint(USERS, lambda _: people)], base_url=BASE_URL)
app = Flask(__name__)
app.register_blueprint(blueprint(service, authenticate=authenticate, authorize=authorize))
