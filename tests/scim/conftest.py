"""A small real provider: users in memory, notes that can only be read, two callers."""

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient

from mobid_scim.attributes import Attribute, Mutability, Returned, Schema, Type
from mobid_scim.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Uniqueness
from mobid_scim.filter import Operator
from mobid_scim.http import blueprint
from mobid_scim.listing import Page, Query
from mobid_scim.match import matches
from mobid_scim.projection import Projection
from mobid_scim.repository import Change
from mobid_scim.resource import (
    Extension,
    Operation,
    Resource,
    ResourceType,
    StoredResource,
    represent,
)
from mobid_scim.schemas.enterprise_user import ENTERPRISE_USER
from mobid_scim.schemas.user import USER
from mobid_scim.service import Endpoint, Service

BASE = "https://id.example/scim/v2"
START = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)

BADGES = Schema(
    id="urn:example:scim:badges:2.0:User",
    name="Badges",
    description="What a user wears",
    attributes=(
        Attribute("colour"),
        Attribute("born", type=Type.DATE_TIME, mutability=Mutability.IMMUTABLE),
        Attribute("height", type=Type.INTEGER),
        Attribute("weight", type=Type.DECIMAL),
        Attribute(
            "badges",
            type=Type.COMPLEX,
            multi_valued=True,
            mutability=Mutability.READ_ONLY,
            returned=Returned.REQUEST,
            sub_attributes=(
                Attribute("value", mutability=Mutability.READ_ONLY),
                Attribute("picture", mutability=Mutability.READ_ONLY, returned=Returned.REQUEST),
            ),
        ),
    ),
)

USERS = ResourceType(
    name="User",
    endpoint="/Users",
    schema=USER,
    description="People",
    extensions=(Extension(ENTERPRISE_USER), Extension(BADGES)),
    operations=frozenset(Operation),
)

NOTES = ResourceType(
    name="Note",
    endpoint="/Notes",
    schema=Schema(
        id="urn:example:scim:notes:2.0:Note",
        name="Note",
        description="A note that the provider wrote",
        attributes=(Attribute("text", mutability=Mutability.READ_ONLY),),
    ),
    operations=frozenset({Operation.READ, Operation.SEARCH}),
)


