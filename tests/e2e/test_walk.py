"""The command that walks the whole path: it leaves what it promises, and believes no CA that lies."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from cryptography import x509

from mobid.cli.demo.checks import find_openssl

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from examples.openbao.openbao_dev import DevServer

PATIENCE: Final = 150

# What Python runs before all else, in the walk, its server and its phone. It makes the CA lie.
NO_OP: Final = """\
from mobid.ca.builtin import BuiltinCA

BuiltinCA.revoke = lambda self, certificate, reason, at: None
"""
LIAR: Final = """\
from mobid.ca import Status
from mobid.ca.builtin import BuiltinCA

told = set()
honest = BuiltinCA.status
BuiltinCA.revoke = lambda self, certificate, reason, at: told.add(certificate)
BuiltinCA.status = lambda self, one: Status.REVOKED if one in told else honest(self, one)
"""
WALKS: Final = {"honest": "", "no_op": NO_OP, "liar": LIAR}


@dataclass(frozen=True)
class Walked:
    """A walk that has ended, and what it left."""

    out: Path
    code: int
    said: str

    @property
    def diary(self) -> list[dict[str, Any]]:
        """Its own words about each step."""
        steps: list[dict[str, Any]] = json.loads((self.out / "walk.json").read_text("utf-8"))
        return steps


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Walked]:
    """One walk with the CA as it is, and one with each that lies, side by side."""
    folders = {name: tmp_path_factory.mktemp(name) for name in WALKS}
    with ThreadPoolExecutor(len(WALKS)) as together:
        return dict(zip(WALKS, together.map(walk, folders.values(), WALKS.values()), strict=True))


def walk(folder: Path, before: str = "", *options: str) -> Walked:
    """Walk, with `before` run by Python at the start of every process."""
    (folder / "sitecustomize.py").write_text(before)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "mobid.cli", "demo", "--walk", "--keep", str(folder / "kept")]
    done = subprocess.run(
        [*command, *options],
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Walked(folder / "kept", done.returncode, done.stdout + done.stderr)


def openssl(*words: str | Path) -> tuple[int, str]:
    """Ask OpenSSL ourselves."""
    command = [find_openssl(), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stdout + done.stderr


class TestHonestWalk:
    """The product as it is."""

    @pytest.fixture
    def walked(self, walks: Mapping[str, Walked]) -> Walked:
        """The walk, which has met every check of its own."""
        assert walks["honest"].code == 0, walks["honest"].said
        return walks["honest"]

    def test_the_diary_has_every_step_with_time_and_outcome(self, walked: Walked) -> None:
        """As many as were announced, none of them failed."""
        announced = re.findall(r"^✓ +(\d+)/(\d+) ", walked.said, re.MULTILINE)
        assert [number for number, _ in announced] == [str(n) for n in range(1, 23)]
        assert len(walked.diary) == int(announced[0][1]) == 22
        for step in walked.diary:
            assert set(step) == {"step", "seconds", "passed", "outcome"}
            assert step["passed"] is True
            assert step["seconds"] > 0
            assert step["outcome"]

    def test_it_leaves_what_it_promises(self, walked: Walked) -> None:
        """CA, CRL, picture, mails, diary, and one file per certificate: two each for three mobile IDs."""
        left = {path.name for path in walked.out.iterdir()}
        assert left == {
            "ca.pem", "certs", "crl.pem", "mail", "qr.png", "walk.json", "server.log",
            "phone-1", "phone-2", "phone-3", "thief",
        }  # fmt: skip
        certificates = sorted(path.name for path in (walked.out / "certs").iterdir())
        assert certificates == [
            f"{number}-{kind}.pem"
            for number in (1, 2, 3)
            for kind in ("authentication", "signature")
        ]
        assert (walked.out / "qr.png").read_bytes().startswith(b"\x89PNG")

    def test_openssl_finds_each_certificate_issued_and_revoked(self, walked: Walked) -> None:
        """Under this CA, and on the list that was fetched after the last Lock."""
        ca, crl = walked.out / "ca.pem", walked.out / "crl.pem"
        serials = set()
        for certificate in (walked.out / "certs").iterdir():
            code, said = openssl("verify", "-CAfile", ca, certificate)
            assert (code, said) == (0, f"{certificate}: OK\n")
            code, said = openssl(
                "verify", "-CAfile", ca, "-CRLfile", crl, "-crl_check", certificate
            )
            assert code != 0
            assert "certificate revoked" in said
            serials.add(openssl("x509", "-in", certificate, "-noout", "-serial")[1].strip())
        assert len(serials) == 6
        listed = openssl("crl", "-in", crl, "-noout", "-text")[1]
        found = {f"serial={one.zfill(40)}" for one in re.findall(r"Serial Number: (\w+)", listed)}
        assert {f"serial={one[7:].zfill(40)}" for one in serials} == found

    def test_a_thief_of_the_mails_has_nothing(self, walked: Walked) -> None:
        """A key of its own phone, which binds nothing: no certificate, and no key of one."""
        assert [path.name for path in (walked.out / "thief").rglob("*")] == ["device.key"]
        assert list((walked.out / "phone-3").rglob("*.p12"))
        (refused,) = (step for step in walked.diary if "thief" in step["step"])
        assert "Enter the code that the page shows" in refused["outcome"]

    def test_the_mails_are_as_they_were_sent(self, walked: Walked) -> None:
        """One with a code, one for each mobile ID that became active; all to the user."""
        mails = [
            email.message_from_bytes(file.read_bytes())
            for file in (walked.out / "mail").glob("*.eml")
        ]
        assert Counter(mail["Subject"] for mail in mails) == {
            "Activate your mobile ID": 1,
            "Your mobile ID is active": 3,
        }
        assert {mail["To"] for mail in mails} == {"walk.user@example.org"}

    def test_the_server_had_nothing_to_complain_about(self, walked: Walked) -> None:
        """Its log has its greeting and no warning."""
        assert "{" not in (walked.out / "server.log").read_text("utf-8")


class TestWalkWithOpenBao:
    """The same walk, with a CA that somebody else wrote: only the settings are others."""

    @pytest.fixture(scope="class")
    @classmethod
    def walked(cls, openbao: DevServer, tmp_path_factory: pytest.TempPathFactory) -> Walked:
        """A walk with a CA in a real OpenBao, which has met every check of its own."""
        config = openbao.write_settings(openbao.make_pki("walked"))
        walked = walk(tmp_path_factory.mktemp("openbao"), "", "--config", str(config))
        assert walked.code == 0, walked.said
        return walked

    def test_openbao_itself_says_revoked(self, walked: Walked, openbao: DevServer) -> None:
        """Its own record of each certificate that we have, and of no other but the CA's."""
        kept = [
            x509.load_pem_x509_certificate(file.read_bytes())
            for file in (walked.out / "certs").iterdir()
        ]
        (issuer,) = x509.load_pem_x509_certificates((walked.out / "ca.pem").read_bytes())
        listed = openbao.call("GET", "walked/certs?list=true")["keys"]
        assert {int(serial.replace(":", ""), 16) for serial in listed} == {
            one.serial_number for one in (*kept, issuer)
        }
        assert len(kept) == 6
        for serial in listed:
            record = openbao.call("GET", f"walked/cert/{serial}")
            is_issuer = int(serial.replace(":", ""), 16) == issuer.serial_number
            assert (record["revocation_time"] == 0) is is_issuer

    def test_openssl_finds_each_certificate_issued_and_revoked(self, walked: Walked) -> None:
        """Under OpenBao's CA, and on OpenBao's list."""
        ca, crl = walked.out / "ca.pem", walked.out / "crl.pem"
        for certificate in (walked.out / "certs").iterdir():
            assert openssl("verify", "-CAfile", ca, certificate)[0] == 0
            code, said = openssl(
                "verify", "-CAfile", ca, "-CRLfile", crl, "-crl_check", certificate
            )
            assert code != 0
            assert "certificate revoked" in said

    def test_the_server_had_nothing_to_complain_about(self, walked: Walked) -> None:
        """Its log has its greeting and no warning."""
        assert "{" not in (walked.out / "server.log").read_text("utf-8")


@pytest.mark.parametrize(
    ("ca", "step", "complaint"),
    [
        pytest.param("no_op", "A second Get, with Lock inside", "was to be locked", id="no-op"),
        pytest.param("liar", "The first one's certificates are revoked", "revoked", id="liar"),
    ],
)
def test_a_ca_that_does_not_revoke_fails_the_walk(
    walks: Mapping[str, Walked], ca: str, step: str, complaint: str
) -> None:
    """A `revoke` without effect, even one that `status` covers up, is found, and the diary says where."""
    walked = walks[ca]
    assert walked.code == 1, walked.said
    *before, last = walked.diary
    assert all(one["passed"] for one in before)
    assert (last["step"], last["passed"]) == (step, False)
    assert complaint in last["outcome"]
    assert walked.said.endswith("The walk failed.\n")


def test_a_phone_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One line, before anything is started."""
    walked = walk(tmp_path, "", "--phone", "/nowhere/phone.py")
    assert walked.code == 2
    assert walked.said.count("\n") == 1
    assert 'There is no phone at "/nowhere/phone.py".' in walked.said
    assert not walked.out.exists()
