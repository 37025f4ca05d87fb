"""Paging by cursor: RFC 9865."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from scim2_models import EnterpriseUser, Error, ListResponse, ServiceProviderConfig, User

from mobid_scim.cursors import Cursors, Mark
from mobid_scim.errors import InvalidCursor
from mobid_scim.listing import Position

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
TIMEOUT = dt.timedelta(minutes=10)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> dt.datetime:
        """Tell the time."""
        return self.now


def cursors(clock: Callable[[], dt.datetime] = lambda: NOON, *keys: bytes) -> Cursors[str]:
    """Return what seals cursors; a caller is its own name."""
    return Cursors(keys or (KEY,), client=str, lifetime=TIMEOUT, clock=clock)


@pytest.fixture
def clock() -> Clock:
    """Return the clock that cursors expire by."""
    return Clock()


@pytest.fixture
def people(client_of: Callable[..., FlaskClient], clock: Clock) -> FlaskClient:
    """Return a client of a provider with cursors, and with five users and two groups."""
    client = client_of(cursors=cursors(clock))
    for name in ("e", "c", "a", "d", "b"):
        add(client, name)
    for name in ("staff", "all"):
        group = {"schemas": [GROUP], "displayName": name}
        assert client.post("/scim/v2/Groups", json=group).status_code == 201
    return client


def add(client: FlaskClient, name: str, **values: object) -> str:
    """Create a user and return the id."""
    body = {"schemas": [CORE], "userName": name} | values
    answer = client.post("/scim/v2/Users", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json(force=True)["id"])


def page(client: FlaskClient, path: str = "/Users", **asked: object) -> dict[str, Any]:
    """Return one page, checked by somebody else's model."""
    answer = client.get(f"/scim/v2{path}?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json(force=True)
    if path == "/Users":
        ListResponse[User[EnterpriseUser]].model_validate(found)
    return found


def walk(
    client: FlaskClient, path: str = "/Users", link: str = "nextCursor", **asked: object
) -> list[list[str]]:
    """Return the ids of all pages on the way from a cursor to where it ends."""
    pages = []
    asked.setdefault("cursor", "")
    while True:
        found = page(client, path, **asked)
        pages.append([each["id"] for each in found["Resources"]])
        if link not in found:
            return pages
        asked["cursor"] = found[link]
        assert len(pages) < 50


def joined(pages: list[list[str]]) -> list[str]:
    """Return what all pages have, one after the other."""
    return [each for page in pages for each in page]


def refused(client: FlaskClient, scim_type: str | None = "invalidCursor", **asked: object) -> str:
    """Check that a page is refused, and return what a person reads."""
    answer = client.get(f"/scim/v2/Users?{urlencode(asked)}")
    assert answer.status_code == 400, answer.text
    body = answer.get_json(force=True)
    Error.model_validate(body)
    assert body.get("scimType") == scim_type
    return str(body["detail"])


class TestWalking:
    """RFC 9865, 2."""

    def test_pages_follow_each_other(self, people: FlaskClient) -> None:
        """An empty cursor begins; the last page has no nextCursor, the first no previousCursor."""
        first = page(people, cursor="", count=2, sortBy="userName")
        assert list(first) == [
            *("schemas", "totalResults", "itemsPerPage", "nextCursor", "Resources")
        ]
        assert (first["totalResults"], first["itemsPerPage"]) == (5, 2)
        assert [each["userName"] for each in first["Resources"]] == ["a", "b"]
        second = page(people, cursor=first["nextCursor"], count=2, sortBy="userName")
        assert [each["userName"] for each in second["Resources"]] == ["c", "d"]
        last = page(people, cursor=second["nextCursor"], count=2, sortBy="userName")
        assert [each["userName"] for each in last["Resources"]] == ["e"]
        assert "nextCursor" not in last
        back = page(people, cursor=last["previousCursor"], count=2, sortBy="userName")
        assert back["Resources"] == second["Resources"]
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", first["nextCursor"])

    def test_the_count_need_not_be_said_again(self, people: FlaskClient) -> None:
        """The cursor knows it."""
        cursor = page(people, cursor="", count=2)["nextCursor"]
        assert page(people, cursor=cursor)["itemsPerPage"] == 2

    def test_a_page_may_be_projected_otherwise(self, people: FlaskClient) -> None:
        """What is shown is no part of the search."""
        cursor = page(people, cursor="", count=4)["nextCursor"]
        found = page(people, cursor=cursor, attributes="id")
        assert found["Resources"] == [{"schemas": [CORE], "id": "u5"}]

    def test_filters_may_be_spelled_otherwise(self, people: FlaskClient) -> None:
        """The same meaning is the same search."""
        cursor = page(people, cursor="", count=2, filter='username NE "d"')["nextCursor"]
        found = page(people, cursor=cursor, filter='(userName ne "d")')
        assert [each["userName"] for each in found["Resources"]] == ["a", "b"]

    def test_messages_walk_as_well(self, people: FlaskClient) -> None:
        """POST /.search takes cursors, and those of a URL at that."""
        body: dict[str, object] = {"schemas": [SEARCH], "cursor": "", "count": 3}
        found = people.post("/scim/v2/Users/.search", json=body).get_json(force=True)
        body["cursor"] = found["nextCursor"]
        rest = people.post("/scim/v2/Users/.search", json=body).get_json(force=True)
        assert [each["id"] for each in rest["Resources"]] == ["u4", "u5"]
        assert page(people, cursor=found["nextCursor"])["Resources"] == rest["Resources"]

    def test_nothing_asked_for_is_nothing_and_the_total(self, people: FlaskClient) -> None:
        """With count=0 there is no next page: it would never end."""
        found = page(people, cursor="", count=0)
        assert (found["totalResults"], found["Resources"]) == (5, [])
        assert "nextCursor" not in found

    def test_the_total_is_told_where_a_walk_begins(self, people: FlaskClient) -> None:
        """And where no cursor tells a client that the total may be left out (RFC 9865, 2)."""
        for path, count, totals in (("/Users", 2, [5, None, None]), ("/", 3, [8, None, 8])):
            cursor = ""
            for total in totals:
                found = page(people, path, count=count, cursor=cursor)
                assert found.get("totalResults") == total
                cursor = found.get("nextCursor", "")
            assert not cursor

    def test_without_a_cursor_pages_are_counted(self, people: FlaskClient) -> None:
        """The default is startIndex, as discovery says."""
        found = page(people, count=2)
        assert found["startIndex"] == 1
        assert "nextCursor" not in found

    @pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 100])
    def test_all_types_are_walked_one_after_the_other(
        self, count: int, people: FlaskClient
    ) -> None:
        """The root, too; there is no way back over the border between two types."""
        pages = walk(people, "/", count=count)
        expected = ["u1", "u2", "u3", "u4", "u5", "g6", "g7", "n1"]
        assert joined(pages) == expected
        assert [len(each) for each in pages[:-1]] == [count] * (len(pages) - 1)
        assert pages[-1]
        assert page(people, "/", cursor="")["totalResults"] == 8


