"""SQL finds and sorts what the engine's reference does: random filters on random resources."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from mobid.domain.certificates import CAState, RevocationReason, Wanted
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.options import Kind
from mobid.provisioning.user_rows import new_row
from mobid.storage import Transactions
from mobid.storage.groups import GroupRow, add_members, insert_group
from mobid.storage.scim_documents import rows_of, write_rows
from mobid.storage.tables import certificates, external_ids, mobile_ids
from mobid.storage.users import insert_user
from mobid_scim.attributes import COMMON_ATTRIBUTES, Type
from mobid_scim.filter import (
    And,
    Comparison,
    Filter,
    Not,
    Operator,
    Or,
    Present,
    ValuePath,
    parse,
    to_text,
)
from mobid_scim.listing import Query, SortOrder
from mobid_scim.match import matches, values_of
from mobid_scim.ordering import ordered, read_sort_by
from mobid_scim.path import Path
from mobid_scim.projection import Choice, Projection
from mobid_scim.resource import Resource, represent
from mobid_scim.validation import read_resource

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from tests.extension.provisioning.conftest import Provider

    from mobid.provisioning.reading import Repository
    from mobid_scim.attributes import Attribute
    from mobid_scim.resource import ResourceType

BASE = "https://id.example/scim/v2"
OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
# What folds, what sorts differently by language, what would be a wildcard, and texts around the
# length of a key.
WORDS = [
    "a", "A", "ab", "b", "Straße", "STRASSE", "strasse", "\u0130", "i\u0307", "\ufb01n", "FIN",
    "é", "e\u0301", "_", "%", "a%b", "a_b", "\\", "'", '"', " ", "z", "Z",
    "\U0001f600", "\uffee", "true", "work", "home",
    "x" * 255, "x" * 256, "x" * 257, "x" * 256 + "y", "y" + "x" * 256, "é" * 256, "é" * 255 + "a" + "é",
]  # fmt: skip
words = st.sampled_from(WORDS)
moments = st.sampled_from([START + timedelta(seconds=n) for n in range(3)])
EQUALITY = (Operator.EQ, Operator.NE)
SUBSTRING = (Operator.CO, Operator.SW, Operator.EW)
ORDER = (Operator.GT, Operator.GE, Operator.LT, Operator.LE)
OPERATORS = {
    Type.STRING: EQUALITY + SUBSTRING + ORDER,
    Type.REFERENCE: EQUALITY + SUBSTRING + ORDER,
    Type.BINARY: EQUALITY + SUBSTRING,
    Type.BOOLEAN: EQUALITY,
    Type.DATE_TIME: EQUALITY + ORDER,
}
# Bytes in a column of their own cannot be searched for a part of their text.
LIMITED = {"certificates.value": EQUALITY}


def unsorted(path: Path) -> bool:
    """Tell whether there is no order: of complex and binary values, and of several that are rows."""
    in_rows = {"groups", "members", "mobileIds", "certificates", "schemas"}
    has_value = path.sub is None and path.attribute.sub("value") is not None
    leaf = path.attribute.sub("value") if has_value else path.leaf
    assert leaf is not None
    return leaf.type in {Type.COMPLEX, Type.BINARY} or path.attribute.name in in_rows


# --- random resources ------------------------------------------------------------------------------


def values(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Return what a client may write."""
    if attribute.multi_valued:
        return st.lists(single(attribute), min_size=1, max_size=3).map(with_one_primary)
    return single(attribute)


