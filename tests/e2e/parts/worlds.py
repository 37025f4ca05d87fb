"""The product in the process of the tests, at a clock that moves by hand, and everybody around it."""

from __future__ import annotations

import base64
import json
import re
import secrets
import sys
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from cryptography import x509
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.e2e.parts.homes import make_home
from tests.e2e.parts.people import SHOWN, Person, a_user
from tests.e2e.parts.phones import Answer, Handset
from tests.e2e.parts.waiting import until

from mobid.app import Product, create_app
from mobid.auth.sessions import sign_in
from mobid.auth.tokens import SCOPES
from mobid.cli.demo.server import register_front_end
from mobid.config import load
from mobid.domain.actors import SYSTEM
from mobid.processes.authority import AuthorityError, Reason
from mobid.processes.not_yet import NotYet
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from flask.testing import FlaskClient
    from tests.e2e.connector.mobid_line import CAOnALine
    from werkzeug.test import TestResponse

    from mobid.processes.mailing import Letter

CONNECTOR: Final = Path(__file__).parents[1] / "connector"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BY_MAIL: Final = "by mail"
"""The `userType` of those whose codes are mailed."""
_SCRIPT: Final = f"""\
options.validity = days(1)
if user.userType == "{BY_MAIL}":
    options.qr_location = "email"
"""


class Mailbox:
    """Takes every letter."""

    def __init__(self) -> None:
        self._letters: Final[list[Letter]] = []

    def send(self, letter: Letter) -> None:
        """Keep it."""
        self._letters.append(letter)

    def told(self, address: str) -> list[str]:
        """Return what somebody was told, in its order."""
        return [one.event.value for one in self._letters if one.to == address]

    def last_to(self, address: str) -> Letter:
        """Return the newest letter to somebody."""
        return next(one for one in reversed(self._letters) if one.to == address)


class Clock:
    """A clock that is moved by hand. It begins today: certificates of the CA begin then, too."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return what it shows."""
        return self.now

    def pass_by(self, time: timedelta) -> None:
        """Let time go by."""
        self.now += time


