"""The phone of the examples: what it reads, what it refuses, and the whole way to a mobile ID."""

from __future__ import annotations

import ast
import io
import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from mobid import qr
from mobid.domain.mobile_ids import Device, ProfileState

if TYPE_CHECKING:
    from tests.examples.conftest import Place

PROGRAM = Path(__file__).resolve().parents[2] / "examples" / "phone" / "phone.py"
TOKEN = "k7Qf3mXb2Zt9Yp4LcR8sVd1WnHaJuE6GoTiMq0BxKeU"
PASSWORD = "correct-horse"


@dataclass(frozen=True)
class Run:
    """How one command of the phone ended."""

    status: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, object]]:
        """What was told in lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


class Phone:
    """A phone with a folder of its own, run in this process."""

    def __init__(
        self, folder: Path, environment: pytest.MonkeyPatch, streams: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._environment, self._streams = folder / "phone", environment, streams

    def __call__(
        self, command: str, *options: str | Path, typed: str = "", password: str | None = PASSWORD
    ) -> Run:
        """Run one command."""
        self._environment.delenv("PHONE_PASSWORD", raising=False)
        if password is not None:
            self._environment.setenv("PHONE_PASSWORD", password)
        return self._run(io.StringIO(typed), command, *options)

    def _run(self, stdin: io.StringIO, command: str, *options: str | Path) -> Run:
        self._environment.setattr("sys.stdin", stdin)
        self._streams.readouterr()
        status = self._main([command, "--state", str(self.folder), *map(str, options)])
        said = self._streams.readouterr()
        return Run(status, said.out, said.err)

    def at_a_terminal(self, command: str, *options: str | Path) -> Run:
        """Run one command where somebody can be asked."""
        return self._run(Terminal(), command, *options)

    def another(self, folder: Path) -> Phone:
        """Return a second phone."""
        return Phone(folder, self._environment, self._streams)

    def _main(self, arguments: list[str]) -> int:
        self._environment.syspath_prepend(PROGRAM.parent)
        try:
            return int(import_module("handset.cli").main(arguments))
        except SystemExit as wrong_usage:
            return int(wrong_usage.code or 0)


@pytest.fixture
def phone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Phone:
    """Return a new phone."""
    return Phone(tmp_path, monkeypatch, capsys)


def picture_of(text: str, path: Path) -> Path:
    """Write a QR code with a text."""
    path.write_bytes(qr.png(text))
    return path


def openssl(file: Path, *options: str) -> str:
    """Let OpenSSL open a PKCS#12 file, and return what it says."""
    arguments = ["openssl", "pkcs12", "-in", str(file), "-passin", "env:P12_PASSWORD", *options]
    environment = {"PATH": os.environ["PATH"], "P12_PASSWORD": PASSWORD}
    ended = subprocess.run(
        arguments, env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    return ended.stdout + ended.stderr


class TestReading:
    """From a picture, a link or a typed code to a server: only what is sure is taken."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (f"https://host.example/x#1.{TOKEN}", "no link to a mobile ID"),
            (f"https://host.example/e?a=1#1.{TOKEN}", "no link to a mobile ID"),
            ("otpauth://totp/x?secret=abc", "no link to a mobile ID"),
            ("hello", "no link to a mobile ID"),
            (f"https://host.example/e#2.{TOKEN}", "newer phone"),
            ("https://host.example/e", "newer phone"),
            (f"https://host.example/e#1.{TOKEN[:-1]}", "cut off"),
            (f"https://host.example/e#1.{TOKEN}&x=1", "cut off"),
            (f"http://host.example/e#1.{TOKEN}", "must be reached by https"),
            (f"http://localhost.example/e#1.{TOKEN}", "must be reached by https"),
            (f"ftp://localhost/e#1.{TOKEN}", "must be reached by https"),
            (f"https://a@host.example/e#1.{TOKEN}", "https://host"),
            (f"https:///e#1.{TOKEN}", "https://host"),
            (f"https://host.example:x/e#1.{TOKEN}", "address of the server"),
            (f"https://h\u00f6st.example/e#1.{TOKEN}", "https://host"),
        ],
    )
    def test_a_foreign_code_is_refused(
        self, phone: Phone, tmp_path: Path, text: str, words: str
    ) -> None:
        """Wrong usage, with words that do not repeat the secret; nothing is sent anywhere."""
        run = phone("claim", picture_of(text, tmp_path / "qr.png"))
        assert run.status == 2
        assert words in run.err
        assert TOKEN[:-1] not in run.err + run.out

    def test_a_screenshot_of_a_dark_page_is_read(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """The code is a small part of it, and scaled as browsers scale."""
        code = Image.open(server.picture(tmp_path / "qr.png")).convert("RGB")
        screen = Image.new("RGB", (1280, 800), "#11191f")
        screen.paste(code.resize((217, 217), Image.Resampling.BILINEAR), (700, 333))
        screen.save(tmp_path / "screenshot.png")
        run = phone("claim", tmp_path / "screenshot.png", "--ca-file", server.ca_file)
        assert (run.status, run.err) == (0, "")

    def test_a_picture_without_a_code(self, phone: Phone, tmp_path: Path) -> None:
        """It says how many were found."""
        Image.new("RGB", (200, 200), "white").save(tmp_path / "empty.png")
        run = phone("claim", tmp_path / "empty.png")
        assert (run.status, "has 0 readable QR codes" in run.err) == (2, True)

    def test_a_picture_with_two_codes(self, phone: Phone, tmp_path: Path) -> None:
        """The phone does not choose."""
        both = Image.new("RGB", (1000, 500), "white")
        for number in (0, 1):
            file = picture_of(f"https://host{number}.example/e#1.{TOKEN}", tmp_path / "one.png")
            both.paste(Image.open(file).convert("RGB"), (500 * number, 0))
        both.save(tmp_path / "both.png")
        run = phone("claim", tmp_path / "both.png")
        assert (run.status, "has 2 readable QR codes" in run.err) == (2, True)

    @pytest.mark.parametrize("content", [None, b"", b"not a picture"])
    def test_a_file_that_is_no_picture(
        self, phone: Phone, tmp_path: Path, content: bytes | None
    ) -> None:
        """Missing or broken, it is named."""
        file = tmp_path / "qr.png"
        if content is not None:
            file.write_bytes(content)
        run = phone("claim", file)
        assert (run.status, f"{file} cannot be read" in run.err) == (2, True)

    @pytest.mark.parametrize("given", ["abc", "0", "-1", "nan", "86401"])
    def test_a_wait_that_is_none(self, phone: Phone, tmp_path: Path, given: str) -> None:
        """It says what is wrong with it, and nothing is claimed."""
        run = phone("enrol", tmp_path / "qr.png", f"--wait={given}")
        assert (run.status, "is no number of seconds up to a day" in run.err) == (2, True)

    @pytest.mark.parametrize("code", ["", "ABCD", "ABCD-EFGH-JKMN-PQR", "ABCD-EFGH-JKMN-PQR!"])
    def test_a_typed_code_has_16_characters(self, phone: Phone, code: str) -> None:
        """What is too short never leaves the phone."""
        run = phone("claim", "--code", "--server", "https://host.example", typed=code)
        assert (run.status, "16 letters and digits" in run.err) == (2, True)

    @pytest.mark.parametrize(
        "options", [[], ["--code"], ["--url", "--server", "https://a.example"], ["x", "--url"]]
    )
    def test_one_way_to_the_code_is_given(self, phone: Phone, options: list[str]) -> None:
        """A picture, a link, or a typed code with its server."""
        run = phone("claim", *options)
        assert (run.status, "Give a PICTURE" in run.err) == (2, True)


class TestTrust:
    """Whom the phone believes."""

    def test_there_is_no_option_to_trust_everybody(self, phone: Phone) -> None:
        """An unknown option is wrong usage."""
        run = phone("enrol", "--insecure")
        assert (run.status, "--insecure" in run.err) == (2, True)

    def test_a_server_of_an_unknown_ca_is_refused(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """It names the remedy, and the code has not left the phone."""
        run = phone("claim", server.picture(tmp_path / "qr.png"))
        assert (run.status, "cannot be trusted" in run.err) == (1, True)
        assert "--ca-file" in run.err
        assert server.get.jwk is None

    def test_a_server_under_another_name_is_refused(self, phone: Phone, server: Place) -> None:
        """The certificate is for localhost, not for 127.0.0.1."""
        other = server.url.replace("localhost", "127.0.0.1")
        run = phone("claim", "--url", "--ca-file", server.ca_file, typed=f"{other}/e#1.{TOKEN}")
        assert (run.status, "cannot be trusted" in run.err) == (1, True)
        assert "certificate is not valid for '127.0.0.1'" in run.err
        assert server.get.jwk is None

    def test_a_ca_file_that_is_none(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """Wrong usage, and not trust in nobody or everybody."""
        run = phone("claim", server.picture(tmp_path / "qr.png"), "--ca-file", tmp_path / "no.pem")
        assert (run.status, "no.pem cannot be used" in run.err) == (2, True)

    def test_a_server_that_is_not_there(self, phone: Phone) -> None:
        """Nobody listens: an error of its own, after the folder was made."""
        run = phone("claim", "--url", "--json", typed=f"http://127.0.0.1:1/e#1.{TOKEN}")
        assert run.status == 1
        assert run.events[-1]["code"] == "UNREACHABLE"

    def test_a_certificate_for_another_key_is_not_installed(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """It is not confirmed either, so the server will revoke it."""
        server.get.for_other_keys = True
        run = phone("enrol", server.picture(tmp_path / "qr.png"), "--ca-file", server.ca_file)
        assert (run.status, "not for this phone's key" in run.err) == (1, True)
        assert server.get.state is ProfileState.PENDING
        assert list(phone.folder.glob("*.p12")) == []


class TestGet:
    """The whole way, in one go and step by step."""

    def test_in_one_go(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """Claim, keys, waiting, certificates, confirm; each told as a line of JSON."""
        server.get.polls = 1
        picture = server.picture(tmp_path / "qr.png")
        run = phone(
            "enrol", picture, "--ca-file", server.ca_file, "--name", "Anna's phone", "--json"
        )
        assert run.status == 0, run
        told = [event["event"] for event in run.events]
        assert told == [
            "claimed",
            "keys_sent",
            "waiting",
            "approved",
            "stored",
            "stored",
            "active",
        ]
        assert run.events[0]["number"] == 42
        assert server.get.state is ProfileState.ACTIVE
        assert server.get.device == Device(
            name="Anna's phone", platform="simulator", model="command line"
        )

    def test_a_person_sees_a_big_number(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """Once as text, for those who listen, and once drawn, for those across the room."""
        run = phone("claim", server.picture(tmp_path / "qr.png"), "--ca-file", server.ca_file)
        assert run.status == 0
        assert "MobileID Anna for anna@example.org (Example)" in run.out
        assert "If the page shows numbers, pick this one: 42" in run.out
        assert "    ##  ##      ######" in run.out

    def test_step_by_step(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """Every step is a process of its own, and each may be repeated."""
        trust = ("--ca-file", server.ca_file)
        assert phone("claim", server.picture(tmp_path / "qr.png"), *trust).status == 0
        assert phone("keys", *trust).status == 0
        assert phone("keys", *trust).status == 0
        assert server.get.sent[0] == server.get.sent[1]
        assert phone("collect", *trust).status == 0
        status = phone("status", *trust)
        assert (status.status, status.out) == (0, "The mobile ID is active.\n")

    def test_openssl_opens_what_is_stored(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """One PKCS#12 per certificate: AES-256 and SHA-256, with key and chain."""
        picture = server.picture(tmp_path / "qr.png")
        assert phone("enrol", picture, "--ca-file", server.ca_file).status == 0
        for kind in ("authentication", "signature"):
            said = openssl(phone.folder / f"{kind}.p12", "-info", "-nokeys")
            assert f"friendlyName: MobileID Anna ({kind})" in said
            assert "MAC: sha256" in said
            assert "PBES2, PBKDF2, AES-256-CBC, Iteration 50000, PRF hmacWithSHA256" in said
            assert said.count("BEGIN CERTIFICATE") == 2
            key = openssl(phone.folder / f"{kind}.p12", "-nocerts", "-noenc")
            assert key.count("BEGIN PRIVATE KEY") == 1

    def test_a_typed_code_is_as_good(self, phone: Phone, server: Place) -> None:
        """It is read from standard input, with the server as an option."""
        run = phone(
            "claim",
            *("--code", "--server", server.url, "--ca-file", server.ca_file),
            typed="0123-4567-89AB-CDEF\n",
        )
        assert run.status == 0

    def test_it_keeps_its_files_for_itself(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """Folder 0700, files 0600, no token, and no loose key of a certificate at the end."""
        picture = server.picture(tmp_path / "qr.png")
        assert phone("enrol", picture, "--ca-file", server.ca_file).status == 0
        assert stat.S_IMODE(phone.folder.stat().st_mode) == 0o700
        files = {file.name: file for file in phone.folder.iterdir()}
        assert set(files) == {
            "authentication.p12",
            "device.key",
            "signature.p12",
            "state.json",
            "transport.key",
        }
        assert {stat.S_IMODE(file.stat().st_mode) for file in files.values()} == {0o600}
        assert all(TOKEN.encode() not in file.read_bytes() for file in files.values())

    def test_a_folder_that_others_can_read_is_refused(self, phone: Phone) -> None:
        """Keys do not go into it."""
        phone.folder.mkdir()
        phone.folder.chmod(0o755)
        run = phone("claim", "--url", typed=f"http://127.0.0.1:1/e#1.{TOKEN}")
        assert (run.status, "chmod 700" in run.err) == (2, True)
        assert list(phone.folder.iterdir()) == []

    def test_a_second_phone_hears_the_server_s_words(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """The code belongs to the first."""
        picture = server.picture(tmp_path / "qr.png")
        assert phone("claim", picture, "--ca-file", server.ca_file).status == 0
        second = phone.another(tmp_path / "second")
        run = second("claim", picture, "--ca-file", server.ca_file, "--json")
        assert run.status == 1
        assert run.events == [
            {
                "event": "failed",
                "code": "CODE_NOT_USABLE",
                "detail": "This code cannot be used. Ask for a new code on the page and try again.",
            }
        ]

    def test_it_waits_no_longer_than_it_was_told(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """Then it ends, says what to do, and the same command goes on later."""
        server.get.polls = 2
        enrol = (server.picture(tmp_path / "qr.png"), "--ca-file", server.ca_file)
        run = phone("enrol", *enrol, "--wait", "0.1", "--json")
        assert (run.status, run.events[-1]["code"]) == (1, "NOT_IN_TIME")
        server.get.polls = 0
        assert phone("enrol", *enrol, "--wait", "0.1").status == 0

    def test_a_lost_answer_is_no_harm(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """The phone confirmed and does not know it: the same command finds out, and then is done."""
        server.get.lost = 1
        enrol = (server.picture(tmp_path / "qr.png"), "--ca-file", server.ca_file)
        assert phone("enrol", *enrol).status == 1
        assert phone("enrol", *enrol, "--json").events[-1] == {"event": "active"}
        assert len(server.get.sent) == 1
        again = phone("enrol", *enrol)
        assert (again.status, "has its mobile ID" in again.err) == (2, True)

    def test_remove_locks_and_deletes(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """The keys are gone; the phone can still ask what became of the mobile ID."""
        trust = ("--ca-file", server.ca_file)
        assert phone("enrol", server.picture(tmp_path / "qr.png"), *trust).status == 0
        run = phone("remove", *trust, "--json")
        assert run.events == [{"event": "removed", "state": "locking"}]
        assert {file.name for file in phone.folder.iterdir()} == {"device.key", "state.json"}
        assert phone("status", *trust, "--json").events[-1]["state"] == "locking"


def mail_with(tmp_path: Path, *pictures: Path) -> Path:
    """Write a mail with pictures, as mail programs save one."""
    mail = EmailMessage()
    mail["Subject"] = "Activate your mobile ID"
    mail.set_content("Scan the code.")
    mail.add_alternative("<img src=cid:qr>", subtype="html")
    for picture in pictures:
        mail.add_attachment(picture.read_bytes(), "image", "png", filename=picture.name)
    file = tmp_path / "letter.eml"
    file.write_bytes(mail.as_bytes())
    return file


class Terminal(io.StringIO):
    """A terminal at which somebody types."""

    def isatty(self) -> bool:
        """Tell that it is one."""
        return True


class TestMail:
    """A code that came by mail, and the one that only the page shows."""

    CODE = "ABCD-EFGH"

    def test_both_are_as_good_as_a_picture(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """The mail is read as it was saved, and the phone goes all the way."""
        server.get.mail_code = self.CODE
        mail = mail_with(tmp_path, server.picture(tmp_path / "qr.png"))
        given = ("--ca-file", server.ca_file, "--mail-code", self.CODE, "--json")
        run = phone("enrol", "--mail", mail, *given)
        assert (run.status, run.events[-1]) == (0, {"event": "active"})
        assert server.get.state is ProfileState.ACTIVE

    def test_a_program_is_told_that_it_is_needed(
        self, phone: Phone, server: Place, tmp_path: Path
    ) -> None:
        """And may run the same command again with it: nothing was claimed."""
        server.get.mail_code = self.CODE
        claim = ("--mail", mail_with(tmp_path, server.picture(tmp_path / "qr.png")))
        trust = ("--ca-file", server.ca_file, "--json")
        run = phone("claim", *claim, *trust)
        assert run.status == 1
        assert run.events[0] == {"event": "mail_code_needed", "tries_left": None}
        assert run.events[1]["code"] == "BAD_CODE"
        wrong = phone("claim", *claim, *trust, "--mail-code", "ABCD-EFGJ")
        assert wrong.events[0] == {"event": "mail_code_needed", "tries_left": 4}
        assert phone("claim", *claim, *trust, "--mail-code", self.CODE).status == 0

    def test_a_person_is_asked_on_the_terminal(
        self, phone: Phone, server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until it is right, or dead."""
        server.get.mail_code, typed = self.CODE, ["ABCD-EFGJ", self.CODE]
        monkeypatch.setattr("getpass.getpass", lambda _prompt: typed.pop(0))
        mail = mail_with(tmp_path, server.picture(tmp_path / "qr.png"))
        run = phone.at_a_terminal("claim", "--mail", mail, "--ca-file", server.ca_file)
        assert (run.status, typed) == (0, [])
        assert "This code came by mail." in run.out
        assert "That is not the code of the page. Tries left: 4." in run.out

    def test_nobody_is_asked_for_a_dead_one(
        self, phone: Phone, server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The page has to make another."""
        server.get.mail_code, typed = self.CODE, ["ABCD-EFGJ"] * 6
        monkeypatch.setattr("getpass.getpass", lambda _prompt: typed.pop())
        mail = mail_with(tmp_path, server.picture(tmp_path / "qr.png"))
        run = phone.at_a_terminal("claim", "--mail", mail, "--ca-file", server.ca_file)
        assert (run.status, len(typed)) == (1, 1)
        assert "BAD_CODE: The code of the page is dead. Get a new code there" in run.err

    @pytest.mark.parametrize("count", [0, 2])
    def test_a_mail_has_one_code(self, phone: Phone, tmp_path: Path, count: int) -> None:
        """The phone does not choose."""
        codes = [
            picture_of(f"https://host{at}.example/e#1.{TOKEN}", tmp_path / f"{at}.png")
            for at in range(count)
        ]
        run = phone("claim", "--mail", mail_with(tmp_path, *codes))
        assert (run.status, f"has {count} readable QR codes" in run.err) == (2, True)

    def test_a_file_that_is_no_mail(self, phone: Phone, tmp_path: Path) -> None:
        """Nor a picture in it, nor there at all."""
        (tmp_path / "letter.eml").write_bytes(b"\x00\xff")
        assert "has 0 readable" in phone("claim", "--mail", tmp_path / "letter.eml").err
        assert "cannot be read" in phone("claim", "--mail", tmp_path / "none.eml").err


class TestUsage:
    """What is asked for in the wrong order, or with something missing."""

    @pytest.mark.parametrize("command", ["keys", "collect", "status", "remove"])
    def test_a_new_phone_has_nothing_yet(self, phone: Phone, command: str) -> None:
        """A claim comes first."""
        run = phone(command)
        assert (run.status, "has claimed no code yet" in run.err) == (2, True)

    @pytest.mark.parametrize("password", [None, ""])
    def test_a_password_is_needed_before_anything_is_claimed(
        self, phone: Phone, server: Place, tmp_path: Path, password: str | None
    ) -> None:
        """Without one the code is left alone."""
        picture = server.picture(tmp_path / "qr.png")
        run = phone("enrol", picture, "--ca-file", server.ca_file, password=password)
        assert (run.status, "password" in run.err) == (2, True)
        assert server.get.jwk is None

    def test_a_phone_claims_one_code(self, phone: Phone, server: Place, tmp_path: Path) -> None:
        """Another mobile ID needs another folder."""
        picture = server.picture(tmp_path / "qr.png")
        assert phone("claim", picture, "--ca-file", server.ca_file).status == 0
        run = phone("claim", picture, "--ca-file", server.ca_file)
        assert (run.status, "take a new folder" in run.err) == (2, True)

    def test_it_stands_alone(self) -> None:
        """It imports nothing of the product, so that it can be taken along."""
        sources = [ast.parse(file.read_bytes()) for file in PROGRAM.parent.rglob("*.py")]
        nodes = [node for source in sources for node in ast.walk(source)]
        plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
        chosen = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
        assert "cryptography" in plain | {name.split(".")[0] for name in chosen}
        assert [name for name in plain | chosen if name.startswith("mobid")] == []

    def test_it_is_run_by_its_path(
        self, server: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`python examples/phone/phone.py` needs no installation, and no working directory."""
        monkeypatch.setenv("PHONE_PASSWORD", PASSWORD)
        picture, folder = server.picture(tmp_path / "qr.png"), tmp_path / "phone"
        command = [sys.executable, str(PROGRAM), "enrol", str(picture), "--state", str(folder)]
        ended = subprocess.run(
            [*command, "--ca-file", str(server.ca_file)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.endswith("The mobile ID is active.\n")
