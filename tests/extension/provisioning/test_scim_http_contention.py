"""Writers in each other's way: they take turns, and nobody is told of a fault that is none of theirs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
import sqlalchemy as sa
from tests.conftest import Database

from mobid.storage import SQLUnits, open_engine
from mobid.storage.engine import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from tests.conftest import StandingClock
    from tests.extension.provisioning.conftest import SCIM, Provider
    from werkzeug.test import TestResponse

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATIENCE = 30.0


def renaming(path: str, name: str) -> dict[str, Any]:
    """Return an operation of a Bulk request that gives somebody a name."""
    operation = {"op": "replace", "path": "displayName", "value": name}
    data = {"schemas": [PATCH_OP], "Operations": [operation]}
    return {"method": "PATCH", "path": path, "data": data}


def bulk(client: SCIM, *operations: dict[str, Any]) -> TestResponse:
    """Send a Bulk request."""
    return client("POST", "/Bulk", {"schemas": [BULK], "Operations": list(operations)})


def statuses(answer: TestResponse) -> list[str]:
    """Return what became of the operations of a Bulk request."""
    assert answer.status_code == 200, answer.text
    return [one["status"] for one in cast("dict[str, Any]", answer.json)["Operations"]]


def at_once(*acts: Callable[[], TestResponse]) -> list[TestResponse]:
    """Let several act at the same time, and return what they are answered."""
    barrier = threading.Barrier(len(acts))

    def start(act: Callable[[], TestResponse]) -> TestResponse:
        barrier.wait(PATIENCE)
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return [one.result(PATIENCE) for one in [threads.submit(start, act) for act in acts]]


def people(hr: SCIM, provider: Provider) -> list[str]:
    """Return the paths of two users and two groups."""
    users = [f"/Users/{hr.create(name)['id']}" for name in ("anne", "bert")]
    group = {"schemas": [GROUP], "displayName": "Staff"}
    made: list[Any] = [provider.client()("POST", "/Groups", group).json for _ in range(2)]
    return [*users, *(f"/Groups/{one['id']}" for one in made)]


def test_two_bulk_requests_in_opposite_orders_both_succeed(provider: Provider, hr: SCIM) -> None:
    """Each as a whole: what the later one wrote holds for everybody."""
    paths = people(hr, provider)
    for turn in range(2):
        forth = [renaming(path, f"forth {turn}") for path in paths]
        back = [renaming(path, f"back {turn}") for path in reversed(paths)]
        answers = at_once(
            lambda ones=forth: bulk(provider.client(), *ones),  # type: ignore[misc]  # bound now
            lambda ones=back: bulk(provider.client(), *ones),  # type: ignore[misc]
        )
        assert [statuses(one) for one in answers] == [["200"] * 4] * 2
        left = {cast("dict[str, Any]", hr("GET", path).json)["displayName"] for path in paths}
        assert left in ({f"forth {turn}"}, {f"back {turn}"})


@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
def test_many_who_change_one_resource_take_turns(provider: Provider, hr: SCIM, kind: str) -> None:
    """Without If-Match nobody is sent away, and nobody's change is lost, however many there are."""
    path = next(one for one in people(hr, provider) if one.startswith(kind))
    number = 12

    def change(turn: int) -> TestResponse:
        client = provider.client(f"client-{turn}")
        # An identifier of each client's own changes the resource's version for all of them.
        return client.patch(
            path,
            {"op": "replace", "path": "displayName", "value": f"name {turn}"},
            {"op": "replace", "path": "externalId", "value": f"own {turn}"},
        )

    before: Any = hr("GET", path).json
    answers = at_once(*(lambda turn=turn: change(turn) for turn in range(number)))
    assert [one.status_code for one in answers] == [200] * number, [one.text for one in answers]
    after: Any = hr("GET", path).json
    versions = [int(one["meta"]["version"].strip('W/"')) for one in (before, after)]
    assert versions[1] - versions[0] == number
    for turn in range(number):
        mine: Any = provider.client(f"client-{turn}")("GET", path).json
        assert mine["externalId"] == f"own {turn}"


class TestImpatient:
    """Somebody who is not there for SCIM holds what a request needs, longer than a writer waits."""

    @pytest.fixture
    def patient_engine(self, database: Database) -> Engine:
        """An engine of somebody else."""
        return database.engine

    @pytest.fixture
    def units(self, database: Database, clock: StandingClock) -> Iterator[SQLUnits]:
        """Units that wait for a moment only."""
        engine = open_engine(database.url, patience=timedelta(milliseconds=50))
        yield SQLUnits(engine, clock=clock)
        engine.dispose()

    @pytest.mark.parametrize("sends", ["bulk", "patch", "delete"])
    def test_they_are_told_to_come_back(
        self, provider: Provider, patient_engine: Engine, sends: str
    ) -> None:
        """503 with Retry-After, as an error of SCIM, for the whole request; then the same one works."""
        hr = provider.client()
        first, second = (f"/Users/{hr.create(name)['id']}" for name in ("anne", "bert"))

        def send() -> TestResponse:
            if sends == "bulk":
                return bulk(hr, renaming(first, "Anne"), renaming(second, "Bert"))
            if sends == "patch":
                return hr.put(second, "displayName", "Bert")
            return hr("DELETE", second)

        with holding(patient_engine, second):
            refused = send()
        said: Any = refused.json
        assert (refused.status_code, said["status"]) == (503, "503")
        assert said["detail"] == "The database does not answer. Try again soon."
        assert refused.headers["Retry-After"] == "5"
        assert refused.content_type == "application/scim+json"
        assert "displayName" not in cast("dict[str, Any]", hr("GET", first).json)
        assert send().status_code in {200, 204}


