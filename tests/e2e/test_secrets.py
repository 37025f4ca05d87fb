"""Secrets stay where they belong: after a whole run none is in a log, a table, a command's answer.

Each secret is looked for in every form in which it could be written by accident: as it is, in
hexadecimal digits, in both alphabets of base64. That the search finds what is there is tried as well.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
import uuid
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwt

from mobid.app import Product
from mobid.auth.tokens import SCOPES
from mobid.cli import main
from mobid.cli.demo.mail_server import Postbox, mail_server
from mobid.config import key_folder, load
from mobid.domain.actors import SYSTEM
from mobid.storage.tables.access import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.conftest import Handset, Site

    from mobid.cli.demo.actors import FrontEnd
    from mobid.config import MailSettings

GET: Final = "MobileIDSelfServiceProcGet"
LOCK: Final = "MobileIDSelfServiceProcLock"
SCRIPT: Final = "/admin/v1/scripts/MobileIDScriptOptions"
USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
AT_LEAST: Final = 20
SHORTEST: Final = 8

Places = dict[str, bytes]


def forms_of(secret: bytes) -> Iterator[bytes]:
    """Yield a secret as it could be written: as it is, in hexadecimal digits, in base64."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for shift in range(3):  # base64 of a text that a secret stands in depends on where it stands
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * shift + secret)
            beginning = 4 if shift else 0
            yield encoded[beginning : len(encoded) - 4]


def secret_of(token: str) -> str:
    """Return the part of one of our tokens that is not its name."""
    return token.split("_", 3)[3]


def found_in(places: Places, planted: Mapping[str, bytes]) -> list[str]:
    """Return which secrets are where, in words."""
    return [
        f"{name} in {place}"
        for name, secret in planted.items()
        for form in [re.compile(b"|".join(re.escape(form) for form in forms_of(secret)))]
        for place, content in places.items()
        if form.search(content)
    ]


