"""What OpenSSL, the CRL and OCSP say of a certificate: the walk believes them, and not our word."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PHONE_PASSWORD: Final = "PHONE_PASSWORD"  # noqa: S105  # the name of a variable
"""The variable that gives the phone, and OpenSSL, the password of its PKCS #12 files."""
WALK_PASSWORD: Final = "walk"  # noqa: S105  # it protects what the walk shows to everybody
TIMEOUT: Final = 20
"""Seconds for one call of OpenSSL."""


class CheckFailed(Exception):
    """Something is not as it must be; the message says what was expected and what was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Calls the command `openssl`. The files are PEM; `ocsp_url` is the responder's address."""

    openssl: str
    ca: Path
    crl: Path
    ocsp_url: str

    def must_be_valid(self, certificate: Path) -> None:
        """OpenSSL accepts the chain and the CRL, and the responder says good."""
        self._verify(certificate, accepted=True)
        self._ask_responder(certificate, expected="good")

    def must_be_revoked(self, certificate: Path) -> None:
        """The chain is right, the CRL makes OpenSSL refuse, and the responder says revoked."""
        self._run("verify", "-CAfile", self.ca, certificate, expected="OK")
        self._verify(certificate, accepted=False)
        self._ask_responder(certificate, expected="revoked")

    def must_open(self, pkcs12: Path) -> None:
        """OpenSSL opens what the phone stored, with the password of its user."""
        self._run(
            "pkcs12", "-in", pkcs12, "-passin", f"env:{PHONE_PASSWORD}", "-nokeys",
            expected="BEGIN CERTIFICATE",
        )  # fmt: skip

    def _verify(self, certificate: Path, *, accepted: bool) -> None:
        self._run(
            "verify",
            "-CAfile", self.ca,
            "-CRLfile", self.crl,
            "-crl_check", certificate,
            expected="OK" if accepted else "certificate revoked",
            succeeds=accepted,
        )  # fmt: skip

    def _ask_responder(self, certificate: Path, *, expected: str) -> None:
        self._run(
            "ocsp",
            "-issuer", self.ca,
            "-cert", certificate,
            "-url", self.ocsp_url,
            "-CAfile", self.ca,
            expected=f"{certificate}: {expected}",
        )  # fmt: skip

    def _run(self, *words: str | Path, expected: str, succeeds: bool = True) -> None:
        command = [self.openssl, *map(str, words)]
        done = subprocess.run(  # noqa: S603  # openssl, with files and addresses of ours
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            env=os.environ | {PHONE_PASSWORD: WALK_PASSWORD},
        )
        said = done.stdout + done.stderr
        if (done.returncode == 0) is not succeeds or expected not in said:
            raise CheckFailed(
                f'"{" ".join(command)}" was to say "{expected}"; it ended with {done.returncode}: '
                f"{said.strip()}"
            )


def find_openssl() -> str:
    """Return the path of the command; raise `CheckFailed` if there is none."""
    found = shutil.which("openssl")
    if found is None:
        raise CheckFailed("The command openssl is needed to check certificates. Install OpenSSL.")
    return found
