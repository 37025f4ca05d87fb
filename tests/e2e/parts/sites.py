"""The product as a real server that a test starts and kills, and everybody around it."""

from __future__ import annotations

import base64
import json
import os
import signal
import uuid
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.e2e.parts.homes import free_port, make_home
from tests.e2e.parts.people import SHOWN, a_user
from tests.e2e.parts.phones import Answer, Handset
from tests.e2e.parts.waiting import PATIENCE, until
from tests.parts.commands import forked_commands
from typing_extensions import override

from mobid.app import Product
from mobid.auth.tokens import SCOPES
from mobid.ca import Publisher
from mobid.cli.demo.actors import FrontEnd, Phone
from mobid.cli.demo.checks import Verifier, find_openssl
from mobid.cli.demo.server import register_front_end
from mobid.config import load
from mobid.domain.actors import SYSTEM
from mobid.processes.authority import Reason
from mobid.storage import open_engine
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.process import BaseProcess

    from examples.openbao.openbao_dev import DevServer

    from mobid.crashpoints import CrashPoint

PHONE: Final = Path(__file__).parents[3] / "examples" / "phone" / "phone.py"
GET: Final = "MobileIDSelfServiceProcGet"


class Site:
    """A home with a database, and the server process that may run on it."""

    def __init__(self, folder: Path, database_url: str, more: str = "") -> None:
        self.folder: Final = folder
        self.home: Final = folder / "home"
        self.log: Final = folder / "server.log"
        port = free_port()
        self.url: Final = f"http://127.0.0.1:{port}"
        make_home(self.home, database_url=database_url, port=port, more=more)
        self._server: BaseProcess | None = None
        self.engine: Final = open_engine(database_url)
        with Product(load(self.home, {})) as product:
            scopes = SCOPES[Audience.SCIM]
            token = product.tokens.create("test", Audience.SCIM, scopes, by=SYSTEM)
            self.token: Final = token.bearer.reveal()
            self._told: Final = {
                "base_url": self.url,
                "frontend": "intranet",
                "frontend_key": register_front_end(product, "intranet"),
            }
            authority = product.authorities[product.settings.authority]
            assert isinstance(authority, Publisher)
            self._published: Final = authority.addresses()
        self.verifier: Final = Verifier(
            openssl=find_openssl(),
            ca=folder / "ca.pem",
            crl=folder / "crl.pem",
            ocsp_url=str(self._published.ocsp),
        )

    def serve(self, crashpoint: str = "", *, forked: bool = True) -> None:
        """Start `mobid serve`, with a crash point armed or with none, and wait until it answers."""
        environ = dict(os.environ)
        if crashpoint:
            environ["MOBID_CRASHPOINT"] = crashpoint
        self.log.unlink(missing_ok=True)
        command = ["--home", str(self.home), "serve"]
        self._server = forked_commands().start(command, environ, self.log, forked=forked)
        until(self._is_ready, f"The server answers; it said: {self.said()}")

    @property
    def is_running(self) -> bool:
        """Whether there is a server that has neither ended nor been stopped."""
        return self._server is not None and self._server.is_alive()

    @property
    def pid(self) -> int:
        """The process of the server that runs."""
        assert self._server is not None
        assert self._server.is_alive(), self.said()
        assert self._server.pid is not None
        return self._server.pid

    def said(self) -> str:
        """Return what the server has said so far."""
        return self.log.read_text("utf-8") if self.log.exists() else ""

    def must_die_at(self, point: CrashPoint) -> None:
        """Wait for the death of the server: of SIGKILL, at this point and no other."""
        assert self._server is not None
        self._server.join(PATIENCE)
        assert not self._server.is_alive(), f"The server did not come to {point}: {self.said()}"
        assert self._server.exitcode == -signal.SIGKILL, self.said()
        assert f"MOBID_CRASHPOINT: killed at {point}\n" in self.said()

    def stop(self) -> None:
        """End the server, if it runs."""
        if self._server is not None:
            self._server.terminate()
            self._server.join(PATIENCE)
            self._server.kill()
            self._server.join(PATIENCE)
            self._server.close()
            self._server = None

    def close(self) -> None:
        """End the server and give back what is held."""
        self.stop()
        self.engine.dispose()

    def person(self) -> FrontEnd:
        """Return a new user at the registered front end."""
        created = self._scim("POST", "/Users", json=a_user())
        return FrontEnd.of(self._told, str(created["id"]))

    def phone(self, name: str, picture: Path) -> Phone:
        """Start the program of a phone; what it remembers is told by its name."""
        return Phone(PHONE, self.folder / name, [str(picture)], name)

    def handset(self, name: str) -> Handset:
        """Return a phone inside the test."""

        def post(path: str, body: bytes) -> Answer:
            where = HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE)
            with closing(where):
                where.request("POST", path, body, {"Content-Type": "application/jose+json"})
                answer = where.getresponse()
                said = json.loads(answer.read())
                return Answer(answer.status, said, answer.headers.get("Replay-Nonce", ""))

        return Handset(self.url, post, name)

    def activate(self, user_id: str | None = None) -> tuple[FrontEnd, str]:
        """Return a person with an active mobile ID, and which it is: a user that is there, or a new one."""
        person = self.person() if user_id is None else FrontEnd.of(self._told, user_id)
        phone = self.handset("Anna's phone")
        shown = person.act(person.start(GET), "next")
        claimed = phone.claim(shown["step"]["data"]["typed_code"])
        phone.keys()
        shown = person.wait_for(shown, step="approve")
        person.act(shown, "next", number=str(claimed.said["number"]))
        self.finish(phone)
        return person, str(shown["mobile_id"])

    @staticmethod
    def finish(phone: Handset, *, seconds: float = PATIENCE) -> None:
        """Let a phone whose user has approved it wait for its certificates, and confirm them."""
        until(lambda: phone.result().status == 200, "They are issued", seconds=seconds)
        done = phone.confirm(phone.result().said["certificates"])
        assert done.said == {"state": "active"}

    def revoke_behind_our_back(self, mobile_id: str) -> None:
        """Let somebody at the CA revoke the first certificate of a mobile ID."""
        first = self.mobile_id(mobile_id)["certificates"][0]["value"]
        with Product(load(self.home, {})) as product:
            ca = product.authorities["builtin"]
            ca.revoke(base64.b64decode(first), Reason.AFFILIATION_CHANGED, datetime.now(UTC))

    def command(self, *words: str) -> str:
        """Run a command of `mobid` beside the server, and return what it says."""
        command = ["--home", str(self.home), *words]
        done = forked_commands().run(command, os.environ, seconds=PATIENCE)
        assert done.code == 0, done.complaints
        return done.said

    def mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID over SCIM."""
        return self._scim(
            "GET", f"/MobileIDs/{mobile_id}", params={"attributes": f"{SHOWN},certificates.value"}
        )

    def mobile_ids(self) -> list[dict[str, Any]]:
        """Read every mobile ID over SCIM."""
        found = self._scim(
            "GET",
            "/MobileIDs",
            params={"attributes": f"{SHOWN},certificates.value", "count": "100"},
        )
        assert found["totalResults"] == len(found.get("Resources", [])), found
        return cast("list[dict[str, Any]]", found.get("Resources", []))

    def until_locked(self, mobile_id: str) -> None:
        """Wait until the CA has confirmed a Lock."""
        self.until_shown(mobile_id, {"state": "locked"})

    def until_shown(self, mobile_id: str, expected: Mapping[str, object]) -> None:
        """Wait until SCIM shows this of a mobile ID."""
        until(
            lambda: expected.items() <= self.mobile_id(mobile_id).items(),
            f"The mobile ID shows {dict(expected)}",
        )

    def until_no_mail_waits(self) -> None:
        """Wait until the row of every mail says what became of it, which a worker writes when it can."""
        waiting = sa.text("SELECT count(*) FROM mails WHERE work_wanted AND NOT work_dead")

        def none_waits() -> bool:
            with self.engine.connect() as connection:
                return not connection.execute(waiting).scalar_one()

        until(none_waits, "No mail waits")

    def fetch_lists(self) -> None:
        """Fetch chain and CRL where the CA publishes, as a relying party does."""
        chain = x509.load_der_x509_certificate(_fetched(self._published.chain))
        crl = x509.load_der_x509_crl(_fetched(self._published.crl))
        self.verifier.ca.write_bytes(chain.public_bytes(Encoding.PEM))
        self.verifier.crl.write_bytes(crl.public_bytes(Encoding.PEM))

    def ca_record(self) -> dict[str, tuple[str, bytes | None]]:
        """Read the built-in CA's own tables: standing and certificate of each serial number.

        What the CA issued to itself, for its OCSP responder, is left out.
        """
        query = sa.text(
            "SELECT c.serial, c.standing, c.certificate FROM ca_certificates c "
            "JOIN ca_intents i ON i.issuer = c.issuer AND i.serial = c.serial "
            "WHERE i.profile IN ('authentication', 'signature', 'encryption')"
        )
        with self.engine.connect() as connection:
            return {
                format(int(row.serial, 16), "x"): (row.standing, row.certificate)
                for row in connection.execute(query)
            }

    def _scim(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = httpx2.request(
            method,
            f"{self.url}/scim/v2{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=PATIENCE,
            **more,
        )
        assert answer.is_success, answer.text
        return cast("dict[str, Any]", answer.json())

    def _is_ready(self) -> bool:
        assert self._server is not None
        assert self._server.is_alive(), self.said()
        return '"server_ready"' in self.said()


class OpenBaoSite(Site):
    """The same, with a CA in a real OpenBao that has a mount for this site."""

    def __init__(self, folder: Path, database_url: str, openbao: DevServer) -> None:
        self._openbao: Final = openbao
        self._mount: Final = f"pki-{uuid.uuid4().hex}"
        settings = openbao.make_pki(self._mount) | {"settle_seconds": 1}
        super().__init__(folder, database_url, openbao.write_settings(settings).read_text())

    @override
    def revoke_behind_our_back(self, mobile_id: str) -> None:
        first = self.mobile_id(mobile_id)["certificates"][0]["value"]
        pem = x509.load_der_x509_certificate(base64.b64decode(first)).public_bytes(Encoding.PEM)
        self._openbao.call("POST", f"{self._mount}/revoke", {"certificate": pem.decode()})

    @override
    def ca_record(self) -> dict[str, tuple[str, bytes | None]]:
        """Read OpenBao's own records; its CA certificate is left out."""
        listed = self._openbao.call("GET", f"{self._mount}/certs?list=true")["keys"]
        found = [self._openbao.call("GET", f"{self._mount}/cert/{serial}") for serial in listed]
        read = [(x509.load_pem_x509_certificate(one["certificate"].encode()), one) for one in found]
        return {
            format(certificate.serial_number, "x"): (
                "revoked" if one["revocation_time"] else "valid",
                certificate.public_bytes(Encoding.DER),
            )
            for certificate, one in read
            if certificate.subject != certificate.issuer
        }


def _fetched(address: str | None) -> bytes:
    assert address is not None
    answer = httpx2.get(address, timeout=PATIENCE)
    assert answer.is_success, answer.text
    return answer.content
