"""A small real provider: users and groups in memory, notes that can only be read, three callers.

Its storage evaluates filters and sorts by the reference meaning of the engine.
"""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient

from mobid_scim.attributes import Attribute, Mutability, Returned, Schema, Type
from mobid_scim.cursors import Cursors
from mobid_scim.errors import Forbidden, NotFound, PreconditionFailed, Unauthorized, Uniqueness
from mobid_scim.filter import Operator
from mobid_scim.http import blueprint
from mobid_scim.listing import Page, Position, Query, SortOrder
from mobid_scim.match import comparable, matches
from mobid_scim.ordering import counted, ordered
from mobid_scim.patch_rows import rows_of
from mobid_scim.projection import Projection
from mobid_scim.repository import Change, ResourceRepository
from mobid_scim.resource import (
    Extension,
    Operation,
    Resource,
    ResourceType,
    StoredResource,
    Values,
    represent,
)
from mobid_scim.rows import RowChanges
from mobid_scim.schemas.enterprise_user import ENTERPRISE_USER
from mobid_scim.schemas.group import GROUP
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
    sorts=True,
    seeks=True,
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
    seeks=True,
)


GROUPS = ResourceType(
    name="Group",
    endpoint="/Groups",
    schema=GROUP,
    description="Sets of people",
    operations=frozenset(Operation),
    sorts=True,
    seeks=True,
    by_row=frozenset({"members"}),
)


_PASSWORD = Attribute(
    "password", mutability=Mutability.WRITE_ONLY, returned=Returned.NEVER, case_exact=True
)
RFC_USERS = replace(
    USERS,
    schema=replace(USER, attributes=(*USER.attributes, _PASSWORD)),
    extensions=(Extension(ENTERPRISE_USER),),
)
"""Users with all that RFC 7643 has: a password, too."""


@dataclass
class Rows:
    """What all callers share: resources by id, who gave which externalId, and members."""

    stored: dict[str, StoredResource] = field(default_factory=dict)
    external_ids: dict[tuple[str, str], str] = field(default_factory=dict)
    members: dict[str, dict[str, Values]] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    writes: int = 0
    loaded: int = 0
    """How many members were read."""
    before_replace: Callable[[], None] = lambda: None

    @contextmanager
    def undone_by_errors(self) -> Iterator[None]:
        """Be as before after a block that is left by an exception."""
        before = dict(self.stored), dict(self.external_ids), dict(self.members)
        try:
            yield
        except BaseException:
            self.stored, self.external_ids, self.members = before
            raise


