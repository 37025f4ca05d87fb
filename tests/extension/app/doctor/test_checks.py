"""Checks of home, CA, mail server, sandbox, machine and work: each finds what it is there for."""

from __future__ import annotations

import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mobid.app.doctor.ca import ca, ca_asked, ca_certificate
from mobid.app.doctor.finding import Health
from mobid.app.doctor.home import home, keys
from mobid.app.doctor.machine import address, disk, outgoing, time_sync
from mobid.app.doctor.mail import mail
from mobid.app.doctor.scripts import ESCAPES, sandbox, walls
from mobid.app.doctor.work import work
from mobid.config import MailSecurity, MailSettings, Secret, create_home, load
from mobid.jobs import WantedWork
from mobid.notify import check_connection
from mobid.optionscripts import OptionScripts
from mobid.processes.authority import Unavailable
from mobid.processes.ports import Evaluation, Outcome
from mobid_scripts.limits import LAYERS
from mobid_scripts.outcome import Walls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conftest import StandingClock

    from mobid.app.doctor.finding import Finding
    from mobid.ca.builtin import BuiltinCA
    from mobid.config import Settings
    from mobid.domain.users import User
    from mobid.processes.authority import Capabilities

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def only(findings: Iterable[Finding]) -> Finding:
    """Return the one finding."""
    (found,) = findings
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A fresh home."""
    create_home(tmp_path / "home")
    return tmp_path / "home"


class TestHome:
    def test_a_fresh_one_is_well(self, directory: Path) -> None:
        """And so is each of its keys."""
        assert only(home(directory)).health is Health.OK
        assert {one.name: one.health for one in keys(directory)} == {
            "key enrolment.key": Health.OK,
            "key session.key": Health.OK,
            "key audit.key": Health.OK,
        }

    @pytest.mark.parametrize(
        ("loose", "mode"),
        [(".", 0o755), ("keys", 0o750), ("mobid.toml", 0o644), ("mobid.db", 0o640)],
    )
    def test_what_others_can_get_at_is_found(self, directory: Path, loose: str, mode: int) -> None:
        """The home, its folder, its files; with the command that closes it."""
        path = directory / loose
        if not path.exists():
            path.touch()
        path.chmod(mode)
        found = only(home(directory))
        assert found.health is Health.FAILED
        assert f"has mode 0{mode:o}" in found.seen
        assert "Run: chmod" in found.seen

    def test_each_broken_key_is_found(self, directory: Path) -> None:
        """Missing, or something else: all of them, not only the first."""
        (directory / "keys" / "session.key").unlink()
        (directory / "keys" / "audit.key").write_bytes(b"nothing")
        found = {one.name: one for one in keys(directory)}
        assert found["key enrolment.key"].health is Health.OK
        assert "is missing" in found["key session.key"].seen
        assert "does not hold an Ed25519 private key" in found["key audit.key"].seen


class CADown:
    """A CA that does not answer."""

    def capabilities(self) -> Capabilities:
        """Say that it is away."""
        raise Unavailable("connection refused")


class TestCA:
    def test_one_that_answers_is_well(self, builtin_ca: BuiltinCA, clock: StandingClock) -> None:
        """What it issues is told, and when its certificate ends."""
        answers, certificate = ca("builtin", builtin_ca, clock())
        assert answers.health is certificate.health is Health.OK
        assert answers.seen.startswith("builtin answers; it issues authentication")
        assert certificate.seen.startswith("ends on 20")

    def test_one_that_is_away_is_found(self) -> None:
        """In its own words."""
        found = only(ca("builtin", CADown(), NOW))  # type: ignore[arg-type]  # one verb is asked
        assert found.health is Health.FAILED
        assert "connection refused" in found.seen

    @pytest.mark.parametrize(
        ("left", "health"),
        [(181, Health.OK), (179, Health.WARNING), (0, Health.FAILED), (-1, Health.FAILED)],
    )
    def test_a_certificate_that_ends_is_found(
        self, builtin_ca: BuiltinCA, left: int, health: Health
    ) -> None:
        """Half a year before, so that there is time for a new CA."""
        known = replace(builtin_ca.capabilities(), not_after=NOW + timedelta(days=left))
        assert only(ca_certificate(known, NOW)).health is health

    @pytest.mark.parametrize(
        ("minutes", "health"), [(1, Health.OK), (11, Health.WARNING), (None, Health.FAILED)]
    )
    def test_an_old_answer_is_found(self, minutes: int | None, health: Health) -> None:
        """Get goes by it; none at all means that no Get can start."""
        answered = None if minutes is None else NOW - timedelta(minutes=minutes)
        assert only(ca_asked(answered, NOW)).health is health


class TestMail:
    def test_none_is_well(self) -> None:
        """It is told what does not happen then."""
        found = only(mail(None, check_connection))
        assert found.health is Health.OK
        assert "nobody is notified" in found.seen

    def test_a_server_that_answers_is_well(self) -> None:
        """It is told where it is, how the line is encrypted, and whether we logged in."""
        settings = MailSettings(
            host="mail.example.org",
            sender="mobid@example.org",
            username="mobid",
            password=Secret("hunter2"),
        )
        asked: list[MailSettings] = []
        found = only(mail(settings, asked.append))
        assert found.health is Health.OK
        assert found.seen == "mail.example.org:587 (starttls) answers after logging in"
        assert asked == [settings]

    def test_a_server_that_is_away_is_found(self) -> None:
        """By the same connection that letters take."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        settings = MailSettings(
            host="127.0.0.1",
            port=port,
            security=MailSecurity.NONE,
            sender="mobid@example.org",
            timeout=timedelta(seconds=1),
        )
        found = only(mail(settings, check_connection))
        assert found.health is Health.FAILED
        assert found.seen.startswith(f"127.0.0.1:{port} (none): ")


