"""The pages of a product on a real database, a person who knows forms only, and a phone with real keys."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, cast

import pytest
from flask import Flask
from flask_babel import Babel
from jinja2 import BytecodeCache
from sqlalchemy import update
from typing_extensions import override
from werkzeug.exceptions import HTTPException

from mobid import web
from mobid.app.errors import meaning_of
from mobid.app.product import Product
from mobid.auth.sessions import cookie_settings
from mobid.ca.builtin import initialise
from mobid.config import MailSecurity, MailSettings, Secret, Settings, create_home
from mobid.domain.actors import Actor, ActorKind
from mobid.domain.mobile_ids import Device
from mobid.domain.users import UserState
from mobid.optionscripts import SCRIPT_NAME
from mobid.processes.authority import Unavailable
from mobid.processes.cascades import user_deactivated
from mobid.processes.enrolment import Caller as Phone
from mobid.processes.enrolment import Result
from mobid.storage.tables import users
from mobid.storage.users import UserRow, insert_user

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from jinja2.bccache import Bucket
    from tests.conftest import Database, Orders, StandingClock
    from werkzeug.test import TestResponse

    from mobid.domain.users import User

NAMES = {"alva": "Alva Lind", "bo": "Bo Ek"}


@dataclass
class Form:
    """A form of a page: where it goes, and what a browser would send with it."""

    method: str
    action: str
    values: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    buttons: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """By their words: where each goes, and what it adds."""


class Page(HTMLParser):
    """A page as a person without scripts has it: text, links and forms."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__()
        self.status = response.status_code
        self.path = response.request.path
        self.source = response.get_data(as_text=True)
        self.headers = response.headers
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._open: tuple[str, dict[str, str | None], int] | None = None
        self.feed(self.source)
        self.text = " ".join(" ".join(self._words).split())

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "form":
            self.forms.append(Form(given.get("method") or "get", given.get("action") or self.path))
        elif tag == "input" and given.get("type") == "hidden":
            self.forms[-1].values[given["name"] or ""] = given["value"] or ""
        elif tag == "input":
            self.forms[-1].choices.setdefault(given["name"] or "", []).append(given["value"] or "")
        elif tag == "a" or (tag == "button" and "hidden" not in given):
            self._open = tag, given, len(self._words)

    @override
    def handle_endtag(self, tag: str) -> None:
        if self._open is None or tag != self._open[0]:
            return
        _, given, start = self._open
        words = " ".join(" ".join(self._words[start:]).split())
        if tag == "a":
            self.links[words] = given["href"] or ""
        else:
            adds = {given["name"] or "": given["value"] or ""} if "name" in given else {}
            target = given.get("formaction") or self.forms[-1].action
            self.forms[-1].buttons[words] = target, adds
        self._open = None

    @override
    def handle_data(self, data: str) -> None:
        self._words.append(data)

    @property
    def title(self) -> str:
        """What its only h1 says."""
        (title,) = re.findall(r"<h1 [^>]*>(.*?)</h1>", self.source, re.DOTALL)
        return str(title)

    @property
    def buttons(self) -> list[str]:
        """The words of all buttons beside *Sign out*, in their order."""
        return [name for form in self.forms for name in form.buttons if name != "Sign out"]


class Person:
    """Somebody with a browser that runs no scripts: follows links, and clicks buttons of forms."""

    def __init__(self, app: Flask, base_url: str) -> None:
        self.client = app.test_client()
        self.base_url = base_url

    def open(self, path: str, method: str = "GET", **values: Any) -> Page:
        """Go to an address, and wherever it leads."""
        return Page(
            self.client.open(
                path, method=method, base_url=self.base_url, follow_redirects=True, **values
            )
        )

    def click(self, page: Page, button: str, **chosen: str | list[str]) -> Page:
        """Click a button of a form after choosing something in it."""
        form = next(form for form in page.forms if button in form.buttons)
        action, adds = form.buttons[button]
        data: dict[str, str | list[str]] = {**form.values, **adds}
        for name, value in chosen.items():
            (control,) = (one for one in form.choices if one.endswith(f".{name}"))
            assert set([value] if isinstance(value, str) else value) <= set(form.choices[control])
            data[control] = value
        return self.open(action, form.method.upper(), data=data)

    def sign_in(self, name: str = "Alva Lind") -> Page:
        """Choose who to be."""
        return self.click(self.open("/sign-in"), name)


@dataclass(frozen=True)
class Site:
    """Pages over a product."""

    product: Product
    app: Flask

    def person(self, name: str | None = None) -> Person:
        """Somebody new at the pages, signed in if there is a name."""
        person = Person(self.app, self.product.settings.public_url)
        if name is not None:
            assert person.sign_in(name).title == f"Welcome, {name}"
        return person

    def deactivate(self, user_id: str) -> None:
        """Deactivate a user, as SCIM does."""
        with self.product.transactions.writing() as connection:
            row = update(users).where(users.c.id == user_id)
            connection.execute(row.values(state=UserState.INACTIVE))
        with self.product.units() as unit:
            user_deactivated(unit, user_id, by=Actor(ActorKind.SCIM_CLIENT, "hr"))
            unit.commit()

    def use_script(self, source: str) -> None:
        """Let an administrator's option script decide from now on."""
        by = Actor(ActorKind.OPERATOR, "admin")
        script = self.product.scripts.push(SCRIPT_NAME, source, by=by, comment="for a test")
        self.product.scripts.activate(SCRIPT_NAME, script.version, expected=0, by=by)


