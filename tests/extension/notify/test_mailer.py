"""The mailer against real mail servers: what arrives, whom it trusts, and what it says of failures."""

from __future__ import annotations

import email
import io
import re
import socket
import time
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.message import EmailMessage, MIMEPart
from typing import TYPE_CHECKING, Any, Final

import pytest
import zxingcpp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mobid.config import InvalidSettings, MailSecurity, MailSettings, Secret
from mobid.domain.mails import MailEvent
from mobid.notify import SMTPMailer, check_connection
from mobid.processes.mailing import Letter, MailRefused, MailUnavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

SHORT: Final = timedelta(milliseconds=300)
GREETING: Final = b"220 mx.test\r\n"


def parsed(raw: bytes) -> EmailMessage:
    """Read a message as a mail program does."""
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def tree(message: MIMEPart) -> Any:
    """Return types of parts: a name, or a name and what is inside."""
    if message.is_multipart():
        return message.get_content_type(), [tree(part) for part in message.iter_parts()]
    return message.get_content_type()


def header_lines(raw: bytes) -> list[str]:
    """Return the names of headers as anybody might read them: after every kind of line break."""
    head = raw.split(b"\r\n\r\n", 1)[0].decode()
    return [line.split(":")[0] for line in head.splitlines() if not line.startswith((" ", "\t"))]