class LeakyScripts:
    """A sandbox that lets one thing out, and has two walls only."""

    def __init__(self, leak: str) -> None:
        self._leak = leak

    def evaluate(self, source: str, _user: User, *, at: datetime) -> Evaluation:  # noqa: ARG002 - the port
        """Stop everything but honest scripts, and that one."""
        honest = source.startswith("options.") or source == self._leak
        return Evaluation(
            outcome=Outcome.OK if honest else Outcome.REJECTED_AT_UPLOAD,
            layers=("rlimits", "no_new_privs"),
            ms=1.0,
        )

    def walls(self) -> Walls:
        """Have the two, and not know of the others."""
        return Walls(layers=("rlimits", "no_new_privs"), missing={})


class TestSandbox:
    def test_the_real_one_stops_what_is_tried(self, sandbox_of_tests: OptionScripts) -> None:
        """Every layer is named, and the escapes end as they must."""
        found = {one.name: one for one in sandbox(sandbox_of_tests, NOW)}
        assert found["sandbox"].health is Health.OK
        assert {f"sandbox {layer}" for layer in LAYERS} < found.keys()

    def test_an_escape_is_found(self) -> None:
        """By its name; the honest walls do not hide it."""
        found = {one.name: one for one in sandbox(LeakyScripts(ESCAPES["open a file"]), NOW)}
        assert found["sandbox"].health is Health.FAILED
        assert found["sandbox"].seen == "these scripts got out: open a file"

    def test_a_wall_that_is_missing_is_found(self) -> None:
        """Each by its name, with the reason; it is a fault where the layer is demanded."""
        standing = Walls(
            layers=("rlimits", "no_new_privs"),
            missing={
                "landlock": "this kernel has no Landlock",
                "seccomp": "the calls of riscv64 are not known",
            },
        )
        found = {one.name: (one.health, one.seen) for one in walls(standing, ["seccomp"])}
        assert found == {
            "sandbox rlimits": (Health.OK, "holds"),
            "sandbox no_new_privs": (Health.OK, "holds"),
            "sandbox landlock": (
                Health.WARNING,
                "does not stand: this kernel has no Landlock; the others hold",
            ),
            "sandbox seccomp": (
                Health.FAILED,
                "does not stand: the calls of riscv64 are not known",
            ),
        }

    def test_a_sandbox_that_does_not_run_is_found(self) -> None:
        """No Get can start then."""
        scripts = OptionScripts()
        scripts.close()
        found = only(sandbox(scripts, NOW))
        assert found.health is Health.FAILED
        assert found.seen == "The script sandbox is not available: it is closed."


