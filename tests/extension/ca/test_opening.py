"""Finding a connector, and the settings of the built-in one."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from mobid.ca import (
    ConnectorBroken,
    ConnectorNotFound,
    Holds,
    InvalidSettings,
    Publisher,
    RecordMissing,
    Surroundings,
    connectors,
    faults_of_settings,
    open_authority,
)
from mobid.ca.builtin import BuiltinCA, BuiltinSettings, initialise
from mobid.config import KeyMissing
from mobid.domain.options import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MemoryCAStore, Orders, StandingClock


@pytest.fixture
def surroundings(tmp_path: Path, clock: StandingClock, ca_store: MemoryCAStore) -> Surroundings:
    """What an application gives to a connector; the CA is initialised."""
    initialise(tmp_path / "ca", name="Example CA", now=clock())
    return Surroundings(
        clock=clock,
        key_folder=tmp_path / "ca",
        public_url="https://mobid.example.org",
        store=ca_store,
    )


class TestConnectors:
    """The entry points of the group `mobid.authorities`."""

    def test_have_the_builtin_one_among_them(self, surroundings: Surroundings) -> None:
        """The built-in CA comes through the same door as every other."""
        assert "builtin" in connectors()
        ca = open_authority("builtin", {}, surroundings)
        assert isinstance(ca, BuiltinCA)
        assert isinstance(ca, Holds)
        assert isinstance(ca, Publisher)

    def test_are_named_when_one_is_not_found(self, surroundings: Surroundings) -> None:
        """A misspelt name is answered with the names that there are."""
        with pytest.raises(
            ConnectorNotFound, match=r'no CA connector "buildin"; installed are: .*builtin'
        ):
            open_authority("buildin", {}, surroundings)

    def test_say_why_one_cannot_be_loaded(
        self, tmp_path: Path, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connector with a missing module is broken, not absent."""
        package = tmp_path / "site" / "acme-1.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1\n")
        (package / "entry_points.txt").write_text("[mobid.authorities]\nacme = acme_ca:create\n")
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site")])
        with pytest.raises(
            ConnectorBroken, match=r'"acme" \(acme_ca:create\) cannot be loaded: No module'
        ):
            open_authority("acme", {}, surroundings)

    def test_pass_on_what_the_connector_says(
        self, surroundings: Surroundings, tmp_path: Path
    ) -> None:
        """A key that is missing and a record that is missing are errors of their own."""
        (tmp_path / "empty").mkdir(mode=0o700)
        with pytest.raises(KeyMissing):
            open_authority("builtin", {}, replace(surroundings, key_folder=tmp_path / "empty"))
        with pytest.raises(RecordMissing, match="needs a record"):
            open_authority("builtin", {}, replace(surroundings, store=None))

    def test_have_their_settings_checked_alone(
        self, surroundings: Surroundings, tmp_path: Path
    ) -> None:
        """All faults of a table are told before there is a key or a record; other errors are none."""
        bare = replace(surroundings, key_folder=tmp_path / "nowhere", store=None)
        assert faults_of_settings("builtin", {"crl_hours": 24}, bare) == []
        kinds, crl_hours = faults_of_settings("builtin", {"kinds": [], "crl_hours": 0}, bare)
        assert kinds.startswith('"kinds" must be a list of some of')
        assert crl_hours.startswith('"crl_hours" must be a number of hours')
        (absent,) = faults_of_settings("buildin", {}, bare)
        assert absent.startswith('There is no CA connector "buildin"; installed are: ')


class TestSettings:
    """The settings of the built-in CA."""

    def test_all_have_defaults_that_work(self) -> None:
        """Nothing has to be set."""
        settings = BuiltinSettings.read({})
        assert settings.kinds == {Kind.AUTHENTICATION, Kind.SIGNATURE}

    def test_are_read(self) -> None:
        """Each can be given as it comes from TOML."""
        settings = BuiltinSettings.read(
            {
                "kinds": ["signature"],
                "policies": ["1.2.3.4"],
                "pki_url": "http://pki.example.org/x",
                "crl_hours": 48,
            }
        )
        assert settings.kinds == {Kind.SIGNATURE}
        assert settings.policies == ("1.2.3.4",)
        assert settings.pki_url == "http://pki.example.org/x"
        assert settings.crl_life.days == 2

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("kinds", ["authentification"], "some of authentication, signature, encryption"),
            ("kinds", [], "some of authentication"),
            ("kinds", "signature", "a list of texts"),
            ("policies", ["no oid"], 'has "no oid", which is no dotted object identifier'),
            ("policies", ["1.2.3", "1.2.3"], "names a policy twice"),
            ("policies", [1], "a list of texts"),
            ("pki_url", "http://pki.example.org/", "without a slash at its end"),
            ("pki_url", "ldap://pki.example.org", "an http or https address"),
            ("pki_url", "http://a b", "an http or https address"),
            ("crl_hours", 0, "hours from 1 to 168"),
            ("crl_hours", True, "hours from 1 to 168"),
            ("crl_hour", 5, "is no setting of the built-in CA; it has kinds"),
        ],
    )
    def test_say_what_would_be_right(self, name: str, value: object, words: str) -> None:
        """The error names the setting and what is accepted."""
        with pytest.raises(InvalidSettings) as caught:
            BuiltinSettings.read({name: value})
        (fault,) = caught.value.faults
        assert fault.startswith(f'"{name}"')
        assert words in fault

    def test_report_all_faults_together(self) -> None:
        """One look at the error is enough to correct the file."""
        with pytest.raises(InvalidSettings) as caught:
            BuiltinSettings.read({"kinds": [], "crl_hours": 0, "colour": "red"})
        assert len(caught.value.faults) == 3


class TestAddresses:
    """Where certificates point to."""

    @pytest.mark.parametrize(
        ("settings", "base"),
        [
            ({}, "https://mobid.example.org/pki"),
            ({"pki_url": "http://pki.example.org"}, "http://pki.example.org"),
        ],
    )
    def test_are_below_the_public_or_the_set_one(
        self,
        surroundings: Surroundings,
        order_of: Orders,
        settings: dict[str, object],
        base: str,
    ) -> None:
        """The name of the CA key is part of them, so they outlive a change of key."""
        ca = open_authority("builtin", settings, surroundings)
        assert isinstance(ca, BuiltinCA)
        certificate = x509.load_der_x509_certificate(ca.issue(order_of()).certificate)
        extensions = certificate.extensions
        (point,) = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        assert point.full_name == [x509.UniformResourceIdentifier(f"{base}/{ca.name}/crl")]
        access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        assert [place.access_location.value for place in access] == [
            f"{base}/{ca.name}/ocsp",
            f"{base}/{ca.name}/chain",
        ]

    def test_and_profiles_show_in_the_digest(
        self, surroundings: Surroundings, order_of: Orders, ca_store: MemoryCAStore
    ) -> None:
        """A changed policy or address is another profile in every record."""
        first = open_authority("builtin", {}, surroundings).capabilities()
        same = open_authority("builtin", {}, surroundings)
        other = open_authority("builtin", {"policies": ["1.2.3"]}, surroundings).capabilities()
        assert same.capabilities() == first
        for kind in first.kinds:
            assert other.profile_hash[kind] != first.profile_hash[kind]
        order = order_of(Kind.SIGNATURE)
        same.issue(order)
        entry = ca_store.by_order(order.key)
        assert entry is not None
        assert entry.intent.profile_hash == first.profile_hash[Kind.SIGNATURE]