@dataclass
class Rows:
    """What all callers share: resources by id, and who gave which externalId."""

    stored: dict[str, StoredResource] = field(default_factory=dict)
    external_ids: dict[tuple[str, str], str] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    writes: int = 0
    before_replace: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class MemoryUsers:
    """Users as one caller sees them: externalIds are the caller's own."""

    rows: Rows
    caller: str
    operators: frozenset[Operator] = frozenset({Operator.EQ, Operator.AND})

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the resource, with what is costly only where it is asked for."""
        stored = self.rows.stored.get(resource_id)
        if stored is None:
            raise NotFound(f'There is no User "{resource_id}".')
        computed: dict[str, object] = {}
        if projection.wants(f"{BADGES.id}:badges"):
            badge = {"value": f"badge of {stored.id}", "picture": "iVBORw0KGgo="}
            computed = {BADGES.id: {"badges": [badge]}}
        external_id = self.rows.external_ids.get((self.caller, resource_id))
        return replace(stored, external_id=external_id, computed=computed)

    def search(self, query: Query) -> Page:
        """Return a page, filtered by the reference meaning."""
        every = [self.get(key, projection=query.projection) for key in self.rows.stored]
        found = [
            each
            for each in every
            if query.filter is None or matches(query.filter, represent(each, USERS, BASE))
        ]
        return Page(found[query.offset : query.offset + query.count], len(found))

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store it under the next id."""
        self._check_unique(resource, besides=None)
        number = next(self.rows.numbers)
        stored = StoredResource(
            id=f"u{number}",
            version="1",
            created=START,
            last_modified=START,
            document=resource.document(),
        )
        return self._keep(stored, resource, projection)

    def replace(
        self, change: Change, *, expected_version: str, projection: Projection
    ) -> StoredResource:
        """Store the change, if the version is the expected one."""
        self.rows.before_replace()
        stored = self.get(change.id, projection=projection)
        if stored.version != expected_version:
            raise PreconditionFailed(f'User "{change.id}" was changed by somebody else.')
        self._check_unique(change.after, besides=change.id)
        changed = replace(
            stored,
            version=str(int(stored.version) + 1),
            last_modified=stored.last_modified + dt.timedelta(seconds=1),
            document=change.after.document(),
        )
        return self._keep(changed, change.after, projection)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Forget the resource."""
        stored = self.get(resource_id, projection=Projection(USERS))
        if expected_version not in (None, stored.version):
            raise PreconditionFailed(f'User "{resource_id}" was changed by somebody else.')
        del self.rows.stored[resource_id]

    def _keep(
        self, stored: StoredResource, resource: Resource, projection: Projection
    ) -> StoredResource:
        self.rows.writes += 1
        self.rows.stored[stored.id] = replace(stored, external_id=None, computed={})
        self.rows.external_ids.pop((self.caller, stored.id), None)
        if resource.external_id is not None:
            self.rows.external_ids[self.caller, stored.id] = resource.external_id
        return self.get(stored.id, projection=projection)

    def _check_unique(self, resource: Resource, *, besides: str | None) -> None:
        name = str(resource.get("userName"))
        for key, stored in self.rows.stored.items():
            other = represent(stored, USERS, BASE).get("userName")
            if key != besides and str(other).casefold() == name.casefold():
                raise Uniqueness(f'The userName "{name}" is taken.')


@dataclass(frozen=True)
class MemoryNotes:
    """One note for every caller."""

    caller: str
    operators: frozenset[Operator] = frozenset({Operator.EQ})

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the resource, with what is costly only where it is asked for."""
        if resource_id != "n1":
            raise NotFound(f'There is no Note "{resource_id}".')
        return StoredResource(
            id="n1",
            version="7",
            created=START,
            last_modified=START,
            document=f'{{"schemas":["{NOTES.schema.id}"]}}',
            computed={"text": f"for {self.caller}"} if projection.wants("text") else {},
        )

    def search(self, query: Query) -> Page:
        """Return a page, filtered by the reference meaning."""
        found = [self.get("n1", projection=query.projection)]
        return Page(found[query.offset : query.offset + query.count], 1)


TOKENS = {"Bearer read-write": "alice", "Bearer other": "bob", "Bearer read-only": "reader"}


def authenticate(request: Request) -> str:
    """Return the caller of a known token."""
    caller = TOKENS.get(request.headers.get("Authorization", ""))
    if caller is None:
        raise Unauthorized("Send a valid bearer token.")
    return caller


def authorize(caller: str, scope: ResourceType, operation: Operation) -> None:
    """Let the reader read."""
    if caller == "reader" and operation not in (Operation.READ, Operation.SEARCH):
        raise Forbidden(f"{caller} may not {operation} {scope.endpoint}.")


def translate(error: Exception) -> NotFound | None:
    """Know one error of the product."""
    return NotFound("It burned.") if isinstance(error, LookupError) else None


@pytest.fixture(scope="session")
def users() -> ResourceType:
    """Return the type of users: core, enterprise, and an extension of the tests."""
    return USERS


@pytest.fixture
def rows() -> Rows:
    """Return the empty storage."""
    return Rows()


@pytest.fixture
def app(rows: Rows) -> Flask:
    """Return an application with users and notes below /scim/v2."""
    service = Service[str](
        [
            Endpoint(USERS, lambda caller: MemoryUsers(rows, caller)),
            Endpoint(NOTES, MemoryNotes),
        ],
        base_url=BASE,
    )
    app = Flask("provider")
    app.register_blueprint(
        blueprint(service, authenticate=authenticate, authorize=authorize, translate=translate)
    )
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client that may read and write."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-write"
    return client


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Return a client without a token."""
    return app.test_client()
