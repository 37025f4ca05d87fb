"""scim2-tester, an independent conformance suite: its whole default run against a real server."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from scim2_tester import Status, check_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from scim2_tester import CheckResult
    from tests.conformance.conftest import Site

RIGHT: Final = frozenset({Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE})
EXCEPTIONS: Final = {
    # The suite writes random booleans into every attribute that can be written. `active` of a mobile ID
    # is no wish: it tells whether the mobile ID can be used, and a true that makes nothing usable would
    # be a lie to whoever reads it next. So true is refused (400 mutability, RFC 7644, 3.12), in an order
    # and afterwards, and with it the steps of the suite that begin with such an order.
    "MobileID": re.compile(
        r"cannot be used before its user has activated it; leave active out"
        r"|tells whether it can be used; all that can be written is false"
    ),
}


def test_the_default_run_passes(site: Site, record_property: Callable[[str, object], None]) -> None:
    """Everything is right but for exceptions that are written down here, each with its reason."""
    with site.client("conformance") as client:
        results = check_server(client)
    others = [one for one in results if one.status is not Status.SUCCESS]
    counts = Counter(one.status.name for one in results)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    record_property("report", "\n".join([f"scim2-tester: {told}", *map(_line, others)]))
    assert [_line(one) for one in others if one.status not in RIGHT and not _argued(one)] == []
    assert counts["SUCCESS"] >= 140
    assert {"User", "Group", "MobileID"} <= {one.resource_type for one in results}


def _argued(result: CheckResult) -> bool:
    """Tell whether a result is an exception that is written down."""
    exception = EXCEPTIONS.get(result.resource_type or "")
    return exception is not None and exception.search(result.reason or "") is not None


def _line(result: CheckResult) -> str:
    reason = (result.reason or "no reason given").partition("\n")[0]
    return f"{result.status.name}: {result.title} of {result.resource_type}: {reason}"
