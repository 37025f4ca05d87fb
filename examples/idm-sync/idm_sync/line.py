"""The line to the service provider: it waits when it is told to, and tries again what got lost.

A request may have been carried out though its answer got lost. To send it again is harmless, because of
what the program asks for: a PATCH that was carried out changes nothing, and a POST meets its own user.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import httpx2
from typing_extensions import override

from .errors import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TIMEOUT: Final = 60.0
PATIENCE: Final = 300.0
"""Seconds to wait in all for one request to be taken."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
_COME_BACK: Final = frozenset(
    {httpx2.codes.TOO_MANY_REQUESTS, httpx2.codes.SERVICE_UNAVAILABLE, httpx2.codes.BAD_GATEWAY}
)
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@contextmanager
def open_line(url: str, token: str, transport: httpx2.BaseTransport) -> Iterator[httpx2.Client]:
    """Give a client that speaks to the base URL with the token; raise Usage for an unsafe address."""
    address = httpx2.URL(url)
    if address.scheme != "https" and (address.scheme != "http" or address.host not in _LOOPBACK):
        raise Usage(f"{url}: a token goes over https only, or over http to this machine.")
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/scim+json"}
    with httpx2.Client(
        base_url=url, headers=headers, timeout=TIMEOUT, transport=transport
    ) as client:
        yield client


@dataclass(slots=True)
class Patient(httpx2.BaseTransport):
    """Another transport that is asked again after 429, 502, 503 and lost connections."""

    line: httpx2.BaseTransport
    sleep: Callable[[float], object] = time.sleep
    patience: float = PATIENCE

    @override
    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer that is not "come back later", or the last one when patience is over."""
        waited, pause = 0.0, FIRST_PAUSE
        while True:
            outcome = self._try(request)
            if isinstance(outcome, httpx2.Response) and outcome.status_code not in _COME_BACK:
                return outcome
            wait = max(FIRST_PAUSE, _wished(outcome) or pause)
            if waited + wait > self.patience:
                if isinstance(outcome, httpx2.Response):
                    return outcome
                raise outcome
            self.sleep(wait)
            waited, pause = waited + wait, min(2 * pause, LONGEST_PAUSE)

    @override
    def close(self) -> None:
        """Close what is below."""
        self.line.close()

    def _try(self, request: httpx2.Request) -> httpx2.Response | httpx2.TransportError:
        try:
            answer = self.line.handle_request(request)
            # The whole of it: it can be lost on the way as well.
            answer.read()
        except httpx2.TransportError as lost:
            return lost
        return answer


def _wished(outcome: httpx2.Response | httpx2.TransportError) -> float | None:
    return retry_after(outcome) if isinstance(outcome, httpx2.Response) else None


def retry_after(answer: httpx2.Response) -> float | None:
    """Return the seconds that an answer asks to wait, given as such or as a date (RFC 9110, 10.2.3)."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
