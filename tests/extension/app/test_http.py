"""The application of the product, over a home of its own: who answers what no view is there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid.app import Product, create_app, initialise
from mobid.config import create_home, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.testing import FlaskClient


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Somebody who calls, without a token."""
    home = tmp_path_factory.mktemp("app") / "home"
    create_home(home)
    settings = load(home, {})
    initialise(settings)
    with Product(settings) as product:
        yield create_app(product).test_client()


class TestAnUnknownMethod:
    """No rule takes it, so no blueprint is asked; the surface still answers in its own way."""

    @pytest.mark.parametrize(
        ("path", "mimetype"),
        [
            ("/scim/v2/Users", "application/scim+json"),
            ("/scim/v2", "application/scim+json"),
            ("/scim/v2/nothing/here", "application/scim+json"),
            ("/processes", "application/problem+json"),
            ("/device/v1/claim", "application/problem+json"),
            ("/admin/v1/scripts/x", "application/problem+json"),
            ("/scim/v2nd", "text/html"),
            ("/", "text/html"),
        ],
    )
    def test_is_refused_in_the_words_of_the_surface(
        self, client: FlaskClient, path: str, mimetype: str
    ) -> None:
        """RFC 7644, 3.12: SCIM's errors are JSON of their own."""
        answer = client.open(path, method="BREW")
        assert answer.status_code in {404, 405}
        assert answer.mimetype == mimetype

    def test_of_scim_says_which_there_are(self, client: FlaskClient) -> None:
        """RFC 9110, 15.5.6."""
        answer = client.open("/scim/v2/Users", method="BREW")
        assert answer.get_json() == {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": "405",
            "detail": "The method BREW is not allowed here; allowed are GET, HEAD, POST, PUT, PATCH, DELETE.",
        }
        assert answer.headers["Allow"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
