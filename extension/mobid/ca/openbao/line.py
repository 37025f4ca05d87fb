"""The line to OpenBao: HTTP with bounds in time and size, honest about what got through.

What is asked for may be asked again, so whatever goes wrong with it is `Unavailable`. What changes
something is `Unavailable` only if it surely never left or OpenBao says that it did nothing;
otherwise it is `OutcomeUnknown`. No exception of the HTTP library leaves this module: its words may
hold headers, and so the token.
"""

from __future__ import annotations

import json
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpx2

from mobid.ca.openbao.answers import Answer, words_of
from mobid.ca.openbao.token import UnusableToken
from mobid.processes.authority import OutcomeUnknown, Rejected, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobid.ca.openbao.settings import OpenBaoSettings
    from mobid.processes.authority import AuthorityError

CONNECT_TIMEOUT: Final = 5.0
MOST_BYTES: Final = 8 * 1024 * 1024
"""A page of a thousand certificates has about 300 kB."""

_NEVER_LEFT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.LocalProtocolError,
    httpx2.UnsupportedProtocol,
)
_NOT_DONE: Final = {
    HTTPStatus.FORBIDDEN: "it refuses our token; see token_file and its policy",
    HTTPStatus.NOT_FOUND: "it has nothing there; see mount, issuer, roles and namespace",
    HTTPStatus.METHOD_NOT_ALLOWED: "it has no such operation",
    HTTPStatus.PRECONDITION_FAILED: "it has not yet seen what it needs",
    HTTPStatus.TOO_MANY_REQUESTS: "it is asked too often",
    472: "it is a standby for disasters; let url name the active one",
    473: "it is a standby; let url name the active one",
}
"""What OpenBao answers before it does anything, and what to look at then."""


class Line:
    """How to reach one OpenBao. Safe for any number of threads: each verb has a connection of its own."""

    def __init__(self, settings: OpenBaoSettings) -> None:
        ca_file = None if settings.ca_file is None else str(settings.ca_file)
        self._trust: Final = ssl.create_default_context(cafile=ca_file)
        self._settings: Final = settings

    @contextmanager
    def open(self) -> Iterator[Calls]:
        """Give the calls of one verb; the connection is closed at its end."""
        ends_at = time.monotonic() + self._settings.timeout.total_seconds()
        with httpx2.Client(verify=self._trust, trust_env=False, follow_redirects=False) as http:
            yield Calls(http, self._settings, ends_at)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one verb, which end by the same time."""

    _http: httpx2.Client
    _settings: OpenBaoSettings
    _ends_at: float

    def read(self, path: str, **query: str | int) -> Answer | None:
        """Ask for something; none if it is not there. Raise `Unavailable`."""
        status, data = self._send("GET", path, query, None, maybe=Unavailable)
        if status == HTTPStatus.NOT_FOUND and "errors" in data and not data["errors"]:
            return None
        return self._answer(status, data, path, maybe=Unavailable)

    def must_read(self, path: str) -> Answer:
        """Ask for something that has to be there; raise `Unavailable`."""
        found = self.read(path)
        if found is None:
            raise Unavailable(f"OpenBao has no {self._settings.mount}/{path}.")
        return found

    def write(self, path: str, body: Mapping[str, object]) -> Answer:
        """Change something; raise `Rejected`, `Unavailable` or `OutcomeUnknown`."""
        status, data = self._send("POST", path, {}, body, maybe=OutcomeUnknown)
        if status == HTTPStatus.BAD_REQUEST:
            raise Rejected(f"OpenBao refuses {path}: {words_of(data)}")
        return self._answer(status, data, path, maybe=OutcomeUnknown)

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, object] | None,
        *,
        maybe: type[AuthorityError],
    ) -> tuple[int, Mapping[str, object]]:
        left = self._left(Unavailable)
        try:
            with self._http.stream(
                method,
                f"{self._settings.url}/v1/{self._settings.mount}/{path}",
                params=query,
                json=body,
                headers=self._headers(),
                timeout=httpx2.Timeout(left, connect=min(left, CONNECT_TIMEOUT)),
            ) as answer:
                return answer.status_code, self._body(answer, maybe)
        except _NEVER_LEFT as error:
            raise Unavailable(self._said(f"cannot be reached ({_reason(error)})")) from None
        except httpx2.HTTPError as error:
            raise maybe(self._said(f"did not answer {path} ({type(error).__name__})")) from None

    def _headers(self) -> Mapping[str, str]:
        try:
            token = self._settings.token_file.read()
        except UnusableToken as unusable:
            raise Unavailable(str(unusable)) from None
        headers = {
            "X-Vault-Token": token.reveal(),
            "X-Vault-Request": "true",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        if self._settings.namespace is not None:
            headers["X-Vault-Namespace"] = self._settings.namespace
        return headers

    def _body(self, answer: httpx2.Response, maybe: type[AuthorityError]) -> Mapping[str, object]:
        """Read a JSON object, up to a length and a time; nothing of what is no JSON, and no answer."""
        if answer.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return {}
        body = bytearray()
        for part in answer.iter_raw():
            body += part
            if len(body) > MOST_BYTES:
                raise maybe(self._said(f"answers with more than {MOST_BYTES} bytes"))
            self._left(maybe)
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}

    def _answer(
        self,
        status: int,
        data: Mapping[str, object],
        path: str,
        *,
        maybe: type[AuthorityError],
    ) -> Answer:
        """Return what OpenBao says if it is a success, or raise what its status means."""
        if status in _NOT_DONE:
            why = f"{_NOT_DONE[status]} ({status}: {words_of(data)})"
            raise Unavailable(self._said(f"does not serve {path}: {why}"))
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            why = f"sends us elsewhere ({status}); let url name the active one"
            raise Unavailable(self._said(why))
        if status == HTTPStatus.SERVICE_UNAVAILABLE and "sealed" in words_of(data):
            raise Unavailable(self._said("is sealed; somebody must unseal it"))
        if status != HTTPStatus.OK or "data" not in data:
            raise maybe(self._said(f"answers {path} with {status}: {words_of(data)}"))
        found = data["data"]
        return Answer(path, found if isinstance(found, dict) else {}, maybe, words_of(data))

    def _left(self, late: type[AuthorityError]) -> float:
        """Return the seconds that are left for this verb; raise `late` if there are none."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise late(self._said(f"took longer than {self._settings.timeout_seconds} s"))
        return left

    def _said(self, what: str) -> str:
        return f"OpenBao at {self._settings.url} {what}."


def _reason(error: Exception) -> str:
    """Return the words for a connection that was not made. Nothing of ours is in them."""
    return str(error) if isinstance(error, httpx2.ConnectError) else type(error).__name__
