"""A real server waits at a crash point while another one does something about the same mobile ID.

With PostgreSQL two server processes stand beside each other: the first is held, the second goes on.
With SQLite, which has one server process, another request comes between. Each point of Get and Lock is
a gate in one race, and a race whose gate nobody comes to fails. At the end our word and the CA's own
record are one, nothing is valid that should not be, and the CA was never asked for more than an order.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
import sqlalchemy as sa

from mobid.crashpoints import CrashPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from tests.e2e.conftest import Handset, Site

    from mobid.cli.demo.actors import FrontEnd

    Act: TypeAlias = Callable[["Case"], object]

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
DATABASES: Final = ("sqlite", "postgresql")
PATIENCE: Final = 20.0
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_PORTS: Final = range(20_000, 32_000)
_PAUSE: Final = threading.Event()


def until(true: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Look again and again until something is true."""
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        _PAUSE.wait(0.02)
    pytest.fail(f"{what}: not within {seconds} s")


class Servers:
    """One deployment: the server that is held at gates, and the one that is not, if there are two."""

    def __init__(self, site: Site, *, two: bool) -> None:
        self.site: Final = site
        self.gates: Final = site.folder / "gates"
        self.gates.mkdir()
        site.serve(f"pause:{self.gates}")
        self._log: Final = site.folder / "second.log"
        self._second: subprocess.Popen[bytes] | None = None
        self.free_url = site.url
        """Where the server is that is never held."""
        if two:
            self._start_second()

    def _start_second(self) -> None:
        port = _free_port()
        environ = os.environ | {"MOBID_LISTEN_PORT": str(port)}
        command = [sys.executable, "-m", "mobid.cli", "--home", str(self.site.home), "serve"]
        with self._log.open("wb") as said:
            self._second = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environ
            )
        until(lambda: b'"server_ready"' in self._log.read_bytes(), "The second server answers")
        self.free_url = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        """End the second server; the first one belongs to its site."""
        if self._second is not None:
            self._second.terminate()
            self._second.wait(PATIENCE)

    @contextmanager
    def held(self, point: CrashPoint, act: Callable[[], object]) -> Iterator[None]:
        """Let somebody act until the first server waits at a point; let it go on after the block."""
        gate = self.gates / point
        os.mkfifo(gate)
        held = os.open(gate, os.O_RDWR | os.O_CLOEXEC)
        before = self._waits_at(point)
        with ThreadPoolExecutor(1) as thread:
            try:
                acting = thread.submit(act)
                until(lambda: self._waits_at(point) > before, f"The server comes to {point}")
                gate.unlink()
                yield
            finally:
                gate.unlink(missing_ok=True)
                os.close(held)
            acting.result(PATIENCE)

    def _waits_at(self, point: CrashPoint) -> int:
        return self.site.said().count(f"MOBID_CRASHPOINT: waits at {point}\n")

    def scim(self, method: str, path: str, body: object = None) -> int:
        """Send a SCIM request to the server that is free, and return the status."""
        answer = httpx2.request(
            method,
            f"{self.free_url}/scim/v2{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.site.token}"},
            timeout=PATIENCE,
        )
        assert answer.status_code < 500, answer.text
        return answer.status_code

    def patch(self, path: str, name: str, value: object) -> int:
        """Replace one attribute there."""
        operation = {"op": "replace", "path": name, "value": value}
        return self.scim("PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]})

    def rows(self, query: str, **values: str) -> list[Any]:
        """Read the database."""
        with self.site.engine.connect() as connection:
            return list(connection.execute(sa.text(query), values))


def _free_port() -> int:
    for _ in range(100):
        port = secrets.choice(_PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    pytest.fail("There is no free port.")


# --- who acts -------------------------------------------------------------------------------------------


@dataclass
class Case:
    """A person with their run, at the server that is held; and whoever is at the other one."""

    servers: Servers
    person: FrontEnd
    shown: dict[str, Any]
    phone: Handset
    number: str
    mobile_id: str

    @property
    def elsewhere(self) -> FrontEnd:
        """The same person at the server that is free."""
        return replace(self.person, base_url=self.servers.free_url)


def to_approve(servers: Servers) -> Case:
    """A Get whose phone waits to be approved."""
    person, phone = servers.site.person(), servers.site.handset("Anna's phone")
    shown = person.act(person.start(GET), "next")
    claimed = phone.claim(shown["step"]["data"]["typed_code"])
    assert phone.keys().status == 200
    number = str(claimed.said["number"])
    return Case(servers, person, person.look(shown), phone, number, str(shown["mobile_id"]))


def issued(servers: Servers) -> Case:
    """A Get whose phone can fetch its certificates."""
    case = to_approve(servers)
    approves(case)
    until(lambda: case.phone.result().status == 200, "They are issued")
    return case


def active(servers: Servers) -> Case:
    """A Lock of an active mobile ID, which asks once more."""
    case = issued(servers)
    confirms(case)
    case.shown = case.person.start(LOCK, mobile_id=case.mobile_id)
    return case


def approves(case: Case) -> None:
    """The user approves the phone."""
    case.person.act(case.shown, "next", number=case.number)


def confirms(case: Case) -> None:
    """The phone confirms."""
    done = case.phone.confirm(case.phone.result().said["certificates"])
    assert done.said == {"state": "active"}


def locks(case: Case) -> None:
    """The user locks the mobile ID."""
    case.person.act(case.shown, "next")


def is_deactivated(case: Case) -> None:
    """An identity manager deactivates the user."""
    assert case.servers.patch(f"/Users/{case.person.user_id}", "active", value=False) == 200


def is_deleted(case: Case) -> None:
    """An identity manager deletes the user."""
    assert case.servers.scim("DELETE", f"/Users/{case.person.user_id}") == 204


def is_locked_over_scim(case: Case) -> None:
    """An identity manager takes `active` back."""
    assert case.servers.patch(f"/MobileIDs/{case.mobile_id}", "active", value=False) == 200


def is_removed_over_scim(case: Case) -> None:
    """An identity manager deletes the mobile ID."""
    assert case.servers.scim("DELETE", f"/MobileIDs/{case.mobile_id}") == 204


def cancels(case: Case) -> None:
    """The user cancels in another window."""
    there = case.elsewhere
    assert there.act(there.look(case.shown), "cancel")["state"] == "cancelled"


def starts_another_get(case: Case) -> None:
    """The user gets another one meanwhile: what is locking has left its slot."""
    assert case.elsewhere.start(GET)["step"]["name"] == "confirm"


def is_swept(case: Case) -> None:
    """The work counts as lost, and somebody else does it."""
    until(lambda: state_of(case) == ["valid/valid"] * 2, "Somebody else has done the work")


def state_of(case: Case) -> list[str]:
    """Return what we want of each certificate, and the CA's last word."""
    query = "SELECT wanted, ca_state FROM certificates WHERE mobile_id = :id"
    return [f"{one.wanted}/{one.ca_state}" for one in case.servers.rows(query, id=case.mobile_id)]


# --- the races ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Race:
    """Who comes how far, where they are held, what happens meanwhile, and what it comes to."""

    point: CrashPoint
    begun: Callable[[Servers], Case]
    late: Callable[[Case], None]
    meanwhile: Callable[[Case], None]
    state: str
    words: tuple[str, ...] = ("revoked/revoked",)
    """What the certificates may have come to; any of these, for each of the two."""

    def __str__(self) -> str:
        return f"{self.point} {self.late.__name__} {self.meanwhile.__name__}"


GONE: Final = ("revoked/absent", "revoked/revoked")
KEPT: Final = ("valid/valid",)
RACES: Final = (
    Race(CrashPoint.GET_APPROVED, to_approve, approves, is_deactivated, "failed", GONE),
    Race(CrashPoint.ISSUE_INTENT, to_approve, approves, is_deleted, "failed"),
    Race(CrashPoint.CA_INTENT, to_approve, approves, cancels, "cancelled"),
    Race(CrashPoint.CA_SIGNED, to_approve, approves, is_deactivated, "failed"),
    Race(CrashPoint.ISSUE_CALLED, to_approve, approves, is_deactivated, "failed"),
    Race(CrashPoint.ISSUE_STORED, to_approve, approves, is_removed_over_scim, "cancelled"),
    Race(CrashPoint.GET_ISSUED, to_approve, approves, is_deleted, "failed"),
    Race(CrashPoint.GET_ACTIVE, issued, confirms, is_locked_over_scim, "locked"),
    Race(CrashPoint.LOCK_COMMITTED, active, locks, is_removed_over_scim, "locked"),
    Race(CrashPoint.REVOKE_CALLED, active, locks, is_deleted, "locked"),
    Race(CrashPoint.REVOKE_STORED, active, locks, starts_another_get, "locked"),
)

LOST: Final = Race(CrashPoint.ISSUE_CALLED, to_approve, approves, is_swept, "pending", KEPT)
"""Held while all others happen, so long that a sweep gives the work to somebody else."""


@pytest.fixture(scope="module", params=DATABASES)
def servers(request: pytest.FixtureRequest, new_site: Callable[[str], Site]) -> Iterator[Servers]:
    """Two servers on PostgreSQL, one on SQLite; the first is held at gates."""
    made = Servers(new_site(request.param), two=request.param == "postgresql")
    yield made
    made.close()
    made.site.stop()


def test_nothing_that_comes_between_leaves_a_certificate_behind(
    servers: Servers, subtests: pytest.Subtests
) -> None:
    """All happen one after the other, then what is wanted gets done; one server is held all the time."""
    lost = LOST.begun(servers)
    cases = [(LOST, lost)]
    with servers.held(LOST.point, partial(LOST.late, lost)):
        for race in RACES:
            with subtests.test(msg=str(race)):
                case = race.begun(servers)
                with servers.held(race.point, partial(race.late, case)):
                    race.meanwhile(case)
                cases.append((race, case))
        LOST.meanwhile(lost)
    for race, case in cases:
        with subtests.test(msg=f"{race}, in the end"):
            must_come_to(race, case)
    with subtests.test(msg="The CA's record"):
        query = "SELECT serial FROM certificates WHERE serial IS NOT NULL"
        ours = {one.serial for one in servers.rows(query)}
        assert set(servers.site.ca_record()) == ours


def must_come_to(race: Race, case: Case) -> None:
    """The mobile ID and each of its certificates are what they must be, and the CA's record agrees."""
    servers = case.servers

    def state() -> str:
        (found,) = servers.rows("SELECT state FROM mobile_ids WHERE id = :id", id=case.mobile_id)
        return str(found.state)

    until(
        lambda: state() == race.state and set(state_of(case)) <= set(race.words),
        f"{race} comes to {race.state}",
    )
    query = "SELECT serial FROM certificates WHERE mobile_id = :id AND serial IS NOT NULL"
    record = servers.site.ca_record()
    standings = {record[one.serial][0] for one in servers.rows(query, id=case.mobile_id)}
    assert standings <= {word.partition("/")[2] for word in race.words}
    query = "SELECT count(*) AS n FROM certificates WHERE mobile_id = :id"
    assert servers.rows(query, id=case.mobile_id)[0].n == 2


def test_every_crash_point_is_a_gate() -> None:
    """A point that nobody is held at is a point where nobody has come between."""
    assert {race.point for race in RACES} == set(CrashPoint)
