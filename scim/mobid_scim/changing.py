"""PUT and PATCH: what a client asks for (RFC 7644, 3.5.1, 3.5.2), carried out on what is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mobid_scim.dialect import Dialect
from mobid_scim.errors import PreconditionFailed
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request
from mobid_scim.patch_rows import row_changes, rows_of
from mobid_scim.projection import Projection
from mobid_scim.put import replaced
from mobid_scim.repository import Change, WritableRepository
from mobid_scim.resource import Operation, Resource, ResourceType, StoredResource, represent
from mobid_scim.rows import RowChanges
from mobid_scim.validation import read_resource
from mobid_scim.wording import quoted

Precondition = Callable[[str], bool]
"""Tells whether a version is one that the client accepts (If-Match)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request does to a resource, whatever is stored."""

    make: Callable[[StoredResource, Resource], Resource]
    """Makes the resource after the change from what is stored, as a whole and without rows."""
    rows: Mapping[str, RowChanges]
    reads: Projection
    """What `make` looks at: nothing that is costly and only read, unless the request names it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a request changes a resource, and what is to be seen of it afterwards."""

    operation: Operation
    projection: Projection
    precondition: Precondition | None
    base_url: str


def planned_put(body: object, scope: ResourceType, dialect: Dialect) -> Plan:
    """Return what a PUT does, or raise the error of its body."""
    said = dialect.resource(body, scope)
    operations = dialect.instead_of_put(said, scope)
    if operations is not None:
        message = {"schemas": [PATCH_OP], "Operations": list(operations)}
        return planned_patch(message, scope, dialect)
    wanted = read_resource(said, scope)

    def make(stored: StoredResource, before: Resource) -> Resource:
        return replaced(before, wanted, computed=stored.computed)

    return Plan(make, rows_of(wanted), Projection.of_the_writable(scope))


def planned_patch(body: object, scope: ResourceType, dialect: Dialect) -> Plan:
    """Return what a PATCH does, or raise the error of its body."""
    operations = read_request(body, scope, dialect)

    def make(_: StoredResource, before: Resource) -> Resource:
        return apply(before, operations, dialect)

    named = [each.target.path for each in operations if each.target.path.read_only]
    return Plan(make, row_changes(operations, scope), Projection.of_the_writable(scope, *named))


def changed(
    repository: WritableRepository, resource_id: str, plan: Plan, terms: Terms
) -> StoredResource:
    """Change what is stored, or raise PreconditionFailed if another change comes between.

    What changes nothing is not stored, and keeps the version.
    """
    stored = repository.get(resource_id, projection=plan.reads)
    expect(stored, terms.precondition)
    before = _without_rows(stored, plan.reads.scope, terms.base_url)
    after = plan.make(stored, before)
    change = Change(id=resource_id, before=before, after=after, rows=plan.rows)
    if change.rows_only and not change.rows:
        return repository.get(resource_id, projection=terms.projection)
    free = change.rows_only and terms.precondition is None
    expected = None if free else stored.version
    return repository.replace(change, expected_version=expected, projection=terms.projection)


def expect(stored: StoredResource, precondition: Precondition | None) -> str:
    """Return the version, or raise PreconditionFailed if the client does not accept it."""
    if precondition is not None and not precondition(stored.version):
        raise PreconditionFailed(
            f'{quoted(stored.id)} has the version W/"{stored.version}" now; read it again.'
        )
    return stored.version


def _without_rows(stored: StoredResource, scope: ResourceType, base_url: str) -> Resource:
    whole = represent(stored, scope, base_url)
    kept = {name: value for name, value in whole.values.items() if name not in scope.by_row}
    return Resource(scope, kept)
