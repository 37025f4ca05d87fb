"""Those who act in the walk: the server and the phone as programs of their own, and a person's front end."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2
from joserfc import jwt
from joserfc.jwk import ECKey

from mobid.cli.demo.checks import PHONE_PASSWORD, WALK_PASSWORD, CheckFailed
from mobid.cli.demo.server import DESCRIPTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

START_TIMEOUT: Final = 60.0
STOP_TIMEOUT: Final = 15.0
PHONE_TIMEOUT: Final = 90.0
HTTP_TIMEOUT: Final = 20.0
PAUSE: Final = 0.2
_TRUSTED: Final = ssl.create_default_context()
"""Whom this machine trusts, read once: httpx2 would read it at every call."""


@contextmanager
def running_server(
    home: Path, log: Path, mails: Path, config: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Run a demo server on a free port until the block ends; give what its demo.json says.

    It writes what it mails into the folder `mails`.
    """
    description = home / DESCRIPTION
    description.unlink(missing_ok=True)
    command = [sys.executable, "-m", "mobid.cli", "demo", "--port", "0", "--home", str(home)]
    command += ["--mails", str(mails)]
    command += [] if config is None else ["--config", str(config)]
    with (
        log.open("wb") as said,
        subprocess.Popen(  # noqa: S603  # this same program
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        ) as server,
    ):
        try:
            yield _when_ready(server, description, log)
        finally:
            server.terminate()
            try:
                server.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                server.kill()


def _when_ready(server: subprocess.Popen[bytes], description: Path, log: Path) -> dict[str, Any]:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        if description.is_file():
            told: dict[str, Any] = json.loads(description.read_text("utf-8"))
            if _answers(told["base_url"]):
                return told
        time.sleep(PAUSE)
    raise CheckFailed(
        f"The server did not start within {START_TIMEOUT:.0f} s:\n{log.read_text('utf-8')}"
    )


def _answers(base_url: str) -> bool:
    try:
        return (
            httpx2.get(f"{base_url}/openapi.json", timeout=HTTP_TIMEOUT).status_code
            == httpx2.codes.OK
        )
    except httpx2.TransportError:
        return False


class Phone:
    """The phone, a program of its own. It is shown a code, and told what a person would type."""

    def __init__(self, program: Path, state: Path, shown: Sequence[str], name: str) -> None:
        self.state: Final = state
        self._heard: list[dict[str, Any]] = []
        self._more: Final = threading.Condition()
        command = [sys.executable, str(program), "enrol", *shown]
        command += ["--state", str(state), "--name", name, "--json"]
        self._process: Final = subprocess.Popen(  # noqa: S603  # the program that --phone names
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {PHONE_PASSWORD: WALK_PASSWORD},
        )
        self._listener: Final = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def hears(self, event: str) -> dict[str, Any]:
        """Wait until the phone tells this; fail with its own words if it ends without."""
        deadline = time.monotonic() + PHONE_TIMEOUT
        with self._more:
            while time.monotonic() < deadline:
                for told in self._heard:
                    if told["event"] == event:
                        return told
                if any(told["event"] in {"failed", "ended"} for told in self._heard):
                    break
                self._more.wait(1)
        self.stop()
        raise CheckFailed(f'The phone did not come to "{event}": {self._heard[-2:]}')

    def stop(self) -> None:
        """End the program, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(STOP_TIMEOUT)
        self._listener.join(STOP_TIMEOUT)

    def _listen(self) -> None:
        with self._process:
            for line in self._process.stdout or ():
                self._tell(_event(line))
        self._tell({"event": "ended", "status": self._process.returncode})

    def _tell(self, event: dict[str, Any]) -> None:
        with self._more:
            self._heard.append(event)
            self._more.notify_all()


def _event(line: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"event": "said", "text": line.strip()}
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEnd:
    """A registered front end that calls the process hooks for a person."""

    base_url: str
    name: str
    key: ECKey
    user_id: str

    @classmethod
    def of(cls, told: Mapping[str, Any], user_id: str) -> FrontEnd:
        """Return the front end that a demo.json describes."""
        key = ECKey.import_key(told["frontend_key"])
        return cls(base_url=told["base_url"], name=told["frontend"], key=key, user_id=user_id)

    def start(self, process: str, **body: object) -> dict[str, Any]:
        """Start a process."""
        return self.call("POST", f"/processes/{process}/start", body)

    def act(self, instance: Mapping[str, Any], action: str, **answer: object) -> dict[str, Any]:
        """Take an action on the step that this instance shows."""
        body = {"step_seq": instance["step"]["seq"], "input": answer}
        return self.call("POST", f"/processes/instances/{instance['id']}/{action}", body)

    def look(self, instance: Mapping[str, Any]) -> dict[str, Any]:
        """Return an instance as it is now."""
        return self.call("GET", f"/processes/instances/{instance['id']}")

    def picture(self, instance: Mapping[str, Any]) -> bytes:
        """Return the QR code as PNG."""
        return self._send("GET", f"/processes/instances/{instance['id']}/qr.png", None).content

    def wait_for(
        self, instance: Mapping[str, Any], *, step: str, seconds: float = 30
    ) -> dict[str, Any]:
        """Look at an instance until it has come to a step."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.look(instance)
            if now["step"]["name"] == step:
                return now
            if time.monotonic() > deadline:
                where = f"{now['state']} at {now['step']['name']}: {now['step']['text']}"
                raise CheckFailed(f'Process {now["id"]} did not come to "{step}"; it is {where}')
            time.sleep(PAUSE)

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Call a hook; an answer that is no success fails with the server's own words."""
        answered: dict[str, Any] = self._send(method, path, body).json()
        return answered

    def _send(self, method: str, path: str, body: object) -> httpx2.Response:
        answer = httpx2.request(
            method,
            self.base_url + path,
            json=body,
            headers={"Authorization": f"Bearer {self._assertion()}"},
            timeout=HTTP_TIMEOUT,
            verify=_TRUSTED,
        )
        if not answer.is_success:
            raise CheckFailed(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer

    def _assertion(self) -> str:
        """Say for one minute, once, who is signed in here."""
        now = int(time.time())
        claims = {
            "iss": self.name,
            "sub": self.user_id,
            "aud": self.base_url,
            "iat": now,
            "exp": now + 60,
            "jti": str(uuid.uuid4()),
            "auth_time": now,
        }
        return jwt.encode({"alg": "ES256"}, claims, self.key)