def single(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Return one value."""
    match attribute.type:
        case Type.COMPLEX:
            written = [sub for sub in attribute.sub_attributes if not sub.read_only]
            return members(written)
        case Type.BOOLEAN:
            return st.booleans()
        case Type.BINARY:
            return words.map(lambda word: base64.b64encode(word.encode()).decode())
    return words


def members(attributes: list[Attribute]) -> st.SearchStrategy[dict[str, Any]]:
    """Return an object with some of these attributes, most often a few."""
    optional = {attribute.name: values(attribute) for attribute in attributes}
    return st.sets(st.sampled_from(sorted(optional)), max_size=3).flatmap(
        lambda names: st.fixed_dictionaries({name: optional[name] for name in sorted(names)})
    )


def with_one_primary(items: list[Any]) -> list[Any]:
    """Let the first of several primary values be the one."""
    seen = False
    for item in items:
        if isinstance(item, dict) and item.get("primary"):
            item["primary"] = not seen
            seen = True
    return items


@st.composite
def documents(draw: st.DrawFn, scope: ResourceType) -> dict[str, Any]:
    """Return a body of a User without its name."""
    core = [one for one in scope.schema.attributes if not one.read_only and not one.required]
    body = draw(members(core))
    for extension in scope.extensions:
        own = [one for one in extension.schema.attributes if not one.read_only]
        body[extension.schema.id] = draw(st.just({}) | members(own))
    return {**body, "schemas": [scope.schema.id, *(each.schema.id for each in scope.extensions)]}


@dataclass
class Population:
    """Writes random resources of all types past SCIM: only their rows matter here."""

    draw: st.DataObject
    connection: Connection

    def fill(self, scope: ResourceType) -> None:
        """Write users, groups with members, and mobile IDs with certificates."""
        users = [self._user(scope, number) for number in range(self._count(1, 4))]
        groups = [self._group() for _ in range(self._count(0, 3))]
        for group in groups:
            inside = [one for one in groups if one != group and self._maybe()]
            people = [user for user in users if self._maybe()]
            add_members(self.connection, group, user_ids=people, subgroup_ids=inside)
        profiles = [
            self._profile(user, number) for user in users for number in range(self._count(0, 2))
        ]
        for profile in profiles:
            for kind in list(Kind)[: self._count(0, 2)]:
                self._certificate(profile, kind)
        for name, ids in (("User", users), ("Group", groups), ("MobileID", profiles)):
            for one, client in itertools.product(ids, ("hr", "idm")):
                if self._maybe():
                    self._external_id(name, client, one)

    def _any(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.draw.draw(strategy)

    def _maybe(self) -> bool:
        return bool(self._any(st.booleans()))

    def _count(self, least: int, most: int) -> int:
        return int(self._any(st.integers(least, most)))

    def _user(self, scope: ResourceType, number: int) -> str:
        body = self._any(documents(scope)) | {"userName": f"{self._any(words)} {number}"}
        resource = read_resource(body, scope)
        row = new_row(resource, "hr", self._any(moments))
        insert_user(self.connection, row)
        write_rows(self.connection, row.id, rows_of(resource))
        return row.id

    def _group(self) -> str:
        name = self._any(words)
        row = GroupRow(
            id=str(uuid.uuid4()),
            display_name=name,
            display_name_key=name.casefold(),
            version=self._count(1, 12),
            created_at=self._any(moments),
            changed_at=self._any(moments),
            client="hr",
            doc=f'{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],'
            f'"displayName":{json.dumps(name)}}}',
        )
        insert_group(self.connection, row)
        return row.id

    def _profile(self, user_id: str, number: int) -> str:
        row = {
            "id": str(uuid.uuid4()),
            "user_id": user_id,
            # A user has one live mobile ID.
            "state": ProfileState.LOCKED if number else self._any(st.sampled_from(ProfileState)),
            "version": self._count(1, 12),
            "created_at": self._any(moments),
            "changed_at": self._any(moments),
            **{
                name: self._any(st.just("") | words)
                for name in ("profile_name", "server_name", "user_label")
            },
            **{
                name: self._any(st.none() | st.just("") | words)
                for name in ("device_name", "device_platform", "device_model")
            },
            **{name: self._any(st.none() | moments) for name in ("valid_from", "valid_to")},
        }
        self.connection.execute(insert(mobile_ids).values(row))
        return str(row["id"])

    def _certificate(self, profile: str, kind: Kind) -> None:
        row = {
            "id": str(uuid.uuid4()),
            "mobile_id": profile,
            "kind": kind,
            "ca": "builtin",
            "csr": b"csr",
            "key_hash": uuid.uuid4().bytes,
            "subject": b"subject",
            "san": "",
            "not_before": START,
            "not_after": self._any(moments),
            "profile_hash": "",
            "ordered_at": START,
            "wanted": self._any(st.sampled_from([Wanted.VALID, Wanted.HELD])),
            "ca_state": self._any(st.sampled_from(CAState)),
            "quarantined": self._maybe(),
            "der": self._any(st.none() | words.map(str.encode)),
            "chain": [],
            "serial": self._any(st.none() | st.just(uuid.uuid4().hex)),
            "reason": RevocationReason.UNSPECIFIED,
        }
        self.connection.execute(insert(certificates).values(row))

    def _external_id(self, kind: str, client: str, resource_id: str) -> None:
        key = f"{self._any(words)} {resource_id[:2]}"
        row = {"resource_type": kind, "client": client, "external_id": key}
        with suppress(IntegrityError), self.connection.begin_nested():
            self.connection.execute(insert(external_ids).values(resource_id=resource_id, **row))


def all_of(repository: Repository, connection: Connection, scope: ResourceType) -> list[Resource]:
    """Return the resources as a client can see them at most, by id."""
    names = frozenset(path.key for path in paths_of(scope))
    everything = Projection(scope, Choice.ONLY, names)
    query = Query(projection=everything)
    rows, total = repository.place.page(connection, query, repository.attributes())
    assert total == len(rows)
    found = []
    for stored in repository.shown(connection, rows, everything):
        whole = represent(stored, scope, BASE)
        # What the provider adds on request makes no schema one that is in use.
        own = json.loads(stored.document)["schemas"]
        found.append(Resource(scope, {**whole.values, "schemas": own}))
    return sorted(found, key=id_of)


def id_of(resource: Resource) -> str:
    """Return its id."""
    return str(resource.values["id"])


# --- random filters --------------------------------------------------------------------------------


def paths_of(scope: ResourceType) -> list[Path]:
    """Return every path that there is."""
    owned: list[tuple[str | None, Attribute]] = [
        (None, one) for one in (*COMMON_ATTRIBUTES, *scope.schema.attributes)
    ]
    owned += [(each.schema.id, one) for each in scope.extensions for one in each.schema.attributes]
    return [
        path
        for urn, one in owned
        for path in (Path(one, None, urn), *(Path(one, sub, urn) for sub in one.sub_attributes))
    ]


@dataclass
class Asking:
    """Makes filters about resources, mostly about values that some have."""

    draw: st.DataObject
    scope: ResourceType
    resources: list[Resource]

    def tree(self, depth: int = 3) -> Filter:
        """Return a filter."""
        return self._tree(paths_of(self.scope), depth, inside=False)

    def _tree(self, paths: list[Path], depth: int, *, inside: bool) -> Filter:
        kind = self._any(st.integers(0, 7 if depth else 3))
        match kind:
            case 0:
                return Present(self._any(st.sampled_from(paths)))
            case 1 | 2:
                return self._comparison(paths)
            case 3 if not inside:
                return self._brackets(depth)
            case 4:
                return Not(self._tree(paths, depth - 1, inside=inside))
            case 5 | 6 | 7:
                parts = [self._tree(paths, depth - 1, inside=inside) for _ in range(2)]
                return And(tuple(parts)) if kind == 5 else Or(tuple(parts))
        return self._comparison(paths)

    def _brackets(self, depth: int) -> Filter:
        several = [
            path
            for path in paths_of(self.scope)
            if path.sub is None and path.attribute.multi_valued and path.attribute.sub_attributes
        ]
        path = self._any(st.sampled_from(several))
        subs = [Path(path.attribute, sub, path.extension) for sub in path.attribute.sub_attributes]
        return ValuePath(path, self._tree(subs, max(depth - 1, 0), inside=True))

    def _comparison(self, paths: list[Path]) -> Comparison:
        path = self._any(st.sampled_from([p for p in paths if p.leaf.type is not Type.COMPLEX]))
        operators = LIMITED.get(str(path), OPERATORS[path.leaf.type])
        operator = self._any(st.sampled_from(operators))
        if operator in EQUALITY and self._any(st.integers(0, 5)) == 0:
            return Comparison(path, operator, None)
        return Comparison(path, operator, self._literal(path))

    def _literal(self, path: Path) -> Any:
        match path.leaf.type:
            case Type.BOOLEAN:
                return self._any(st.booleans())
            case Type.DATE_TIME:
                return self._any(moments)
        known = sorted({str(value) for one in self.resources for value in values_of(one, path)})
        text = self._any(words if not known else words | st.sampled_from(known))
        start, end = sorted(self._any(st.tuples(*[st.integers(0, len(text))] * 2)))
        return self._any(st.sampled_from([text, text, text.swapcase(), text[:end], text[start:]]))

    def _any(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.draw.draw(strategy)


class TestSearching:
    """One meaning: the engine's."""

    @pytest.mark.parametrize("name", ["User", "Group", "MobileID"])
    @given(data=st.data())
    @settings(
        max_examples=20,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_finds_what_a_filter_means(
        self, provider: Provider, name: str, data: st.DataObject
    ) -> None:
        """The resources that SQL finds are those that the reference says yes to, and so is their number."""
        repository = provider.repository(name)
        scope = provider.product.endpoints[name].type
        with Transactions(provider.database.engine).begin() as connection:
            Population(data, connection).fill(provider.product.endpoints["User"].type)
            resources = all_of(repository, connection, scope)
            for _ in range(8):
                text = to_text(Asking(data, scope, resources).tree())
                tree = parse(text, scope)
                query = Query(projection=Projection(scope), filter=tree)
                rows, total = repository.place.page(connection, query, repository.attributes())
                meant = {id_of(one) for one in resources if matches(tree, one)}
                assert {row.id for row in rows} == meant, text
                assert total == len(meant)

    @pytest.mark.parametrize("name", ["User", "Group", "MobileID"])
    @given(data=st.data())
    @settings(
        max_examples=10,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_sorts_as_the_reference_does(
        self, provider: Provider, name: str, data: st.DataObject
    ) -> None:
        """By every path that has an order, both ways, page by page; equal ones by their ids."""
        repository = provider.repository(name)
        scope = provider.product.endpoints[name].type
        sortable = [path for path in paths_of(scope) if not unsorted(path)]
        with Transactions(provider.database.engine).begin() as connection:
            Population(data, connection).fill(provider.product.endpoints["User"].type)
            resources = all_of(repository, connection, scope)
            for _ in range(6):
                path = read_sort_by(str(data.draw(st.sampled_from(sortable))), scope)
                order = data.draw(st.sampled_from(SortOrder))
                found = []
                for start in (1, 3, 5, 7):
                    query = Query(
                        projection=Projection(scope),
                        sort_by=path,
                        sort_order=order,
                        start_index=start,
                        count=2,
                    )
                    rows, total = repository.place.page(connection, query, repository.attributes())
                    assert total == len(resources)
                    found += [row.id for row in rows]
                assert found == [id_of(one) for one in ordered(resources, path, order)][:8], path
