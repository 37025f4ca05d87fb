"""Whatever comes in, what comes out is an answer or a SCIMError (RFC 7644, 3.12)."""

import json
from collections.abc import Callable
from typing import Any, Final

from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from mobid_scim import strict_json
from mobid_scim.bulk.request import BulkLimits, read_bulk
from mobid_scim.dialects import DIALECTS
from mobid_scim.errors import SCIMError
from mobid_scim.filter import parse, parse_each, to_text
from mobid_scim.patch import apply
from mobid_scim.patch_request import PATCH_OP, read_request, read_target
from mobid_scim.patch_rows import row_changes
from mobid_scim.resource import Resource, ResourceType
from mobid_scim.validation import read_resource

BULK: Final = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
CORE: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

NAMES: Final = st.sampled_from(
    [
        *("userName", "name", "emails", "members", "groups", "active", "meta", "id", "schemas"),
        *("value", "type", "primary", "$ref", "familyName", "manager", "externalId", "foo"),
        *(CORE, ENTERPRISE, f"{ENTERPRISE}:manager", "name.familyName", 'emails[type eq "work"]'),
        *('members[value eq "u1"]', 'emails[type eq "work"].value', "emails.value", "badges", ""),
    ]
)
TEXTS: Final = st.one_of(
    NAMES,
    st.sampled_from(["True", "u1", "bulkId:a", "/Users/bulkId:a", "/Users", "a@x", "2026-11-22"]),
    st.text(max_size=12),
)
PIECES: Final = st.one_of(
    NAMES,
    st.sampled_from(
        [
            *("(", ")", "[", "]", " ", ".", ":", '"', "\\", "not ", " and ", " or ", " eq ", " pr"),
            *(
                " co ",
                " gt ",
                '"x"',
                "true",
                "null",
                "42",
                "-1.5e3",
                '"\\u0000"',
                "\t",
                "é",
                "1e999",
            ),
        ]
    ),
    st.text(max_size=3),
)
SENTENCES: Final = st.lists(PIECES, max_size=12).map("".join)
SCALARS: Final = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), TEXTS
)
VALUES: Final = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(NAMES, TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)
OPERATIONS: Final = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "Replace", "remove", "", None])},
    optional={"path": st.one_of(NAMES, SENTENCES, SCALARS), "value": VALUES},
)
PATCHES: Final = st.fixed_dictionaries(
    {
        "schemas": st.just([PATCH_OP]),
        "Operations": st.lists(st.one_of(OPERATIONS, VALUES), max_size=4),
    }
)
RESOURCES: Final = st.fixed_dictionaries(
    {"schemas": st.just([CORE, ENTERPRISE])},
    optional={"userName": TEXTS, "emails": VALUES, "name": VALUES, ENTERPRISE: VALUES},
)
BULK_OPERATIONS: Final = st.fixed_dictionaries(
    {"method": st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "GET"])},
    optional={
        "path": st.one_of(
            st.sampled_from(["/Users", "/Users/u1", "/Users/bulkId:a", "/Groups/bulkId:b", "/"]),
            TEXTS,
        ),
        "bulkId": st.one_of(st.sampled_from(["a", "b", "c"]), SCALARS),
        "version": st.one_of(st.just('W/"1"'), SCALARS),
        "data": st.one_of(RESOURCES, PATCHES, VALUES),
    },
)
DIALECT: Final = st.sampled_from(list(DIALECTS.values()))


def only_refused(do: Callable[[], object]) -> object:
    """Return what comes out, or None where it is refused; anything else is raised."""
    try:
        return do()
    except SCIMError:
        return None


class TestText:
    """Filters and paths."""

    @given(SENTENCES, DIALECT)
    @settings(max_examples=300)
    def test_filters(self, users: ResourceType, text: str, dialect: Any) -> None:
        """What is understood can be written down, and means the same again."""
        tree = only_refused(lambda: parse(text, users, dialect))
        if tree is not None:
            assert parse(to_text(tree), users) == tree  # type: ignore[arg-type]  # it is a tree

    @given(SENTENCES)
    def test_filters_over_several_types(
        self, users: ResourceType, groups: ResourceType, text: str
    ) -> None:
        """The root searches all types at once."""
        only_refused(lambda: parse_each(text, [users, groups]))

    @given(SENTENCES, DIALECT)
    @settings(max_examples=300)
    def test_paths(self, users: ResourceType, text: str, dialect: Any) -> None:
        """What is understood can be written down, and leads to the same place."""
        target = only_refused(lambda: read_target(text, users, dialect))
        if target is not None:
            assert read_target(str(target), users) == target

    @given(st.one_of(st.binary(max_size=60), SENTENCES.map(str.encode), VALUES.map(json.dumps)))
    def test_json(self, data: bytes | str) -> None:
        """Bytes of any kind."""
        raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        only_refused(lambda: strict_json.loads(raw))


class TestBodies:
    """Resources, and operations on them."""

    @given(st.one_of(RESOURCES, VALUES), DIALECT)
    def test_resources(self, users: ResourceType, body: object, dialect: Any) -> None:
        """To create or to replace."""
        only_refused(lambda: read_resource(dialect.resource(body, users), users))

    @given(st.one_of(PATCHES, VALUES), DIALECT)
    @settings(max_examples=300)
    def test_patches(self, users: ResourceType, body: object, dialect: Any) -> None:
        """Of a user with values of all kinds; what was there stays as it was."""
        values: dict[str, object] = {
            "schemas": [CORE],
            "userName": "x",
            "emails": [{"value": "a@x", "type": "work", "primary": True}, {"value": "b@x"}],
            "name": {"familyName": "X"},
        }
        before = json.dumps(values)
        only_refused(
            lambda: apply(Resource(users, values), read_request(body, users, dialect), dialect)
        )
        assert json.dumps(values) == before

    @given(st.one_of(PATCHES, VALUES), DIALECT)
    def test_patches_of_rows(self, groups: ResourceType, body: object, dialect: Any) -> None:
        """Of a group, whose members are rows."""
        only_refused(lambda: row_changes(read_request(body, groups, dialect), groups))


class TestBulk:
    """Whole requests, on storage in memory."""

    @given(
        st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {"schemas": st.just([BULK]), "Operations": st.lists(VALUES, max_size=3)}
            ),
        )
    )
    def test_messages(self, body: object) -> None:
        """What is no message is refused as a whole."""
        only_refused(lambda: read_bulk(body, BulkLimits()))

    @given(st.lists(BULK_OPERATIONS, min_size=1, max_size=6), DIALECT, st.booleans())
    @settings(max_examples=150, deadline=None)
    def test_requests(
        self,
        fresh_client: Callable[..., FlaskClient],
        operations: list[object],
        dialect: Any,
        together: bool,
    ) -> None:
        """Each operation has a result, and none of them is a failure of ours."""
        client = fresh_client(
            bulk=BulkLimits(), dialect_of=lambda _: dialect, transactional=together
        )
        body = {"schemas": [BULK], "Operations": operations}
        answer = client.post("/scim/v2/Bulk", json=body)
        assert answer.status_code in (200, 400), answer.text
        found = answer.get_json(force=True)
        if answer.status_code == 200:
            statuses = [int(each["status"]) for each in found["Operations"]]
            assert len(statuses) == len(operations)
            assert max(statuses) < 500 or max(statuses) == 501, answer.text
