"""Checks of the machine and of our place on the network: disk, time, public address, proxies."""

from __future__ import annotations

import ctypes
import shutil
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from mobid.app.doctor.finding import failed, ok, warning
from mobid.config.readers import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from mobid.app.doctor.finding import Finding
    from mobid.config import Settings

LEAST_FREE: Final = 100 << 20
SOON_FULL: Final = 1 << 30
_UNSYNCHRONISED: Final = 5
"""TIME_ERROR of adjtimex(2)."""
_TIMEX_BYTES: Final = 256
_PROXIES: Final = (
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
)


def disk(directory: Path, free: Callable[[Path], int] | None = None) -> Iterable[Finding]:
    """See that there is room for the database, its journal and what comes."""
    left = (free or _free)(directory)
    seen = f"{left >> 20} MiB free where the home is"
    if left < LEAST_FREE:
        return [failed("disk", seen, "Make room: writes fail when it is full.")]
    if left < SOON_FULL:
        return [warning("disk", seen, "Make room before it is full.")]
    return [ok("disk", seen)]


def time_sync(state: Callable[[], int] | None = None) -> Iterable[Finding]:
    """Ask the kernel whether something keeps its clock right."""
    if (state or _adjtimex)() == _UNSYNCHRONISED:
        seen = "the kernel does not know of anything that keeps its clock right"
        remedy = "Run chrony, systemd-timesyncd or the like; a container has its host's clock."
        return [warning("time", seen, remedy)]
    return [ok("time", "something keeps the clock right")]


def address(settings: Settings) -> Iterator[Finding]:
    """See that others can reach us, encrypted, and that what proxies say is heard."""
    url = urlsplit(settings.public_url)
    alone = is_loopback(url.hostname or "")
    if alone:
        remedy = "Set public_url to the https address that phones and browsers use."
        yield warning("public URL", f"{settings.public_url} is this machine only", remedy)
    else:
        yield ok("public URL", settings.public_url)
    if settings.demo and not alone:
        seen = "demo is true: whoever comes can sign in as anybody"
        yield failed("demo", seen, "Take demo out of the settings.")
    if not alone and settings.trusted_proxies == 0:
        seen = "trusted_proxies is 0, so all callers have the address of the proxy that ends TLS"
        yield warning("proxies", seen, "Set trusted_proxies to the number of proxies before us.")
    elif settings.trusted_proxies and not is_loopback(settings.listen_host):
        seen = f"{settings.listen_host} can be reached without the proxy, and callers choose their address"
        yield warning("proxies", seen, "See that only the proxy can connect.")
    else:
        yield ok("proxies", f"{settings.trusted_proxies} before us")


def outgoing(environ: Mapping[str, str]) -> Iterable[Finding]:
    """Tell of proxies that others would use: our lines to CA and mail server are direct."""
    set_here = [name for name in _PROXIES if environ.get(name)]
    if set_here:
        seen = f"{', '.join(set_here)} is set, and mobid does not use it"
        remedy = "See that this machine reaches CA and mail server directly."
        return [warning("outgoing proxy", seen, remedy)]
    return []


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def _adjtimex() -> int:
    """Return what adjtimex(2) says of the clock; with modes 0 it changes nothing."""
    return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
