"""What pages never do: act on foreign forms, show what is another's, run foreign scripts, or be kept."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any, cast

import pytest
from flask import Flask
from flask_babel import Babel

from mobid import web

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Database
    from tests.extension.web.conftest import Handset, Page, Person, Site

    from mobid.app.product import Product
    from mobid.processes.runner import Runner

CSP = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@pytest.fixture
def database(sqlite_database: Database) -> Database:
    """One kind is enough: the pages that are asked for here ask nothing new of it."""
    return sqlite_database


@pytest.fixture
def alva(site: Site) -> Person:
    """Alva, signed in."""
    return site.person("Alva Lind")


@pytest.fixture
def every_page(site: Site, phone: Handset) -> list[Page]:
    """One of every kind of page, errors included."""
    alva = site.person("Alva Lind")
    done = phone.get_mobile_id(alva)
    active = alva.click(alva.open("/"), "Get Mobile ID")
    confirm = alva.click(active, "Lock")
    scan = alva.click(confirm, "Next")
    paths = ["/", "/mobile-ids", done.links["Mobile ID"], "/sign-in", "/e", "/no-such-page"]
    return [done, active, confirm, scan, *map(alva.open, paths), alva.open("/get")]


class TestForms:
    """A form counts only if this session was given it."""

    @pytest.mark.parametrize("path", ["/get", "/sign-in", "/sign-out"])
    def test_a_form_without_a_token(self, alva: Person, path: str) -> None:
        """It does nothing, and says what to do."""
        refused = alva.open(path, "POST", data={"user_id": "bo"})
        assert (refused.status, refused.title) == (400, "Bad Request")
        assert "came from another site, so nothing was done" in refused.text
        assert "You have no mobile ID." in alva.open("/").text

    def test_an_action_with_the_token_of_somebody_else(self, site: Site, alva: Person) -> None:
        """Neither Lock nor any other action can be sent by a page of somebody else."""
        confirm = alva.click(alva.open("/"), "Get Mobile ID")
        foreign = site.person("Bo Ek").open("/").forms[0].values["csrf_token"]
        data = confirm.forms[-1].values | {"csrf_token": foreign}
        assert alva.open(f"{confirm.path}/cancel", "POST", data=data).status == 400
        assert alva.open(confirm.path).title == "Get mobile ID"

    def test_other_interfaces_are_left_alone(self, site: Site) -> None:
        """They have no session that a foreign form could use."""
        site.app.add_url_rule("/api", view_func=lambda: "done", methods=["POST"])
        assert site.app.test_client().post("/api").status_code == 200

    @pytest.mark.parametrize("step_seq", [None, "", "one", "9" * 5000])
    def test_a_step_that_is_no_number(self, alva: Person, step_seq: str | None) -> None:
        """It is refused before anything is asked."""
        confirm = alva.click(alva.open("/"), "Get Mobile ID")
        data = confirm.forms[-1].values | {"step_seq": step_seq}
        refused = alva.open(f"{confirm.path}/next", "POST", data=data)
        assert refused.status == 400
        assert "does not say which step it is for" in refused.text

    def test_a_large_form(self, alva: Person) -> None:
        """No page has forms of this size."""
        assert alva.open("/get", "POST", data={"csrf_token": "x" * 20_000}).status == 413


class TestOwners:
    """Somebody else's is not there."""

    def test_runs(self, site: Site, alva: Person) -> None:
        """Neither shown nor acted upon."""
        confirm = alva.click(alva.open("/"), "Get Mobile ID")
        bo = site.person("Bo Ek")
        assert bo.open(confirm.path).status == 404
        data = {
            "csrf_token": bo.open("/").forms[0].values["csrf_token"],
            "step_seq": confirm.forms[-1].values["step_seq"],
        }
        assert bo.open(f"{confirm.path}/cancel", "POST", data=data).status == 404
        assert alva.open(confirm.path).title == "Get mobile ID"

    def test_mobile_ids(self, site: Site, alva: Person, phone: Handset) -> None:
        """Neither shown nor locked, and answered like one that never was."""
        path = phone.get_mobile_id(alva).links["Mobile ID"]
        bo = site.person("Bo Ek")
        data = {"csrf_token": bo.open("/").forms[0].values["csrf_token"]}
        for where in (path, f"/mobile-ids/{uuid.uuid4()}"):
            assert bo.open(where).status == 404
            refused = bo.open(f"{where}/lock", "POST", data=data)
            assert (refused.status, refused.title) == (404, "Not found")
        assert "You have no mobile ID." in bo.open("/mobile-ids").text
        assert "Active" in alva.open(path).text

    @pytest.mark.parametrize("path", ["/instances/1", "/mobile-ids/%00", "/instances/%ff"])
    def test_ids_that_are_none(self, alva: Person, path: str) -> None:
        """They are not found; no database is asked."""
        assert alva.open(path).status == 404


