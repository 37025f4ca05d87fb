"""How SQLite goes about searches that clients send again and again: by an index, row by row never."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from sqlalchemy import event

from mobid.domain.users import UserState
from mobid.storage import Transactions
from mobid.storage.scim_recent import FEW
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from tests.conftest import Database, StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """SQLite, which knows no statistics and tells its plans in a few words."""
    return sqlite_database


def plans(provider: Provider, hr: SCIM, text: str, endpoint: str = "/Users") -> str:
    """Return the plans of all that is asked for a filter."""
    engine, sent = provider.database.engine, []

    def note(*arguments: Any) -> None:
        sent.append((arguments[2], arguments[3]))

    event.listen(engine, "before_cursor_execute", note)
    assert hr("GET", f"{endpoint}?filter={quote(text)}").status_code == 200
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        rows = [
            row[3]
            for statement, parameters in sent
            if statement.startswith("SELECT")
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    return "\n".join(rows)


def test_a_part_of_a_text_is_searched_for_in_indexes(provider: Provider, hr: SCIM) -> None:
    """The short ones are all in one; the rows of the few long ones are in another."""
    short = hr.create("short", emails=[{"value": "anne@example.org"}])["id"]
    long = hr.create("long", emails=[{"value": "x" * 300 + "@example.org"}])["id"]
    hr.create("other", emails=[{"value": "x" * 300}])
    assert sorted(hr.found('emails.value co "@EXAMPLE"')) == sorted([short, long])
    assert sorted(hr.found('emails.value co "@example" and userName pr')) == sorted([short, long])
    told = plans(provider, hr, 'emails.value co "@example"')
    assert "USING COVERING INDEX ix_user_values_value_key (attr=?)" in told
    assert "USING INDEX ix_user_values_long_value (attr=?)" in told
    inside = 'emails[type eq "work" and value co "@example"]'
    assert "USING INDEX ix_user_values_value_key (attr=? AND value_key>?)" in plans(
        provider, hr, inside
    )


def test_what_has_changed_lately_is_begun_with(
    provider: Provider, hr: SCIM, clock: StandingClock
) -> None:
    """As long as it is not too much: then the order of the page is what counts."""
    for endpoint, schema, name in (
        ("/Users", USER, "userName"),
        ("/Groups", GROUP, "displayName"),
    ):
        made = []
        for text in ("old", "new"):
            clock.pass_by(timedelta(seconds=1))
            made.append(hr("POST", endpoint, {"schemas": [schema], name: text}).json or {})
        old, new = made
        since = old["meta"]["lastModified"]
        for text, found in (
            (f'meta.lastModified gt "{since}"', [new["id"]]),
            (f'meta.lastModified ge "{since}" and id pr', [old["id"], new["id"]]),
        ):
            assert hr.found(text, endpoint) == found
            told = plans(provider, hr, text, endpoint)
            assert f"COVERING INDEX ix_{endpoint[1:].lower()}_changed_at (changed_at>?)" in told


def test_a_page_of_many_changes_is_in_the_order_of_an_index(
    provider: Provider, hr: SCIM, clock: StandingClock
) -> None:
    """What has changed is not sorted for every page then."""
    many = FEW + 1
    with Transactions(provider.database.engine).writing() as connection:
        for number in range(many):
            name = f"user-{number:04}"
            row = UserRow(
                id=name,
                state=UserState.ACTIVE,
                user_name=name,
                user_name_key=name,
                display_name=name,
                created_at=clock(),
                changed_at=clock(),
                client="hr",
                doc=json.dumps({"schemas": [USER], "userName": name}),
            )
            insert_user(connection, row)
    text = 'meta.lastModified gt "2020-01-01T00:00:00Z"'
    page: Any = hr("GET", f"/Users?count=2&filter={quote(text)}").json
    assert page["totalResults"] == many
    assert [one["id"] for one in page["Resources"]] == ["user-0000", "user-0001"]
    told = plans(provider, hr, text)
    assert "SCAN users USING INDEX ix_users_created_at" in told
    assert "LIST SUBQUERY" not in told
