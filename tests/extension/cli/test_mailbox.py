"""The demo's mail server and its mailbox: real mails arrive, and none of them gets anything done."""

from __future__ import annotations

import base64
import email
import io
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest
import zxingcpp
from PIL import Image
from waitress.server import create_server

from mobid import qr
from mobid.app import Product, create_app, initialise
from mobid.cli.demo.mail_server import MOST_KEPT, Postbox, mail_server
from mobid.cli.demo.mailbox import PREFIX, add_mailbox
from mobid.cli.demo.server import demo_settings
from mobid.domain.mails import MailEvent
from mobid.notify import SMTPMailer, check_connection
from mobid.processes.mailing import Enclosed, Letter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient

    from mobid.config import MailSettings

LINK: Final = "https://mobid.example.org/e#1.k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
EVIL: Final = (
    '<p id="state">at rest</p><img src="https://example.invalid/seen.png">'
    '<script>document.getElementById("state").textContent = "at work"</script>'
)


@dataclass(frozen=True)
class Demo:
    """A demo with its mail server."""

    app: Flask
    postbox: Postbox
    mail: MailSettings
    mails: Path

    @property
    def client(self) -> FlaskClient:
        """A browser that nobody has signed in with."""
        return self.app.test_client()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests, as `mobid demo` puts it together."""
    folder = tmp_path_factory.mktemp("demo")
    mails = folder / "mails"
    mails.mkdir()
    postbox = Postbox(mails)
    with ExitStack() as running:
        settings = demo_settings(folder / "home", 8080)
        mail = running.enter_context(mail_server(postbox, settings.home))
        settings = replace(settings, mail=mail)
        initialise(settings, ca_name="test CA")
        app = create_app(running.enter_context(Product(settings)))
        add_mailbox(app, postbox)
        yield Demo(app, postbox, mail, mails)


@pytest.fixture
def letter() -> Letter:
    """A letter with a code."""
    now = datetime.now(UTC)
    return Letter(
        id="m-1",
        event=MailEvent.QR_CODE,
        to="alva.lind@example.org",
        values={
            "name": "Alva Lind",
            "at": now,
            "server_name": "The demo",
            "profile_name": "MobileID Alva",
            "url": "https://mobid.example.org/instances/1",
            "expires_at": now + timedelta(days=1),
        },
        enclosed=Enclosed(link=LINK, typed_code="MFZW-1Z3B-0N2G-K3T1", picture=qr.png(LINK)),
    )


@pytest.fixture
def number(demo: Demo, letter: Letter) -> int:
    """The number of a mail that our own mailer has just sent."""
    SMTPMailer(demo.mail).send(letter)
    return demo.postbox.newest_first()[0].number


@pytest.fixture
def evil(demo: Demo) -> int:
    """The number of a mail whose writer wants to get something done."""
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = EVIL
    message["To"] = "alva.lind@example.org"
    message["From"] = "evil@example.com"
    message.set_content(EVIL)
    message.add_alternative(f"<html><head></head><body>{EVIL}</body></html>", subtype="html")
    demo.postbox.take(message.as_bytes())
    return demo.postbox.newest_first()[0].number


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an app on a free port; give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = create_server(app, sockets=[listener])
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.close()
        thread.join(10)


@pytest.fixture
def dump(tmp_path: Path) -> Callable[[str], str]:
    """Let Chromium, which CI must have, load an address, and return what it made of the page."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("There is no chromium; CI needs it.")
        pytest.skip("There is no chromium.")

    def load(address: str) -> str:
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run(
            [*command, "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout

    return load


class TestServer:
    """It is spoken to as any other mail server: there is no short cut."""

    def test_our_mailer_reaches_it(self, demo: Demo, number: int, letter: Letter) -> None:
        """With a certificate that is checked and a login; the folder has the mail, too."""
        check_connection(demo.mail)
        kept = demo.postbox.get(number)
        assert kept is not None
        assert (demo.mails / f"{number:04}.eml").read_bytes() == kept.raw
        assert email.message_from_bytes(kept.raw)["To"] == letter.to
        assert "draft" not in {file.suffix for file in demo.mails.iterdir()}

    def test_it_takes_nothing_in_the_clear(self, demo: Demo) -> None:
        """Neither a mail nor a password."""
        with smtplib.SMTP(demo.mail.host, demo.mail.port, timeout=10) as host:
            host.ehlo()
            assert not host.has_extn("auth")
            assert host.mail("a@example.org")[0] == 530

    def test_it_takes_nothing_from_strangers(self, demo: Demo) -> None:
        """Nobody but this demo knows its password, which is another one each time."""
        context = ssl.create_default_context(cafile=demo.mail.ca_file)
        with smtplib.SMTP(demo.mail.host, demo.mail.port, timeout=10) as host:
            host.starttls(context=context)
            host.ehlo()
            assert host.mail("a@example.org")[0] == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                host.login("demo", "demo")

    def test_it_keeps_the_newest_only(self) -> None:
        """A demo that runs for weeks does not grow."""
        postbox = Postbox()
        for number in range(MOST_KEPT + 5):
            postbox.take(str(number).encode())
        kept = postbox.newest_first()
        assert [one.raw for one in kept[:2]] == [b"204", b"203"]
        assert len(kept) == MOST_KEPT
        assert postbox.get(5) is None
        assert postbox.get(6) is not None


class TestPages:
    """What a person sees."""

    def test_the_list_has_every_mail_and_leads_to_it(self, demo: Demo, number: int) -> None:
        """Subject and recipient, the newest first."""
        page = demo.client.get(PREFIX).get_data(as_text=True)
        newest = page.index(f'href="{PREFIX}/{number}"')
        assert page.index("Activate your mobile ID") > newest
        assert "alva.lind@example.org" in page
        assert page.find(f'href="{PREFIX}/{number - 1}"') in {-1, *range(newest, len(page))}

    def test_sign_in_leads_to_it(self, demo: Demo) -> None:
        """Whoever tries the mail channel finds the mails."""
        assert f'href="{PREFIX}"' in demo.client.get("/sign-in").get_data(as_text=True)

    def test_a_mail_is_shown_in_a_frame_and_as_text(self, demo: Demo, number: int) -> None:
        """The frame may open pages of their own, and nothing else."""
        page = demo.client.get(f"{PREFIX}/{number}").get_data(as_text=True)
        frame = re.search(r"<iframe [^>]*>", page)
        assert frame is not None
        assert f'src="{PREFIX}/{number}/html"' in frame[0]
        assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame[0]
        assert LINK in page

    def test_the_frame_has_the_picture_in_it(self, demo: Demo, number: int) -> None:
        """A camera can read the code from the page, and no second request is needed."""
        html = demo.client.get(f"{PREFIX}/{number}/html").get_data(as_text=True)
        assert "cid:" not in html
        assert '<base target="_blank">' in html
        picture = re.search(r'src="data:image/png;base64,([^"]+)"', html)
        assert picture is not None
        (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(base64.b64decode(picture[1]))))
        assert code.text == LINK

    def test_it_can_be_downloaded_as_it_was_sent(self, demo: Demo, number: int) -> None:
        """Byte by byte, and never shown in the browser."""
        answer = demo.client.get(f"{PREFIX}/{number}.eml")
        kept = demo.postbox.get(number)
        assert kept is not None
        assert answer.data == kept.raw
        assert answer.headers["Content-Type"] == "message/rfc822"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="mail-{number}.eml"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    @pytest.mark.parametrize("address", ["999", "999/html", "999.eml", "0", "-1", "../1"])
    def test_a_mail_that_is_not_there_is_not_found(self, demo: Demo, address: str) -> None:
        """It says so on a page."""
        assert demo.client.get(f"{PREFIX}/{address}").status_code == 404

    def test_a_mail_without_html_has_no_frame(self, demo: Demo) -> None:
        """Its text is shown at once."""
        demo.postbox.take(b"Subject: plain\r\nTo: a@example.org\r\n\r\nonly text\r\n")
        number = demo.postbox.newest_first()[0].number
        page = demo.client.get(f"{PREFIX}/{number}").get_data(as_text=True)
        assert "<iframe" not in page
        assert "only text" in page
        assert demo.client.get(f"{PREFIX}/{number}/html").status_code == 404


class TestHostileMail:
    """Whoever writes to a mailbox must not get hold of its reader."""

    @pytest.mark.parametrize("place", ["", "/{number}"])
    def test_its_headers_and_its_text_are_text(self, demo: Demo, evil: int, place: str) -> None:
        """Nothing that it says becomes an element of our page."""
        page = demo.client.get(PREFIX + place.format(number=evil)).get_data(as_text=True)
        assert "<script>document" not in page
        assert "<img src=" not in re.sub(r'<img src="/assets/[^>]*>', "", page)
        assert "&lt;script&gt;document" in page

    def test_its_html_runs_nothing_and_loads_nothing(self, demo: Demo, evil: int) -> None:
        """The browser is told with the frame itself, so that opening it alone is no way around."""
        answer = demo.client.get(f"{PREFIX}/{evil}/html")
        assert EVIL in answer.get_data(as_text=True)
        (told,) = answer.headers.getlist("Content-Security-Policy")
        rules = dict(rule.partition(" ")[::2] for rule in told.split("; "))
        assert rules == {
            "sandbox": "allow-popups allow-popups-to-escape-sandbox",
            "default-src": "'none'",
            "style-src": "'unsafe-inline'",
            "img-src": "data:",
            "form-action": "'none'",
            "base-uri": "'none'",
            "frame-ancestors": "'self'",
        }

    def test_a_browser_leaves_it_at_rest(
        self, demo: Demo, evil: int, tmp_path: Path, dump: Callable[[str], str]
    ) -> None:
        """The same page from a file does its work; from the mailbox it does not."""
        file = tmp_path / "evil.html"
        file.write_text(EVIL)
        assert ">at work<" in dump(file.as_uri())
        with served(demo.app) as base:
            assert ">at rest<" in dump(f"{base}{PREFIX}/{evil}/html")

    def test_our_pages_load_from_here_only(self, demo: Demo, evil: int) -> None:
        """They frame what is ours, and nobody frames them."""
        for place in (PREFIX, f"{PREFIX}/{evil}"):
            told = demo.client.get(place).headers["Content-Security-Policy"]
            assert "default-src 'none'" in told
            assert "frame-src 'self'" in told
            assert "frame-ancestors 'none'" in told
            assert "unsafe" not in told
            assert "http" not in told


def test_without_a_demo_there_is_no_mailbox(tmp_path: Path) -> None:
    """Not a page, and not a link to one."""
    settings = replace(demo_settings(tmp_path / "home", 8080), demo=False)
    initialise(settings, ca_name="test CA")
    with Product(settings) as product:
        client = create_app(product).test_client()
        assert client.get(PREFIX).status_code == 404
        assert PREFIX not in client.get("/sign-in").get_data(as_text=True)


@pytest.mark.parametrize("options", [(), ("--walk",)], ids=["demo", "walk"])
def test_a_missing_extra_is_named_in_one_line(tmp_path: Path, options: tuple[str, ...]) -> None:
    """With the command that installs it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in {'aiosmtpd', 'httpx2', 'zxingcpp', 'scim2_client'}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
    )
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [sys.executable, "-m", "mobid.cli", "demo", "--port", "0", *options],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout + done.stderr == (
        'Error: The demo needs the extra "demo" '
        f"({'httpx2' if options else 'aiosmtpd'} is missing): pip install 'mobid[demo]'\n"
    )
