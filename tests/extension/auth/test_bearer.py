"""The Authorization header: one, of the scheme Bearer, or nobody is let in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from mobid.auth.bearer import bearer_of
from mobid.auth.errors import Unauthenticated


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER  abc ", "Bearer abc=="])
def test_one_bearer_token_is_read(value: str) -> None:
    """The scheme has no case (RFC 9110, 11.1)."""
    assert bearer_of(Headers({"Authorization": value})).startswith("abc")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "no Authorization header"),
        ([""], "no Authorization header"),
        ([" "], "no Authorization header"),
        (["Bearer a", "Bearer b"], "more than one"),
        (["Bearer a, Bearer b"], "more than one"),
        (["Bearer a,"], "more than one"),
        (["Basic abc"], "not Bearer"),
        (["abc"], "not Bearer"),
        (["Bearer"], "no well-formed"),
        (["Bearer "], "no well-formed"),
        (["Bearer a b"], "no well-formed"),
        (["Bearer ä"], "no well-formed"),
        (["Bearer " + "a" * 4097], "no well-formed"),
    ],
)
def test_anything_else_is_refused(values: list[str], reason: str) -> None:
    """The log learns why."""
    headers = Headers([("Authorization", value) for value in values])
    with pytest.raises(Unauthenticated) as caught:
        bearer_of(headers)
    assert reason in caught.value.reason


def test_callers_are_told_one_thing_whatever_was_wrong() -> None:
    """Who guesses learns nothing; the reason stays here."""
    said = set()
    for value in ("", "Basic abc", "Bearer a, b"):
        with pytest.raises(Unauthenticated) as caught:
            bearer_of(Headers({"Authorization": value}))
        said.add(str(caught.value))
    assert len(said) == 1


@given(st.text(alphabet=st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60))
def test_no_header_breaks_it(value: str) -> None:
    """Any header is a token or a refusal."""
    try:
        token = bearer_of(Headers({"Authorization": value}))
    except Unauthenticated:
        return
    assert token in value
