"""Lists over SCIM by cursor (RFC 9865): whole, in order, and at the same cost however deep."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa

from mobid.domain.mobile_ids import ProfileState
from mobid.provisioning.service import CURSOR_LIFETIME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from sqlalchemy import Engine
    from tests.conftest import StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider

GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def pages(client: SCIM, path: str, *, key: str = "nextCursor") -> Iterator[dict[str, Any]]:
    """Walk a list from a page to where its cursors end."""
    cursor: str | None = ""
    while cursor is not None:
        answer = client("GET", f"{path}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        yield answer.json
        cursor = answer.json.get(key)


def ids(page: dict[str, Any]) -> list[str]:
    """Return whose page it is."""
    return [each["id"] for each in page["Resources"]]


@pytest.fixture
def people(hr: SCIM, clock: StandingClock) -> list[str]:
    """Seven users, the oldest first; three of them have no name to be sorted by."""
    made = []
    for number, name in enumerate(["b", None, "A", "b", None, "c", None]):
        clock.pass_by(timedelta(seconds=1))
        values = {} if name is None else {"displayName": name}
        made.append(hr.create(f"user-{number}", **values)["id"])
    return made


class Statements:
    """What is sent to a database meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sent: list[tuple[str, Any]] = []

    def _note(self, *event: Any) -> None:
        self.sent.append((event[2], event[3]))

    def __enter__(self) -> Self:
        """Begin to listen."""
        sa.event.listen(self.engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        sa.event.remove(self.engine, "before_cursor_execute", self._note)

    def plan(self, number: int) -> str:
        """Return how the database goes about a statement, where it could use every index."""
        statement, parameters = self.sent[number]
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                return str(
                    connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                )
            # A table of seven rows is read whole otherwise.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_bitmapscan = off")
            rows = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            return "\n".join(row[0] for row in rows)


class TestWalking:
    """From page to page."""

    def test_begins_with_an_empty_cursor_and_ends_without(
        self, hr: SCIM, people: list[str]
    ) -> None:
        """The oldest first; the first page says how many there are, and none has a startIndex."""
        walk = list(pages(hr, "/Users?count=3"))
        assert [ids(page) for page in walk] == [people[:3], people[3:6], people[6:]]
        assert [page.get("totalResults") for page in walk] == [7, None, None]
        assert not any("startIndex" in page for page in walk)
        assert ["previousCursor" in page for page in walk] == [False, True, True]

    @pytest.mark.parametrize("order", ["ascending", "descending"])
    def test_has_the_order_of_pages_by_index(self, hr: SCIM, people: list[str], order: str) -> None:
        """What has no name comes last, or first the other way round; equal ones by their ids."""
        search = f"/Users?sortBy=displayName&sortOrder={order}"
        by_index: Any = hr("GET", f"{search}&count=100").json
        walked = [one for page in pages(hr, f"{search}&count=2") for one in ids(page)]
        assert walked == ids(by_index)
        assert sorted(walked) == sorted(people)

    @pytest.mark.parametrize("order", ["ascending", "descending"])
    def test_goes_back_the_same_way(self, hr: SCIM, people: list[str], order: str) -> None:
        """Page by page, each in the order of the list."""
        search = f"/Users?sortBy=displayName&sortOrder={order}&count=2"
        there = list(pages(hr, search))
        assert sum(len(ids(page)) for page in there) == len(people)
        cursor = there[-1]["previousCursor"]
        for page in reversed(there[:-1]):
            back: Any = hr("GET", f"{search}&cursor={cursor}").json
            assert ids(back) == ids(page)
            cursor = back.get("previousCursor")
        assert cursor is None

    def test_meets_everybody_once_while_others_come_and_go(
        self, hr: SCIM, people: list[str], later: StandingClock
    ) -> None:
        """Even if the one is deleted at whose place the next page begins."""
        first: Any = hr("GET", "/Users?count=3&cursor=").json
        assert hr("DELETE", f"/Users/{people[2]}").status_code == 204
        assert hr("DELETE", f"/Users/{people[5]}").status_code == 204
        later.pass_by(timedelta(seconds=1))
        newcomer = hr.create("newcomer")["id"]
        second: Any = hr("GET", f"/Users?count=3&cursor={first['nextCursor']}").json
        assert ids(second) == [people[3], people[4], people[6]]
        third: Any = hr("GET", f"/Users?cursor={second['nextCursor']}").json
        assert ids(third) == [newcomer]

    def test_filters(self, hr: SCIM, people: list[str]) -> None:
        """The cursor goes on in what was found, and total is about that."""
        walk = list(pages(hr, "/Users?count=2&filter=displayName%20pr"))
        assert [ids(page) for page in walk] == [people[:3:2], people[3:6:2]]
        assert [page.get("totalResults") for page in walk] == [4, None]

    def test_is_there_for_groups_and_mobile_ids(self, hr: SCIM, provider: Provider) -> None:
        """And for all of them together, one type after the other."""
        user = hr.create()["id"]
        groups = [
            hr("POST", "/Groups", {"schemas": [GROUP], "displayName": "g"}).json or {}
            for _ in range(3)
        ]
        profile = provider.profile(user, ProfileState.ACTIVE)
        by_id = sorted(one["id"] for one in groups)
        assert [ids(page) for page in pages(hr, "/Groups?count=2")] == [by_id[:2], by_id[2:]]
        assert [ids(page) for page in pages(hr, "/MobileIDs?count=2")] == [[profile.id]]
        everything = [one for page in pages(hr, "/?count=2") for one in ids(page)]
        assert everything == [user, *by_id, profile.id]

    def test_can_be_sorted_by_the_longest_text(self, hr: SCIM) -> None:
        """A cursor holds all of it, and it is three times as long in any case."""
        texts = ["\u0390" * 1_999 + end for end in "bca"]
        made = [hr.create(f"user-{number}", title=text)["id"] for number, text in enumerate(texts)]
        walk = list(pages(hr, "/Users?sortBy=title&count=1"))
        assert [ids(page) for page in walk] == [[made[2]], [made[0]], [made[1]]]


class TestCost:
    """The same for every page."""

    PLANS: Final = {
        "sqlite": "ix_users_created_at ((created_at,id)>(?,?))",
        "postgresql": "Index Cond: (ROW(created_at, id) > ROW(",
    }

    def test_is_the_same_statements_however_deep(
        self, hr: SCIM, provider: Provider, people: list[str]
    ) -> None:
        """And one range of an index, which begins where the cursor says: nothing is skipped."""
        watched = Statements(provider.database.engine)
        numbers, cursor, seen = [], "", []
        for _ in range(3):
            watched.sent = []
            with watched:
                page: Any = hr("GET", f"/Users?count=2&attributes=userName&cursor={cursor}").json
            numbers.append(len(watched.sent))
            cursor, seen = page["nextCursor"], ids(page)
        assert seen == people[4:6]
        # The first one counts, the others ask whether anything comes before them.
        assert numbers == [2, 2, 2]
        assert "count(" not in str(watched.sent)
        plans = [watched.plan(number) for number in range(numbers[2])]
        assert any(self.PLANS[provider.database.name] in plan for plan in plans), plans


class TestCursors:
    """They are good for one client, one search and one hour, in every process with the same key."""

    @pytest.mark.usefixtures("people")
    def test_are_good_for_nobody_else(self, hr: SCIM, idm: SCIM) -> None:
        """Nor for another search."""
        first: Any = hr("GET", "/Users?count=3&cursor=").json
        for client, search in ((idm, ""), (hr, "&sortBy=userName"), (hr, "&filter=id%20pr")):
            answer = client("GET", f"/Users?cursor={first['nextCursor']}{search}")
            assert answer.status_code == 400
            assert answer.json is not None
            assert answer.json["scimType"] == "invalidCursor"

    @pytest.mark.usefixtures("people")
    def test_expire(self, hr: SCIM, clock: StandingClock) -> None:
        """After the time that discovery tells."""
        config: Any = hr("GET", "/ServiceProviderConfig").json
        assert config["pagination"]["cursorTimeout"] == CURSOR_LIFETIME.total_seconds() == 3600
        first: Any = hr("GET", "/Users?count=3&cursor=").json
        clock.pass_by(CURSOR_LIFETIME + timedelta(seconds=1))
        answer = hr("GET", f"/Users?cursor={first['nextCursor']}")
        assert answer.json is not None
        assert (answer.status_code, answer.json["scimType"]) == (400, "expiredCursor")