class World:
    """One product on one database behind its own HTTP, and everybody around it.

    Its CA hangs on a line that `line_is_cut` cuts. No worker runs: what is not done at once is done
    by `work`, when a test says so. Tests share it; each has persons of its own.
    """

    def __init__(self, home: Path, database_url: str) -> None:
        self.home: Final = home
        self.clock: Final = Clock()
        self.switches: Final = home.parent / "switches"
        self.switches.mkdir()
        make_home(
            home,
            database_url=database_url,
            port=8080,
            more='demo = true\nauthority = "line"\n'
            f'authority_settings = {{ switches = "{self.switches}" }}\n',
        )
        self.mailbox: Final = Mailbox()
        self.product: Final = Product(load(home, {}), clock=self.clock, mailer=self.mailbox)
        self.app: Final = create_app(self.product)
        self.http: Final[FlaskClient] = self.app.test_client()
        self._key: Final = ECKey.import_key(register_front_end(self.product, "intranet"))
        self._tokens: Final = {
            audience: self.product.tokens.create(
                "test", audience, SCOPES[audience], by=SYSTEM
            ).bearer.reveal()
            for audience in Audience
        }
        stored = self.admin("versions", source=_SCRIPT, comment="For the tests")
        assert stored.status_code == 201, stored.text
        assert self.admin("activate", version=1, expected_active=0).status_code == 200

    @property
    def url(self) -> str:
        """Where it is."""
        return self.product.settings.public_url

    @property
    def ca(self) -> CAOnALine:
        """The CA itself, at its end of the line."""
        return cast("CAOnALine", self.product.authorities["line"])

    def person(self, kind: str = "") -> Person:
        """Return a new active user, who arrived over SCIM; `BY_MAIL` is one whose codes are mailed."""
        user = a_user(userType=kind or "staff")
        answer = self.scim("POST", "/Users", user)
        assert answer.status_code == 201, answer.text
        stored = cast("dict[str, Any]", answer.json)
        return Person(self, str(stored["id"]), str(user["emails"][0]["value"]))

    def scim(
        self, method: str, path: str, body: object = None, *, if_match: str | None = None
    ) -> TestResponse:
        """Send a SCIM request, perhaps on the condition that this is still the version."""
        headers = {"Authorization": f"Bearer {self._tokens[Audience.SCIM]}"}
        headers |= {} if if_match is None else {"If-Match": if_match}
        return self.http.open(f"/scim/v2{path}", method=method, json=body, headers=headers)

    def admin(self, action: str, **body: object) -> TestResponse:
        """Do something with the option script."""
        return self.http.post(
            f"/admin/v1/scripts/MobileIDScriptOptions/{action}",
            json=body,
            headers={"Authorization": f"Bearer {self._tokens[Audience.ADMIN]}"},
        )

    def patch(self, path: str, name: str, value: object) -> TestResponse:
        """Replace one attribute over SCIM."""
        operation = {"op": "replace", "path": name, "value": value}
        return self.scim("PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]})

    def mobile_id(self, mobile_id: str) -> dict[str, Any]:
        """Read a mobile ID over SCIM."""
        answer = self.scim("GET", f"/MobileIDs/{mobile_id}?attributes={SHOWN}")
        assert answer.status_code == 200, answer.text
        return cast("dict[str, Any]", answer.json)

    def revoke_behind_our_back(self, mobile_id: str) -> None:
        """Let somebody at the CA revoke the first certificate of a mobile ID."""
        shown = self.scim("GET", f"/MobileIDs/{mobile_id}?attributes=certificates.value").json
        first = cast("dict[str, Any]", shown)["certificates"][0]["value"]
        self.ca.revoke(base64.b64decode(first), Reason.AFFILIATION_CHANGED, self.clock())

    def revoked(self) -> dict[str, str]:
        """Return what the CA's list says: the reason of each serial number on it."""
        (name,) = self.product.publishers
        answer = self.http.get(f"/pki/{name}/crl")
        listed = x509.load_der_x509_crl(answer.data)
        return {format(one.serial_number, "x"): _reason_of(one) for one in listed}

    def handset(self, name: str) -> Handset:
        """Return a phone."""

        def post(path: str, body: bytes) -> Answer:
            answer = self.http.post(path, data=body, content_type="application/jose+json")
            return Answer(
                answer.status_code,
                json.loads(answer.data),
                answer.headers.get("Replay-Nonce", ""),
            )

        return Handset(self.url, post, name)

    def assertion(self, user_id: str) -> str:
        """Say who is signed in at the front end."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": "intranet",
            "sub": user_id,
            "aud": self.url,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            "auth_time": now,
        }
        return jwt.encode({"alg": "ES256"}, claims, self._key)

    def page_of(self, person: Person) -> str:
        """Return the words of the page that shows the run of a person, who is signed in there."""
        browser = self.app.test_client()
        with browser.session_transaction(base_url=self.url) as session:
            sign_in(session, person.user_id, self.clock())
        page = browser.get(f"/instances/{person.instance['id']}", base_url=self.url)
        assert page.status_code == 200, page.text
        return " ".join(re.sub(r"<[^>]*>", " ", page.text).split())

    @contextmanager
    def line_is_cut(self) -> Iterator[None]:
        """Cut the line to the CA while the block runs."""
        with self._switched("cut"):
            yield

    @contextmanager
    def ca_refuses(self) -> Iterator[None]:
        """Let the CA reject every order while the block runs."""
        with self._switched("refuse"):
            yield

    def work(self) -> None:
        """Do what wants work, as a worker does when its time has come."""
        do: Mapping[str, Callable[[str], None]] = {
            "certificate": self.product.certificate_work,
            "instance": self.product.instance_work,
            "mail": self.product.mail_work,
        }
        for one in self.product.effects.overview():
            with suppress(AuthorityError, NotYet):
                do[one.kind](one.id)

    def until(self, true: Callable[[], object], what: str) -> None:
        """Let work be done until something is true."""

        def worked() -> object:
            if not true():
                self.work()
            return true()

        until(worked, what)

    def close(self) -> None:
        """Give back what it holds."""
        self.product.close()

    @contextmanager
    def _switched(self, name: str) -> Iterator[None]:
        switch = self.switches / name
        switch.touch()
        try:
            yield
        finally:
            switch.unlink()


def _reason_of(revoked: x509.RevokedCertificate) -> str:
    try:
        return str(revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.value)
    except x509.ExtensionNotFound:
        return "unspecified"


@contextmanager
def connector_installed() -> Iterator[None]:
    """Let the connector of these tests be found while the block runs, and by no other test."""
    sys.path.append(str(CONNECTOR))
    try:
        yield
    finally:
        sys.path.remove(str(CONNECTOR))
