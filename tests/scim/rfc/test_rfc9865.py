"""The requests of RFC 9865 and their answers."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
Values = dict[str, Any]


@pytest.fixture
def client(rfc_client: Callable[..., FlaskClient], cursors: Any) -> FlaskClient:
    """Return a client of a provider with cursors, with 25 users whose names begin with J."""
    made = rfc_client(cursors=cursors)
    for at in range(25):
        body = {"schemas": [CORE], "userName": f"J{at:02}"}
        assert made.post("/scim/v2/Users", json=body).status_code == 201
    made.post("/scim/v2/Users", json={"schemas": [CORE], "userName": "K"})
    return made


def page(client: FlaskClient, query: str) -> Values:
    """Return a page of users."""
    answer = client.get(f"/scim/v2/Users?{query}")
    assert answer.status_code == 200, answer.text
    found: Values = answer.get_json(force=True)
    return found


def names(found: Values) -> list[str]:
    """Return the names on a page."""
    return [each["userName"] for each in found["Resources"]]


FIRST = "filter=userName%20sw%20%22J%22&cursor&count=10"


class TestWalking:
    """2: ten users a page, by the cursors that the answers give."""

    def test_2_the_filter_of_the_example_lacks_quotes(self, client: FlaskClient) -> None:
        """`userName sw J` is no filter of RFC 7644, 3.4.2.2, whose values are JSON."""
        answer = client.get("/scim/v2/Users?filter=userName%20sw%20J&cursor&count=10")
        assert answer.status_code == 400
        assert answer.get_json(force=True)["scimType"] == "invalidFilter"

    def test_2_the_first_page(self, client: FlaskClient) -> None:
        """An empty cursor begins; there is no startIndex, and nothing before."""
        found = page(client, FIRST)
        assert (found["totalResults"], found["itemsPerPage"]) == (25, 10)
        assert found["nextCursor"]
        assert "startIndex" not in found
        assert "previousCursor" not in found
        assert names(found) == [f"J{at:02}" for at in range(10)]

    def test_2_the_pages_after_it(self, client: FlaskClient) -> None:
        """On with nextCursor, whatever the case of the attribute; back with previousCursor."""
        second = f"filter=username%20sw%20%22J%22&cursor={quote(page(client, FIRST)['nextCursor'])}"
        found = page(client, f"{second}&count=10")
        assert names(found) == [f"J{at:02}" for at in range(10, 20)]
        last = page(
            client, f"{FIRST.partition('&')[0]}&cursor={quote(found['nextCursor'])}&count=10"
        )
        assert names(last) == [f"J{at:02}" for at in range(20, 25)]
        assert "nextCursor" not in last
        back = page(client, f"{FIRST.partition('&')[0]}&cursor={quote(found['previousCursor'])}")
        assert names(back) == [f"J{at:02}" for at in range(10)]

    def test_3_a_search_by_post(self, client: FlaskClient) -> None:
        """The message has the cursor."""
        body = {"schemas": [SEARCH], "filter": 'userName sw "J"', "cursor": "", "count": 10}
        found = client.post("/scim/v2/Users/.search", json=body).get_json(force=True)
        assert names(found) == [f"J{at:02}" for at in range(10)]
        again = client.post(
            "/scim/v2/Users/.search", json=body | {"cursor": found["nextCursor"]}
        ).get_json(force=True)
        assert names(again) == [f"J{at:02}" for at in range(10, 20)]


class TestErrors:
    """2.1: each of its scimTypes."""

    @pytest.mark.parametrize(
        ("query", "kind"),
        [
            ("cursor=VZUTiyhEQJ94IR&count=10", "invalidCursor"),
            ("cursor&count=-1", "invalidCount"),
        ],
    )
    def test_2_1_error_codes(self, query: str, kind: str, client: FlaskClient) -> None:
        """400, and which one it is."""
        answer = client.get(f"/scim/v2/Users?{query}")
        assert answer.status_code == 400
        assert answer.get_json(force=True)["scimType"] == kind


class TestDiscovery:
    """4: what the configuration tells."""

    def test_4_pagination(self, client: FlaskClient) -> None:
        """The members of the example, with our own numbers."""
        found = client.get("/scim/v2/ServiceProviderConfig").get_json(force=True)["pagination"]
        assert (found["cursor"], found["index"]) == (True, True)
        assert found["defaultPaginationMethod"] in ("cursor", "index")
        numbers = [found[name] for name in ("defaultPageSize", "maxPageSize", "cursorTimeout")]
        assert all(isinstance(each, int) and each > 0 for each in numbers)