class TestHeaders:
    """What a browser is told."""

    def test_every_page(self, every_page: list[Page]) -> None:
        """Run nothing, load from here only, keep and frame nothing, tell nobody."""
        assert {page.status for page in every_page} == {200, 404, 405}
        for page in every_page:
            assert page.headers["Content-Security-Policy"] == CSP
            assert page.headers["X-Content-Type-Options"] == "nosniff"
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert page.headers["Cache-Control"] == "no-store"
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"

    def test_nothing_is_inline(self, every_page: list[Page]) -> None:
        """The policy forbids scripts and style in a page; one that needs them would break silently."""
        for page in every_page:
            names = {name for _, given in page.tags for name in given}
            scripts = [given for tag, given in page.tags if tag == "script"]
            assert all(str(given["src"]).startswith("/assets/") for given in scripts)
            assert len(re.findall(r"<script [^>]*></script>", page.source)) == len(scripts)
            assert "style" not in names | {tag for tag, _ in page.tags}
            assert not [name for name in names if name.startswith("on")]
            assert page.title

    def test_the_style_sheets_are_ours(self, site: Site, every_page: list[Page]) -> None:
        """They are served here, and a browser asks whether they have changed."""
        sheets = {
            given["href"]
            for page in every_page
            for tag, given in page.tags
            if tag == "link" and given["rel"] == "stylesheet"
        }
        assert sheets == {"/assets/vendor/pico.min.css", "/assets/mobid.css"}
        for sheet in sheets:
            with site.app.test_client().get(str(sheet)) as answer:
                assert answer.content_type == "text/css; charset=utf-8"
                assert answer.headers["Cache-Control"] == "no-cache"

    def test_the_cookie(self, site: Site) -> None:
        """Out of reach for scripts, other sites, other hosts, and plain http."""
        page = site.person().open("/sign-in")
        cookie = page.headers["Set-Cookie"]
        assert cookie.startswith("__Host-mobid=")
        assert cookie.endswith("; Secure; HttpOnly; Path=/; SameSite=Lax")


class TestErrors:
    """They look like pages."""

    def test_no_such_page(self, alva: Person) -> None:
        """The way back is on it."""
        page = alva.open("/no-such-page")
        assert (page.status, page.title) == (404, "Not Found")
        assert page.links["To the dashboard"] == "/"

    def test_a_wrong_method(self, alva: Person) -> None:
        """It names the right one."""
        page = alva.open("/get")
        assert page.status == 405
        assert "POST" in page.headers["Allow"]

    def test_a_fault_of_ours(
        self, product: Product, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It has a reference that is in the log, and nothing of the cause."""

        class Broken:
            def running(self, *_: object) -> None:
                raise RuntimeError("a detail")

        page = self._broken_app(product, cast("Any", Broken())).get("/").get_data(as_text=True)
        reference = page.partition("Its reference is ")[2].partition(".")[0]
        assert len(reference) > 4
        assert "a detail" not in page
        assert reference in capsys.readouterr().out + caplog.text

    @staticmethod
    def _broken_app(product: Product, runner: Runner) -> Any:
        app = Flask("broken", static_folder=None)
        app.secret_key = "secret"
        Babel(app)
        nothing: Callable[[Exception], None] = lambda _: None  # noqa: E731  # the empty table
        web.register(
            app,
            runner=runner,
            units=product.units,
            clock=product.clock,
            meaning_of=nothing,
            sign_in=tuple,
        )
        client = app.test_client()
        with client.session_transaction() as session:
            session["user_id"], session["auth_time"] = "alva", int(product.clock().timestamp())
        return client


class TestLanding:
    """The address in a QR code, opened in a browser or by a scanner of mails."""

    def test_it_does_and_keeps_nothing(self, site: Site) -> None:
        """GET and HEAD say what to do; there is no cookie, no form, and nothing to guess a code with."""
        client = site.app.test_client()
        page = client.get("/e")
        assert page.status_code == client.head("/e").status_code == 200
        assert "Open the app on your phone" in page.get_data(as_text=True)
        assert "<form" not in page.get_data(as_text=True)
        assert "Set-Cookie" not in page.headers
        assert client.post("/e").status_code == 405
