"""No silent success: every member of the full user of RFC 7643, 8.3 is understood, or refused."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mobid_scim.bulk.request import BulkLimits
from mobid_scim.dialects import DIALECTS

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
READ_ONLY = ("id", "meta", "groups")
Values = dict[str, Any]
Place = tuple[str | int, ...]
Send = Callable[[FlaskClient, Values], TestResponse]


@pytest.fixture
def full(example: Callable[..., Any]) -> Values:
    """Return what a client may write of the user."""
    user: Values = example("rfc7643", "8.3 enterprise user")
    for name in READ_ONLY:
        del user[name]
    del user[ENTERPRISE]["manager"]["displayName"]
    return user


@pytest.fixture
def client(rfc_client: Callable[..., FlaskClient], full: Values) -> FlaskClient:
    """Return a client of a provider that has the user as u1."""
    made = rfc_client(bulk=BulkLimits())
    assert made.post("/scim/v2/Users", json=full).status_code == 201
    return made


def post(client: FlaskClient, body: Values) -> TestResponse:
    """Create another user: the name of this one is taken."""
    another = {"userName": "another"} if body.get("userName") == "bjensen@example.com" else {}
    return client.post("/scim/v2/Users", json=body | another)


def put(client: FlaskClient, body: Values) -> TestResponse:
    """Replace the user."""
    return client.put("/scim/v2/Users/u1", json=body)


def patch(client: FlaskClient, body: Values) -> TestResponse:
    """Replace the attributes of the user."""
    operation = {"op": "replace", "value": body}
    message = {"schemas": [PATCH_OP], "Operations": [operation]}
    return client.patch("/scim/v2/Users/u1", json=message)


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Yield where members stand, at any depth."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, below in items:
        yield (*here, key)
        yield from places(below, (*here, key))


def at(value: Any, place: Place) -> Any:
    """Return what stands there."""
    for key in place:
        value = value[key]
    return value


def changed(value: Values, place: Place, change: Callable[[Any, Any], None]) -> Values:
    """Return a copy in which the member at a place is changed."""
    copied = deepcopy(value)
    change(at(copied, place[:-1]), place[-1])
    return copied


def renamed(owner: Any, key: Any) -> None:
    """Misspell the name of a member."""
    owner[f"{key}x"] = owner.pop(key)


def otherwise(owner: Any, key: Any) -> None:
    """Change a value to another one of its type."""
    value = owner[key]
    owner[key] = not value if isinstance(value, bool) else f"AAAA{value}"


def of_another_type(owner: Any, key: Any) -> None:
    """Change a value to one of a type that no attribute of a user has."""
    owner[key] = 4711


@pytest.mark.parametrize("send", [post, put, patch])
class TestAUser:
    """By POST, PUT and PATCH without a path."""

    def test_has_no_name_that_nobody_knows(
        self, send: Send, client: FlaskClient, full: Values
    ) -> None:
        """A misspelled one is refused at any depth, and nothing of the rest is done."""
        before = client.get("/scim/v2/Users").data
        names = [place for place in places(full) if isinstance(place[-1], str)]
        assert len(names) > 60
        for place in names:
            answer = send(client, changed(full, place, renamed))
            assert answer.status_code == 400, (place, answer.text)
        assert client.get("/scim/v2/Users").data == before

    def test_has_no_value_of_another_type(
        self, send: Send, client: FlaskClient, full: Values
    ) -> None:
        """A number is refused wherever there is none."""
        before = client.get("/scim/v2/Users").data
        for place in places(full):
            answer = send(client, changed(full, place, of_another_type))
            assert answer.status_code == 400, (place, answer.text)
        assert client.get("/scim/v2/Users").data == before

    def test_is_kept_as_it_is_sent(self, send: Send, client: FlaskClient, full: Values) -> None:
        """Each value that is changed is there afterwards, unless the change was refused."""
        leaves = [place for place in places(full) if not isinstance(at(full, place), dict | list)]
        kept = 0
        for place in leaves:
            if place[0] in ("password", "schemas"):
                continue
            body = changed(full, place, otherwise)
            answer = send(client, body)
            if answer.status_code == 400:
                assert place[-1] == "primary", (place, answer.text)
                continue
            kept += 1
            found = client.get(answer.get_json(force=True)["meta"]["location"]).get_json(force=True)
            assert at(found, place) == at(body, place), place
            if send is post:
                client.delete(f"/scim/v2/Users/{found['id']}")
        assert kept > 45


@pytest.mark.parametrize("send", [put, patch])
@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_no_dialect_knows_a_name_that_nobody_knows(
    dialect: str, send: Send, rfc_client: Callable[..., FlaskClient], full: Values
) -> None:
    """A dialect takes what it names, and is no leniency."""
    client = rfc_client(dialect_of=lambda _: DIALECTS[dialect])
    assert client.post("/scim/v2/Users", json=full).status_code == 201
    before = client.get("/scim/v2/Users").data
    for place in places(full):
        if isinstance(place[-1], str):
            answer = send(client, changed(full, place, renamed))
            assert answer.status_code == 400, (place, answer.text)
    assert client.get("/scim/v2/Users").data == before


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/Users/.search", "3.4.3 search"),
        ("/.search", "3.4.3 search"),
        ("/Bulk", "3.7.2 user and manager"),
        ("/Bulk", "3.7.2 user and group"),
    ],
)
def test_a_message_has_no_member_that_nobody_knows(
    path: str, body: str, client: FlaskClient, example: Callable[..., Any]
) -> None:
    """Of a Bulk request, an operation with such a member is refused, alone or with the message."""
    for number, place in enumerate(places(example("rfc7644", body))):
        if not isinstance(place[-1], str):
            continue
        names = {"Alice": f"Alice{number}"} if path == "/Bulk" else {}
        message = example("rfc7644", body, names)
        answer = client.post(f"/scim/v2{path}", json=changed(message, place, renamed))
        refused = answer.status_code == 400
        if not refused:
            results = answer.get_json(force=True)["Operations"]
            refused = any(each["status"] == "400" for each in results)
        assert refused, (place, answer.text)


def test_a_patch_has_no_member_that_nobody_knows(
    client: FlaskClient, example: Callable[..., Any]
) -> None:
    """Neither the message nor what is written."""
    before = client.get("/scim/v2/Users/u1").data
    for name in ("3.5.2.1 add attributes", "3.5.2.3 replace an address"):
        message = example("rfc7644", name)
        for place in places(message):
            if isinstance(place[-1], str):
                body = changed(message, place, renamed)
                answer = client.patch("/scim/v2/Users/u1", json=body)
                assert answer.status_code == 400, (place, answer.text)
    assert client.get("/scim/v2/Users/u1").data == before
