"""Transactions that are undone as a whole: begun again where that is worth it, and not for ever."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mobid_scim.bulk.request import BulkLimits
from mobid_scim.errors import Conflict
from mobid_scim.transaction import Undone, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from flask.testing import FlaskClient

    from mobid_scim.transaction import Transaction

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"


class Undoing:
    """Work that is undone so many times before it succeeds."""

    def __init__(self, times: int, *, again: bool = True) -> None:
        self.left = times
        self.again = again
        self.begun = 0

    def __call__(self) -> str:
        """Be undone, or succeed."""
        self.begun += 1
        if self.left:
            self.left -= 1
            raise Undone(Conflict("Others were faster."), again=self.again)
        return "done"


class TestSettled:
    @pytest.mark.parametrize("times", range(5))
    def test_what_is_undone_is_begun_again(self, times: int) -> None:
        """Up to five times in all."""
        work = Undoing(times)
        assert settled(work) == "done"
        assert work.begun == times + 1

    def test_after_five_times_the_reason_is_told(self) -> None:
        """Somebody else may know when it is worth it again."""
        work = Undoing(5)
        with pytest.raises(Conflict, match="Others were faster"):
            settled(work)
        assert work.begun == 5

    def test_what_is_not_worth_it_is_not_begun_again(self) -> None:
        """Who has waited for long is told at once."""
        work = Undoing(1, again=False)
        with pytest.raises(Conflict):
            settled(work)
        assert work.begun == 1

    def test_other_errors_are_nobodys_contention(self) -> None:
        """They are raised as they are."""
        begun = []

        def work() -> None:
            begun.append(1)
            raise Conflict("no")

        with pytest.raises(Conflict):
            settled(work)
        assert begun == [1]


@pytest.mark.parametrize(("times", "status"), [(1, 200), (4, 200), (5, 409)])
def test_a_bulk_request_is_begun_again_as_a_whole(
    client_of: Callable[..., FlaskClient],
    transactions: Callable[[str], AbstractContextManager[Transaction]],
    times: int,
    status: int,
) -> None:
    """Its operations have no results of a transaction that was undone; after five tries it is refused."""
    work = Undoing(times)

    @contextmanager
    def undone_at_its_end(caller: str) -> Iterator[Transaction]:
        with transactions(caller) as transaction:
            yield transaction
            work()

    client = client_of(bulk=BulkLimits(), unit=undone_at_its_end)
    data = {"schemas": [USER], "userName": "anne"}
    operation = {"method": "POST", "path": "/Users", "bulkId": "a", "data": data}
    answer = client.post("/scim/v2/Bulk", json={"schemas": [BULK], "Operations": [operation]})
    assert answer.status_code == status, answer.text
    found = client.get("/scim/v2/Users").get_json(force=True)
    assert found["totalResults"] == (1 if status == 200 else 0)
    assert work.begun == min(times + 1, 5)