@dataclass(frozen=True)
class Memory:
    """Resources of one type as one caller sees them: externalIds are the caller's own."""

    type: ResourceType
    unique: str
    rows: Rows
    caller: str
    operators: frozenset[Operator] = frozenset(Operator)

    def get(self, resource_id: str, *, projection: Projection) -> StoredResource:
        """Return the resource, with what is costly only where it is asked for."""
        stored = self._all().get(resource_id)
        if stored is None:
            raise NotFound(f'There is no {self.type.name} "{resource_id}".')
        external_id = self.rows.external_ids.get((self.caller, resource_id))
        computed = self.computed(resource_id, projection)
        return replace(stored, external_id=external_id, computed=computed)

    def computed(self, resource_id: str, projection: Projection) -> dict[str, object]:
        """Return what this provider adds to a resource."""
        found: dict[str, object] = {}
        if self.type.by_row and projection.wants("members"):
            members = self.rows.members.get(resource_id, {})
            self.rows.loaded += len(members)
            found |= {"members": list(members.values())} if members else {}
        if self.type.extension(BADGES.id) and projection.wants(f"{BADGES.id}:badges"):
            badge = {"value": f"badge of {resource_id}", "picture": "iVBORw0KGgo="}
            found |= {BADGES.id: {"badges": [badge]}}
        if self.type.schema is USER and projection.wants("groups"):
            groups = self._groups_of(resource_id)
            found |= {"groups": groups} if groups else {}
        return found

    def search(self, query: Query) -> Page:
        """Return a page, filtered and sorted by the reference meaning."""
        found = self._found(query)
        page = found[query.offset : query.offset + query.count]
        return Page(self._shown(page, query), len(found))

    def seek(self, query: Query) -> Page:
        """Return the page around a position; what is there is compared with the position itself."""
        found = self._found(query)
        backward = query.after is not None and query.after.backward
        behind = found
        if query.after is not None:
            behind = [each for each in found if self._is_on(each, query.after, query)]
        page = behind[-query.count :] if backward and query.count else behind[: query.count]
        if not page:
            return Page([], len(found))
        more, less = page[-1] is not found[-1], page[0] is not found[0]
        return Page(
            self._shown(page, query),
            len(found),
            Position(self._place(page[-1], query)) if more else None,
            Position(self._place(page[0], query), backward=True) if less else None,
        )

    def _found(self, query: Query) -> list[Resource]:
        every = [
            represent(self.get(key, projection=Projection(self.type)), self.type, BASE)
            for key in self._all()
        ]
        found = [each for each in every if query.filter is None or matches(query.filter, each)]
        if query.sort_by is not None:
            found = ordered(found, query.sort_by, query.sort_order)
        return found

    def _shown(self, page: list[Resource], query: Query) -> list[StoredResource]:
        return [self.get(str(each.values["id"]), projection=query.projection) for each in page]

    def _place(self, resource: Resource, query: Query) -> tuple[Any, int]:
        """Return what a resource is ordered by: its value, and then its number."""
        value = None if query.sort_by is None else counted(resource, query.sort_by)
        return value, int(str(resource.values["id"])[1:])

    def _is_on(self, resource: Resource, position: Position, query: Query) -> bool:
        """Tell whether a resource is on the side of a position to which it leads."""
        (mine, number), (theirs, other) = self._place(resource, query), position.key
        if query.sort_by is not None and mine != theirs:
            leaf = query.sort_by.leaf
            keys = [(each is None, comparable(each, leaf)) for each in (mine, theirs)]
            if keys[0] != keys[1]:
                above = keys[0][0] if keys[0][0] != keys[1][0] else keys[0] > keys[1]
                behind = bool(above) is (query.sort_order is SortOrder.ASCENDING)
                return behind is not position.backward
        return number < int(str(other)) if position.backward else number > int(str(other))

    def create(self, resource: Resource, *, projection: Projection) -> StoredResource:
        """Store it under the next id."""
        self._check_unique(resource, besides=None)
        number = next(self.rows.numbers)
        stored = StoredResource(
            id=f"{self.type.name[0].lower()}{number}",
            version="1",
            created=START,
            last_modified=START,
            document=resource.document(),
        )
        self._change_rows(stored.id, rows_of(resource))
        return self._keep(stored, resource, projection)

    def replace(
        self, change: Change, *, expected_version: str | None, projection: Projection
    ) -> StoredResource:
        """Store the change, if the version is the expected one."""
        self.rows.before_replace()
        stored = self.get(change.id, projection=Projection.without_rows(self.type))
        if expected_version not in (None, stored.version):
            raise PreconditionFailed(f'{self.type.name} "{change.id}" was changed by another.')
        self._check_unique(change.after, besides=change.id)
        moved = self._change_rows(change.id, change.rows)
        if change.rows_only and not moved:
            return self.get(change.id, projection=projection)
        changed = replace(
            stored,
            version=str(int(stored.version) + 1),
            last_modified=stored.last_modified + dt.timedelta(seconds=1),
            document=change.after.document(),
        )
        return self._keep(changed, change.after, projection)

    def delete(self, resource_id: str, *, expected_version: str | None) -> None:
        """Forget the resource."""
        stored = self.get(resource_id, projection=Projection(self.type))
        if expected_version not in (None, stored.version):
            raise PreconditionFailed(f'{self.type.name} "{resource_id}" was changed by another.')
        del self.rows.stored[resource_id]

    def _all(self) -> dict[str, StoredResource]:
        prefix = self.type.name[0].lower()
        return {key: each for key, each in self.rows.stored.items() if key.startswith(prefix)}

    def _keep(
        self, stored: StoredResource, resource: Resource, projection: Projection
    ) -> StoredResource:
        self.rows.writes += 1
        self.rows.stored[stored.id] = replace(stored, external_id=None, computed={})
        self.rows.external_ids.pop((self.caller, stored.id), None)
        if resource.external_id is not None:
            self.rows.external_ids[self.caller, stored.id] = resource.external_id
        return self.get(stored.id, projection=projection)

    def _change_rows(self, resource_id: str, changes: Mapping[str, RowChanges]) -> bool:
        """Do what is asked of the members, and tell whether that has changed anything."""
        before = self.rows.members.get(resource_id, {})
        after = dict(before)
        for change in changes.values():
            if change.cleared:
                after = {key: row for key, row in after.items() if key in change.added}
            after = {key: row for key, row in after.items() if key not in change.removed}
            after = {**change.added, **after}
        self.rows.members[resource_id] = after
        return set(before) != set(after)

    def _groups_of(self, user_id: str) -> list[object]:
        return [
            {"value": group, "$ref": f"{BASE}/Groups/{group}", "type": "direct"}
            for group, members in self.rows.members.items()
            if user_id in members
        ]

    def _check_unique(self, resource: Resource, *, besides: str | None) -> None:
        name = str(resource.get(self.unique))
        for key, stored in self._all().items():
            other = represent(stored, self.type, BASE).get(self.unique)
            if key != besides and str(other).casefold() == name.casefold():
                raise Uniqueness(f'The {self.unique} "{name}" is taken.')