NAMES = st.lists(st.sampled_from(["", "Ann", "ann", "Bob", "bob", "Zoë"]), min_size=1, max_size=12)
SORTS = st.sampled_from([{}, {"sortBy": "title"}, {"sortBy": "title", "sortOrder": "descending"}])


class TestLaws:
    """What holds for every list, order and size of pages."""

    @staticmethod
    def titled(client: FlaskClient, titles: list[str]) -> None:
        """Create users, some of whom have no title."""
        for at, title in enumerate(titles):
            add(client, f"user {at}", title=title or None)

    @given(NAMES, SORTS, st.integers(1, 5))
    @settings(max_examples=40, deadline=None)
    def test_walking_meets_all_once_and_in_order(
        self,
        fresh_client: Callable[..., FlaskClient],
        titles: list[str],
        sort: dict[str, str],
        count: int,
    ) -> None:
        """Forward is the whole list; backward from its end is the same pages' contents again."""
        client = fresh_client(cursors=cursors())
        self.titled(client, titles)
        whole = [each["id"] for each in page(client, **sort)["Resources"]]
        forward = walk(client, count=count, **sort)
        assert joined(forward) == whole
        last = begin = page(client, cursor="", count=count, **sort)
        while "nextCursor" in last:
            last = page(client, cursor=last["nextCursor"], **sort)
        backward = []
        if last is not begin:
            backward = walk(
                client, link="previousCursor", count=count, cursor=last["previousCursor"], **sort
            )
        assert joined(backward[::-1]) + forward[-1] == whole

    @given(titles=NAMES, later=NAMES, sort=SORTS, count=st.integers(1, 4), data=st.data())
    @settings(max_examples=40, deadline=None)
    def test_who_comes_and_goes_moves_nobody(
        self,
        fresh_client: Callable[..., FlaskClient],
        *,
        titles: list[str],
        later: list[str],
        sort: dict[str, str],
        count: int,
        data: st.DataObject,
    ) -> None:
        """Nobody is met twice, and who is there all the time is met once."""
        client = fresh_client(cursors=cursors())
        self.titled(client, titles)
        always = {each["id"] for each in page(client)["Resources"]}
        met: list[str] = []
        found = page(client, cursor="", count=count, **sort)
        while True:
            met += [each["id"] for each in found["Resources"]]
            if "nextCursor" not in found:
                break
            if later:
                add(client, f"later {len(later)}", title=later.pop() or None)
            if data.draw(st.booleans()):
                gone = data.draw(st.sampled_from(met))
                client.delete(f"/scim/v2/Users/{gone}")
            found = page(client, cursor=found["nextCursor"], **sort)
        assert len(met) == len(set(met))
        assert always <= set(met)

    @given(
        st.text(max_size=20),
        st.lists(st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text())),
        st.booleans(),
        st.integers(0, 1000),
    )
    def test_what_is_sealed_is_opened(
        self, scope: str, key: list[Any], backward: bool, count: int
    ) -> None:
        """In another process with the same key, and with an older key as well."""
        mark = Mark(scope, Position(tuple(key), backward=backward), count)
        sealed = cursors().seal(mark, "alice", "search")
        assert cursors().open(sealed, "alice", "search") == mark
        assert cursors(lambda: NOON, OTHER_KEY, KEY).open(sealed, "alice", "search") == mark
        with pytest.raises(InvalidCursor, match="none of ours"):
            cursors(lambda: NOON, OTHER_KEY).open(sealed, "alice", "search")

    @given(st.one_of(st.text(), st.text("ABCabc012-_~.", min_size=1, max_size=200)), st.booleans())
    def test_what_is_no_cursor_is_refused(self, text: str, appended: bool) -> None:
        """Whatever it looks like; there is no other error."""
        sealed = cursors().seal(Mark("User", None, 1), "alice", "search")
        with pytest.raises(InvalidCursor, match="none of ours"):
            cursors().open(f"{sealed[:-8]}{text}" if appended else text, "alice", "search")

    def test_a_cursor_shows_nothing(self) -> None:
        """The place in a list may be a name."""
        position = Position(("Barbara Jensen",))
        sealed = {cursors().seal(Mark("User", position, 1), "alice", "s") for _ in range(2)}
        assert len(sealed) == 2
        assert "Barbara" not in str(sealed)
        assert str(KEY) not in repr(cursors())


