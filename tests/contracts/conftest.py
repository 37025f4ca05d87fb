"""What the contract suites run over.

A new CA connector adds its name to `authority` and a fixture `<name>_ca`; a new record of the
built-in CA adds the name of its fixture to `store`.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mobid.ca import Surroundings, open_authority
from mobid.ca.builtin import create, initialise
from mobid.domain.options import Kind
from mobid.storage.ca_store import SQLCAStore

if TYPE_CHECKING:
    from pathlib import Path

    from examples.openbao.openbao_dev import DevServer
    from tests.conftest import Database, StandingClock

    from mobid.ca import Authority
    from mobid.ca.builtin.store import CAStore


@pytest.fixture
def clock(clock: StandingClock) -> StandingClock:
    """The time of day, standing still: a CA in a process of its own looks at its own clock."""
    clock.now = datetime.now(UTC)
    return clock


@pytest.fixture
def sqlite_ca_store(sqlite_database: Database) -> CAStore:
    """The record in SQLite."""
    return SQLCAStore(sqlite_database.engine)


@pytest.fixture
def postgresql_ca_store(postgresql_database: Database) -> CAStore:
    """The record in PostgreSQL."""
    return SQLCAStore(postgresql_database.engine)


@pytest.fixture
def builtin_on_sqlite_ca(
    tmp_path: Path, clock: StandingClock, sqlite_ca_store: CAStore
) -> Authority:
    """The built-in CA, with its record in SQLite."""
    return builtin_on(sqlite_ca_store, tmp_path, clock)


@pytest.fixture
def builtin_on_postgresql_ca(
    tmp_path: Path, clock: StandingClock, postgresql_ca_store: CAStore
) -> Authority:
    """The built-in CA, with its record in PostgreSQL."""
    return builtin_on(postgresql_ca_store, tmp_path, clock)


@pytest.fixture
def openbao_ca(openbao: DevServer, tmp_path: Path, clock: StandingClock) -> Authority:
    """A CA in a real OpenBao, for all three kinds."""
    settings = openbao.make_pki(f"pki-{uuid.uuid4().hex}", [str(kind) for kind in Kind])
    surroundings = Surroundings(
        clock=clock, key_folder=tmp_path, public_url="http://mobid.example.org"
    )
    return open_authority("openbao", settings, surroundings)


def builtin_on(store: CAStore, folder: Path, clock: StandingClock) -> Authority:
    """Return a built-in CA with a fresh key, for all three kinds."""
    keys = folder / "ca"
    initialise(keys, name="Example Mobile ID CA", organization="Example AB", now=clock())
    surroundings = Surroundings(
        clock=clock, key_folder=keys, public_url="http://mobid.example.org", store=store
    )
    return create({"kinds": list(Kind), "policies": ["1.3.6.1.4.1.99999.1.1"]}, surroundings)


@pytest.fixture(params=["builtin", "builtin_on_sqlite", "builtin_on_postgresql", "openbao"])
def authority(request: pytest.FixtureRequest) -> Authority:
    """Each CA in turn."""
    ca: Authority = request.getfixturevalue(f"{request.param}_ca")
    return ca


@pytest.fixture(params=["ca_store", "sqlite_ca_store", "postgresql_ca_store"])
def store(request: pytest.FixtureRequest) -> CAStore:
    """Each record of the built-in CA in turn, empty."""
    record: CAStore = request.getfixturevalue(request.param)
    return record
