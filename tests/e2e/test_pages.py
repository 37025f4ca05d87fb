"""The pages in a real browser without scripts, with the phone of the examples, against a real server."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zxingcpp
from PIL import Image

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
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo server of its own."""
    home = tmp_path_factory.mktemp("demo") / "home"
    command = [sys.executable, "-m", "mobid.cli", "demo", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("is ready" in line for line in server.stdout)
        yield json.loads((home / "demo.json").read_text("utf-8"))["base_url"]
        server.terminate()


@dataclass
class Visit:
    """A page of a browser, and whatever the browser complained about."""

    page: Page
    complaints: list[str]

    def note_failure(self, request: Request) -> None:
        """Remember what could not be loaded, unless the page was left before it was."""
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.url}: {request.failure}")

    def click(self, button: str) -> None:
        """Click what is called a button, and arrive."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    @property
    def title(self) -> str:
        """What the h1 says."""
        return self.page.get_by_role("heading", level=1).inner_text()

    def looks(self) -> Iterator[bytes]:
        """Yield pictures of the page, wide and narrow, light and dark; it must not be wider than them."""
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                picture = self.page.screenshot(full_page=True)
                with Image.open(io.BytesIO(picture)) as image:
                    assert image.width == width
                yield picture


@pytest.fixture
def visit(browser: Browser, demo: str) -> Iterator[Visit]:
    """A new browser profile without scripts, at the dashboard; it must have nothing to complain about."""
    context = browser.new_context(base_url=demo, java_script_enabled=False)
    visit = Visit(context.new_page(), [])
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
    visit.click("Alva Lind")
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
    visit.click("Bo Ek")
    visit.click("Get Mobile ID")
    visit.click("Next")
    link = visit.page.get_by_role("button", name="Open on this phone").get_attribute("href")
    assert [codes_in(picture) for picture in visit.looks()] == [[link]] * 4


def test_no_page_is_wider_than_the_screen(visit: Visit) -> None:
    """A narrow screen scrolls down, never to the side."""
    visit.click("Cleo Berg")
    for path in ("/", "/mobile-ids", "/sign-in", "/e"):
        visit.page.goto(path)
        assert len(list(visit.looks())) == 4


def test_the_keyboard_reaches_the_content_first(visit: Visit) -> None:
    """The first stop of Tab jumps over the menu, and can be seen."""
    visit.click("Cleo Berg")
    visit.page.keyboard.press("Tab")
    skip = visit.page.get_by_role("link", name="Skip to content")
    box = skip.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/#main")
