"""The pages in a real browser, with and without scripts, with the phone of the examples and a real server."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx2
import pytest
import zxingcpp
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from mobid.domain.mails import MailEvent
from mobid.notify.texts import write
from mobid.processes.mailing import Enclosed, Letter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page, Request

playwright = pytest.importorskip("playwright.sync_api")

PHONE = Path(__file__).parents[2] / "examples" / "phone" / "phone.py"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
]
WIDTHS = (1280, 360)
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
LINES_OF_LABELS = """[...document.querySelectorAll('td.quiet')].map(label => {
    const text = document.createRange();
    text.selectNodeContents(label);
    return text.getClientRects().length;
})"""
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, which CI must have."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("There is no chromium; CI needs it.")
        pytest.skip("There is no chromium.")
    with playwright.sync_playwright() as programs:
        browser = programs.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a demo server of its own tells programs."""
    home = tmp_path_factory.mktemp("demo") / "home"
    command = [sys.executable, "-m", "mobid.cli", "demo", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("is ready" in line for line in server.stdout)
        yield json.loads((home / "demo.json").read_text("utf-8"))
        server.terminate()


@pytest.fixture
def newcomer(demo: dict[str, Any]) -> str:
    """The name of a person who has just arrived over SCIM, and whom no other test knows."""
    user_name = f"person.{uuid.uuid4()}"
    name = f"Test {user_name[-12:]}"
    person = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": user_name,
        "displayName": name,
        "emails": [{"value": f"{user_name}@example.org"}],
    }
    headers = {"Authorization": f"Bearer {demo['scim_token']}"}
    answer = httpx2.post(f"{demo['scim_url']}/Users", json=person, headers=headers)
    assert answer.status_code == 201, answer.text
    return name


@dataclass
class Visit:
    """A page of a browser, and whatever the browser complained about."""

    page: Page
    name: str
    """Who can sign in, and has nothing yet."""
    complaints: list[str]

    def note_failure(self, request: Request) -> None:
        """Remember what could not be loaded, unless the page was left before it was."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def click(self, button: str) -> None:
        """Click what is called a button, and arrive."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    def must_be_accessible(self) -> None:
        """Let axe-core look for what keeps people out, on a wide light page and a narrow dark one."""
        for width, scheme in zip(WIDTHS, SCHEMES, strict=True):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": STANDARDS}})
            broken = [
                (rule["id"], [node["html"] for node in rule["nodes"]])
                for rule in found.response["violations"]
            ]
            assert broken == [], f"{self.title}: {broken}"

    @property
    def title(self) -> str:
        """What the h1 says."""
        return self.page.get_by_role("heading", level=1).inner_text()

    def looks(self) -> Iterator[bytes]:
        """Yield pictures of the page, wide and narrow, light and dark; it must not be wider than them."""
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                picture = self.page.screenshot(full_page=True)
                with Image.open(io.BytesIO(picture)) as image:
                    assert image.width == width
                yield picture


@pytest.fixture
def visit(browser: Browser, demo: dict[str, Any], newcomer: str) -> Iterator[Visit]:
    """Somebody whose browser runs no scripts."""
    with visiting(browser, demo, newcomer, scripts=False) as visit:
        yield visit


@pytest.fixture
def scripted_visit(browser: Browser, demo: dict[str, Any], newcomer: str) -> Iterator[Visit]:
    """Somebody whose browser runs our scripts."""
    with visiting(browser, demo, newcomer, scripts=True) as visit:
        yield visit


@contextmanager
def visiting(
    browser: Browser, demo: dict[str, Any], name: str, *, scripts: bool
) -> Iterator[Visit]:
    """A new browser profile, at the dashboard; in the end it must have nothing to complain about."""
    context = browser.new_context(base_url=demo["base_url"], java_script_enabled=scripts)
    context.set_default_timeout(15_000)
    visit = Visit(context.new_page(), name, [])
    visit.page.on("console", lambda message: visit.complaints.append(message.text))
    visit.page.on("requestfailed", visit.note_failure)
    visit.page.goto("/")
    yield visit
    context.close()
    assert visit.complaints == []


