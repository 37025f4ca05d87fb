"""Limits, plugged in: claims count for an address, starts for a user, and old counts are forgotten."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import func, select

from mobid.app import Product, create_app, initialise
from mobid.config import create_home, load
from mobid.storage.tables import counters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

CLAIM = "/device/v1/claim"
LIMITS = "[limits]\nclaims_per_minute = 2\n"
PROXY = "10.0.0.1"


@pytest.fixture
def product(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Product]:
    """A product behind so many proxies."""
    home = tmp_path / "home"
    create_home(home)
    with (home / "mobid.toml").open("a") as settings:
        settings.write(f"trusted_proxies = {request.param}\n{LIMITS}")
    initialise(load(home, {}))
    with Product(load(home, {})) as product:
        yield product


def claim(client: FlaskClient, url: str, came_from: str = "") -> TestResponse:
    """Claim a code that is none, over a proxy that says where the claim came from."""
    key = ECKey.generate_key("P-256", auto_kid=False)
    public = key.as_dict(private=False)
    header = {
        "alg": "ES256",
        "url": url + CLAIM,
        "jwk": {name: public[name] for name in ("kty", "crv", "x", "y")},
    }
    said = {"code": secrets.token_urlsafe(32), "device": {"name": "Phone"}}
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    members: jws.HeaderDict = {"protected": header}
    signed = jws.serialize_json(members, json.dumps(said).encode(), key, registry=registry)
    return client.post(
        CLAIM,
        json=dict(signed),
        headers={"X-Forwarded-For": came_from} if came_from else {},
        environ_base={"REMOTE_ADDR": PROXY},
    )


class TestClaims:
    """Count for where they come from."""

    @pytest.mark.parametrize("product", [1], indirect=True)
    def test_behind_a_proxy_count_for_whom_it_names(self, product: Product) -> None:
        """What a caller writes before that changes nothing, and others are not held up."""
        client, url = create_app(product).test_client(), product.settings.public_url
        for spoofed in ("198.51.100.1", "198.51.100.2"):
            assert claim(client, url, f"{spoofed}, 192.0.2.1").status_code == 410
        refused = claim(client, url, "198.51.100.3, 192.0.2.1")
        assert refused.status_code == 429
        assert refused.mimetype == "application/problem+json"
        assert refused.json is not None
        assert refused.json["code"] == "TOO_MANY"
        assert 0 < int(refused.headers["Retry-After"]) <= 60
        assert len(refused.headers["Replay-Nonce"]) == 75
        assert claim(client, url, "192.0.2.2").status_code == 410

    @pytest.mark.parametrize("product", [0], indirect=True)
    def test_without_one_count_for_the_connection(self, product: Product) -> None:
        """Nobody can say to be somewhere else."""
        client, url = create_app(product).test_client(), product.settings.public_url
        answers = [claim(client, url, f"192.0.2.{number}").status_code for number in range(3)]
        assert answers == [410, 410, 429]

    @pytest.mark.parametrize("product", [2], indirect=True)
    def test_behind_two_proxies_the_outer_one_is_asked(self, product: Product) -> None:
        """The inner one names the outer one."""
        client, url = create_app(product).test_client(), product.settings.public_url
        came = "198.51.100.{}, 192.0.2.1, 10.0.0.2"
        answers = [claim(client, url, came.format(number)).status_code for number in range(3)]
        assert answers == [410, 410, 429]


@pytest.mark.parametrize("product", [0], indirect=True)
def test_a_worker_forgets_what_is_over(product: Product) -> None:
    """All of it, and nothing that still counts."""
    hour = timedelta(hours=1)
    with product.units() as unit:
        for number in range(1200):
            unit.counters.add("old", f"{number}", window=-hour)
        unit.counters.add("new", "1", window=hour)
        unit.commit()
    product.start_worker()
    pause, left = threading.Event(), 0
    for _ in range(400):
        with product.transactions.reading() as connection:
            left = connection.execute(select(func.count()).select_from(counters)).scalar_one()
        if left == 1:
            break
        pause.wait(0.05)
    assert left == 1
