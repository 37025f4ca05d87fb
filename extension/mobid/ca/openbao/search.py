"""Going through OpenBao's list of certificates, which is in the order of their serial numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.ca.openbao.line import Calls

PAGE: Final = 1000


def serials_like(calls: Calls, name: str, end: str, *, page: int = PAGE) -> Iterator[str]:
    """Yield the serial numbers of all certificates with this common name and this end.

    A page that is shorter than it may be is not yet the last one: the last one is not there.
    """
    after = ""
    while (
        answer := calls.read("certs/detailed", list="true", limit=page, after=after)
    ) is not None:
        listed = answer.mapping("key_info")
        for serial, one in listed.items():
            if isinstance(one, dict) and (one.get("common_name"), one.get("not_after")) == (
                name,
                end,
            ):
                yield serial
        # OpenBao lists serial numbers with colons and compares them with hyphens, as it stores
        # them: told to go on after one with colons, it leaves out all that begin with the same byte.
        last = max(listed, default="").replace(":", "-")
        if last <= after:
            return  # it does not do pages, and this was all
        after = last
