"""By hand: a server of its own on each database, as many requests as are wanted, and a report."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .running import Target, run
from .tokens import tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .running import Found

DATABASES: Final = ("sqlite", "postgresql")
_BENCH: Final = Path(__file__).parents[3] / "bench"
_EVERY: Final = 1_000
_LAST: Final = 3


def main(arguments: Sequence[str]) -> int:
    """Run; return 1 if there is a fault."""
    options = _parser().parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    faults = 0
    for database in options.database or DATABASES:
        with tempfile.TemporaryDirectory(prefix="mobid-fuzz-", dir=options.folder) as folder:
            found = _one(database, Path(folder), options.requests, seed)
        _say(f"{database}: {found}")
        faults += len(found.faults)
    return 1 if faults else 0


def _one(database: str, folder: Path, requests: int, seed: int) -> Found:
    # Servers are made as for the benchmarks, which lie beside this.
    sys.path.append(str(_BENCH))
    from scim_bench import servers  # type: ignore[import-not-found]  # noqa: PLC0415  # found there

    with ExitStack() as stack:
        cluster = None
        if database == "postgresql":
            cluster = servers.PostgreSQL(folder / "postgresql")
            stack.callback(cluster.close)
        home = folder / "home"
        site = servers.site(database, home, cluster)
        tokens = tokens_of(home, {**os.environ, "MOBID_DATABASE_URL": site.database_url})
        port, log = servers.free_port(), folder / "server.log"
        environ = {"MOBID_DATABASE_URL": site.database_url, "MOBID_LISTEN_PORT": str(port)}
        command = [*servers.SERVE, "--home", str(home), "serve"]
        pid = stack.enter_context(servers.running(command, log, environ, port))
        target = Target(port=port, pid=pid, log=log, tokens=tokens)
        return run(target, requests=requests, seed=seed, tell=_progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz_scim.py", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000, help="how many, on each database")
    parser.add_argument(
        "--seed", type=int, help="that of an earlier run, to make its requests again"
    )
    parser.add_argument("--database", action="append", choices=DATABASES, help="one, or both")
    parser.add_argument("--folder", help="where databases and logs are while it runs")
    return parser


def _progress(found: Found, number: int) -> None:
    if number % _EVERY == 0:
        _say(f"{number}: {len(found.faults)} faults")
        _say("\n".join(found.faults[-_LAST:]))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
