"""The codes: derived, never stored, readable by fingers, and silent in every log."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid.processes.codes import Codes, code_hash, mail_code_hash

CODES = Codes(b"k" * 32)
ids = st.uuids().map(str)
numbers = st.integers(1, 5)
typed_as = st.sampled_from([" ", "-", " - ", "\u00a0", "\t", ""])


class TestForms:
    """What people and cameras read."""

    @given(ids, numbers)
    def test_a_token_is_256_bits_in_base64url(self, enrolment: str, number: int) -> None:
        """43 characters that need no escape in an address."""
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", CODES.token(enrolment, number))

    @given(ids, numbers)
    def test_a_typed_code_is_80_bits_in_four_groups(self, enrolment: str, number: int) -> None:
        """Crockford's base 32 has no I, L, O and U."""
        typed = CODES.typed(enrolment, number)
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){3}", typed)

    @given(ids, numbers)
    def test_a_mail_code_is_40_bits_in_two_groups(self, enrolment: str, number: int) -> None:
        """Short enough to be read from one screen and typed on another."""
        code = CODES.mail_code(enrolment, number)
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", code)

    @given(ids, numbers)
    def test_every_server_derives_the_same(self, enrolment: str, number: int) -> None:
        """The key is all that they share."""
        again = Codes(b"k" * 32)
        assert again.token(enrolment, number) == CODES.token(enrolment, number)
        assert again.typed(enrolment, number) == CODES.typed(enrolment, number)
        assert again.mail_code(enrolment, number) == CODES.mail_code(enrolment, number)


class TestApart:
    """No code is another."""

    def test_of_another_kind_number_enrolment_or_deployment(self) -> None:
        """Each of the four makes another code, and no hash of a kind is a hash of the other."""
        hashes = [
            code_hash(make(enrolment, number))
            for key, enrolment, number in product(
                (b"k" * 32, b"l" * 32), ("e-1", "e-11", "e-2"), (1, 2, 11)
            )
            for make in (Codes(key).token, Codes(key).typed)
        ]
        assert len(set(hashes)) == 2 * 3 * 3 * 2
        assert None not in hashes

    @given(ids, numbers)
    def test_a_mail_code_is_no_beginning_of_a_typed_one(self, enrolment: str, number: int) -> None:
        """Who has the mail has not got half of the second secret."""
        mail_code = CODES.mail_code(enrolment, number).replace("-", "")
        assert mail_code not in CODES.typed(enrolment, number).replace("-", "")
        assert mail_code_hash(mail_code) != code_hash(CODES.typed(enrolment, number))
        assert code_hash(mail_code) is None

    def test_parts_of_the_derivation_do_not_run_into_each_other(self) -> None:
        """Enrolment e-1 at 11 is not enrolment e-11 at 1."""
        assert CODES.token("e-1", 11) != CODES.token("e-11", 1)

    @given(ids, numbers)
    def test_the_hash_is_not_the_code(self, enrolment: str, number: int) -> None:
        """What the database holds opens nothing."""
        token = CODES.token(enrolment, number)
        hashed = code_hash(token)
        assert hashed is not None
        assert token.encode() not in hashed
        assert code_hash(hashed.hex()) is None


class TestTyping:
    """Typed codes are read as people type them."""

    @given(ids, numbers, st.lists(typed_as, min_size=4, max_size=4), st.data())
    def test_any_case_with_any_gaps_and_look_alikes(
        self, enrolment: str, number: int, gaps: list[str], data: st.DataObject
    ) -> None:
        """0 as O, 1 as I or L, small letters, blanks and hyphens wherever fingers put them."""
        typed = CODES.typed(enrolment, number)
        spelled = "".join(
            data.draw(st.sampled_from({"0": "0Oo", "1": "1IiLl"}.get(sign, sign + sign.lower())))
            for sign in typed.replace("-", "")
        )
        groups = [spelled[start : start + 4] for start in range(0, 16, 4)]
        fingers = "".join(gap + group for gap, group in zip(gaps, groups, strict=True))
        assert code_hash(fingers + gaps[0]) == code_hash(typed)

    @pytest.mark.parametrize("typed", ["0I1l-oABC", "0i1L oabc", " 011L0AB-C", "0111OABC"])
    def test_mail_codes_as_well(self, typed: str) -> None:
        """They are read in the same way."""
        assert mail_code_hash(typed) == mail_code_hash("0111-0ABC")

    @given(st.text(st.characters(), max_size=60))
    def test_any_text_has_some_hash_as_a_mail_code(self, text: str) -> None:
        """What is none is just wrong, and never an error."""
        assert len(mail_code_hash(text)) == 32

    @pytest.mark.parametrize(
        "text",
        ["", "-", "0000", "0" * 15, "0" * 17, "U" * 16, "ß" * 16, "٣" * 16, "0" * 15 + "\x00"],
    )
    def test_what_is_no_code_has_no_hash(self, text: str) -> None:
        """Too short, too long, or of letters that no code has."""
        assert code_hash(text) is None

    @given(st.text(max_size=60))
    def test_any_text_is_a_code_or_none(self, text: str) -> None:
        """And never an error."""
        hashed = code_hash(text)
        assert hashed is None or len(hashed) == 32

    def test_a_token_is_read_as_it_is(self) -> None:
        """Its letters mean different bits in each case; nobody types it."""
        token = CODES.token("e-1", 1)
        assert code_hash(token) != code_hash(token.swapcase())


class TestSilence:
    """Secrets never show."""

    def test_a_repr_shows_nothing(self) -> None:
        """Neither of the key, nor of any code."""
        assert repr(CODES) == str(CODES) == "Codes(***)"
