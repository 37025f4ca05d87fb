"""JSON from strangers: what is read, and what is refused with its place."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobid_scim.errors import MalformedJSON, PayloadTooLarge
from mobid_scim.strict_json import Limits, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


class TestWhatIsRead:
    """Proper JSON."""

    @given(VALUES, st.booleans())
    def test_everything_that_json_writes_comes_back(self, value: object, escaped: bool) -> None:
        """Strictness takes nothing from proper JSON, escaped or not."""
        assert loads(json.dumps(value, ensure_ascii=escaped).encode()) == value

    def test_escaped_pairs_of_surrogates_are_one_character(self) -> None:
        """Only lone surrogates are refused."""
        assert loads(rb'"\ud83d\ude00"') == "😀"

    def test_brackets_in_strings_are_no_depth(self) -> None:
        """Depth counts arrays and objects, not characters."""
        assert loads(b'["' + b"[" * 100 + rb'\"{"]') == ["[" * 100 + '"{']

    def test_thirty_two_levels_are_read(self) -> None:
        """The limit itself is allowed."""
        assert loads(b"[" * 32 + b"]" * 32) is not None


class TestWhatIsRefused:
    """Everything else."""

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b'{"a":1,"a":2}', 'the key "a" comes twice in one object'),
            (b"[NaN]", "NaN is no JSON number"),
            (b"[-Infinity]", "-Infinity is no JSON number"),
            (b"[1e999]", "a number is too large"),
            (b"[9223372036854775808]", "an integer does not fit into 64 bits"),
            (b"9" * 5000, "an integer does not fit into 64 bits"),
            (rb'["\u0000"]', r"a string holds U\+0000"),
            (rb'{"\ud800":1}', r"a string holds U\+D800"),
            (b'"\x00"', "Invalid control character at character 2"),
            ('{"a":1}'.encode("utf-16"), "byte 1 is not UTF-8"),
            (b"\xef\xbb\xbf{}", "BOM"),
            (b"[" * 33 + b"]" * 33, "nested more than 32 deep at character 33"),
            (b"[" * 200_000, "nested more than 32 deep"),
            (b'{"a":', "Expecting value at character 6"),
            (b"", "it is empty"),
            (b"{} {}", "Extra data at character 4"),
        ],
    )
    def test_the_message_says_what_and_where(self, data: bytes, message: str) -> None:
        """Whatever two readers may read differently is refused."""
        with pytest.raises(MalformedJSON, match=message):
            loads(data)

    def test_a_body_above_the_limit_is_too_large(self) -> None:
        """The size is checked before anything is parsed."""
        with pytest.raises(PayloadTooLarge, match="larger than 4 bytes"):
            loads(b"[[[[[", limits=Limits(size=4))

    def test_a_megabyte_of_escaped_quotes_is_scanned_once(self) -> None:
        """The depth scan is linear: no text makes it start over and over again."""
        data = b"[" * 40 + b'"' + rb"\"" * 500_000
        start = time.process_time()
        with pytest.raises(MalformedJSON):
            loads(data)
        assert time.process_time() - start < 1

    @given(st.binary(max_size=64))
    def test_bytes_of_any_kind_give_a_value_or_a_refusal(self, data: bytes) -> None:
        """No input raises anything else."""
        with contextlib.suppress(MalformedJSON):
            loads(data)