@pytest.fixture
def sandbox_of_tests(sandbox: OptionScripts) -> OptionScripts:
    """The real one, under a name that no function here has."""
    return sandbox


class TestMachine:
    @pytest.mark.parametrize(
        ("mib", "health"), [(5000, Health.OK), (500, Health.WARNING), (50, Health.FAILED)]
    )
    def test_a_full_disk_is_found(self, mib: int, health: Health) -> None:
        """Before it is full."""
        found = only(disk(Path("/"), lambda _: mib << 20))
        assert (found.health, found.seen) == (health, f"{mib} MiB free where the home is")

    def test_a_real_disk_has_some_room(self, tmp_path: Path) -> None:
        """It is measured where the home is."""
        assert " MiB free" in only(disk(tmp_path)).seen

    def test_a_clock_that_nobody_keeps_is_found(self) -> None:
        """The kernel knows; asking it changes nothing."""
        assert only(time_sync(lambda: 5)).health is Health.WARNING
        assert only(time_sync(lambda: 0)).health is Health.OK
        assert only(time_sync()).name == "time"

    @pytest.mark.parametrize(
        ("changes", "name", "health"),
        [
            ({}, "public URL", Health.WARNING),
            ({"public_url": "https://m.example.org", "trusted_proxies": 1}, "public URL", Health.OK),
            ({"public_url": "https://m.example.org", "trusted_proxies": 1}, "proxies", Health.OK),
            ({"public_url": "https://m.example.org"}, "proxies", Health.WARNING),
            ({"public_url": "https://m.example.org", "trusted_proxies": 1, "listen_host": "::"},
             "proxies", Health.WARNING),
            ({"public_url": "https://m.example.org", "demo": True}, "demo", Health.FAILED),
        ],
    )  # fmt: skip
    def test_our_place_on_the_network(
        self, directory: Path, changes: dict[str, object], name: str, health: Health
    ) -> None:
        """The public address, the proxies before us, and a demo that the world can reach."""
        settings: Settings = replace(load(directory, {}), **changes)  # type: ignore[arg-type]  # by name
        found = {one.name: one.health for one in address(settings)}
        assert found[name] is health

    def test_a_demo_on_this_machine_is_well(self, directory: Path) -> None:
        """Nobody else reaches it."""
        assert "demo" not in {one.name for one in address(replace(load(directory, {}), demo=True))}

    def test_a_proxy_that_is_not_used_is_found(self) -> None:
        """Whoever set it may rely on it."""
        found = only(outgoing({"HTTPS_PROXY": "http://user:hunter2@proxy", "PATH": "/bin"}))
        assert found.health is Health.WARNING
        assert found.seen == "HTTPS_PROXY is set, and mobid does not use it"
        assert list(outgoing({"HTTPS_PROXY": ""})) == []


def waiting(minutes: int, *, dead: bool = False) -> WantedWork:
    """Return a row that has wanted work for so long."""
    age = timedelta(minutes=minutes)
    return WantedWork(kind="mail", id="m-1", attempt=3, error="x", age=age, dead=dead)


class TestWork:
    def test_nothing_to_do_is_well(self) -> None:
        """And so is what has begun to wait a moment ago."""
        assert {one.health for one in work([waiting(1)], [])} == {Health.OK}

    def test_a_dead_letter_is_found(self) -> None:
        """By its kind and id, with the command that puts it back."""
        found = {one.name: one for one in work([waiting(99, dead=True)], [])}
        assert found["dead letters"].health is Health.FAILED
        assert found["dead letters"].seen == "1: mail m-1"
        assert "mobid effects requeue" in found["dead letters"].remedy

    def test_an_overdue_revocation_is_found(self) -> None:
        """The first are named, the others counted."""
        found = {one.name: one for one in work([], ["c-1", "c-2", "c-3", "c-4", "c-5"])}
        assert found["revocations"].health is Health.FAILED
        assert found["revocations"].seen == "5: c-1, c-2, c-3 and 2 more for more than an hour"

    def test_work_that_nobody_does_is_found(self) -> None:
        """The usual reason is that no worker runs."""
        found = {one.name: one for one in work([waiting(40), waiting(20)], [])}
        assert found["effects"].health is Health.WARNING
        assert found["effects"].seen == "2 waiting, the longest for 40 min"
