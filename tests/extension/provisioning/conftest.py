"""The SCIM surface on a real database of each kind, and profiles in every state to watch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from sqlalchemy import select

from mobid.app.scim import dialect_of, scim_error_of
from mobid.config import Guard, Secret
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.certificates import CAState, Certificate, Wanted
from mobid.domain.enrolments import Enrolment
from mobid.domain.instances import Instance, InstanceState, Process, StepName
from mobid.domain.mobile_ids import Device, Hold, MobileID, Placed, ProfileState
from mobid.domain.options import Kind, Options
from mobid.processes.mass_changes import MassChangeGuard
from mobid.processes.settlement import Settlement
from mobid.provisioning import authorize, cursors, service
from mobid.provisioning.reading import Repository
from mobid.storage import Transactions
from mobid.storage.tables import audit_events
from mobid_scim.dialect import STRICT
from mobid_scim.dialects import DIALECTS
from mobid_scim.errors import Unauthorized
from mobid_scim.http import blueprint

if TYPE_CHECKING:
    from collections.abc import Collection

    from flask import Request
    from flask.testing import FlaskClient
    from tests.conftest import Database, StandingClock
    from werkzeug.test import TestResponse

    from mobid.provisioning import Caller
    from mobid.storage import SQLUnits
    from mobid_scim.service import Service

BASE = "https://id.example/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
OURS = "urn:mobid:scim:schemas:extension:mobileid:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
EVERYTHING = ("scim:read", "scim:write", "mobile-ids:write")


@dataclass(frozen=True, slots=True)
class TestCaller:
    """A client as its token tells."""

    __test__ = False

    client: str
    scopes: Collection[str]

    @property
    def actor(self) -> Actor:
        """Whom the audit names."""
        return Actor(ActorKind.SCIM_CLIENT, self.client)

    @property
    def dialect(self) -> str:
        """What the client speaks: a client of the name of a dialect speaks that."""
        return self.client if self.client in DIALECTS else STRICT.name


def authenticate(request: Request) -> TestCaller:
    """Believe a token of the form `client scope scope`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise Unauthorized("Send a bearer token.")
    client, *scopes = token.split()
    return TestCaller(client, scopes)