class TestArrives:
    """A letter that the server takes."""

    def test_over_tls_with_a_login_to_one_recipient(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """From the address of the settings, to the address of the letter."""
        SMTPMailer(mail_settings).send(letter)
        (got,) = server.box.received
        assert (got.over_tls, got.login) == (True, True)
        assert got.sender == "no-reply@mobid.example.org"
        assert got.recipients == ["asa@example.org"]

    def test_with_the_headers_that_it_needs_and_no_others(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """The Message-ID is the letter's, and nobody's out-of-office notice answers (RFC 3834)."""
        SMTPMailer(mail_settings).send(letter)
        SMTPMailer(mail_settings).send(letter)
        first, again = (parsed(got.raw) for got in server.box.received)
        assert {name: str(value) for name, value in first.items()} == {
            "Subject": "Activate your mobile ID",
            "From": "Mobile ID <no-reply@mobid.example.org>",
            "To": "asa@example.org",
            "Date": str(first["Date"]),
            "Message-ID": f"<{letter.id}@mobid.example.org>",
            "Auto-Submitted": "auto-generated",
            "MIME-Version": "1.0",
            "Content-Type": str(first["Content-Type"]),
        }
        assert again["Message-ID"] == first["Message-ID"]
        assert abs(first["Date"].datetime.timestamp() - time.time()) < 60

    def test_as_text_and_as_html_with_its_picture(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """The picture belongs to the HTML part, is shown by it, and decodes to the link."""
        SMTPMailer(mail_settings).send(letter)
        message = parsed(server.box.received[0].raw)
        assert tree(message) == (
            "multipart/alternative",
            ["text/plain", ("multipart/related", ["text/html", "image/png"])],
        )
        html = message.get_body(("html",))
        assert html is not None
        picture = next(part for part in message.walk() if part.get_content_type() == "image/png")
        assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in html.get_content()
        assert picture.get_content_disposition() == "inline"
        (code,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(picture.get_content())))
        assert letter.enclosed is not None
        assert code.text == letter.enclosed.link

    def test_without_a_picture_if_there_is_no_code(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """Two forms, nothing attached."""
        values = dict(letter.values) | {"address": "b•••@example.net"}
        SMTPMailer(mail_settings).send(
            replace(letter, event=MailEvent.ADDRESS_CHANGED, values=values, enclosed=None)
        )
        message = parsed(server.box.received[0].raw)
        assert tree(message) == ("multipart/alternative", ["text/plain", "text/html"])

    def test_with_every_letter_of_a_name(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """In both parts and in From, on lines that every server passes on (RFC 5322, 2.1.1)."""
        name = "Åsa Öberg 王小明 🦊"
        values = dict(letter.values) | {"name": name}
        SMTPMailer(replace(mail_settings, sender_name="Företagets mobila ID")).send(
            replace(letter, values=values)
        )
        raw = server.box.received[0].raw
        message = parsed(raw)
        for kind in ("plain", "html"):
            part = message.get_body((kind,))
            assert part is not None
            assert f"Hello {name}," in part.get_content()
        assert message["From"].addresses[0].display_name == "Företagets mobila ID"
        assert raw.isascii()
        assert max(map(len, raw.split(b"\r\n"))) <= 998

    def test_over_implicit_tls(
        self,
        start_server: Callable[..., Any],
        server_tls: ssl.SSLContext,
        settings_for: Callable[..., MailSettings],
        letter: Letter,
    ) -> None:
        """Encrypted from the first byte (RFC 8314)."""
        server = start_server(server_tls, implicit=True, auth_required=False)
        SMTPMailer(settings_for(server.port, security=MailSecurity.TLS)).send(letter)
        assert server.box.received[0].login is True

    def test_in_the_clear_on_this_machine_itself(
        self,
        start_server: Callable[..., Any],
        settings_for: Callable[..., MailSettings],
        letter: Letter,
    ) -> None:
        """A relay next to us may have no certificate, and no users."""
        server = start_server(None)
        clear = settings_for(
            server.port, security=MailSecurity.NONE, username=None, password=None, ca_file=None
        )
        SMTPMailer(clear).send(letter)
        assert server.box.received[0].over_tls is False

    def test_to_letters_beyond_ascii_where_the_server_knows_them(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """RFC 6531: the address goes as it is, in the command and in To."""
        SMTPMailer(mail_settings).send(replace(letter, to="åsa@bücher.example"))
        (got,) = server.box.received
        assert got.recipients == ["åsa@xn--bcher-kva.example"]
        assert "To: åsa@xn--bcher-kva.example\r\n".encode() in got.raw


class TestRefused:
    """A letter that will never arrive."""

    def test_by_the_server_for_its_recipient(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """Server and number are named; what else it said may hold the address."""
        server.box.to_recipient = "550 5.1.1 <asa@example.org> is unknown here"
        with pytest.raises(
            MailRefused, match=r"localhost did not take the recipient; it answered 550 5\.1\.1\.$"
        ):
            SMTPMailer(mail_settings).send(letter)

    def test_by_the_server_for_what_it_says(
        self, server: Any, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """A filter that does not like it."""
        server.box.to_data = "554 not here, asa@example.org"
        with pytest.raises(MailRefused, match=r"did not take the letter; it answered 554\.$"):
            SMTPMailer(mail_settings).send(letter)

    @pytest.mark.parametrize(
        "to", ["asa", "asa@example.org, bo@example.org", "Åsa <asa@example.org>", "a\n@example.org"]
    )
    def test_by_us_if_the_address_is_none(
        self, server: Any, mail_settings: MailSettings, letter: Letter, to: str
    ) -> None:
        """Before anything is sent, with the reason and without the address."""
        with pytest.raises(MailRefused, match="is no e-mail address that can be") as refused:
            SMTPMailer(mail_settings).send(replace(letter, to=to))
        assert "asa" not in str(refused.value)
        assert server.box.received == []

    def test_if_the_server_does_not_know_letters_beyond_ascii(
        self,
        start_server: Callable[..., Any],
        server_tls: ssl.SSLContext,
        settings_for: Callable[..., MailSettings],
        letter: Letter,
    ) -> None:
        """It could only be sent to somebody else."""
        server = start_server(server_tls, enable_SMTPUTF8=False)
        with pytest.raises(MailRefused, match="does not offer SMTPUTF8"):
            SMTPMailer(settings_for(server.port)).send(replace(letter, to="åsa@example.org"))
        SMTPMailer(settings_for(server.port)).send(letter)
        assert len(server.box.received) == 1

    def test_if_its_id_is_not_one_of_ours(
        self, mail_settings: MailSettings, letter: Letter
    ) -> None:
        """It would stand in a header."""
        with pytest.raises(MailRefused, match="cannot become a Message-ID"):
            SMTPMailer(mail_settings).send(replace(letter, id="1\r\nBcc: bo@example.org"))


class TestUnavailable:
    """A letter that may go later, once somebody has mended what is named."""

    @pytest.fixture
    def told(self, letter: Letter, settings_for: Callable[..., MailSettings]) -> Callable[..., str]:
        """Fail to send over these settings, and return what an administrator reads."""

        def fail(port: int, **changes: Any) -> str:
            mailer = SMTPMailer(settings_for(port, **changes))
            with pytest.raises(MailUnavailable) as failure:
                mailer.send(letter)
            with pytest.raises(MailUnavailable) as checked:
                mailer.check()
            said = str(failure.value)
            assert said == str(checked.value)
            assert failure.value.__suppress_context__
            return said.removeprefix("The mail server localhost ")

        return fail

    def test_a_certificate_of_a_stranger(
        self, start_server: Callable[..., Any], other_ca: Any, told: Callable[..., str]
    ) -> None:
        """Nobody whom the settings name has issued it."""
        server = start_server(other_ca.server("localhost"))
        assert told(server.port) == (
            "cannot be trusted, its certificate was not accepted: "
            "unable to get local issuer certificate."
        )
        assert server.box.received == []

    def test_a_certificate_that_vouches_for_itself(
        self, start_server: Callable[..., Any], other_ca: Any, told: Callable[..., str]
    ) -> None:
        """Self-signed is not signed."""
        assert "self-signed certificate" in told(start_server(other_ca.self_signed()).port)

    def test_a_certificate_for_another_name(
        self, start_server: Callable[..., Any], mail_ca: Any, told: Callable[..., str]
    ) -> None:
        """It must be the host that the settings name."""
        server = start_server(mail_ca.server("mail.example.com"))
        assert "Hostname mismatch, certificate is not valid for 'localhost'" in told(server.port)

    def test_a_certificate_that_has_expired(
        self, start_server: Callable[..., Any], mail_ca: Any, told: Callable[..., str]
    ) -> None:
        """Yesterday it was right."""
        server = start_server(mail_ca.expired("localhost"))
        assert "certificate has expired" in told(server.port)

    def test_a_server_of_our_ca_if_the_settings_name_none(
        self, server: Any, told: Callable[..., str]
    ) -> None:
        """Then those of the system count, and ours is not among them."""
        assert "unable to get local issuer certificate" in told(server.port, ca_file=None)

    def test_a_bundle_that_cannot_be_read(
        self, server: Any, told: Callable[..., str], tmp_path: Any
    ) -> None:
        """The file is named."""
        said = told(server.port, ca_file=tmp_path / "gone.pem")
        assert said.endswith(
            f"cannot be read from {tmp_path / 'gone.pem'}: No such file or directory."
        )

    def test_no_starttls(self, start_server: Callable[..., Any], told: Callable[..., str]) -> None:
        """Somebody between us may have taken it out of the offer (RFC 3207, 6): we do not go on."""
        server = start_server(None)
        assert "does not offer STARTTLS, and nothing is said to it in the clear" in told(
            server.port
        )
        assert server.box.received == []

    def test_no_tls_where_it_must_be(
        self, start_server: Callable[..., Any], told: Callable[..., str]
    ) -> None:
        """A port that speaks in the clear first."""
        said = told(start_server(None).port, security=MailSecurity.TLS)
        assert "and we could not agree on TLS (WRONG_VERSION_NUMBER)" in said

    def test_a_wrong_password(self, server: Any, told: Callable[..., str]) -> None:
        """The number is told, the password is not."""
        said = told(server.port, password=Secret("not the password"))
        assert said == "did not accept user name and password; it answered 535."

    @pytest.mark.parametrize(
        "options",
        [{"auth_require_tls": True}, {"auth_exclude_mechanism": ["LOGIN", "PLAIN"]}],
        ids=["no AUTH", "other AUTH"],
    )
    def test_no_check_of_passwords(
        self,
        start_server: Callable[..., Any],
        told: Callable[..., str],
        options: dict[str, Any],
    ) -> None:
        """We were told to log in, and can not: the server has no AUTH, or none that we speak."""
        port = start_server(None, **options).port
        assert "does not offer to check user name" in told(port, security=MailSecurity.NONE)

    def test_nobody_there(self, told: Callable[..., str]) -> None:
        """A port that nobody listens at."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        assert told(port) == "cannot be reached: Connection refused."

    def test_a_black_hole(self, line: Callable[..., Any], told: Callable[..., str]) -> None:
        """It takes the connection and never says a word: the time-out ends it."""
        begun = time.monotonic()
        assert told(line(lambda _: None).port, timeout=SHORT) == "took too long."
        assert time.monotonic() - begun < 5

    def test_a_black_hole_that_should_speak_tls(
        self, line: Callable[..., Any], told: Callable[..., str]
    ) -> None:
        """The handshake has its time-out, too."""
        port = line(lambda _: None).port
        assert told(port, timeout=SHORT, security=MailSecurity.TLS) == "took too long."

    def test_a_line_that_drips(self, line: Callable[..., Any], told: Callable[..., str]) -> None:
        """Each byte comes in time, the answer never: the whole talk has its end."""

        def drip(connection: socket.socket) -> None:
            connection.settimeout(0.1)
            for _ in range(100):
                connection.sendall(b"2")
                try:
                    if not connection.recv(100):
                        return
                except TimeoutError:
                    continue

        begun = time.monotonic()
        assert told(line(drip).port, timeout=SHORT) == "took too long."
        assert time.monotonic() - begun < 5

    def test_a_line_that_is_cut_while_the_letter_is_sent(
        self,
        line: Callable[..., Any],
        settings_for: Callable[..., MailSettings],
        letter: Letter,
    ) -> None:
        """Nobody knows whether it arrived: it goes again, under the same Message-ID."""

        def cut(connection: socket.socket) -> None:
            with connection.makefile("rb") as said:
                connection.sendall(GREETING)
                for one in said:
                    if one.upper() == b"DATA\r\n":
                        connection.sendall(b"354 go on\r\n")
                        said.read(2000)
                        break
                    connection.sendall(b"250 mx.test\r\n")
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

        clear = settings_for(
            line(cut).port, security=MailSecurity.NONE, username=None, password=None
        )
        with pytest.raises(MailUnavailable, match="ended the connection before it had answered"):
            SMTPMailer(clear).send(letter)

    def test_a_name_without_an_address(self, told: Callable[..., str]) -> None:
        """The name is in the message."""
        said = told(25, host="mail.invalid")
        assert said == "The mail server mail.invalid has no address: the name was not found."

    @pytest.mark.parametrize(
        ("answers", "words"),
        [
            (
                {"to_recipient": "450 4.2.1 asa@example.org is busy"},
                "the recipient; it answered 450 4.2.1",
            ),
            ({"to_data": "451 4.3.0 later"}, "the letter; it answered 451 4.3.0"),
        ],
    )
    def test_a_server_that_asks_for_patience(
        self,
        server: Any,
        mail_settings: MailSettings,
        letter: Letter,
        answers: dict[str, str],
        words: str,
    ) -> None:
        """4xx: the same letter may be taken later (RFC 5321, 4.2.1)."""
        for name, answer in answers.items():
            setattr(server.box, name, answer)
        with pytest.raises(MailUnavailable, match=f"{re.escape(words)}\\.$"):
            SMTPMailer(mail_settings).send(letter)

    def test_a_server_that_is_not_ready(
        self, line: Callable[..., Any], told: Callable[..., str]
    ) -> None:
        """421 instead of a greeting."""
        busy = line(lambda connection: connection.sendall(b"421 4.3.2 mobid, later\r\n"))
        assert told(busy.port) == "is not ready; it answered 421 4.3.2."


def test_a_failing_farewell_hides_nothing(
    line: Callable[..., Any], settings_for: Callable[..., MailSettings], letter: Letter
) -> None:
    """The server has taken the letter, and then says nothing more: it is sent, and soon said so."""

    def take(connection: socket.socket) -> None:
        with connection.makefile("rb") as said:
            connection.sendall(GREETING)
            for one in said:
                if one.upper() == b"DATA\r\n":
                    connection.sendall(b"354 go on\r\n")
                elif one == b".\r\n" or one[:4].upper() in {b"EHLO", b"MAIL", b"RCPT"}:
                    connection.sendall(b"250 mx.test\r\n")

    clear = settings_for(line(take).port, security=MailSecurity.NONE, username=None, password=None)
    begun = time.monotonic()
    SMTPMailer(clear).send(letter)
    assert time.monotonic() - begun < 4


class TestSettings:
    """What is refused before the first letter."""

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"sender": "Mobile ID <a@example.org>"}, "mail.sender (settings): no address"),
            ({"sender": "a@example.org\r\nBcc: b@example.org"}, "mail.sender"),
            ({"sender": "åsa@example.org"}, "a character beyond ASCII before the @"),
            ({"sender_name": "Mobile\x0bID"}, "mail.sender_name (settings): it holds a character"),
            (
                {"security": MailSecurity.NONE, "host": "mail.example.org"},
                "none is for a mail server on this machine itself, and mail.example.org is another one",
            ),
            ({"password": None}, "given both or neither"),
            ({"username": None}, "given both or neither"),
            ({"password": Secret("lösen")}, "mail.password (settings): only ASCII"),
            ({"username": "a\0b"}, "mail.username (settings): only ASCII"),
        ],
    )
    def test_a_fault_is_named(
        self, mail_settings: MailSettings, changes: dict[str, Any], words: str
    ) -> None:
        """By setting, and with what would be right; the password never."""
        with pytest.raises(InvalidSettings, match=re.escape(words)) as refused:
            SMTPMailer(replace(mail_settings, **changes))
        assert "lösen" not in str(refused.value)

    def test_all_faults_are_named_together(self, mail_settings: MailSettings) -> None:
        """An operator mends them in one go."""
        with pytest.raises(InvalidSettings, match="2 settings are not usable"):
            check_connection(replace(mail_settings, sender="x", sender_name="\n"))

    def test_a_server_that_works_is_said_to(self, server: Any, mail_settings: MailSettings) -> None:
        """The check logs in, asks for an answer, and sends nothing."""
        check_connection(mail_settings)
        assert server.box.received == []


@given(
    unseen=st.characters(categories=["Cc", "Cf", "Zl", "Zp"]),
    evil=st.sampled_from(["Bcc: evil@example.com", "\r\nBcc: evil@example.com\r\n\r\nHello", ""]),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_value_reaches_a_header(
    server: Any, mail_settings: MailSettings, letter: Letter, unseen: str, evil: str
) -> None:
    """Whatever stands in whatever value: one recipient, and the headers that every letter has."""
    server.box.received.clear()
    strange = {
        name: f"x{unseen}{evil}" if isinstance(value, str) else value
        for name, value in letter.values.items()
    }
    mailer = SMTPMailer(mail_settings)
    mailer.send(replace(letter, values=strange))
    (got,) = server.box.received
    assert got.recipients == [letter.to]
    assert header_lines(got.raw) == [
        "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version",
        "Content-Type",
    ]  # fmt: skip
    for broken in (
        replace(letter, id=f"{letter.id}{unseen}{evil}"),
        replace(letter, to=f"{letter.to}{unseen}{evil}"),
    ):
        with pytest.raises(MailRefused):
            mailer.send(broken)
    assert len(server.box.received) == 1


def test_the_password_is_nowhere_to_be_read(
    server: Any, mail_settings: MailSettings, letter: Letter, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in a repr, not on the terminal, not in what a letter carries."""
    mailer = SMTPMailer(mail_settings)
    mailer.send(letter)
    said = capfd.readouterr()
    assert mail_settings.password is not None
    password = mail_settings.password.reveal()
    for text in (repr(mailer), repr(mail_settings), said.out, said.err):
        assert password not in text
    assert password.encode() not in server.box.received[0].raw
