"""Sixteen phones race for one code at a real server, on both databases: exactly one wins."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Answer, Handset, Site

GET: Final = "MobileIDSelfServiceProcGet"
PHONES: Final = 16
ROUNDS: Final = 10


@pytest.mark.parametrize("number", range(ROUNDS))
def test_one_code_is_for_one_phone(site: Site, number: int) -> None:
    """The others learn nothing but that it cannot be used; the page names the winner, who may repeat."""
    person = site.person()
    shown = person.act(person.start(GET), "next")
    data = shown["step"]["data"]
    code = data["typed_code"] if number % 2 else data["link"].partition("#1.")[2]
    phones = [site.handset(f"Phone {one}") for one in range(PHONES)]
    start = threading.Barrier(PHONES)

    def claim(phone: Handset) -> Answer:
        start.wait()
        return phone.claim(code)

    with ThreadPoolExecutor(PHONES) as together:
        answers = list(together.map(claim, phones))
    won = [phone for phone, answer in zip(phones, answers, strict=True) if answer.status == 200]
    lost = {(answer.status, answer.code) for answer in answers if answer.status != 200}
    assert len(won) == 1
    assert lost == {(410, "CODE_NOT_USABLE")}
    (winner,) = won
    assert person.look(shown)["step"]["data"]["device"] == winner.name
    again = winner.claim(code)
    assert again.status == 200
    assert again.said["number"] == next(one for one in answers if one.status == 200).said["number"]
    assert winner.keys().status == 200
    assert person.look(shown)["step"]["name"] == "approve"
