"""The settings of the connector to OpenBao: what is accepted, and how all faults are told together."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from mobid.ca import ConnectorBroken, InvalidSettings, Surroundings, open_authority
from mobid.ca.openbao import OpenBaoSettings
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StandingClock

URL = "https://bao.example.org:8200"


def faults_of(**given: object) -> tuple[str, ...]:
    """Return what is wrong with settings."""
    with pytest.raises(InvalidSettings) as caught:
        OpenBaoSettings.read(given)
    return caught.value.faults


class TestAccepted:
    """What works."""

    def test_address_and_token_are_enough(self, token_file: Path) -> None:
        """Everything else has a default."""
        settings = OpenBaoSettings.read({"url": URL, "token_file": str(token_file)})
        assert settings.mount == "pki"
        assert settings.issuer == "default"
        assert settings.roles == {
            Kind.AUTHENTICATION: "mobid-authentication",
            Kind.SIGNATURE: "mobid-signature",
        }

    @pytest.mark.parametrize(
        "url",
        [
            "https://bao",
            "https://bao/",
            "http://127.0.0.1:8200",
            "http://[::1]:8200",
            "http://localhost",
        ],
    )
    def test_addresses(self, url: str, token_file: Path) -> None:
        """TLS everywhere; without it on this machine only."""
        settings = OpenBaoSettings.read({"url": url, "token_file": str(token_file)})
        assert settings.url == url.removesuffix("/")

    def test_paths_may_have_slashes_around_and_inside(self, token_file: Path) -> None:
        """As OpenBao itself writes them."""
        settings = OpenBaoSettings.read(
            {"url": URL, "token_file": str(token_file), "mount": "teams/pki/", "namespace": "ns1/"}
        )
        assert (settings.mount, settings.namespace) == ("teams/pki", "ns1")

    def test_the_token_is_not_shown(self, token_file: Path) -> None:
        """A repr goes into logs."""
        settings = OpenBaoSettings.read({"url": URL, "token_file": str(token_file)})
        assert "of-nobody" not in repr(settings)


class TestRefused:
    """Every fault names the setting and the remedy."""

    @pytest.mark.parametrize(
        "url",
        [
            "http://bao.example.org", "https://bao/v1", "https://u:p@bao", "https://bao?x", "https://bao#x",
            "bao:8200", "ftp://bao", "https://", "https://bao:x", "https://bao:99999", "https://bao\n",
            "https://bäo", 7, "",
        ],
    )  # fmt: skip
    def test_addresses(self, url: object, token_file: Path) -> None:
        """No path, no user, no other scheme, and nothing in the clear over a network."""
        (fault,) = faults_of(url=url, token_file=str(token_file))
        assert fault == (
            '"url" must be https://host or https://host:port without a path (http only for this'
            " machine itself)"
        )

    def test_all_faults_are_told_together(self, tmp_path: Path) -> None:
        """An operator mends them in one go."""
        broken = tmp_path / "ca.pem"
        broken.write_text("no certificate")
        faults = faults_of(
            token_file=str(tmp_path / "token"),
            ca_file=str(broken),
            mount="../sys",
            issuer="a/b",
            namespace="",
            roles={"authentication": "no/role"},
            timeout_seconds=True,
            settle_seconds=0,
            token="s.secret",
        )
        assert [fault.split(" ")[0] for fault in faults] == [
            '"token"', '"url"', '"token_file"', '"ca_file"', '"namespace"', '"mount"', '"issuer"',
            '"roles"', '"timeout_seconds"', '"settle_seconds"',
        ]  # fmt: skip
        assert "is no setting of the OpenBao connector; it has url, token_file" in faults[0]
        assert faults[1].startswith('"url" is missing; it must be https://host')
        assert "is not there. Put the right file in its place, with mode 600" in faults[2]
        assert faults[3].endswith("ca.pem: holds no certificate in PEM")
        assert "s.secret" not in str(faults)

    @pytest.mark.parametrize(
        "roles", [{}, {"mail": "x"}, ["x"], {"signature": 7}, {"signature": "-"}]
    )
    def test_roles(self, roles: object, token_file: Path) -> None:
        """A role for some of the kinds that there are."""
        (fault,) = faults_of(url=URL, token_file=str(token_file), roles=roles)
        assert fault.startswith(
            '"roles" must be a table with the name of a role for some of authentication, signature'
        )

    @pytest.mark.parametrize("path", ["token", 7, "", "/a\nb"])
    def test_files_are_named_by_absolute_paths(self, path: object) -> None:
        """Relative to what would be a guess."""
        (fault,) = faults_of(url=URL, token_file=path)
        assert (
            fault
            == '"token_file" must be the absolute path of a file of mode 600 that holds a token'
        )

    def test_a_token_that_others_can_read(self, token_file: Path) -> None:
        """It says what to run."""
        token_file.chmod(0o644)
        (fault,) = faults_of(url=URL, token_file=str(token_file))
        assert fault.endswith(f"Run: chmod 600 {token_file}")

    @pytest.mark.parametrize("content", ["", "two words", "two\nlines", "ä", "x" * 5000])
    def test_a_file_that_holds_no_token(self, content: str, token_file: Path) -> None:
        """It is not sent, and not shown."""
        token_file.write_text(content)
        (fault,) = faults_of(url=URL, token_file=str(token_file))
        assert fault.endswith(f"{token_file} holds no token, which is one word on one line")

    def test_without_the_extra(
        self,
        token_file: Path,
        tmp_path: Path,
        clock: StandingClock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Whoever has no HTTP library is told what to install."""
        for name in ("authority", "line"):
            monkeypatch.delitem(sys.modules, f"mobid.ca.openbao.{name}", raising=False)
        monkeypatch.setitem(sys.modules, "httpx2", None)
        surroundings = Surroundings(clock=clock, key_folder=tmp_path, public_url="http://localhost")
        with pytest.raises(ConnectorBroken, match=r"pip install 'mobid\[openbao\]'"):
            open_authority("openbao", {"url": URL, "token_file": str(token_file)}, surroundings)