class TestRefusals:
    """RFC 9865, 2.1 to 2.4."""

    @pytest.fixture
    def cursor(self, people: FlaskClient) -> str:
        """Return a cursor in a search."""
        found = page(people, cursor="", count=2, filter="userName pr", sortBy="userName")
        return str(found["nextCursor"])

    @pytest.mark.parametrize(
        "other",
        [
            {"filter": 'userName sw "a"'},
            {"filter": "userName pr", "sortBy": "title"},
            {"filter": "userName pr", "sortBy": "userName", "sortOrder": "descending"},
            {},
        ],
    )
    def test_another_search_is_refused(
        self, other: dict[str, str], cursor: str, people: FlaskClient
    ) -> None:
        """Filter and order belong to the cursor."""
        message = refused(people, cursor=cursor, **other)
        assert "of another client or search; repeat the search as it was" in message

    def test_another_type_is_refused(self, people: FlaskClient) -> None:
        """Also where the search is the same otherwise."""
        cursor = page(people, cursor="", count=1)["nextCursor"]
        answer = people.get(f"/scim/v2/Groups?cursor={cursor}")
        assert answer.get_json(force=True)["scimType"] == "invalidCursor"

    def test_another_client_is_refused(
        self, cursor: str, client_of: Callable[..., FlaskClient]
    ) -> None:
        """Cursors are no way to see what others see."""
        other = client_of("other", cursors=cursors())
        asked = {"filter": "userName pr", "sortBy": "userName"}
        assert "of another client" in refused(other, cursor=cursor, **asked)

    def test_another_count_is_refused(self, cursor: str, people: FlaskClient) -> None:
        """RFC 9865, 2.4: it is that of the first page."""
        asked = {"filter": "userName pr", "sortBy": "userName", "count": 3}
        message = refused(people, "invalidCount", cursor=cursor, **asked)
        assert message.startswith("The list was begun with count=2; leave count")

    def test_a_negative_count_is_refused(self, people: FlaskClient) -> None:
        """RFC 9865, 2.4; by index it would be 0."""
        assert "at least 0" in refused(people, "invalidCount", cursor="", count=-1)

    def test_an_expired_cursor_is_refused(
        self, cursor: str, people: FlaskClient, clock: Clock
    ) -> None:
        """RFC 9865, 2.3: it is good for cursorTimeout, and not for longer."""
        asked = {"filter": "userName pr", "sortBy": "userName"}
        clock.now += TIMEOUT
        assert page(people, cursor=cursor, **asked)["itemsPerPage"] == 2
        clock.now += dt.timedelta(seconds=1)
        message = refused(people, "expiredCursor", cursor=cursor, **asked)
        assert "begin again without one, and take the next page within 600 seconds" in message

    def test_both_ways_at_once_are_refused(self, people: FlaskClient) -> None:
        """A page begins at one place."""
        message = refused(people, "invalidValue", cursor="", startIndex=1)
        assert message == 'Send "cursor" or "startIndex", not both.'


class TestSetting:
    """What the provider needs for it, and what it tells."""

    def test_it_is_told(self, people: FlaskClient) -> None:
        """RFC 9865, 4: the real numbers, and the schema has them."""
        config = people.get("/scim/v2/ServiceProviderConfig").get_json(force=True)
        assert config["pagination"] == {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": 100,
            "maxPageSize": 1000,
            "cursorTimeout": 600,
        }
        ServiceProviderConfig.model_validate(config)

    @pytest.mark.parametrize(
        ("keys", "lifetime", "message"),
        [
            ([], TIMEOUT, "keys of at least 32 bytes"),
            ([KEY, b"short"], TIMEOUT, "keys of at least 32 bytes"),
            ([KEY], dt.timedelta(0), "a lifetime of at least one second"),
        ],
    )
    def test_what_cannot_work_fails_at_once(
        self, keys: list[bytes], lifetime: dt.timedelta, message: str
    ) -> None:
        """Not for the first client."""
        with pytest.raises(ValueError, match=message):
            Cursors(keys, client=str, lifetime=lifetime, clock=lambda: NOON)
