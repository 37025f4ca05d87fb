"""Which addresses mails are written to: one, plain, and harmless wherever it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid.notify.addresses import mailbox


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("alva.lind@example.org", "alva.lind@example.org"),
        ("o'neill+mobile_id@mail.example.org", "o'neill+mobile_id@mail.example.org"),
        ("postmaster@localhost", "postmaster@localhost"),
        ("åsa@example.org", "åsa@example.org"),
        ("åsa@bücher.example", "åsa@xn--bcher-kva.example"),
    ],
)
def test_a_plain_address_is_taken(text: str, written: str) -> None:
    """ASCII, letters beyond it before the @, and names of domains in every script."""
    assert str(mailbox(text)) == written
    assert mailbox(text).needs_utf8 is ("å" in text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not of the form name@domain"),
        ("alva", "not of the form name@domain"),
        ("@example.org", "not of the form name@domain"),
        ("alva@", "not of the form name@domain"),
        ("alva lind@example.org", "a space"),
        ("alva@example.org,bo@example.org", "only a quoted name may hold"),
        ("alva@example.org;bo@example.org", "only a quoted name may hold"),
        ('"alva@example.org" <bo@example.org>', "a space"),
        ("<alva@example.org>", "only a quoted name may hold"),
        ('"alva"@example.org', "only a quoted name may hold"),
        ("alva(bo)@example.org", "only a quoted name may hold"),
        ("list:alva@example.org", "only a quoted name may hold"),
        ("alva..lind@example.org", "a dot too many"),
        (".alva@example.org", "a dot too many"),
        ("alva@[127.0.0.1]", "no domain"),
        ("alva@-example.org", "no domain"),
        ("alva@example..org", "no domain"),
        ("alva@exa_mple.org", "no domain"),
        ("alva@example.org\N{FULLWIDTH COMMA}b", "no domain"),
        ("a" * 65 + "@example.org", "longer than 64 octets"),
        ("å" * 33 + "@example.org", "longer than 64 octets"),
        ("alva@" + ".".join(["a" * 60] * 5), "longer than 254 octets"),
    ],
)
def test_what_could_mean_somebody_else_is_refused(text: str, reason: str) -> None:
    """Two addresses, names before one, comments, quotes: the reason is given, the text is not."""
    with pytest.raises(ValueError, match=reason) as refused:
        mailbox(text)
    assert "alva" not in str(refused.value)


@given(
    st.characters(categories=["Cc", "Cf", "Zl", "Zp", "Zs", "Cs", "Cn", "Co"]),
    st.integers(0, len("alva@example.org")),
)
def test_no_character_that_cannot_be_seen_is_taken_anywhere(unseen: str, place: int) -> None:
    """CR, LF, NUL, VT, FF, NEL, U+2028, direction marks, every kind of space, and all their kin."""
    address = "alva@example.org"
    with pytest.raises(ValueError, match="cannot be seen"):
        mailbox(address[:place] + unseen + address[place:])


@given(st.text(max_size=60))
def test_what_is_taken_has_one_at_sign_that_counts_and_an_ascii_domain(text: str) -> None:
    """Whatever is given: it is refused, or stays one address when it is read again."""
    try:
        checked = mailbox(text)
    except ValueError:
        return
    assert mailbox(str(checked)) == checked
    assert checked.domain.isascii()
    assert str(checked).count("@") == 1