class Phone:
    """The phone of the examples."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def does(self, *command: str) -> dict[str, Any]:
        """Let it do something; return the last that it told."""
        done = subprocess.run(
            [sys.executable, PHONE, *command, "--state", self._folder / "state", "--json"],
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
            env=os.environ | {"PHONE_PASSWORD": "for a test"},
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return told

    def scan(self, picture: bytes) -> str:
        """Read the code in a picture of the page, claim it, send keys; return the number shown."""
        path = self._folder / "page.png"
        path.write_bytes(picture)
        number = str(self.does("claim", str(path), "--name", "Pixel 9")["number"])
        self.does("keys")
        return number


def codes_in(picture: bytes) -> list[str]:
    """Return what the QR codes of a picture say."""
    with Image.open(io.BytesIO(picture)) as image:
        return [code.text for code in zxingcpp.read_barcodes(image)]


def test_get_and_lock(visit: Visit, tmp_path: Path) -> None:
    """From the dashboard to an active mobile ID and on to a locked one, by clicks and a screenshot."""
    phone = Phone(tmp_path)
    visit.click(visit.name)
    visit.click("Get Mobile ID")
    visit.click("Next")
    number = phone.scan(visit.page.screenshot())
    visit.click("Next")
    visit.page.get_by_role("radio", name=number, exact=True).check()
    visit.click("Next")
    assert visit.title == "Creating your mobile ID"
    assert len(list(visit.looks())) == 4
    assert phone.does("collect")["event"] == "active"
    # The page is loaded again by itself until there is something to say.
    visit.page.get_by_role("heading", name="Your mobile ID is ready").wait_for()
    visit.click("Mobile ID")
    visit.page.get_by_text("Possible actions").click()
    visit.click("Lock mobile ID")
    visit.page.get_by_role("radio", name="I have a new phone").check()
    visit.click("Next")
    visit.page.get_by_role("heading", name="Mobile ID locked").wait_for()
    assert phone.does("status")["state"] == "locked"


def test_the_code_can_be_read_from_every_look(visit: Visit) -> None:
    """Wide and narrow, light and dark: a camera sees the same code, with its quiet zone."""
    visit.click(visit.name)
    visit.click("Get Mobile ID")
    visit.click("Next")
    link = visit.page.get_by_role("button", name="Open on this phone").get_attribute("href")
    assert [codes_in(picture) for picture in visit.looks()] == [[link]] * 4


def test_no_page_is_wider_than_the_screen(visit: Visit) -> None:
    """A narrow screen scrolls down, never to the side."""
    visit.click(visit.name)
    for path in ("/", "/mobile-ids", "/sign-in", "/e"):
        visit.page.goto(path)
        assert len(list(visit.looks())) == 4


def test_the_keyboard_reaches_the_content_first(visit: Visit) -> None:
    """The first stop of Tab jumps over the menu, and can be seen."""
    visit.click(visit.name)
    visit.page.keyboard.press("Tab")
    skip = visit.page.get_by_role("link", name="Skip to content")
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/#main")


def test_a_page_with_scripts_moves_by_itself(scripted_visit: Visit, tmp_path: Path) -> None:
    """The code counts down; when the phone has come, its owner is asked without a click, and told the end."""
    visit, phone = scripted_visit, Phone(tmp_path)
    visit.click(visit.name)
    visit.click("Get Mobile ID")
    visit.click("Next")
    assert visit.page.locator(".left").inner_text() in {"10:00", "9:59", "9:58", "9:57"}
    number = phone.scan(visit.page.screenshot())
    visit.page.get_by_role("heading", name="Is this your phone?").wait_for()
    visit.must_be_accessible()
    visit.page.get_by_role("radio", name=number, exact=True).check()
    visit.click("Next")
    assert phone.does("collect")["event"] == "active"
    visit.page.get_by_role("heading", name="Your mobile ID is ready").wait_for()
    assert visit.page.evaluate("document.activeElement.tagName") == "H1"
    visit.must_be_accessible()
    visit.page.goto("/")
    visit.must_be_accessible()
    visit.click("Get Mobile ID")
    visit.must_be_accessible()
    visit.click("Cancel")
    visit.page.goto("/mobile-ids")
    visit.must_be_accessible()
    assert len(list(visit.looks())) == 4
    visit.page.get_by_role("link", name=f"MobileID {visit.name}").first.click()
    assert not visit.page.get_by_role("button", name="Lock mobile ID").is_visible()
    visit.page.goto(f"{visit.page.url}#lock")  # as the mail leads there
    visit.must_be_accessible()
    visit.click("Lock mobile ID")
    visit.must_be_accessible()


@pytest.mark.parametrize("event", list(MailEvent))
def test_no_mail_is_wider_than_a_phone(browser: Browser, event: MailEvent) -> None:
    """However a phone calls itself, it pushes nothing of what is said beside it out of sight."""
    said = dict.fromkeys(
        ("name", "server_name", "profile_name", "user_id", "device", "reason", "reference"),
        "W" * 128,
    )
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    said |= {"by": "an operator", "address": f"w•••@{'w' * 200}.example", "url": "https://x/"}
    values = said | {"at": at, "expires_at": at, "valid_to": at, "days": 7}
    values["certificates"] = ["Signature"]
    enclosed = Enclosed(link=f"https://{'w' * 60}.example/e#1.x", typed_code="A-B", picture=b"")
    letter = Letter(id="1", event=event, to="w@example.org", values=values, enclosed=enclosed)
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.set_content(write(letter, host="example.org").html)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert {1} >= set(page.evaluate(LINES_OF_LABELS))
    page.close()


@pytest.mark.parametrize("path", ["/sign-in", "/e", "/no-such-page"])
def test_pages_for_strangers_are_accessible(scripted_visit: Visit, path: str) -> None:
    """So are those that nobody needs to sign in for."""
    scripted_visit.page.goto(path)
    scripted_visit.complaints.clear()  # a page that is not there is told to the console as well
    scripted_visit.must_be_accessible()


def test_the_code_with_scripts_is_accessible(scripted_visit: Visit) -> None:
    """The code, its countdown, and the buttons that copy."""
    scripted_visit.click(scripted_visit.name)
    scripted_visit.must_be_accessible()
    scripted_visit.click("Get Mobile ID")
    scripted_visit.must_be_accessible()
    scripted_visit.click("Next")
    scripted_visit.must_be_accessible()
    scripted_visit.click("Cancel")
    scripted_visit.must_be_accessible()
