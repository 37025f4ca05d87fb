"""The versions of option scripts: immutable, numbered, and one of them active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid.processes.errors import NotFound, VersionConflict
from mobid.processes.ports import StoredScript
from mobid.processes.script_tests import ScriptTest

if TYPE_CHECKING:
    from tests.conftest import StandingClock

    from mobid.storage import SQLUnits


@pytest.fixture
def versions(units: SQLUnits, clock: StandingClock) -> list[StoredScript]:
    """Two versions of a script, and one of another."""
    with units() as unit:
        stored = [
            unit.scripts.add(name, source=source, sha256="ab", author="änne", comment="\n")
            for name, source in (("s", "# 1"), ("s", "# 2\r\n"), ("other", ""))
        ]
        unit.commit()
    assert stored[1] == StoredScript(
        name="s",
        version=2,
        source="# 2\r\n",
        sha256="ab",
        author="änne",
        comment="\n",
        created_at=clock(),
    )
    return stored


class TestVersions:
    """What was uploaded."""

    def test_come_back_by_number_and_the_newest_first(
        self, units: SQLUnits, versions: list[StoredScript]
    ) -> None:
        """Each script has numbers of its own."""
        with units.reading() as unit:
            assert unit.scripts.get("s", 1) == versions[0]
            assert unit.scripts.all("s") == [versions[1], versions[0]]
            assert unit.scripts.get("other", 1) == versions[2]
            assert unit.scripts.all("unknown") == []

    @pytest.mark.parametrize("version", [0, -1, 3, 2**63, 10**100])
    def test_that_are_not_there_are_not_found(
        self, units: SQLUnits, versions: list[StoredScript], version: int
    ) -> None:
        """Whatever number is asked for."""
        with units.reading() as unit, pytest.raises(NotFound, match=f'version "s {version}"'):
            unit.scripts.get("s", version)
        assert versions


class TestActivation:
    """Which version holds."""

    def test_goes_forth_and_back(self, units: SQLUnits, versions: list[StoredScript]) -> None:
        """From none to any, from any to any, and back to none, which means the shipped one."""
        expected = 0
        for version in (1, 2, 1, 1, 0, 0, 2):
            with units() as unit:
                unit.scripts.activate("s", version, expected=expected, by="olga")
                unit.commit()
            expected = version
            with units.reading() as unit:
                active = unit.scripts.active("s")
            assert active == (versions[version - 1] if version else None)

    @pytest.mark.parametrize(("version", "expected"), [(1, 1), (0, 1), (1, 2**70), (2, -1)])
    def test_is_refused_if_another_one_is_active(
        self, units: SQLUnits, versions: list[StoredScript], version: int, expected: int
    ) -> None:
        """The message says which one is, and nothing changes."""
        with (
            units() as unit,
            pytest.raises(VersionConflict, match=f"active version of s is 0, not {expected};"),
        ):
            unit.scripts.activate("s", version, expected=expected, by="olga")
        with units() as unit:
            unit.scripts.activate("s", 2, expected=0, by="olga")
            with pytest.raises(VersionConflict, match="active version of s is 2, not 0;"):
                unit.scripts.activate("s", version, expected=0, by="olga")
            assert unit.scripts.active("s") == versions[1]

    def test_of_what_is_not_there_is_refused(self, units: SQLUnits) -> None:
        """Nothing can be active that was never uploaded."""
        with units() as unit, pytest.raises(NotFound, match='no script version "s 1" here'):
            unit.scripts.activate("s", 1, expected=0, by="olga")


class TestPromises:
    """Stored tests, and the history of activations."""

    def test_tests_come_back_as_they_were(self, units: SQLUnits, clock: StandingClock) -> None:
        """With users, moments and options."""
        tests = (
            ScriptTest(
                name="änne",
                user={"userName": "änne", "groups": ["a", "b"]},
                at=clock(),
                expect={"properties": {"site": "north"}, "validity": "P2Y"},
            ),
            ScriptTest(name="nobody", refused=""),
        )
        with units() as unit:
            stored = unit.scripts.add(
                "s", source="", sha256="ab", author="olga", comment="", tests=tests
            )
            unit.commit()
        with units.reading() as unit:
            assert unit.scripts.get("s", 1).tests == stored.tests == tests

    def test_every_activation_is_remembered(
        self, units: SQLUnits, versions: list[StoredScript], clock: StandingClock
    ) -> None:
        """The last comes first; what was refused, or changed nothing at all, is not among them."""
        expected = 0
        for version in (2, 0, 0, 1):
            with units() as unit:
                unit.scripts.activate("s", version, expected=expected, by="olga")
                unit.commit()
            expected = version
        with units() as unit, pytest.raises(VersionConflict):
            unit.scripts.activate("s", 2, expected=7, by="olga")
        with units.reading() as unit:
            done = unit.scripts.activations("s", 10)
            assert unit.scripts.activations("s", 1) == done[:1]
            assert unit.scripts.activations("other", 10) == []
        assert [(one.number, one.version, one.replaced) for one in done] == [
            *((3, 1, 0), (2, 0, 2), (1, 2, 0)),
        ]
        assert {(one.by, one.at) for one in done} == {("olga", clock())}
        assert versions
