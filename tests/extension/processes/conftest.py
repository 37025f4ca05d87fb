"""A small composition of the processes: real storage, sandbox and CA, and effects done at once.

People click and phones speak as in life, without HTTP. The line to the CA can fail in every way in
which a line to a CA fails; behind it is the built-in CA.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from tests.extension.processes.parts.line import HoldingLine, LineToCA
from tests.extension.processes.parts.people import Person
from tests.extension.processes.parts.phones import Phone
from tests.extension.processes.parts.place import Place

from mobid.ca import Surroundings
from mobid.ca.builtin import create, initialise
from mobid.domain.options import Kind
from mobid.optionscripts import OptionScripts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Database, Orders, StandingClock

    from mobid.ca.builtin import BuiltinCA
    from mobid.ca.builtin.store import CAStore
    from mobid.processes.authority import Issued

# What tests name in their annotations.
__all__ = ["LineToCA", "Person", "Phone", "Place"]


@pytest.fixture(scope="session")
def sandbox() -> Iterator[OptionScripts]:
    """One real sandbox for the session: its fork server takes a moment to start."""
    scripts = OptionScripts(mail=True)
    yield scripts
    scripts.close()


@pytest.fixture(scope="session")
def ca_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key of one CA for the session; its record is new for every test."""
    folder = tmp_path_factory.mktemp("authority") / "ca"
    initialise(folder, name="Example Mobile ID CA", now=datetime(2026, 11, 22, 12, tzinfo=UTC))
    return folder


@pytest.fixture
def builtin_ca(ca_folder: Path, clock: StandingClock, ca_store: CAStore) -> BuiltinCA:
    """A built-in CA with that key, for all three kinds."""
    surroundings = Surroundings(
        clock=clock, key_folder=ca_folder, public_url="http://id.example.org", store=ca_store
    )
    return create({"kinds": list(Kind)}, surroundings)


@pytest.fixture
def ca(builtin_ca: BuiltinCA) -> LineToCA:
    """A line to a CA that can hold; tests of one that cannot override it by `plain_ca`."""
    return HoldingLine(builtin_ca)


@pytest.fixture
def plain_ca(builtin_ca: BuiltinCA) -> LineToCA:
    """A line to a CA that cannot hold."""
    return LineToCA(builtin_ca)


@pytest.fixture
def other_ca(tmp_path: Path, clock: StandingClock, ca_store: CAStore) -> LineToCA:
    """A CA of somebody else."""
    folder = tmp_path / "other"
    initialise(folder, name="Other CA", now=clock())
    surroundings = Surroundings(
        clock=clock,
        key_folder=folder,
        public_url="http://other.example.org",
        store=type(ca_store)(),
    )
    return HoldingLine(create({"kinds": list(Kind)}, surroundings))


@pytest.fixture
def other_orders(builtin_ca: BuiltinCA, order_of: Orders) -> list[Issued]:
    """Certificates of our CA that we know nothing of."""
    return [builtin_ca.issue(order_of()) for _ in range(2)]


@pytest.fixture
def place(database: Database, clock: StandingClock, ca: LineToCA, sandbox: OptionScripts) -> Place:
    """A mobid on each database."""
    return Place(database.engine, clock, ca, sandbox)


@pytest.fixture
def anne(place: Place) -> Person:
    """A user."""
    return place.person()