@pytest.fixture
def product(database: Database, clock: StandingClock, tmp_path: Path) -> Iterator[Product]:
    """A product with two users, as they came over SCIM, and a CA of its own."""
    home = tmp_path / "home"
    folder = create_home(home)
    initialise(folder.path, name="Example Mobile ID CA", now=clock())
    settings = Settings(
        home=home,
        database_url=Secret(database.url),
        public_url="https://mobid.example.org",
        # Nobody listens there: what becomes of mails is not for pages to decide.
        mail=MailSettings(
            host="127.0.0.1", port=9, security=MailSecurity.NONE, sender="mobid@example.org"
        ),
    )
    with Product(settings, clock=clock) as product:
        product.effects.prepare()
        product.reconciliation.probe()
        with product.transactions.writing() as connection:
            for name, display_name in NAMES.items():
                row = UserRow(
                    id=name,
                    state=UserState.ACTIVE,
                    user_name=name,
                    user_name_key=name,
                    display_name=display_name,
                    email=f"{name}@example.org",
                    created_at=clock(),
                    changed_at=clock(),
                    client="hr",
                    doc="{}",
                )
                insert_user(connection, row)
        yield product


class Compiled(BytecodeCache):
    """Templates that need not be compiled for each app anew."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


def pages_of(product: Product, *, demo: bool) -> Flask:
    """Make an app that has nothing but the pages."""

    def people() -> Sequence[User]:
        with product.units.reading() as unit:
            return [unit.users.get(name) for name in NAMES]

    app = Flask("pages", static_folder=None)
    app.jinja_options = {"bytecode_cache": COMPILED}
    app.secret_key = product.keys.session.reveal()
    app.config.update(cookie_settings(product.settings.public_url))
    Babel(app)
    web.register(
        app,
        runner=product.runner,
        units=product.units,
        clock=product.clock,
        meaning_of=meaning_of,
        sign_in=people if demo else None,
    )
    app.register_error_handler(HTTPException, web.error_page)
    return app


@pytest.fixture
def site(product: Product) -> Site:
    """The pages of a demo."""
    return Site(product, pages_of(product, demo=True))


@pytest.fixture
def site_without_login(product: Product) -> Site:
    """The pages of a product that has not been told how people sign in."""
    return Site(product, pages_of(product, demo=False))


class Handset:
    """A phone with real keys, next to the page whose code it scans."""

    def __init__(self, product: Product, order_of: Orders) -> None:
        self._phones = product.phones
        self._order_of = order_of
        self.number = ""

    def scan(self, page: Page, name: str = "Pixel 9") -> None:
        """Claim the code of a page, make keys and send them."""
        code = re.search(r"/e#1\.([\w-]{43})", page.links["Open on this phone"])
        assert code is not None
        claimed = self._phones.claim(
            code[1], thumbprint="thumb", jwk={"kty": "EC"}, device=Device(name=name)
        )
        self.number = str(claimed.number)
        self._self = Phone(claimed.enrolment_id, "thumb")
        csrs = {kind: self._order_of.csr() for kind in claimed.kinds}
        self._phones.keys(self._self, csrs, None)

    def get_mobile_id(self, person: Person) -> Page:
        """Walk a Get to its end with somebody; return the page that says so."""
        page = person.click(person.click(person.open("/"), "Get Mobile ID"), "Next")
        self.scan(page)
        page = person.click(person.click(page, "Next"), "Next", number=self.number)
        self.confirm()
        return person.open(page.path)

    def confirm(self) -> None:
        """Fetch every certificate, and say so."""
        result = self._phones.result(self._self)
        assert isinstance(result, Result)
        hashes = frozenset(hashlib.sha256(one.der).digest() for one in result.certificates)
        self._phones.confirm(self._self, hashes)


class CAThatMayBeAway:
    """The CA of a product, which does not answer while it is away."""

    def __init__(self, product: Product) -> None:
        self.is_away = False
        (self._name,) = product.authorities
        self._ca = product.authorities[self._name]
        cast("dict[str, object]", product.authorities)[self._name] = self

    def __getattr__(self, verb: str) -> object:
        def silence(*_: object) -> None:
            raise Unavailable("The CA is away.")

        return silence if self.is_away else getattr(self._ca, verb)


@pytest.fixture
def ca(product: Product) -> CAThatMayBeAway:
    """The CA of the product."""
    return CAThatMayBeAway(product)


@pytest.fixture
def phone(product: Product, order_of: Orders) -> Handset:
    """A phone."""
    return Handset(product, order_of)
