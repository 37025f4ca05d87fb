"""`mobid serve` and `mobid worker`: the server, and the process that finishes what is left over."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
import structlog
from waitress.wasyncore import close_all

from mobid.app import create_app
from mobid.app.logs import configure
from mobid.cli.context import fail, opened
from mobid.cli.edge import open_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

    from flask import Flask

    from mobid.app import Product

LOOK_EVERY: Final = 0.2

_log: Final = structlog.get_logger(__name__)


@click.command()
@click.option(
    "--jobs/--no-jobs", default=True, show_default=True, help="Also finish what is left over."
)
@click.pass_context
def serve(context: click.Context, *, jobs: bool) -> None:
    """Serve SCIM, hooks, device API and pages; with SQLite this is the only process."""
    with opened(context) as product, only_server(product):
        log_as_set(product)
        if jobs:
            product.start_worker()
        serve_until_told(create_app(product), product)


@click.command()
@click.pass_context
def worker(context: click.Context) -> None:
    """Finish what is left over, beside servers that run with --no-jobs on PostgreSQL."""
    with opened(context) as product, only_server(product):
        log_as_set(product)
        told = threading.Event()
        with on_termination(told.set):
            product.start_worker()
            _log.info("worker_ready")
            # A short wait, again and again: a signal that another thread gets must not be slept over.
            while not told.wait(LOOK_EVERY):
                pass


def log_as_set(product: Product) -> None:
    """Log as the settings say; until here, and in other commands, warnings are logged only."""
    configure(product.settings.log_level, product.settings.log_format)


def serve_until_told(
    app: Flask,
    product: Product,
    *,
    listener: socket.socket | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, on a socket that is bound already or as the settings say."""
    settings = product.settings
    where = (
        {"sockets": [listener]}
        if listener is not None
        else {"host": settings.listen_host, "port": settings.listen_port}
    )
    channels: dict[int, Any] = {}
    try:
        server = open_server(app, channels, behind_proxies=settings.trusted_proxies > 0, **where)
    except OSError as error:
        close_all(channels)
        fail(
            f"{settings.listen_host}:{settings.listen_port} cannot be used ({error.strerror}). "
            "Choose another with the settings listen_host and listen_port."
        )
    with on_termination(_raise_exit):
        _log.info("server_ready", url=settings.public_url)
        if ready is not None:
            ready()
        server.run()


@contextmanager
def only_server(product: Product) -> Iterator[None]:
    """Hold the home for this process: SQLite has one server process, which runs the jobs inside."""
    if product.engine.dialect.name != "sqlite":
        yield
        return
    path = product.settings.home / "server.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fail(
            f'Another server runs on "{product.settings.home}". SQLite takes one; '
            "stop it, or move to PostgreSQL with the setting database_url."
        )
    else:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def on_termination(act: Callable[[], object]) -> Iterator[None]:
    """Act on SIGTERM and SIGINT while the block runs."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        act()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_exit() -> None:
    raise SystemExit(0)