@contextmanager
def holding(engine: Engine, path: str) -> Iterator[Connection]:
    """Hold a user; on SQLite that is the whole database."""
    user_id = path.rpartition("/")[2]
    with engine.connect() as connection:
        if is_postgresql(engine):
            hold(connection, user_id)
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.rollback()


def hold(connection: Connection, user_id: str) -> None:
    """Lock a user on PostgreSQL."""
    query = sa.text("SELECT id FROM users WHERE id = :id FOR UPDATE")
    assert connection.execute(query, {"id": user_id}).scalar_one() == user_id


class TestCircle:
    """PostgreSQL finds who waits in a circle, and chooses one who gives way: always the request, here."""

    @pytest.fixture
    def database(self, postgresql_database: Database) -> Iterator[Database]:
        """A database that looks for circles at once; on SQLite there is one writer, and so no circle."""
        name = postgresql_database.engine.url.database
        with postgresql_database.engine.connect() as connection:
            connection.execute(sa.text(f'ALTER DATABASE "{name}" SET deadlock_timeout = 100'))
            connection.commit()
        engine = open_engine(postgresql_database.url)
        yield Database("postgresql", postgresql_database.url, engine)
        engine.dispose()

    @pytest.fixture
    def rival(self, database: Database) -> Iterator[Connection]:
        """A transaction of somebody else, who does not look for circles."""
        with database.engine.connect() as connection:
            connection.execute(sa.text("SET deadlock_timeout = '60s'"))
            connection.commit()
            yield connection
            connection.execute(sa.text("RESET deadlock_timeout"))

    @staticmethod
    def wait_for_a_lock(engine: Engine) -> None:
        """Return when somebody waits for a lock."""
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        pause = threading.Event()
        with engine.connect() as connection:
            for _ in range(int(PATIENCE / 0.005)):
                if connection.execute(waiting).scalar_one():
                    return
                connection.rollback()
                pause.wait(0.005)
        pytest.fail("Nobody waits for a lock.")

    def test_a_bulk_request_that_gives_way_is_begun_again(
        self, provider: Provider, hr: SCIM, rival: Connection
    ) -> None:
        """All of it, and nobody hears of it: each operation is done and audited once."""
        first, second = (hr.create(name)["id"] for name in ("anne", "bert"))
        audited = len(provider.audited())
        hold(rival, second)
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(
                bulk, hr, *(renaming(f"/Users/{one}", "Anew") for one in (first, second))
            )
            self.wait_for_a_lock(provider.database.engine)
            hold(rival, first)
            rival.commit()
            assert statuses(sent.result(PATIENCE)) == ["200", "200"]
        assert provider.audited()[audited:] == [("scim_client:hr", "user.update")] * 2

    def test_many_bulk_requests_in_opposite_orders_take_turns(
        self, provider: Provider, hr: SCIM
    ) -> None:
        """All hold what they change beforehand, in one order for everybody: so nobody is sent away."""
        paths = people(hr, provider)
        ways = [paths[::step] for step in (1, -1)]

        def send(turn: int) -> TestResponse:
            nobody = renaming("/Users/nobody", "is not there")
            names = [renaming(path, f"name {turn}") for path in ways[turn % 2]]
            return bulk(provider.client(), nobody, *names)

        answers = at_once(*(lambda turn=turn: send(turn) for turn in range(10)))
        assert [statuses(one) for one in answers] == [["404", *["200"] * 4]] * 10
        left = {cast("dict[str, Any]", hr("GET", path).json)["displayName"] for path in paths}
        assert len(left) == 1

    def test_one_request_that_gives_way_is_begun_again(
        self, provider: Provider, hr: SCIM, rival: Connection
    ) -> None:
        """A user who is deleted is held first, and their groups then; somebody goes the other way round."""
        user_id = hr.create("anne")["id"]
        body = {"schemas": [GROUP], "displayName": "Staff", "members": [{"value": user_id}]}
        group: Any = hr("POST", "/Groups", body).json
        in_order = sa.text("SELECT id FROM groups WHERE id = :id FOR UPDATE")
        rival.execute(in_order, {"id": group["id"]})
        with ThreadPoolExecutor(1) as thread:
            sent = thread.submit(hr, "DELETE", f"/Users/{user_id}")
            self.wait_for_a_lock(provider.database.engine)
            hold(rival, user_id)
            rival.commit()
            assert sent.result(PATIENCE).status_code == 204
        assert "members" not in cast("dict[str, Any]", hr("GET", f"/Groups/{group['id']}").json)
