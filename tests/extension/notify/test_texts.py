"""What mails say: every event in two forms, and nothing in them that somebody else has written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError
from typing_extensions import override

from mobid.domain.mails import MailEvent
from mobid.notify.texts import LONGEST_VALUE, SUBJECTS, write
from mobid.processes import letters
from mobid.processes.mailing import Letter

if TYPE_CHECKING:
    from collections.abc import Mapping

AT: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALWAYS: Final[Mapping[str, Any]] = {
    "name": "Alva Lind",
    "at": AT,
    "server_name": "The company",
    "url": "https://mobid.example.org/mobile-ids/7",
}
PROFILE: Final = {"profile_name": "MobileID Alva"}
VALUES: Final[Mapping[MailEvent, Mapping[str, Any]]] = {
    MailEvent.QR_CODE: {**PROFILE, "expires_at": AT},
    MailEvent.INVITATION: {**PROFILE, "expires_at": AT},
    MailEvent.GET_SUCCEEDED: {
        **PROFILE,
        "user_id": "alva@example.org",
        "device": "Pixel 9",
        "valid_to": AT,
        "certificates": ["Authentication", "Signature"],
    },
    MailEvent.GET_FAILED: {"reason": "The CA said no.", "reference": "7F3K-22"},
    MailEvent.NOT_MINE: {"device": "Pixel 9", "reference": "7F3K-22"},
    MailEvent.LOCKED_BY_OTHER: {
        **PROFILE,
        "device": "Pixel 9",
        "by": "an operator",
        "reason": "The phone is lost or stolen.",
    },
    MailEvent.ADDRESS_CHANGED: {"address": "a•••@example.net"},
    MailEvent.EXPIRING: {**PROFILE, "device": "Pixel 9", "valid_to": AT, "days": 7},
}
"""What `mobid.processes.letters` says that each event has, and not one value more."""
EVENTS: Final = pytest.mark.parametrize("event", list(MailEvent))


class Tags(HTMLParser):
    """What elements a page has, and what its attributes say."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    @override
    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(name="letter_of")
def letter_of_fixture(letter: Letter) -> Any:
    """Return a letter of an event, with the values that it has, or others."""

    def make(event: MailEvent, **changed: Any) -> Letter:
        enclosed = letter.enclosed if event is MailEvent.QR_CODE else None
        values = {**ALWAYS, **VALUES[event], **changed}
        return Letter(id="m-1", event=event, to="a@example.org", values=values, enclosed=enclosed)

    return make


@EVENTS
def test_every_event_is_told_with_the_values_that_it_has(event: MailEvent, letter_of: Any) -> None:
    """Both forms greet the reader, name the server and lead to our site; the subject is fixed."""
    body = write(letter_of(event), host="example.org")
    assert body.subject == SUBJECTS[event]
    for said in (body.text, unescape(" ".join(Tags(body.html).texts))):
        assert "Hello Alva Lind," in said
        assert "The company has sent this mail by itself." in said
    assert ALWAYS["url"] in body.text
    assert ("href", ALWAYS["url"]) in Tags(body.html).attributes
    assert body.subject in body.html


def test_the_values_are_those_that_letters_have() -> None:
    """The table of `mobid.processes.letters` is what both sides go by."""
    table = (letters.__doc__ or "").split("=\n")[2]
    rows = re.split(r"^`(\w+)`", table, flags=re.MULTILINE)[1:]
    promised = {
        MailEvent(event): set(re.findall(r"`(\w+)`", row)) - {"at", "enclosed"}
        for event, row in zip(rows[::2], rows[1::2], strict=True)
    }
    assert promised == {event: set(values) for event, values in VALUES.items()}


@EVENTS
def test_every_value_is_said_in_both_forms(event: MailEvent, letter_of: Any) -> None:
    """None is forgotten: texts as they are, moments with their day."""
    body = write(letter_of(event), host="example.org")
    shown = unescape(" ".join(Tags(body.html).texts))
    for name, value in VALUES[event].items():
        said = {datetime: lambda at: f"{at:%d %B %Y}", list: ", ".join}.get(type(value), str)(value)
        assert said in " ".join(body.text.split()), name
        assert said in shown, name


@pytest.mark.parametrize(
    ("event", "unknown"),
    [
        (MailEvent.INVITATION, ["profile_name"]),
        (MailEvent.NOT_MINE, ["device"]),
        (MailEvent.LOCKED_BY_OTHER, ["device", "by"]),
        (MailEvent.ADDRESS_CHANGED, ["address"]),
        (MailEvent.EXPIRING, ["device"]),
    ],
)
def test_what_may_be_unknown_leaves_no_gap(
    event: MailEvent, unknown: list[str], letter_of: Any
) -> None:
    """An order may have no name yet, a code no phone, and a user no address left."""
    body = write(letter_of(event, **dict.fromkeys(unknown, "")), host="example.org")
    assert "“”" not in body.html
    assert '""' not in body.text
    assert "Phone:" not in body.text
    assert "\n\n\n" not in body.text


