"""Where a walk takes place: who acts, what they have in their hands, and how things are asked and checked."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mobid.cli.demo.actors import HTTP_TIMEOUT, Phone
from mobid.cli.demo.checks import CheckFailed, Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mobid.cli.demo.actors import FrontEnd

SCRIPT_URL: Final = "/admin/v1/scripts/MobileIDScriptOptions"
LOCKED_WITHIN: Final = 20.0
"""Seconds within which the CA must have confirmed a Lock."""
LOOK_EVERY: Final = 0.2


class Stage:
    """One walk. Its steps read and write what is here; each says in a line what was seen."""

    front_end: FrontEnd
    """The user, as soon as there is one."""
    phone: Phone
    """The phone that acts now."""

    def __init__(self, told: Mapping[str, Any], *, out: Path, phone: Path, openssl: str) -> None:
        self.told: Final = told
        self.out: Final = out
        self.verifier: Final = Verifier(
            openssl=openssl,
            ca=out / "ca.pem",
            crl=out / "crl.pem",
            ocsp_url=told["ocsp_url"],
        )
        self.instance: dict[str, Any] = {}
        """The run that the user sees, as last seen."""
        self.certificates: Final[dict[str, Sequence[Path]]] = {}
        """The files of each mobile ID's certificates, in the order of the mobile IDs."""
        self.mails: Final = out / "mail"
        """Where the demo's mail server leaves every mail (.eml)."""
        self.mailed: Path
        """The mail with the code of the run that goes on now."""
        self._phone_program: Final = phone
        self._phones = 0

    def at(self, step: str) -> dict[str, Any]:
        """Return the instance, which must be at this step."""
        here = self.instance["step"]["name"]
        if here != step:
            raise CheckFailed(f'The process is at "{here}" and not at "{step}": {self.instance}')
        return self.instance

    def take_new_phone(self, *shown: str) -> None:
        """Give the user a new phone, and show it a code."""
        self._phones += 1
        self.use_phone(*shown)

    def use_phone(self, *shown: str) -> None:
        """Show a code to the phone that the user has, as its command line takes it."""
        name = f"Phone {self._phones} of the walk"
        self.phone = Phone(self._phone_program, self.phone_folder, shown, name)

    def strange_phone(self, name: str, *shown: str) -> Phone:
        """Return a phone of somebody else that is shown a code."""
        return Phone(self._phone_program, self.out / name, shown, name)

    @property
    def phone_folder(self) -> Path:
        """Where the phone that acts now keeps what it has."""
        return self.out / f"phone-{self._phones}"

    def admin(self, action: str, **body: object) -> dict[str, Any]:
        """Let an administrator act on the option script."""
        answer = httpx2.post(
            f"{self.told['base_url']}{SCRIPT_URL}/{action}",
            json=body,
            headers={"Authorization": f"Bearer {self.told['admin_token']}"},
            timeout=HTTP_TIMEOUT,
        )
        if not answer.is_success:
            raise CheckFailed(f"{action} answered {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered

    def mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID back over SCIM, with its certificates."""
        shown = "state,active,certificates,certificates.value"
        return self._scim(f"/MobileIDs/{mobile_id}", attributes=shown)

    def only_active(self) -> str:
        """Return the id of the one mobile ID of the user that SCIM says is active."""
        found = self._scim(
            "/MobileIDs", filter=f'user.value eq "{self.front_end.user_id}" and active eq true'
        )
        if found["totalResults"] != 1:
            raise CheckFailed(f"The user was to have one active mobile ID; SCIM says {found}")
        mobile_id: str = found["Resources"][0]["id"]
        return mobile_id

    def wait_until_locked(self, mobile_id: str) -> None:
        """Wait for the CA's word on every certificate; `locking` is not `locked`."""
        deadline = time.monotonic() + LOCKED_WITHIN
        while (seen := self.mobile_id(mobile_id))["state"] != "locked":
            if time.monotonic() > deadline:
                raise CheckFailed(f"Mobile ID {mobile_id} was to be locked; SCIM says {seen}")
            time.sleep(LOOK_EVERY)
        self.must_say(seen, state="locked", status="revoked", ca_status="revoked")

    @staticmethod
    def must_say(mobile_id: Mapping[str, Any], *, state: str, status: str, ca_status: str) -> None:
        """Check what SCIM says of a mobile ID and of each of its certificates."""
        said = {(one["status"], one["caStatus"]) for one in mobile_id["certificates"]}
        if mobile_id["state"] != state or said != {(status, ca_status)}:
            raise CheckFailed(
                f"SCIM was to say {state}, {status}, {ca_status}; it says {mobile_id}"
            )

    def keep_certificates(self, mobile_id: Mapping[str, Any]) -> None:
        """Write the certificates of a mobile ID as files."""
        files = []
        for one in mobile_id["certificates"]:
            certificate = x509.load_der_x509_certificate(base64.b64decode(one["value"]))
            file = self.out / "certs" / f"{self._phones}-{one['type']}.pem"
            file.write_bytes(certificate.public_bytes(Encoding.PEM))
            files.append(file)
        self.certificates[mobile_id["id"]] = files

    def fetch_lists(self) -> None:
        """Fetch the chain and the newest CRL where the CA publishes, as a relying party does."""
        (self.out / "ca.pem").write_bytes(
            _pem(_fetched(self.told["chain_url"]), x509.load_der_x509_certificate)
        )
        (self.out / "crl.pem").write_bytes(
            _pem(_fetched(self.told["crl_url"]), x509.load_der_x509_crl)
        )

    def _scim(self, path: str, **query: str) -> dict[str, Any]:
        answer = httpx2.get(
            self.told["scim_url"] + path,
            params=query,
            headers={"Authorization": f"Bearer {self.told['scim_token']}"},
            timeout=HTTP_TIMEOUT,
        )
        if not answer.is_success:
            raise CheckFailed(f"GET {path} answered {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered


def _fetched(address: str) -> bytes:
    answer = httpx2.get(address, timeout=HTTP_TIMEOUT)
    if not answer.is_success:
        raise CheckFailed(f"{address} answered {answer.status_code}: {answer.text}")
    return answer.content


def _pem(
    content: bytes,
    load: Callable[[bytes], x509.Certificate | x509.CertificateRevocationList],
) -> bytes:
    """Return as PEM, which OpenSSL reads everywhere, what is published in DER (RFC 5280, 4.2.1.13)."""
    return content if content.startswith(b"-----") else load(content).public_bytes(Encoding.PEM)
