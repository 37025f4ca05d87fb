"""What tests of several packages of the product share: a sandbox, a user, a registered front end."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from mobid.auth.frontends import FrontEndRegistry
from mobid.domain.actors import SYSTEM
from mobid.domain.users import UserState
from mobid.optionscripts import ExpiringScripts, OptionScripts
from mobid.storage import Transactions
from mobid.storage.frontends import FrontEnds
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from mobid.storage import SQLUnits

    Clock = Callable[[], datetime]

PUBLIC_URL = "https://mobid.example.org"


class FrontEndApp:
    """A front end of somebody else: it has a key, and signs assertions about its users."""

    def __init__(self, name: str, key: ECKey | OKPKey, clock: Clock) -> None:
        self.name = name
        self.key = key
        self.alg = "ES256" if isinstance(key, ECKey) else "Ed25519"
        self._clock = clock

    @property
    def public_pem(self) -> bytes:
        """What is registered."""
        return self.key.as_pem(private=False)

    def claims(self, user_id: str, **other: Any) -> dict[str, Any]:
        """Return the claims of an assertion made now; what a test cares about, it says."""
        now = int(self._clock().timestamp())
        given = {
            "iss": self.name,
            "sub": user_id,
            "aud": PUBLIC_URL,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            "auth_time": now - 60,
        }
        return given | other

    def assertion(self, user_id: str, **other: Any) -> str:
        """Return a signed assertion."""
        return self.sign(self.claims(user_id, **other))

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        """Return claims signed by the front end's key."""
        alg = header.get("alg", self.alg)
        return jwt.encode({"alg": alg, **header}, claims, self.key, algorithms=[alg])

    def headers(self, user_id: str, **other: Any) -> dict[str, str]:
        """Return the headers of one call for a user."""
        return {"Authorization": f"Bearer {self.assertion(user_id, **other)}"}


@pytest.fixture(scope="session")
def sandbox() -> Iterator[OptionScripts]:
    """The real sandbox; its server is started once."""
    scripts = OptionScripts()
    yield scripts
    scripts.close()


@pytest.fixture(scope="session")
def expiring() -> Iterator[ExpiringScripts]:
    """The sandbox of the other script."""
    scripts = ExpiringScripts()
    yield scripts
    scripts.close()


@pytest.fixture
def transactions(units: SQLUnits, database: Any) -> Transactions:  # noqa: ARG001  # the same database
    """Plain transactions on the database of the test."""
    return Transactions(database.engine)


@pytest.fixture
def new_user(transactions: Transactions, clock: Clock) -> Callable[..., str]:
    """Write a user as SCIM would, and return the id."""

    def write(name: str, *, state: UserState = UserState.ACTIVE, **document: Any) -> str:
        email = f"{name}@example.org"
        row = UserRow(
            id=f"id-of-{name}",
            state=state,
            user_name=name,
            user_name_key=name.casefold(),
            display_name=name.title(),
            email=email,
            created_at=clock(),
            changed_at=clock(),
            client="hr",
            doc=json.dumps({"userName": name, "emails": [{"value": email}], **document}),
        )
        with transactions.writing() as connection:
            insert_user(connection, row)
        return row.id

    return write


@pytest.fixture
def anne(new_user: Callable[..., str]) -> str:
    """The id of an active user."""
    return new_user("anne", department="Finance")


@pytest.fixture
def front_end(transactions: Transactions, units: SQLUnits, clock: Clock) -> FrontEndApp:
    """A registered front end with a P-256 key."""
    app = FrontEndApp("intranet", ECKey.generate_key("P-256"), clock)
    FrontEndRegistry(FrontEnds(transactions), units).register(app.name, app.public_pem, by=SYSTEM)
    return app


@pytest.fixture
def other_front_end(clock: Clock) -> FrontEndApp:
    """One with an Ed25519 key that nobody has registered."""
    return FrontEndApp("kiosk", OKPKey.generate_key("Ed25519"), clock)


@pytest.fixture
def after() -> Callable[..., timedelta]:
    """Say how long later something is."""
    return timedelta
