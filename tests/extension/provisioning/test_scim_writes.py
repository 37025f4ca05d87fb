"""What writes over SCIM send to the database: few statements, and of a change only what is different."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from itertools import permutations
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, select

from mobid.storage import Transactions
from mobid.storage.tables import user_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.extension.provisioning.conftest import SCIM, Provider

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
WORDS = frozenset({"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"})

ANNE: Mapping[str, Any] = {
    "name": {"givenName": "Anne", "familyName": "Müller"},
    "displayName": "Anne",
    "active": True,
    "emails": [
        {"value": "anne@example.org", "type": "work", "primary": True},
        {"value": "anne@home.example", "type": "home"},
    ],
}
DOCUMENTS: tuple[Mapping[str, Any], ...] = (
    ANNE,
    {},
    {"name": {"givenName": "Anne"}, "emails": [{"value": "anne@home.example", "type": "home"}]},
    {"emails": list(reversed(ANNE["emails"])), "title": "x" * 300},
    {ENTERPRISE: {"department": "Finance", "manager": {"value": "m-1"}}, "active": False},
)


@contextmanager
def sent(provider: Provider) -> Iterator[Counter[str]]:
    """Count the statements of a block by their first words."""
    counted: Counter[str] = Counter()

    def note(*arguments: Any) -> None:
        word = arguments[2].split(maxsplit=1)[0]
        counted.update([word] if word in WORDS else [])

    engine = provider.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield counted
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_create_reads_nothing(provider: Provider, hr: SCIM) -> None:
    """The user, the values that they are found by, the client's name for them, and the audit."""
    with sent(provider) as statements:
        hr.create(**ANNE, externalId="e-1")
    assert statements == {"INSERT": 4}


def test_a_patch_writes_what_is_different(provider: Provider, hr: SCIM) -> None:
    """It looks, locks, writes the row, the value and the audit, and asks for groups to answer with."""
    path = f"/Users/{hr.create(**ANNE)['id']}"
    with sent(provider) as statements:
        assert hr.put(path, "name.familyName", "Maier").status_code == 200
    assert statements == {"SELECT": 2, "WITH": 1, "UPDATE": 2, "INSERT": 1}


def test_a_patch_of_many_values_takes_no_more_statements(provider: Provider, hr: SCIM) -> None:
    """Values that come, change and go are three statements, however many they are."""
    path = f"/Users/{hr.create(**ANNE)['id']}"
    several = [{"value": f"anne{number}@example.org"} for number in range(40)]
    with sent(provider) as statements:
        assert hr.put(path, "emails", several).status_code == 200
    assert statements["INSERT"] + statements["UPDATE"] + statements["DELETE"] <= 6


def test_an_answer_without_a_body_asks_for_no_groups(provider: Provider, hr: SCIM) -> None:
    """What is only read is not read for a client who does not want to see it."""
    path = f"/Users/{hr.create(**ANNE)['id']}"
    with sent(provider) as statements:
        hr.patch(f"{path}?excludedAttributes=groups", {"op": "remove", "path": "displayName"})
    assert statements["WITH"] == 0


def test_what_changes_nothing_writes_nothing(provider: Provider, hr: SCIM) -> None:
    """It only reads, to know that, and for the answer."""
    path = f"/Users/{hr.create(**ANNE)['id']}"
    with sent(provider) as statements:
        assert hr.put(path, "displayName", "Anne").status_code == 200
    assert statements == {"SELECT": 2, "WITH": 1}


def test_a_new_member_costs_the_same_in_any_group(provider: Provider, hr: SCIM) -> None:
    """Who is in the group already is not looked at."""
    first, second = hr.create("one")["id"], hr.create("two")["id"]
    body = {"schemas": [GROUP], "displayName": "all", "members": [{"value": first}]}
    made = hr("POST", "/Groups", body).json
    assert made is not None
    add = {"op": "add", "path": "members", "value": [{"value": second}]}
    with sent(provider) as statements:
        hr.patch(f"/Groups/{made['id']}?excludedAttributes=members", add)
    assert statements == {"SELECT": 6, "UPDATE": 1, "INSERT": 2}


def test_a_bulk_request_is_audited_at_once(provider: Provider, hr: SCIM) -> None:
    """Each of its creates is three statements; the audit of all of them is one."""
    operations = [
        {
            "method": "POST",
            "path": "/Users",
            "bulkId": f"b{number}",
            "data": {
                "schemas": [USER],
                **ANNE,
                "userName": f"u{number}",
                "externalId": f"{number}",
            },
        }
        for number in range(10)
    ]
    with sent(provider) as statements:
        answer = hr("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
    assert answer.json is not None
    assert [each["status"] for each in answer.json["Operations"]] == ["201"] * 10
    assert statements == {"INSERT": 31}


def test_a_changed_user_is_found_by_what_a_new_one_is_found_by(
    provider: Provider, hr: SCIM
) -> None:
    """However a document came to be as it is, the values beside it are the same."""
    idm = provider.client("idm")
    wanted = [
        values(provider, idm.create(f"new{number}", **document)["id"])
        for number, document in enumerate(DOCUMENTS)
    ]
    changed = hr.create("changed")["id"]
    for before, after in permutations(range(len(DOCUMENTS)), 2):
        for number in (before, after):
            document = DOCUMENTS[number]
            schemas = [USER, *(name for name in document if name.startswith("urn:"))]
            body = {"schemas": schemas, "userName": "changed", **document}
            assert hr("PUT", f"/Users/{changed}", body).status_code == 200
        assert values(provider, changed) == wanted[after]


def values(provider: Provider, user_id: str) -> set[tuple[Any, ...]]:
    """Return what a user is found by, besides the user name."""
    table = user_values.c
    shown = [column for column in table if column.name != "user_id"]
    query = select(*shown).where(table.user_id == user_id, table.attr != "userName")
    with Transactions(provider.database.engine).reading() as connection:
        return {tuple(row) for row in connection.execute(query)}
