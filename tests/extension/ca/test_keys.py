"""The files of the CA key."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mobid.ca import InvalidSettings
from mobid.ca.builtin import initialise, load
from mobid.ca.builtin.keys import CERTIFICATE_FILE, KEY_FILE
from mobid.config import BrokenKey, KeyExists, KeyMissing, UnsafeFile

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a fresh CA in it."""
    initialise(tmp_path / "ca", name="Example CA", organization="Example AB", now=NOON)
    return tmp_path / "ca"


class TestInitialise:
    """Making a CA."""

    def test_makes_an_issuing_ca_for_many_years(self, folder: Path) -> None:
        """P-256, self-signed, no CA below it, fifteen years, valid at once."""
        issuer = load(folder)
        certificate = issuer.certificate
        certificate.verify_directly_issued_by(certificate)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
        assert certificate.subject.rfc4514_string() == "CN=Example CA,O=Example AB"
        assert certificate.not_valid_before_utc < NOON
        assert certificate.not_valid_after_utc > NOON + timedelta(days=365 * 15 - 1)
        assert issuer.key.curve.name == "secp256r1"

    def test_keeps_everything_private(self, folder: Path) -> None:
        """Folder 0700, key 0600, and the key is not in the repr of anything."""
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
        assert sorted(path.name for path in folder.iterdir()) == [KEY_FILE, CERTIFICATE_FILE]
        assert "PrivateKey" not in repr(load(folder))

    def test_never_writes_over_a_ca(self, folder: Path) -> None:
        """A second call leaves both files as they are."""
        before = (folder / KEY_FILE).read_bytes()
        with pytest.raises(KeyExists, match="a key is never written over"):
            initialise(folder, name="Another CA", now=NOON)
        assert (folder / KEY_FILE).read_bytes() == before

    def test_heals_a_crash_between_its_two_files(self, folder: Path) -> None:
        """A key without a certificate gets one; the key stays."""
        before = (folder / KEY_FILE).read_bytes()
        (folder / CERTIFICATE_FILE).unlink()
        with pytest.raises(KeyMissing, match=CERTIFICATE_FILE):
            load(folder)
        initialise(folder, name="Example CA", now=NOON)
        assert (folder / KEY_FILE).read_bytes() == before
        assert load(folder).certificate.subject.rfc4514_string() == "CN=Example CA"

    def test_reports_all_bad_wishes_together(self, tmp_path: Path) -> None:
        """Name, organization and life are checked before anything is written."""
        with pytest.raises(InvalidSettings) as caught:
            initialise(tmp_path / "ca", name="", organization="a\nb", years=5, now=NOON)
        assert [fault.split()[0] for fault in caught.value.faults] == [
            "name",
            "organization",
            "years",
        ]
        assert not (tmp_path / "ca").exists()


class TestLoad:
    """Reading a CA."""

    def test_refuses_a_key_that_others_can_read(self, folder: Path) -> None:
        """The error names file, mode and remedy."""
        path = folder / KEY_FILE
        path.chmod(0o640)
        with pytest.raises(UnsafeFile, match=rf"{path} has mode 0640.*Run: chmod 600 {path}"):
            load(folder)

    def test_refuses_a_folder_that_others_can_enter(self, folder: Path) -> None:
        """Who can write into the folder can replace the key."""
        folder.chmod(0o777)
        with pytest.raises(UnsafeFile, match="has mode 0777"):
            load(folder)

    def test_says_that_the_key_is_missing(self, tmp_path: Path) -> None:
        """An empty folder is no CA."""
        tmp_path.chmod(0o700)
        with pytest.raises(KeyMissing, match=KEY_FILE):
            load(tmp_path)

    @pytest.mark.parametrize("content", ["junk", "rsa", "p384"])
    def test_refuses_another_key(self, folder: Path, content: str) -> None:
        """Only a P-256 key signs deterministically with what the profiles say."""
        keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "p384": ec.generate_private_key(ec.SECP384R1()),
        }
        pem = b"junk"
        if content in keys:
            pem = keys[content].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / KEY_FILE).write_bytes(pem)
        with pytest.raises(BrokenKey, match="does not hold a P-256 key"):
            load(folder)

    def test_refuses_the_certificate_of_another_key(self, folder: Path, tmp_path: Path) -> None:
        """Key and certificate belong together."""
        other = initialise(tmp_path / "other", name="Example CA", now=NOON)
        (folder / CERTIFICATE_FILE).write_bytes(other.public_bytes(Encoding.PEM))
        with pytest.raises(BrokenKey, match=r"the CA certificate of the key in ca\.key"):
            load(folder)

    def test_refuses_what_is_no_certificate(self, folder: Path) -> None:
        """A damaged file is named."""
        (folder / CERTIFICATE_FILE).write_bytes(b"-----BEGIN CERTIFICATE-----")
        with pytest.raises(BrokenKey, match="a CA certificate in PEM"):
            load(folder)