@dataclass(frozen=True)
class MemoryNotes:
    """One note for every caller."""

    caller: str
    operators: frozenset[Operator] = frozenset(Operator)

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
        whole = represent(found[0], NOTES, BASE)
        if query.filter is not None and not matches(query.filter, whole):
            found = []
        return Page(found[query.offset : query.offset + query.count], len(found))

    def seek(self, query: Query) -> Page:
        """Return all that there is: it fits on one page."""
        return self.search(query)


@dataclass(frozen=True)
class MemoryTransaction:
    """A transaction on what is in memory; nobody else is there to look into it."""

    rows: Rows
    caller: str

    def repository(self, name: str) -> ResourceRepository:
        """Return the repository of a type."""
        if name == NOTES.name:
            return MemoryNotes(self.caller)
        scope = {"User": USERS, "Group": GROUPS}[name]
        return Memory(scope, UNIQUE[name], self.rows, self.caller)

    def savepoint(self) -> AbstractContextManager[None]:
        """Return a block that is undone alone."""
        return self.rows.undone_by_errors()


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


UNIQUE = {"User": "userName", "Group": "displayName"}


def provider(rows: Rows, *types: ResourceType, **abilities: Any) -> Flask:
    """Return an application with these types of resources, and notes, below /scim/v2."""
    service = Service[str](
        [
            *(Endpoint(each, partial(Memory, each, UNIQUE[each.name], rows)) for each in types),
            Endpoint(NOTES, MemoryNotes),
        ],
        base_url=BASE,
        **abilities,
    )
    app = Flask("provider")
    app.register_blueprint(
        blueprint(service, authenticate=authenticate, authorize=authorize, translate=translate)
    )
    return app


@pytest.fixture(scope="session")
def users() -> ResourceType:
    """Return the type of users: core, enterprise, and an extension of the tests."""
    return USERS


@pytest.fixture(scope="session")
def groups() -> ResourceType:
    """Return the type of groups, whose members are kept row by row."""
    return GROUPS


@pytest.fixture
def rows() -> Rows:
    """Return the empty storage."""
    return Rows()


@pytest.fixture
def app(rows: Rows) -> Flask:
    """Return an application with users, groups and notes."""
    return provider(rows, USERS, GROUPS)


@pytest.fixture(scope="module")
def standard_app() -> Flask:
    """Return an application with users and groups as the RFC has them, and notes."""
    return provider(Rows(), replace(USERS, extensions=(Extension(ENTERPRISE_USER),)), GROUPS)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client that may read and write."""
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-write"
    return client


@pytest.fixture
def rfc_client(rows: Rows) -> Callable[..., FlaskClient]:
    """Return a function that makes a client of a provider of what RFC 7643 has, and of nothing else."""

    def make(**abilities: Any) -> FlaskClient:
        client = provider(rows, RFC_USERS, GROUPS, **abilities).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-write"
        return client

    return make


def beginning(rows: Rows) -> Callable[[str], AbstractContextManager[MemoryTransaction]]:
    """Return what begins a transaction."""

    @contextmanager
    def begin(caller: str) -> Iterator[MemoryTransaction]:
        with rows.undone_by_errors():
            yield MemoryTransaction(rows, caller)

    return begin


@pytest.fixture
def transactions(rows: Rows) -> Callable[[str], AbstractContextManager[MemoryTransaction]]:
    """Return what begins a transaction in the one storage."""
    return beginning(rows)


@pytest.fixture(scope="session")
def fresh_client() -> Callable[..., FlaskClient]:
    """Return a function that makes a client of a provider of its own, with or without transactions."""

    def make(*, transactional: bool = False, **abilities: Any) -> FlaskClient:
        rows = Rows()
        unit = beginning(rows) if transactional else None
        client = provider(rows, USERS, GROUPS, unit=unit, **abilities).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = "Bearer read-write"
        return client

    return make


@pytest.fixture
def client_of(rows: Rows) -> Callable[..., FlaskClient]:
    """Return a function that makes a client of a provider with some of the optional abilities."""

    def make(rights: str = "read-write", **abilities: Any) -> FlaskClient:
        client = provider(rows, USERS, GROUPS, **abilities).test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {rights}"
        return client

    return make


@pytest.fixture
def cursors() -> Cursors[str]:
    """Return what seals cursors; a caller is its own name."""
    return Cursors([bytes(32)], client=str, lifetime=dt.timedelta(minutes=1), clock=lambda: START)


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    """Return a client without a token."""
    return app.test_client()
