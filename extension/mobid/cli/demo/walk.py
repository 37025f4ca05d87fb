"""The walk: from a user that arrives over SCIM to a mobile ID that is locked and revoked.

It uses HTTP and files only and knows nothing of the server's inside. Every end state is checked by
OpenSSL, the CRL and OCSP; our own word is asked only to be compared with theirs.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import httpx2
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from scim2_client import SCIMClientException
from scim2_client.engines.httpx2 import SyncSCIMClient

from mobid.cli.demo.actors import HTTP_TIMEOUT, FrontEnd, Phone, running_server
from mobid.cli.demo.checks import CheckFailed, Verifier, find_openssl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
SCRIPT_URL: Final = "/admin/v1/scripts/MobileIDScriptOptions"
SCRIPT: Final = """\
# Two certificates for a year. People in Finance get them for half a year.
options.certificates = [cert.AUTHENTICATION, cert.SIGNATURE]
options.validity = years(1)
if user.has("department") and user.department == "Finance":
    options.validity = months(6)
options.server_name = "The walk"
"""
USER_NAME: Final = "walk.user"
PERSON: Final = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": USER_NAME,
    "displayName": "Walk User",
    "name": {"givenName": "Walk", "familyName": "User"},
    "emails": [{"value": "walk.user@example.org", "primary": True}],
    "active": True,
}
LOCKED_WITHIN: Final = 20.0
"""Seconds within which the CA must have confirmed a Lock."""
LOOK_EVERY: Final = 0.2


def walk(home: Path, keep: Path | None, phone: Path) -> int:
    """Walk the whole path; return 0 only if every check was met."""
    with tempfile.TemporaryDirectory(prefix="mobid-walk-") as scratch:
        out = keep or Path(scratch, "kept")
        (out / "certs").mkdir(parents=True, exist_ok=True)
        diary: list[dict[str, Any]] = []
        try:
            openssl = find_openssl()
            click.echo("The server starts …")
            with running_server(home, out / "server.log") as told:
                complete = Walk(told, out=out, phone=phone, openssl=openssl, diary=diary).go()
        except CheckFailed as failure:
            click.echo(f"The walk did not begin: {failure}", err=True)
            complete = False
        (out / "walk.json").write_text(
            json.dumps(diary, indent=2, ensure_ascii=False) + "\n", "utf-8"
        )
    click.echo(
        "Every step was as it must be." if complete else "The walk failed.", err=not complete
    )
    return 0 if complete else 1


class Walk:
    """One walk. Its steps are in the order of `STEPS`; each says in a line what was seen."""

    def __init__(
        self,
        told: Mapping[str, Any],
        *,
        out: Path,
        phone: Path,
        openssl: str,
        diary: list[dict[str, Any]],
    ) -> None:
        self._told: Final = told
        self._out: Final = out
        self._phone_program: Final = phone
        self._diary: Final = diary
        self._verifier: Final = Verifier(
            openssl=openssl,
            ca=out / "ca.pem",
            crl=out / "crl.pem",
            ocsp_url=f"{told['pki_url']}/ocsp",
        )
        self._front_end: FrontEnd
        self._instance: dict[str, Any] = {}
        self._phone: Phone
        self._phones = 0
        self._certificates: dict[str, Sequence[Path]] = {}

    def go(self) -> bool:
        """Take one step after the other until one fails; say whether none did."""
        for number, (title, step) in enumerate(STEPS, 1):
            begun = time.monotonic()
            try:
                outcome, passed = step(self), True
            except (CheckFailed, SCIMClientException, httpx2.HTTPError) as failure:
                outcome, passed = str(failure), False
            seconds = round(time.monotonic() - begun, 3)
            self._diary.append(
                {"step": title, "seconds": seconds, "passed": passed, "outcome": outcome}
            )
            click.echo(
                f"{'✓' if passed else '✗'} {number:2}/{len(STEPS)} {title}  ({seconds:.1f} s)"
            )
            click.echo(f"        {outcome}")
            if not passed:
                return False
        return True

    def user_arrives(self) -> str:
        """An identity manager creates a user, with a SCIM client that is not ours."""
        headers = {"Authorization": f"Bearer {self._told['scim_token']}"}
        with httpx2.Client(
            base_url=self._told["scim_url"], headers=headers, timeout=HTTP_TIMEOUT
        ) as http:
            scim = SyncSCIMClient(http)
            scim.discover()
            created = scim.create(scim.get_resource_model("User"), PERSON)
        user_id: str = getattr(created, "id", None) or ""
        if not user_id:
            raise CheckFailed(f"The user was not created: {created}")
        self._front_end = FrontEnd.of(self._told, user_id)
        return f"{USER_NAME} is user {user_id}"

    def script_decides(self) -> str:
        """An administrator tries an option script, stores it and activates it."""
        tried = self._admin("dry-run", source=SCRIPT, user_id=self._front_end.user_id)
        if tried["outcome"] != "ok":
            raise CheckFailed(f"The dry run of the option script ended with {tried}")
        version = self._admin("versions", source=SCRIPT, comment="For the walk")["version"]
        self._admin("activate", version=version, expected_active=version - 1)
        return f"version {version} is active; in the sandbox it took {tried['ms']:.0f} ms"

    def page_shows_code(self) -> str:
        """The user starts Get, clicks Next, and sees a QR code."""
        self._instance = self._front_end.start(GET)
        return self._show_code()

    def _show_code(self) -> str:
        self._instance = self._front_end.act(self._at("confirm"), "next")
        (self._out / "qr.png").write_bytes(self._front_end.picture(self._at("qr")))
        return f"{self._out / 'qr.png'}, good until {self._instance['step']['data']['code_expires_at']}"

    def phone_scans(self) -> str:
        """A phone reads the picture, claims the code, and sends the requests for its keys."""
        self._phones += 1
        self._phone = Phone(
            self._phone_program,
            self._out / f"phone-{self._phones}",
            self._out / "qr.png",
            f"Phone {self._phones} of the walk",
        )
        number = self._phone.hears("claimed")["number"]
        self._phone.hears("keys_sent")
        self._instance = self._front_end.wait_for(self._instance, step="approve")
        return f"the phone shows {number}"

    def user_approves(self) -> str:
        """The user picks the number that the phone shows, and clicks Next: the CA issues."""
        number = str(self._phone.hears("claimed")["number"])
        self._instance = self._front_end.act(self._at("approve"), "next", number=number)
        self._phone.hears("active")
        self._instance = self._front_end.wait_for(self._instance, step="done")
        mobile_id = self._mobile_id(self._instance["mobile_id"])
        self._must_say(mobile_id, state="active", status="valid", ca_status="valid")
        self._keep_certificates(mobile_id)
        return f"mobile ID {mobile_id['id']} is active with {len(mobile_id['certificates'])} certificates"

    def certificates_hold(self) -> str:
        """OpenSSL, the CRL and OCSP accept every certificate, and OpenSSL opens the phone's files."""
        self._fetch_lists()
        certificates = self._certificates[self._instance["mobile_id"]]
        for certificate in certificates:
            self._verifier.must_be_valid(certificate)
        for file in self._pkcs12_files():
            self._verifier.must_open(file)
        return f"{len(certificates)} certificates: OpenSSL says OK, OCSP says good"

    def second_get_locks(self) -> str:
        """The same user starts Get again, and is asked to lock the first mobile ID on the way."""
        self._instance = self._front_end.start(GET)
        before = self._only_active()
        self._instance = self._front_end.act(self._at("has_active"), "lock")
        self._wait_until_locked(before)
        self._show_code()
        return f"mobile ID {before} is locked, and a new code is shown"

    def first_is_revoked(self) -> str:
        """OpenSSL refuses every certificate of the first one; OCSP says revoked."""
        return self._all_revoked(next(iter(self._certificates)))

    def user_locks(self) -> str:
        """The user locks the second mobile ID."""
        mobile_id = self._instance["mobile_id"]
        self._instance = self._front_end.start(LOCK, mobile_id=mobile_id)
        self._instance = self._front_end.act(
            self._at("confirm_lock"), "next", reason="lost_or_stolen"
        )
        self._instance = self._front_end.wait_for(self._instance, step="done")
        self._wait_until_locked(mobile_id)
        return f"mobile ID {mobile_id} is locked"

    def everything_is_revoked(self) -> str:
        """OpenSSL refuses every certificate that was ever issued; OCSP says revoked."""
        return "; ".join(self._all_revoked(mobile_id) for mobile_id in self._certificates)

    def _all_revoked(self, mobile_id: str) -> str:
        self._fetch_lists()
        for certificate in self._certificates[mobile_id]:
            self._verifier.must_be_revoked(certificate)
        count = len(self._certificates[mobile_id])
        return f"{count} certificates of {mobile_id}: the CRL and OCSP say revoked"

    def _at(self, step: str) -> dict[str, Any]:
        """Return the instance, which must be at this step."""
        here = self._instance["step"]["name"]
        if here != step:
            raise CheckFailed(f'The process is at "{here}" and not at "{step}": {self._instance}')
        return self._instance

    def _admin(self, action: str, **body: object) -> dict[str, Any]:
        answer = httpx2.post(
            f"{self._told['base_url']}{SCRIPT_URL}/{action}",
            json=body,
            headers={"Authorization": f"Bearer {self._told['admin_token']}"},
            timeout=HTTP_TIMEOUT,
        )
        if not answer.is_success:
            raise CheckFailed(f"{action} answered {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered

    def _scim(self, path: str, **query: str) -> dict[str, Any]:
        answer = httpx2.get(
            self._told["scim_url"] + path,
            params=query,
            headers={"Authorization": f"Bearer {self._told['scim_token']}"},
            timeout=HTTP_TIMEOUT,
        )
        if not answer.is_success:
            raise CheckFailed(f"GET {path} answered {answer.status_code}: {answer.text}")
        answered: dict[str, Any] = answer.json()
        return answered

    def _mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID back over SCIM, with its certificates."""
        shown = "state,active,certificates,certificates.value"
        return self._scim(f"/MobileIDs/{mobile_id}", attributes=shown)

    def _only_active(self) -> str:
        found = self._scim(
            "/MobileIDs", filter=f'user.value eq "{self._front_end.user_id}" and active eq true'
        )
        if found["totalResults"] != 1:
            raise CheckFailed(f"The user was to have one active mobile ID; SCIM says {found}")
        mobile_id: str = found["Resources"][0]["id"]
        return mobile_id

    def _wait_until_locked(self, mobile_id: str) -> None:
        """Wait for the CA's word on every certificate; `locking` is not `locked`."""
        deadline = time.monotonic() + LOCKED_WITHIN
        while (seen := self._mobile_id(mobile_id))["state"] != "locked":
            if time.monotonic() > deadline:
                raise CheckFailed(f"Mobile ID {mobile_id} was to be locked; SCIM says {seen}")
            time.sleep(LOOK_EVERY)
        self._must_say(seen, state="locked", status="revoked", ca_status="revoked")

    @staticmethod
    def _must_say(mobile_id: Mapping[str, Any], *, state: str, status: str, ca_status: str) -> None:
        said = {(one["status"], one["caStatus"]) for one in mobile_id["certificates"]}
        if mobile_id["state"] != state or said != {(status, ca_status)}:
            raise CheckFailed(
                f"SCIM was to say {state}, {status}, {ca_status}; it says {mobile_id}"
            )

    def _keep_certificates(self, mobile_id: Mapping[str, Any]) -> None:
        files = []
        for one in mobile_id["certificates"]:
            certificate = x509.load_der_x509_certificate(base64.b64decode(one["value"]))
            file = self._out / "certs" / f"{self._phones}-{one['type']}.pem"
            file.write_bytes(certificate.public_bytes(Encoding.PEM))
            files.append(file)
        self._certificates[mobile_id["id"]] = files

    def _pkcs12_files(self) -> Sequence[Path]:
        files = sorted((self._out / f"phone-{self._phones}").rglob("*.p12"))
        if len(files) != len(self._certificates[self._instance["mobile_id"]]):
            raise CheckFailed(
                f"The phone was to store one PKCS #12 file per certificate; found {files}"
            )
        return files

    def _fetch_lists(self) -> None:
        """Fetch the chain and the newest CRL, as a relying party does: without any token."""
        for name, what in (("ca.pem", "chain"), ("crl.pem", "crl")):
            address = f"{self._told['pki_url']}/{what}?format=pem"
            answer = httpx2.get(address, timeout=HTTP_TIMEOUT)
            if not answer.is_success:
                raise CheckFailed(f"{address} answered {answer.status_code}: {answer.text}")
            (self._out / name).write_bytes(answer.content)


STEPS: Final[Sequence[tuple[str, Callable[[Walk], str]]]] = (
    ("A user arrives over SCIM", Walk.user_arrives),
    ("An option script decides", Walk.script_decides),
    ("Get: the page shows a QR code", Walk.page_shows_code),
    ("A phone scans it and makes its keys", Walk.phone_scans),
    ("The user approves this phone, the CA issues", Walk.user_approves),
    ("Every certificate holds", Walk.certificates_hold),
    ("A second Get, with Lock inside", Walk.second_get_locks),
    ("The first one's certificates are revoked", Walk.first_is_revoked),
    ("Another phone scans the new code", Walk.phone_scans),
    ("The user approves that phone", Walk.user_approves),
    ("Every certificate of the second one holds", Walk.certificates_hold),
    ("The user locks the second one", Walk.user_locks),
    ("Nothing that was ever issued is valid", Walk.everything_is_revoked),
)
