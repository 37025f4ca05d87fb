"""SQL finds and sorts what the engine's reference does: random filters on random resources."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from mobid.domain.certificates import CAState, RevocationReason, Wanted
from mobid.domain.mobile_ids import ProfileState
from mobid.domain.options import Kind
from mobid.provisioning.user_rows import new_row
from mobid.storage import Transactions
from mobid.storage.document_rows import Documents
from mobid.storage.groups import GroupRow, add_members, insert_group
from mobid.storage.scim_seek import seek
from mobid.storage.tables import certificates, external_ids, mobile_ids
from mobid.storage.users import insert_user
from mobid_scim.attributes import COMMON_ATTRIBUTES, Attribute, Type
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
from mobid_scim.listing import Position, Query, SortOrder
from mobid_scim.match import matches, values_of
from mobid_scim.ordering import ordered, read_sort_by
from mobid_scim.path import Path
from mobid_scim.projection import Choice, Projection
from mobid_scim.resource import Resource, represent
from mobid_scim.validation import read_resource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from sqlalchemy import Connection
    from tests.extension.provisioning.conftest import Provider

    from mobid.provisioning.reading import Repository
    from mobid_scim.resource import ResourceType

BASE = "https://id.example/scim/v2"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENTS = [START + timedelta(seconds=n) for n in range(3)]
# What folds, what sorts differently by language, what would be a wildcard, what is at the end of a
# range of code points, and texts around the length of a key.
WORDS = [
    "", "a", "A", "ab", "b", "Straße", "STRASSE", "strasse", "\u0130", "i\u0307", "\ufb01n", "FIN",
    "é", "e\u0301", "_", "%", "a%b", "a_b", "\\", "'", '"', " ", "z", "Z", "\U0001f600", "\uffee",
    "a\ud7ff", "a\ud7ffb", "a\ue000", "\U0010ffff", "\U0010ffffz", "true", "work", "home",
    "x" * 255, "x" * 256, "x" * 257, "x" * 256 + "y", "y" + "x" * 256, "é" * 256, "é" * 255 + "aé",
]  # fmt: skip
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
IN_OTHER_TABLES = {"groups", "members", "mobileIds", "certificates"}
AT_RANDOM = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def paths_of(scope: ResourceType) -> list[Path]:
    """Return every path that there is."""
    owned: list[tuple[str | None, Attribute]] = [(None, one) for one in COMMON_ATTRIBUTES]
    owned += [(None, one) for one in scope.schema.attributes]
    owned += [(each.schema.id, one) for each in scope.extensions for one in each.schema.attributes]
    return [
        path
        for urn, one in owned
        for path in (Path(one, None, urn), *(Path(one, sub, urn) for sub in one.sub_attributes))
    ]


def has_order(path: Path) -> bool:
    """Tell whether one can sort by it: not by complex and binary values, nor by rows elsewhere."""
    value = path.attribute.sub("value") if path.sub is None else None
    without = (value or path.leaf).type in {Type.COMPLEX, Type.BINARY}
    return not without and path.attribute.name not in IN_OTHER_TABLES


@dataclass
class World:
    """Random resources of all types, written past SCIM: only their rows matter here.

    Few attributes and few words, so that resources have much in common, and something not.
    """

    random: Random
    connection: Connection
    users: ResourceType
    words: list[str] = field(init=False)
    names: set[str] = field(init=False)

    def __post_init__(self) -> None:
        """Choose what this world is about."""
        self.words = self.random.sample(WORDS, 6)
        written = [path for path in paths_of(self.users) if not path.sub and not path.read_only]
        self.names = {str(path) for path in self.random.sample(written, 5)}
        self.names |= {self.random.choice(["emails", "addresses", "name"])}

    def fill(self) -> None:
        """Write users, groups with members, and mobile IDs with certificates."""
        users = [self._user(number) for number in range(5)]
        groups = [self._group() for _ in range(3)]
        for group in groups:
            inside = [one for one in groups if one != group and self._maybe()]
            people = [user for user in users if self._maybe()]
            add_members(self.connection, group, user_ids=people, subgroup_ids=inside)
        numbers = [(user, number) for user in users for number in range(self.random.randint(0, 2))]
        profiles = [self._profile(user, number) for user, number in numbers]
        for profile in profiles:
            for kind in self.random.sample(list(Kind), self.random.randint(0, 2)):
                self._certificate(profile, kind)
        for name, ids in (("User", users), ("Group", groups), ("MobileID", profiles)):
            for one, client in itertools.product(ids, ("hr", "idm")):
                if self._maybe():
                    self._external_id(name, client, one)

    def _maybe(self) -> bool:
        return self.random.random() < 0.5

    def _word(self) -> str:
        return self.random.choice(self.words)

    def _moment(self) -> datetime:
        return self.random.choice(MOMENTS)

    def _value(self, attribute: Attribute) -> Any:
        if not attribute.multi_valued:
            return self._single(attribute)
        items = [self._single(attribute) for _ in range(self.random.randint(1, 3))]
        primary = self.random.randrange(-1, len(items))
        for number, item in enumerate(items):
            if isinstance(item, dict) and "primary" in item:
                item["primary"] = number == primary
        return items

    def _single(self, attribute: Attribute) -> Any:
        match attribute.type:
            case Type.COMPLEX:
                subs = [sub for sub in attribute.sub_attributes if not sub.read_only]
                some = self.random.sample(subs, min(len(subs), self.random.randint(1, 4)))
                return {sub.name: self._value(sub) for sub in some}
            case Type.BOOLEAN:
                return self._maybe()
            case Type.BINARY:
                return base64.b64encode(self._word().encode()).decode()
        return self._word()

    def _user(self, number: int) -> str:
        body: dict[str, Any] = {"userName": f"{self._word()} {number}"}
        for path in paths_of(self.users):
            if str(path) in self.names - {"userName", "externalId"} and self.random.random() < 0.7:
                owner = body if path.extension is None else body.setdefault(path.extension, {})
                owner[path.attribute.name] = self._value(path.attribute)
        schemas = [self.users.schema.id, *(each.schema.id for each in self.users.extensions)]
        resource = read_resource({"schemas": schemas, **body}, self.users)
        row = new_row(resource, "hr", self._moment())
        insert_user(self.connection, row)
        Documents(self.users).write(self.connection, row.id, resource)
        return row.id

    def _group(self) -> str:
        name = self._word()
        document = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name}
        row = GroupRow(
            id=str(uuid.UUID(int=self.random.getrandbits(128))),
            display_name=name,
            display_name_key=name.casefold(),
            version=self.random.randint(1, 12),
            created_at=self._moment(),
            changed_at=self._moment(),
            client="hr",
            doc=json.dumps(document),
        )
        insert_group(self.connection, row)
        return row.id

    def _profile(self, user_id: str, number: int) -> str:
        texts = ("profile_name", "server_name", "user_label")
        device = ("device_name", "device_platform", "device_model")
        row = {
            "id": str(uuid.UUID(int=self.random.getrandbits(128))),
            "user_id": user_id,
            # A user has one live mobile ID.
            "state": ProfileState.LOCKED if number else self.random.choice(list(ProfileState)),
            "version": self.random.randint(1, 12),
            "created_at": self._moment(),
            "changed_at": self._moment(),
            **{name: self.random.choice(["", self._word()]) for name in texts},
            **{name: self.random.choice([None, "", self._word()]) for name in device},
            **{name: self.random.choice([None, *MOMENTS]) for name in ("valid_from", "valid_to")},
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
            "not_after": self._moment(),
            "profile_hash": "",
            "ordered_at": START,
            "wanted": self.random.choice([Wanted.VALID, Wanted.HELD]),
            "ca_state": self.random.choice(list(CAState)),
            "quarantined": self._maybe(),
            "der": self.random.choice([None, b"", self._word().encode()]),
            "chain": [],
            "serial": self.random.choice([None, f"{self.random.getrandbits(64):x}"]),
            "reason": RevocationReason.UNSPECIFIED,
        }
        self.connection.execute(insert(certificates).values(row))

    def _external_id(self, kind: str, client: str, resource_id: str) -> None:
        row = {"resource_type": kind, "client": client, "external_id": self._word()}
        with suppress(IntegrityError), self.connection.begin_nested():
            self.connection.execute(insert(external_ids).values(resource_id=resource_id, **row))


def all_of(repository: Repository, connection: Connection, scope: ResourceType) -> list[Resource]:
    """Return the resources as a client can see them at most, by id."""
    everything = Projection(scope, Choice.ONLY, frozenset(path.key for path in paths_of(scope)))
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


@dataclass
class Asking:
    """Makes filters about resources, mostly about what some have and others have not."""

    random: Random
    scope: ResourceType
    resources: Sequence[Resource]
    words: list[str]
    paths: list[Path] = field(init=False)

    def __post_init__(self) -> None:
        """Prefer the paths at which there is something."""
        every = paths_of(self.scope)
        assigned = [path for path in every if self._is_assigned(path)]
        self.paths = assigned * 4 + every

    def tree(self, depth: int = 2) -> Filter:
        """Return a filter."""
        return self._tree(self.paths, depth, inside=False)

    def _tree(self, paths: list[Path], depth: int, *, inside: bool) -> Filter:
        kind = self.random.randint(0, 9 if depth else 5)
        if kind == 0:
            return Present(self.random.choice(paths))
        if kind < 3 and not inside:
            return self._brackets(depth)
        if kind < 6:
            return self._comparison(paths)
        if kind == 6:
            return Not(self._tree(paths, depth - 1, inside=inside))
        parts = tuple(self._tree(paths, depth - 1, inside=inside) for _ in range(2))
        return And(parts) if kind < 8 + inside else Or(parts)

    def _brackets(self, depth: int) -> Filter:
        several = [one for one in self.paths if one.attribute.multi_valued and one.sub]
        path = self.random.choice(several)
        subs = [Path(path.attribute, sub, path.extension) for sub in path.attribute.sub_attributes]
        assigned = [one for one in subs if self._is_assigned(one)]
        return ValuePath(
            Path(path.attribute, None, path.extension),
            self._tree(assigned * 3 + subs, max(depth, 1), inside=True),
        )

    def _is_assigned(self, path: Path) -> bool:
        return any(values_of(one, path) for one in self.resources)

    def _comparison(self, paths: list[Path]) -> Comparison:
        path = self.random.choice([one for one in paths if one.leaf.type is not Type.COMPLEX])
        operator = self.random.choice(LIMITED.get(str(path), OPERATORS[path.leaf.type]))
        if operator in EQUALITY and self.random.random() < 0.15:
            return Comparison(path, operator, None)
        return Comparison(path, operator, self._literal(path))

    def _literal(self, path: Path) -> Any:
        match path.leaf.type:
            case Type.BOOLEAN:
                return self.random.random() < 0.5
            case Type.DATE_TIME:
                return self.random.choice(MOMENTS)
        known = [str(value) for one in self.resources for value in values_of(one, path)]
        text = self.random.choice([*known, *known, *self.words])
        start, end = sorted(self.random.randint(0, len(text)) for _ in range(2))
        return self.random.choice([text] * 3 + [text.swapcase(), text[:end], text[start:]])


class TestSearching:
    """One meaning: the engine's."""

    @pytest.mark.parametrize("name", ["User", "Group", "MobileID"])
    @given(random=st.randoms(use_true_random=True))
    @AT_RANDOM
    def test_finds_what_a_filter_means(self, provider: Provider, name: str, random: Random) -> None:
        """The resources that SQL finds are those that the reference says yes to, and so is their number."""
        repository, endpoints = provider.repository(name), provider.product.endpoints
        scope, place, attributes = endpoints[name].type, repository.place, repository.attributes()
        with Transactions(provider.database.engine).begin() as connection:
            world = World(random, connection, endpoints["User"].type)
            world.fill()
            resources = all_of(repository, connection, scope)
            asking = Asking(random, scope, resources, world.words)
            texts = [to_text(asking.tree()) for _ in range(40)]
            trees = [parse(text, scope) for text in texts]
            meant = [{id_of(one) for one in resources if matches(tree, one)} for tree in trees]
            answers = [attributes.condition(tree) for tree in trees]
            told = select(place.table.c.id, *(each.label(None) for each in answers))
            rows = connection.execute(told.where(place.of.there), place.asking).all()
            for number, text in enumerate(texts):
                assert {row.id for row in rows if row[number + 1]} == meant[number], text
            for number in range(3):
                query = Query(projection=Projection(scope), filter=trees[number])
                page, total = place.page(connection, query, attributes)
                assert {row.id for row in page} == meant[number], texts[number]
                assert total == len(meant[number])

    @pytest.mark.parametrize("name", ["User", "Group", "MobileID"])
    @given(random=st.randoms(use_true_random=True))
    @AT_RANDOM
    def test_sorts_as_the_reference_does(
        self, provider: Provider, name: str, random: Random
    ) -> None:
        """By every path that has an order, both ways, page by page; equal ones by their ids."""
        repository, endpoints = provider.repository(name), provider.product.endpoints
        scope, place, attributes = endpoints[name].type, repository.place, repository.attributes()
        with Transactions(provider.database.engine).begin() as connection:
            world = World(random, connection, endpoints["User"].type)
            world.fill()
            resources = all_of(repository, connection, scope)
            assigned = Asking(random, scope, resources, world.words).paths
            for _ in range(8):
                path = random.choice([one for one in assigned if has_order(one)])
                by, order = read_sort_by(str(path), scope), random.choice(list(SortOrder))
                found = []
                for start in range(1, len(resources) + 1, 2):
                    query = Query(
                        projection=Projection(scope),
                        sort_by=by,
                        sort_order=order,
                        start_index=start,
                        count=2,
                    )
                    rows, total = place.page(connection, query, attributes)
                    assert total == len(resources)
                    found += [row.id for row in rows]
                assert found == [id_of(one) for one in ordered(resources, by, order)], (by, order)

    @pytest.mark.parametrize("name", ["User", "Group", "MobileID"])
    @given(random=st.randoms(use_true_random=True))
    @AT_RANDOM
    def test_walks_in_the_order_in_which_it_sorts(
        self, provider: Provider, name: str, random: Random
    ) -> None:
        """From position to position, as from start to start: each is met once, there and back again."""
        repository, endpoints = provider.repository(name), provider.product.endpoints
        scope, place, attributes = endpoints[name].type, repository.place, repository.attributes()
        with Transactions(provider.database.engine).begin() as connection:
            world = World(random, connection, endpoints["User"].type)
            world.fill()
            asking = Asking(random, scope, all_of(repository, connection, scope), world.words)
            sorts = [one for one in asking.paths if has_order(one)]

            def walk(query: Query, after: Position | None) -> list[list[str]]:
                """Return the ids of all pages from a position on, in the order of the list."""
                pages: list[list[str]] = []
                while True:
                    page = seek(connection, place, replace(query, after=after), attributes)
                    backward = after is not None and after.backward
                    ids = [row.id for row in page.rows]
                    pages = [ids, *pages] if backward else [*pages, ids]
                    after = page.previous if backward else page.next
                    assert len(ids) == query.count or after is None
                    if after is None:
                        return pages
                    # As the engine has it after a client has brought it back.
                    key = tuple(json.loads(json.dumps(after.key)))
                    after = Position(key, backward=after.backward)

            for _ in range(3):
                path = random.choice([None, *sorts])
                tree = random.choice([None, parse(to_text(asking.tree()), scope)])
                whole = Query(
                    projection=Projection(scope),
                    filter=tree,
                    sort_by=None if path is None else read_sort_by(str(path), scope),
                    sort_order=random.choice(list(SortOrder)),
                )
                rows, total = place.page(connection, whole, attributes)
                meant = [row.id for row in rows]
                pages = walk(replace(whole, count=2), None)
                assert list(itertools.chain(*pages)) == meant, (path, whole.sort_order)
                last = seek(connection, place, replace(whole, count=max(1, total - 1)), attributes)
                if last.next is not None:
                    end = seek(connection, place, replace(whole, after=last.next), attributes)
                    assert end.previous is not None
                    back = walk(replace(whole, count=2), end.previous)
                    assert list(itertools.chain(*back)) == meant[:-1], (path, whole.sort_order)
                assert seek(connection, place, replace(whole, count=0), attributes).total == total