class Run:
    """One run of everything at a server with a mail server; it notes every secret on the way."""

    def __init__(self, site: Site, mail: MailSettings, postbox: Postbox) -> None:
        self.site: Final = site
        self.postbox: Final = postbox
        self.planted: Final[dict[str, bytes]] = {}
        self.answers: Final[list[bytes]] = []
        assert mail.password is not None
        self.plant("password of the mail server", mail.password.reveal())
        self.plant_keys()
        with Product(load(site.home, {})) as product:
            tokens = product.tokens
            admin = tokens.create("a", Audience.ADMIN, SCOPES[Audience.ADMIN], by=SYSTEM)
            revoked = tokens.create("b", Audience.SCIM, SCOPES[Audience.SCIM], by=SYSTEM)
            tokens.revoke(revoked.id, by=SYSTEM)
        self.admin: Final = admin.bearer.reveal()
        self.revoked: Final = revoked.bearer.reveal()
        for name, token in (("SCIM", site.token), ("admin", self.admin), ("revoked", self.revoked)):
            self.plant(f"{name} token", secret_of(token))

    def plant(self, name: str, secret: str | bytes) -> None:
        """Note a secret that is to be found nowhere."""
        plain = secret.encode() if isinstance(secret, str) else secret
        assert len(plain) >= SHORTEST, f"{name} is too short to be found by chance"
        self.planted[name] = plain

    def plant_keys(self) -> None:
        """Note the keys in the home, as files and as the numbers in them."""
        for file in key_folder(self.site.home).path.iterdir():
            content = file.read_bytes()
            if b"PRIVATE KEY" not in content:
                self.plant(file.name, content)
                continue
            key = load_pem_private_key(content, password=None)
            if isinstance(key, EllipticCurvePrivateKey):
                self.plant(file.name, key.private_numbers().private_value.to_bytes(32))
            else:
                raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
                self.plant(file.name, raw)
            self.plant(f"lines of {file.name}", content.splitlines()[1])

    # --- what happens ------------------------------------------------------------------------------

    def everything(self) -> None:
        """Do what there is to do, and much of what is refused."""
        self.get_and_lock()
        self.get_by_mail()
        self.sign_in_at_our_pages()
        self.be_refused()

    def get_and_lock(self) -> None:
        """Get a mobile ID by the page, with a renewed code, and lock it."""
        person = self.front_end("page")
        shown = person.act(person.start(GET), "next")
        self.plant_codes("first", shown)
        shown = person.act(shown, "renew")
        self.plant_codes("second", shown)
        person.picture(shown)
        phone = self.site.handset("Anna's phone")
        claimed = phone.claim(shown["step"]["data"]["typed_code"])
        self.finish(person, shown, phone, number=str(claimed.said["number"]))
        run = person.start(LOCK, mobile_id=shown["mobile_id"])
        person.act(run, "next")
        self.site.until_locked(shown["mobile_id"])

    def get_by_mail(self) -> None:
        """Get one with link and code on two ways; a wrong code comes first."""
        self.admin_call("versions", source='options.qr_location = "email"\n', comment="By mail")
        self.admin_call("activate", version=1, expected_active=0)
        person = self.front_end("mail")
        shown = person.act(person.start(GET), "next")
        link = self.link_in_the_mail()
        self.plant("token in a mail", link)
        code = str(shown["step"]["data"]["mail_code"])
        self.plant("mail code", code)
        self.plant("mail code without its hyphen", code.replace("-", ""))
        phone = self.site.handset("Anna's phone")
        assert phone.claim(link, mail_code="0000-0000").code == "BAD_CODE"
        assert phone.claim(link, mail_code=code).status == 200
        self.finish(person, shown, phone)

    def finish(
        self, person: FrontEnd, shown: dict[str, Any], phone: Handset, **answer: object
    ) -> None:
        """Let the phone send its keys, approve it, and let it confirm."""
        assert phone.keys().status == 200
        person.act(person.wait_for(shown, step="approve"), "next", **answer)
        shown = person.wait_for(shown, step="creating")
        while (result := phone.result()).status == 202:
            time.sleep(0.05)
        assert phone.confirm(result.said["certificates"]).said == {"state": "active"}
        for number, key in enumerate(phone.private_keys):
            self.plant(f"key {number} of the phone of {person.user_id}", key)

    def plant_codes(self, which: str, shown: Mapping[str, Any]) -> None:
        """Note the codes that a run shows."""
        data = shown["step"]["data"]
        self.plant(f"{which} token", data["link"].partition("#1.")[2])
        self.plant(f"{which} typed code", data["typed_code"])
        self.plant(f"{which} typed code without hyphens", data["typed_code"].replace("-", ""))

    def link_in_the_mail(self) -> str:
        """Wait for the mail, and return the token in its link."""
        for _ in range(200):
            for kept in self.postbox.newest_first():
                text = message_from_bytes(kept.raw, policy=policy.default).get_body(("plain",))
                found = re.search(r"/e#1\.([A-Za-z0-9_-]{43})", text.get_content() if text else "")
                if found:
                    return found[1]
            time.sleep(0.05)
        pytest.fail(f"no mail with a link came; the server said {self.site.said()}")

    def sign_in_at_our_pages(self) -> None:
        """Sign in with a click, look at the dashboard, and sign out."""
        with httpx2.Client(base_url=self.site.url, timeout=20) as browser:
            page = browser.get("/sign-in").text
            csrf = re.search(r'name="csrf_token" value="([^"]+)"', page)
            somebody = re.search(r'name="user_id" value="([^"]+)"', page)
            assert csrf is not None
            assert somebody is not None
            said = {"csrf_token": csrf[1], "user_id": somebody[1]}
            assert browser.post("/sign-in", data=said).status_code == 303
            assert browser.get("/").status_code == 200
            self.plant("CSRF token", csrf[1])
            for name, value in browser.cookies.items():
                self.plant(f"cookie {name}", value)

    def be_refused(self) -> None:
        """Send secrets where they do not belong, and let each be refused."""
        site, invented = self.site, f"mid_scim_{'a' * 16}_{secrets.token_urlsafe(32)}"
        self.plant("invented token", secret_of(invented))
        password = secrets.token_urlsafe(24)
        self.plant("password of a user", password)
        used = self.assertion(self.front_end("used").user_id)
        self.plant("assertion", used.rpartition(".")[2])
        body = {"schemas": [USER], "userName": uuid.uuid4().hex, "password": password}
        guess = secrets.token_urlsafe(32)
        self.plant("guessed token", guess)
        assert site.handset("Mallory").claim(guess).status == 410
        bearer = "Authorization"
        for method, path, headers, content in (
            ("GET", f"/scim/v2/Users?access_token={site.token}", {}, None),
            ("GET", "/scim/v2/Users", {bearer: f"Bearer {invented}"}, None),
            ("GET", "/scim/v2/Users", {bearer: f"Bearer {self.revoked}"}, None),
            ("GET", "/scim/v2/Users", {bearer: f"Bearer {self.admin}"}, None),
            ("GET", SCRIPT, {bearer: f"Bearer {site.token}"}, None),
            ("GET", "/processes", {bearer: f"Bearer {used}"}, None),
            ("GET", "/processes", {bearer: f"Bearer {used}"}, None),
            ("GET", f"/nothing/{site.token}", {}, None),
            ("POST", "/scim/v2/Users", {bearer: f"Bearer {site.token}"}, body),
            ("POST", "/device/v1/claim", {}, {"code": guess}),
        ):
            answer = httpx2.request(
                method, site.url + path, headers=headers, json=content, timeout=20
            )
            assert answer.status_code < 500
            self.answers.append(answer.content)

    # --- who does it -------------------------------------------------------------------------------

    def front_end(self, _what: str) -> FrontEnd:
        """Return a person at the front end, whose key is a secret, too."""
        person = self.site.person()
        key = person.key.as_dict(private=True)["d"]
        self.plant("key of the front end", base64.urlsafe_b64decode(f"{key}="))
        self._key = person.key
        return person

    def assertion(self, user_id: str) -> str:
        """Return an assertion for a person."""
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": "intranet",
            "sub": user_id,
            "aud": self.site.url,
            "iat": now,
            "exp": now + 60,
            "jti": uuid.uuid4().hex,
            "auth_time": now,
        }
        return jwt.encode({"alg": "ES256"}, claims, self._key)

    def admin_call(self, action: str, **body: object) -> None:
        """Call the admin interface."""
        answer = httpx2.post(
            f"{self.site.url}{SCRIPT}/{action}",
            json=body,
            headers={"Authorization": f"Bearer {self.admin}"},
            timeout=20,
        )
        assert answer.is_success, answer.text

    # --- where they could be -----------------------------------------------------------------------

    def places(self) -> Places:
        """Return everything that is written, answered to strangers, or shown."""
        return {
            "the log": self.site.said().encode(),
            "answers to strangers": b"\n".join(self.answers),
            "the command line": Path(f"/proc/{self.site.pid}/cmdline").read_bytes(),
            **self.tables(),
        }

    def commands(self) -> Places:
        """Return what commands show that read of secrets."""
        shown: Places = {}
        for words in ("token list", "effects list", "config show"):
            done = CliRunner().invoke(main, ["--home", str(self.site.home), *words.split()])
            assert done.exit_code == 0, done.output
            shown[f"mobid {words}"] = done.output.encode()
        return shown

    def tables(self) -> Places:
        """Return every table of the database, those of the jobs as well, and its file."""
        found: Places = {}
        engine = self.site.engine
        with engine.connect() as connection:
            inspector = sa.inspect(connection)
            for schema in inspector.get_schema_names():
                if schema in {"information_schema", "pg_catalog"}:
                    continue
                for name in inspector.get_table_names(schema):
                    table = sa.table(name, schema=schema)
                    rows = connection.execute(sa.select(sa.text("*")).select_from(table))
                    found[f"table {schema}.{name}"] = b"\n".join(
                        bytes(value)
                        if isinstance(value, bytes | memoryview)
                        else str(value).encode()
                        for row in rows
                        for value in row
                    )
            connection.rollback()
        if engine.url.get_backend_name() == "sqlite":
            folder = Path(str(engine.url.database)).parent
            found |= {f"file {file.name}": file.read_bytes() for file in folder.iterdir()}
        return found


