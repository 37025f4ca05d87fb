"""The third wall: a child may answer anything; only an answer that is exactly right becomes an outcome."""

from __future__ import annotations

import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobid_scripts import wire
from mobid_scripts.answer import NotAnAnswer, checked_of, outcome_of
from mobid_scripts.outcome import Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import Product

DIAGNOSTIC = {"code": "syntax", "message": "m", "line": 1, "column": 1, "end_column": None}


def _right(product: Product) -> dict[str, Any]:
    return {"outcome": "ok", "options": dict(product.defaults), "log": ["a"], "steps": 3}


def _read(product: Product, answer: object) -> Verdict:
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return outcome_of(data, product.declaration, product.now, "x = 1").outcome


def test_the_right_answer_is_an_outcome(product: Product) -> None:
    """An answer as our own child gives it comes through whole."""
    data = json.dumps(_right(product)).encode()
    outcome = outcome_of(data, product.declaration, product.now, "")
    assert outcome.options == product.defaults
    assert (outcome.outcome, outcome.log, outcome.steps) == (Verdict.OK, ("a",), 3)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b"3", b"\xff", b"[" * 60_000, b'{"a":' * 60_000, b"NaN", b"{}"],
)
def test_what_is_no_answer_at_all(data: bytes, product: Product) -> None:
    """Garbage, nesting that breaks a parser, and JSON of another shape are all the same: no answer."""
    with pytest.raises(NotAnAnswer):
        _read(product, data)
    with pytest.raises(NotAnAnswer):
        checked_of(data, "")


@pytest.mark.parametrize(
    "forged",
    [
        {"outcome": "fine"},
        {"outcome": "refused"},
        {"outcome": "failed_at_run"},
        {"outcome": "failed_at_run", "options": None},
        {"options": None},
        {"options": {}},
        {"refusal": "no"},
        {"steps": True},
        {"steps": "3"},
        {"steps": -1},
        {"log": "a"},
        {"log": ["a\nb"]},
        {"log": ["\ud800"]},
        {"log": ["x" * 501]},
        {"log": ["x"] * 52},
        {"layers": ["seccomp"]},
        {"ca_key": "x"},
        {"diagnostics": [DIAGNOSTIC]},
        {"diagnostics": [{**DIAGNOSTIC, "code": "new"}]},
    ],
)
def test_a_forged_answer_is_refused(forged: dict[str, object], product: Product) -> None:
    """No field may be more, less, or other than the verdict goes with."""
    with pytest.raises(NotAnAnswer):
        _read(product, {**_right(product), **forged})


@pytest.mark.parametrize(
    "forged",
    [
        {"validity": "P99Y"},
        {"validity": 99999},
        {"validity": "2020-01-01"},
        {"certificates": ["ca"]},
        {"certificates": []},
        {"qr_location": "email"},
        {"user_id": "a\nb"},
        {"user_id": None},
        {"properties": {"A": "b"}},
        {"properties": {"a": ["b"]}},
        {"ca_key": "x"},
    ],
)
def test_a_forged_option_is_refused(forged: dict[str, object], product: Product) -> None:
    """A child that was taken over can lie about options only within what a script may set anyway."""
    right = _right(product)
    with pytest.raises(NotAnAnswer, match="options is not right"):
        _read(product, {**right, "options": {**right["options"], **forged}})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_changed_answer_is_right_or_refused(data: st.DataObject, product: Product) -> None:
    """Whatever is put into any field, there is an outcome that fits together, or NotAnAnswer."""
    answer = _right(product)
    field = data.draw(st.sampled_from([*answer, "refusal", "diagnostics"]))
    answer[field] = data.draw(_JSON)
    try:
        verdict = _read(product, answer)
    except NotAnAnswer:
        return
    assert verdict is Verdict.OK


_SHAPES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["ok", "refused", "failed_at_run", "P90D", "authentication", "self_service", "syntax"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["outcome", "options", "log", "steps", "diagnostics", "refusal", "validity"]
            )
            | st.text(max_size=4),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(forged=_SHAPES | st.binary(max_size=80))
def test_an_answer_of_any_shape_is_no_answer(forged: object, product: Product) -> None:
    """A child that was taken over may write whatever it likes; the host reads an answer or NotAnAnswer."""
    data = forged if isinstance(forged, bytes) else json.dumps(forged).encode()
    for read in (
        lambda: outcome_of(data, product.declaration, product.now, "x = 1"),
        lambda: checked_of(data, "x = 1"),
    ):
        with contextlib.suppress(NotAnAnswer):
            read()
    with contextlib.suppress(NotAnAnswer):
        assert _read(product, data) in Verdict


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 200_000,
        b'{"a":' * 50_000,
        b'{"outcome": ' + b"[" * 9 + b"]" * 9 + b"}",
        b'"' + b"\\" * 200_001,
        b'"' * 200_001,
        b"[" + b'"\\"[", ' * 30_000,
        b"1" * 200_000,
        b"-" * 200_000,
        b'{"steps": 1e999999999}',
        b'{"outcome": "ok", "outcome": "refused"}',
        "\ufeff{}".encode(),
        "{}".encode("utf-16"),
        ('["\u2200", ' + "[" * 60_000).encode("utf-16"),
    ],
    ids=range(13),
)
def test_an_answer_that_is_an_attack_on_a_parser_is_no_answer(
    data: bytes, product: Product
) -> None:
    """Depth is bounded before anything parses, and no length costs more than its bytes."""
    started = time.process_time()
    with pytest.raises(NotAnAnswer):
        _read(product, data)
    assert time.process_time() - started < 1


def test_brackets_in_text_are_no_nesting(product: Product) -> None:
    """An honest script may log what looks like an attack."""
    right = {**_right(product), "log": ["[[[[[[[[[[{{{{{{{{{{", '\\"[[[[[[[[[[[', "\\"]}
    assert _read(product, right) is Verdict.OK


@given(st.binary(max_size=60))
def test_any_bytes_can_be_taken_apart(data: bytes) -> None:
    """What is on the stream is the child's; how it ended is not, and nothing on the stream changes it."""
    ending = wire.Ending(-31, timed_out=False)
    assert wire.Reply.of(data, ending).ending == ending
    assert wire.Ending.of(ending.packed()) == ending
    assert wire.Ending.of(data[: wire.MOST_ENDING - 1]) is None


def test_a_reply_is_layers_answer_and_ending() -> None:
    """What is written in order is read in order; a trailing extra makes the answer none."""
    ending = wire.Ending(-9, timed_out=True)
    frames = wire.framed(b"layers") + wire.framed(b"answer")
    assert wire.Reply.of(frames, ending) == wire.Reply(b"layers", b"answer", ending)
    assert wire.Reply.of(frames + b"more", ending).answer is None
