"""Cursors of SCIM lists across the processes of one deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobid.app import Product, create_app
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def test_go_on_in_another_process(product: Product) -> None:
    """They are sealed with a key of the home, and nothing of them is kept."""
    made = product.tokens.create("hr", Audience.SCIM, {"scim:read", "scim:write"}, by=SYSTEM)
    headers = {"Authorization": f"Bearer {made.bearer.reveal()}"}

    def send(on: Product, method: str, path: str, body: object = None) -> TestResponse:
        client = create_app(on).test_client()
        return client.open(f"/scim/v2{path}", method=method, json=body, headers=headers)

    names = ["anne", "ben", "carl"]
    for name in names:
        sent = send(product, "POST", "/Users", {"schemas": [USER], "userName": name})
        assert sent.status_code == 201, sent.text
    search = "/Users?sortBy=userName&count=1"
    seen, cursor = [], ""
    with Product(product.settings) as other:
        for process in (product, other, product):
            page: Any = send(process, "GET", f"{search}&cursor={cursor}").json
            seen += [one["userName"] for one in page["Resources"]]
            cursor = page.get("nextCursor", "")
    assert seen == names


def test_have_a_key_that_tells_nothing_of_the_session_key(product: Product) -> None:
    """It is the same each time, and no other key of the home."""
    keys = product.keys
    assert keys.cursors.reveal() == keys.cursors.reveal()
    assert keys.cursors.reveal() not in {keys.session.reveal(), keys.enrolment.reveal()}
    assert len(keys.cursors.reveal()) == 32
