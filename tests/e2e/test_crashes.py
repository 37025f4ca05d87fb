"""Real servers that die of SIGKILL at every crash point: nothing is lost, and nothing is unknown.

A server starts with a point armed, and a Get or a Lock is driven over HTTP until it dies there. The
next one finds nothing but database and key files; the run is finished over HTTP, and then our word,
the CA's own record, its CRL and its OCSP answers must agree. That next server has the next point
armed already, so the points stand in an order in which finishing one run does not pass the next point.
"""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.crashpoints import CrashPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pytest
    from examples.openbao.openbao_dev import DevServer
    from tests.e2e.conftest import OpenBaoSite, Site

    from mobid.cli.demo.actors import FrontEnd, Phone

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
DATABASES: Final = ("sqlite", "postgresql")
KINDS: Final = 2

# The second pass of a point is that of the second certificate: then both have come that far.
CHAINS: Final = (
    ("get.active", "get.issued", "issue.stored:2", "issue.called:2"),
    ("ca.signed:2", "ca.intent:2", "revoke.stored", "lock.committed"),
    ("get.approved", "revoke.called", "issue.intent:2"),
)
# Those at which a CA of somebody else knows more than we do, or we think that it might.
OUTSIDE: Final = (("issue.called:2", "revoke.called"), ("issue.called",), ("issue.intent:2",))
LOCKS: Final = frozenset({"lock.committed", "revoke.called", "revoke.stored"})


class Run(Protocol):
    """A Get or a Lock that a death interrupts."""

    def drive(self) -> None:
        """Go on until the server dies."""

    def finish(self) -> None:
        """Finish on the next server, and see what became of it."""


class GetRun:
    """A Get with a phone that is a program of its own."""

    def __init__(self, site: Site, name: str) -> None:
        self.person: Final[FrontEnd] = site.person()
        self.mobile_id = ""
        self._site: Final = site
        self._name: Final = name
        self._picture: Final[Path] = site.folder / f"{name}.png"
        self._instance = self.person.act(self.person.start(GET), "next")
        self._picture.write_bytes(self.person.picture(self._instance))
        self._phone: Phone = site.phone(name, self._picture)
        self._phone.hears("keys_sent")
        self._instance = self.person.wait_for(self._instance, step="approve")

    def drive(self) -> None:
        """Approve the phone, which then fetches and confirms by itself."""
        number = str(self._phone.hears("claimed")["number"])
        with suppress(httpx2.TransportError):
            self._instance = self.person.act(self._instance, "next", number=number)

    def finish(self) -> None:
        """Start the phone again, which goes on where it was; the mobile ID becomes active."""
        self._phone.stop()
        self._phone = self._site.phone(self._name, self._picture)
        self._phone.hears("active")
        self._phone.stop()
        done = self.person.wait_for(self._instance, step="done")
        self.mobile_id = done["mobile_id"]
        must_agree(self._site, self.mobile_id, state="active", word="valid")


class LockRun:
    """A Lock by the user of an active mobile ID."""

    def __init__(self, site: Site, get: GetRun) -> None:
        self._site: Final = site
        self._get: Final = get
        self._instance = get.person.start(LOCK, mobile_id=get.mobile_id)

    def drive(self) -> None:
        """Lock it."""
        with suppress(httpx2.TransportError):
            self._get.person.act(self._instance, "next", reason="lost_or_stolen")

    def finish(self) -> None:
        """Look until the CA has confirmed."""
        self._get.person.wait_for(self._instance, step="done")
        must_agree(self._site, self._get.mobile_id, state="locked", word="revoked")


def must_agree(site: Site, mobile_id: str, *, state: str, word: str) -> None:
    """Our word, the CA's record, its CRL and its OCSP answers are one; nothing is unknown to us."""
    record = site.ca_record()
    shown = site.mobile_id(mobile_id)
    assert shown["state"] == state, shown
    assert len(shown["certificates"]) == KINDS, shown
    site.fetch_lists()
    for one in shown["certificates"]:
        assert (one["status"], one["caStatus"]) == (word, word), shown
        der = base64.b64decode(one["value"])
        assert record[one["serial"]] == (word, der)
        file = site.folder / f"{one['serial']}.pem"
        file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
        check = site.verifier.must_be_valid if word == "valid" else site.verifier.must_be_revoked
        check(file)
    ours = {one["serial"] for each in site.mobile_ids() for one in each["certificates"]}
    assert set(record) == ours, "The CA has planned or made what we do not know of."


def play(site: Site, points: Sequence[str]) -> Sequence[tuple[str, BaseException | None]]:
    """Die at each point of a chain; return what went wrong at each, up to the first that failed."""
    outcomes: list[tuple[str, BaseException | None]] = []
    active: list[GetRun] = []
    try:
        site.serve(points[0])
        for point, following in zip(points, (*points[1:], ""), strict=True):
            outcomes.append((point, None))
            run: Run = LockRun(site, active.pop()) if point in LOCKS else GetRun(site, point)
            run.drive()
            site.must_die_at(CrashPoint(point.partition(":")[0]))
            site.serve(following)
            run.finish()
            if isinstance(run, GetRun):
                active.append(run)
    except BaseException as failure:  # noqa: BLE001  # it is raised where the test reports it
        outcomes[-1:] = [(points[len(outcomes) - 1], failure)]
    finally:
        site.stop()
    return outcomes


def test_a_server_that_is_killed_at_any_point_loses_nothing(
    new_site: Callable[[str], Site], subtests: pytest.Subtests
) -> None:
    """Whatever was begun is finished by the next server; both databases, all points, side by side."""
    plays = [(kind, chain) for kind in DATABASES for chain in CHAINS]
    sites = [new_site(kind) for kind, _ in plays]
    with ThreadPoolExecutor(len(plays)) as together:
        played = list(together.map(play, sites, [chain for _, chain in plays]))
    for (kind, chain), outcomes in zip(plays, played, strict=True):
        reached = dict(outcomes)
        for point in chain:
            with subtests.test(database=kind, point=point):
                assert point in reached, "An earlier point of this chain has failed."
                if (failure := reached[point]) is not None:
                    raise failure


def test_nothing_is_lost_with_a_ca_of_somebody_else(
    new_openbao_site: Callable[[DevServer], OpenBaoSite],
    openbao: DevServer,
    subtests: pytest.Subtests,
) -> None:
    """OpenBao makes a certificate each time it is asked; even so it has none that we do not know."""
    sites = [new_openbao_site(openbao) for _ in OUTSIDE]
    with ThreadPoolExecutor(len(sites)) as together:
        played = list(together.map(play, sites, OUTSIDE))
    for chain, outcomes in zip(OUTSIDE, played, strict=True):
        reached = dict(outcomes)
        for point in chain:
            with subtests.test(point=point):
                assert point in reached, "An earlier point of this chain has failed."
                if (failure := reached[point]) is not None:
                    raise failure


def test_every_crash_point_has_its_death() -> None:
    """A point that nobody dies at is a point that nobody has tried."""
    names = [point.partition(":")[0] for chain in CHAINS for point in chain]
    assert sorted(names) == sorted(CrashPoint)