@pytest.mark.usefixtures("process_of_its_own")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_secrets_are_found_nowhere(
    new_site: Callable[..., Site], tmp_path: Path, kind: str
) -> None:
    """After Get by page and by mail, Lock, sign-in, and many refusals, logged from debug on."""
    postbox, database_password = Postbox(), secrets.token_urlsafe(24)
    with mail_server(postbox, tmp_path) as mail:
        assert mail.password is not None
        settings = (
            'demo = true\nlog_level = "debug"\n'
            f'[mail]\nhost = "{mail.host}"\nport = {mail.port}\nsender = "{mail.sender}"\n'
            f'username = "{mail.username}"\npassword = "{mail.password.reveal()}"\n'
            f'ca_file = "{mail.ca_file}"\ntimeout = "1s"\n'
            '[times]\nattempt_lost = "4s"\n'
        )
        site = new_site(kind, settings, database_password)
        site.serve(forked=False)
        run = Run(site, mail, postbox)
        if kind == "postgresql":
            run.plant("password of the database", database_password)
        run.everything()
    assert len(run.planted) >= AT_LEAST
    places = run.places() | run.commands()
    assert sum("workflow" in place for place in places) > 1  # the jobs' own tables
    assert places["the log"].count(b"\n") > 5
    assert found_in(places, run.planted) == []

    # What is there would have been found.
    code = run.planted["mail code"].decode()
    token = run.planted["first token"]
    person = site.person()
    with site.engine.begin() as connection:
        rename = sa.text("UPDATE users SET display_name = :name WHERE id = :id")
        connection.execute(rename, {"name": f"the code is {code}.", "id": person.user_id})
    with site.log.open("ab") as log:
        log.write(b"claim of " + base64.b64encode(b"to " + token + b"!") + b"\n")
    seen = set(found_in(run.places(), run.planted))
    assert {"first token in the log"} < seen
    assert any(one.startswith("mail code in table ") for one in seen)


def test_every_form_of_a_secret_is_looked_for() -> None:
    """However it was written, and wherever in a longer text it stands."""
    secret = secrets.token_bytes(32)
    for before in (b"", b"a", b"ab", b"abc"):
        text = before + secret + b"?"
        written = [
            text,
            text.hex().encode(),
            text.hex().upper().encode(),
            base64.b64encode(text),
            base64.urlsafe_b64encode(text),
        ]
        for place in written:
            assert found_in({"it": place}, {"secret": secret}) == ["secret in it"]
    assert found_in({"it": secrets.token_bytes(4096)}, {"secret": secret}) == []
