"""The whole product for the tests: in this process at a clock that moves by hand, or as real servers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import sqlalchemy as sa
from tests.e2e.parts.people import Person
from tests.e2e.parts.phones import Answer, Handset
from tests.e2e.parts.sites import OpenBaoSite, Site
from tests.e2e.parts.worlds import World, connector_installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from examples.openbao.openbao_dev import DevServer
    from tests.conftest import PostgreSQL

# What tests name in their annotations.
__all__ = ["Answer", "Handset", "OpenBaoSite", "Person", "Site", "World"]

DATABASES: Final = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def database_url(
    request: pytest.FixtureRequest,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], str]:
    """Return the address of a fresh, migrated database of a kind; both kinds end with the run."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            path = tmp_path_factory.mktemp("database") / "mobid.db"
            shutil.copyfile(sqlite_template, path)
            return f"sqlite:///{path}"
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        return server.url(server.create())

    return make


@pytest.fixture(scope="session", params=DATABASES)
def world(
    request: pytest.FixtureRequest,
    database_url: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[World]:
    """The product in this process, on a database of each kind."""
    with connector_installed():
        made = World(tmp_path_factory.mktemp("world") / "home", database_url(request.param))
    yield made
    made.close()


@pytest.fixture(scope="session")
def new_site(
    database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Site]]:
    """Return a home on a fresh database of a kind, with more settings; its server is ended with the run.

    A PostgreSQL of the tests takes any password.
    """
    made: list[Site] = []

    def make(kind: str, more: str = "", password: str | None = None) -> Site:
        url = database_url(kind)
        if kind == "postgresql" and password is not None:
            url = sa.make_url(url).set(password=password).render_as_string(hide_password=False)
        made.append(Site(tmp_path_factory.mktemp(f"site-{kind}"), url, more))
        return made[-1]

    yield make
    for site in made:
        site.close()


_RUNNING: Final = pytest.StashKey[dict[str, Site]]()


@pytest.fixture(scope="session")
def running_site(
    request: pytest.FixtureRequest, new_site: Callable[..., Site]
) -> Callable[[str], Site]:
    """Return the real server that runs on a database of a kind, at which samples can sign in."""
    running = request.session.stash.setdefault(_RUNNING, {})

    def at(kind: str) -> Site:
        if kind not in running:
            running[kind] = new_site(kind, "demo = true\n")
        if not running[kind].is_running:
            running[kind].serve()
        return running[kind]

    return at


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop servers when other tests follow: looking for work, they take time that those need."""
    if nextitem is None or not nextitem.path.is_relative_to(Path(__file__).parent):
        for site in item.session.stash.get(_RUNNING, {}).values():
            site.stop()


@pytest.fixture
def new_openbao_site(
    database_url: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[DevServer], OpenBaoSite]]:
    """A home whose CA is in an OpenBao; its server is ended with the test."""
    made: list[OpenBaoSite] = []

    def make(openbao: DevServer) -> OpenBaoSite:
        folder = tmp_path_factory.mktemp("site-openbao")
        made.append(OpenBaoSite(folder, database_url("sqlite"), openbao))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture(params=DATABASES)
def site(request: pytest.FixtureRequest, running_site: Callable[[str], Site]) -> Site:
    """A real server that runs, on a database of each kind."""
    return running_site(request.param)