def test_a_value_that_is_missing_is_an_error(letter_of: Any) -> None:
    """A mail with a hole in it is never sent."""
    letter = letter_of(MailEvent.GET_FAILED)
    without = {name: value for name, value in letter.values.items() if name != "reference"}
    with pytest.raises(UndefinedError, match="'reference' is undefined"):
        write(replace(letter, values=without), host="example.org")


class TestQRCode:
    """The mail that brings a code."""

    def test_it_has_link_typed_code_server_and_picture(self, letter: Letter) -> None:
        """For the phone that reads it, for fingers, and for the phone that scans it."""
        body = write(letter, host="example.org")
        assert letter.enclosed is not None
        assert body.picture is not None
        assert body.picture.png == letter.enclosed.picture
        attributes = Tags(body.html).attributes
        assert ("href", letter.enclosed.link) in attributes
        assert ("src", f"cid:{body.picture.content_id}") in attributes
        for said in (body.text, body.html):
            assert letter.enclosed.typed_code in said
            assert "mail code" in said
            assert "https://mobid.example.org" in re.split(r"[\s<>\"]", said)

    def test_its_secrets_show_in_no_repr(self, letter: Letter) -> None:
        """What is logged by mistake has no code in it."""
        assert letter.enclosed is not None
        said = repr(write(letter, host="example.org")) + repr(letter)
        assert letter.enclosed.link not in said
        assert letter.enclosed.typed_code not in said


class TestForeignText:
    """Names of users and phones, and what clients say."""

    @pytest.mark.parametrize(
        "written",
        [
            "<img src=x onerror=alert(1)>",
            '"><script>alert(1)</script>',
            "' onmouseover='alert(1)",
            "{{ 7 * 7 }}{% raw %}",
        ],
    )
    @EVENTS
    def test_it_stays_text(self, event: MailEvent, written: str, letter_of: Any) -> None:
        """Neither HTML nor a template: the page has the elements that it always has."""
        strange = {
            name: written
            for name, value in {**ALWAYS, **VALUES[event]}.items()
            if isinstance(value, str) and name != "url"
        }
        plain = Tags(write(letter_of(event), host="example.org").html)
        body = write(letter_of(event, **strange), host="example.org")
        assert Tags(body.html).names == plain.names
        assert [name for name, _ in Tags(body.html).attributes] == [
            name for name, _ in plain.attributes
        ]
        assert written in " ".join(Tags(body.html).texts)
        assert written in body.text

    @given(text=st.text(st.characters(categories=["Cc", "Zl", "Zp", "L", "P"]), max_size=30))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_it_opens_no_line_of_its_own(self, text: str, letter_of: Any) -> None:
        """Nobody writes a paragraph into a mail of ours."""
        usual = write(letter_of(MailEvent.GET_SUCCEEDED), host="example.org").text
        strange = write(letter_of(MailEvent.GET_SUCCEEDED, device=f"P{text}"), host="example.org")
        assert len(strange.text.splitlines()) == len(usual.splitlines())

    def test_it_cannot_turn_the_text_after_it(self, letter_of: Any) -> None:
        """Marks that change the direction of writing are dropped."""
        body = write(letter_of(MailEvent.NOT_MINE, device="Pixel \u202e9"), host="example.org")
        assert "\u202e" not in body.text + body.html

    def test_it_is_cut_where_nobody_reads_on(self, letter_of: Any) -> None:
        """A name is no place for a book."""
        body = write(letter_of(MailEvent.NOT_MINE, device="x" * 10_000), host="example.org")
        assert "x" * (LONGEST_VALUE - 1) + "…" in body.text
        assert "x" * LONGEST_VALUE not in body.text


@EVENTS
def test_nothing_is_loaded_from_elsewhere(event: MailEvent, letter_of: Any) -> None:
    """No script, no style sheet, no picture but the one that came along: nobody learns of its reader."""
    html = write(letter_of(event), host="example.org").html
    tags = Tags(html)
    assert not {"script", "link", "iframe", "object", "form"} & set(tags.names)
    assert all(value.startswith("cid:") for name, value in tags.attributes if name == "src")
    assert "url(" not in html
    assert "@import" not in html


@EVENTS
def test_it_is_read_in_the_light_and_in_the_dark(event: MailEvent, letter_of: Any) -> None:
    """It says that it knows both, and has colours for both."""
    html = write(letter_of(event), host="example.org").html
    assert ("content", "light dark") in Tags(html).attributes
    assert "prefers-color-scheme: dark" in html