@dataclass(frozen=True)
class SCIM:
    """A SCIM client on the far side of HTTP."""

    http: FlaskClient
    token: str

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        """Send one request; an underscore in a header's name is a hyphen."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.open(
            f"/scim/v2{path}",
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {self.token}", **sent},
        )

    def create(self, user_name: str = "anne", **values: Any) -> Any:
        """Create a user and return it."""
        schemas = [USER, *(name for name in values if name.startswith("urn:"))]
        answer = self("POST", "/Users", {"schemas": schemas, "userName": user_name, **values})
        assert answer.status_code == 201, answer.text
        return answer.json

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> TestResponse:
        """Send a PATCH."""
        body = {"schemas": [PATCH_OP], "Operations": list(operations)}
        return self("PATCH", path, body, **headers)

    def put(self, path: str, name: str, value: object, **headers: str) -> TestResponse:
        """Replace one attribute by PATCH."""
        operation = {"op": "replace", "path": name, "value": value}
        return self.patch(path, operation, **headers)

    def found(self, text: str, endpoint: str = "/Users") -> list[str]:
        """Return the ids that a filter finds."""
        answer = self.http.get(
            f"/scim/v2{endpoint}",
            query_string={"filter": text},
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json is not None
        ids = [each["id"] for each in answer.json["Resources"]]
        assert answer.json["totalResults"] == len(ids)
        return ids


@dataclass
class Provider:
    """The product's side: the app, and its database by other ways than SCIM."""

    app: Flask
    units: SQLUnits
    database: Database
    product: Service[Caller]
    count: int = field(default=0)

    def client(self, name: str = "hr", *scopes: str) -> SCIM:
        """Return a client with these scopes, or with all."""
        return SCIM(self.app.test_client(), " ".join((name, *(scopes or EVERYTHING))))

    def repository(self, name: str, client: str = "hr") -> Repository:
        """Return the resources of a type, as a client sees them, past HTTP and the engine."""
        found = self.product.endpoints[name].repository(TestCaller(client, EVERYTHING))
        assert isinstance(found, Repository)
        return found

    def audited(self) -> list[tuple[str, str]]:
        """Return who did what, in order."""
        table = audit_events.c
        with Transactions(self.database.engine).reading() as connection:
            rows = connection.execute(select(table.actor, table.action).order_by(table.id))
            return [(row.actor, row.action) for row in rows]

    def profile(self, user_id: str, state: ProfileState, *, holdable: bool = True) -> MobileID:
        """Give a user a mobile ID with two certificates; a pending one has its running Get."""
        self.count += 1
        with self.units() as unit:
            placed = Placed(placed_by=Actor(ActorKind.SCIM_CLIENT, "hr"), placed_at=unit.now)
            profile = MobileID(
                id=f"m-{self.count}",
                user_id=user_id,
                state=state,
                profile_name="MobileID Änne",
                server_name="Mobile ID",
                user_label="anne@example.org",
                created_at=unit.now,
                changed_at=unit.now,
                valid_from=unit.now,
                valid_to=unit.now + timedelta(days=730),
                device=Device(name="Änne's phone", platform="Android", model="Pixel"),
                holds={Hold.USER_STATE: placed} if state is ProfileState.INACTIVE else {},
            )
            unit.add(profile)
            for kind in (Kind.AUTHENTICATION, Kind.SIGNATURE):
                unit.add(self._certificate(profile, kind, holdable=holdable))
            if state is ProfileState.PENDING:
                self._run(unit, profile)
            unit.commit()
        return profile

    def state(self, mobile_id: str) -> ProfileState:
        """Return the state of a mobile ID."""
        with self.units.reading() as unit:
            return unit.mobile_ids.get(mobile_id).state

    def certificates(self, mobile_id: str) -> list[Certificate]:
        """Return its certificates."""
        with self.units.reading() as unit:
            return list(unit.certificates.of_mobile_id(mobile_id))

    def ca_says(self, mobile_id: str, word: CAState) -> None:
        """Let the CA confirm the same of all its certificates."""
        with self.units() as unit:
            for one in unit.certificates.of_mobile_id(mobile_id):
                unit.save(one.heard(word, at=unit.now))
            unit.commit()

    def quarantine(self, mobile_id: str) -> None:
        """Put the first certificate into quarantine."""
        with self.units() as unit:
            one = unit.certificates.of_mobile_id(mobile_id)[0]
            unit.save(replace(one, quarantined=True))
            unit.commit()

    @staticmethod
    def _certificate(profile: MobileID, kind: Kind, *, holdable: bool) -> Certificate:
        name = f"{profile.id}-{kind}"
        held = profile.state is ProfileState.INACTIVE
        return Certificate(
            id=name,
            mobile_id=profile.id,
            kind=kind,
            ca="builtin",
            csr=b"csr",
            key_hash=hashlib.sha256(name.encode()).digest(),
            subject=b"subject",
            san="",
            not_before=profile.created_at,
            not_after=profile.created_at + timedelta(days=730),
            profile_hash="profile",
            ordered_at=profile.created_at,
            wanted=Wanted.HELD if held else Wanted.VALID,
            ca_state=CAState.HELD if held else CAState.VALID,
            der=name.encode(),
            holdable=holdable,
            serial=hashlib.sha256(name.encode()).hexdigest()[:16],
        )

    @staticmethod
    def _run(unit: Any, profile: MobileID) -> None:
        instance = Instance(
            id=f"get-{profile.id}",
            process=Process.GET,
            user_id=profile.user_id,
            actor=Actor(ActorKind.USER, profile.user_id),
            mobile_id=profile.id,
            state=InstanceState.WAITING_DEVICE,
            step=StepName.QR,
            created_at=unit.now,
            expires_at=unit.now + timedelta(minutes=30),
            options=Options(user_id="anne@example.org", profile_name="MobileID Änne"),
        )
        enrolment = Enrolment(
            id=f"e-{profile.id}",
            instance_id=instance.id,
            user_id=profile.user_id,
            mobile_id=profile.id,
            code_number=1,
            token_hash=hashlib.sha256(b"token").digest(),
            typed_code_hash=hashlib.sha256(b"typed").digest(),
            code_expires_at=unit.now + timedelta(minutes=10),
        )
        unit.add(instance, enrolment)


@pytest.fixture
def guard() -> MassChangeGuard:
    """The guard of mass changes with the shipped limits; tests of others override it."""
    return MassChangeGuard(Guard())


@pytest.fixture
def provider(
    database: Database, units: SQLUnits, guard: MassChangeGuard, clock: StandingClock
) -> Provider:
    """An app with the SCIM surface alone, on the database of the test."""
    product = service(
        units=units,
        transactions=Transactions(database.engine),
        settlement=Settlement(phone_confirm=timedelta(minutes=15)),
        guard=guard,
        order_lapses_after=timedelta(days=14),
        base_url=BASE,
        dialect_of=dialect_of,
        cursors=cursors(Secret(b"a key of this test, 32 bytes long"[:32]), clock),
    )
    app = Flask("scim")
    app.register_blueprint(
        blueprint(product, authenticate=authenticate, authorize=authorize, translate=scim_error_of)
    )
    return Provider(app, units, database, product)


@pytest.fixture
def hr(provider: Provider) -> SCIM:
    """A client that may do everything."""
    return provider.client("hr")


@pytest.fixture
def idm(provider: Provider) -> SCIM:
    """Another one."""
    return provider.client("idm")


@pytest.fixture
def later(clock: StandingClock) -> StandingClock:
    """The clock, a second later than the fixtures before it."""
    clock.pass_by(timedelta(seconds=1))
    return clock
