"""What other languages read as a wildcard is a letter here, in every operator, place and length of text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.extension.provisioning.conftest import SCIM

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
# Each is what one of the others would mean as a pattern.
TEXTS = ("50%off", "50xoff", "50__off", "50xyoff", "50\\off", "50\\%off", "50%%off")
PARTS = ("%", "_", "\\", "0%o", "0_o", "0__o", "0\\o", "50%")
LONG = "x" * 300
PLACES = ("userName", "title", "emails.value", "externalId", f"{ENTERPRISE}:department")
MEANS: dict[str, Callable[[str, str], bool]] = {
    "co": lambda text, part: part in text,
    "sw": lambda text, part: text.startswith(part),
    "ew": lambda text, part: text.endswith(part),
}


@pytest.fixture
def named(hr: SCIM) -> dict[str, str]:
    """Users who have a text in every place; some of their e-mail addresses are long."""
    found = {}
    for number, text in enumerate(TEXTS):
        made = hr.create(
            text,
            externalId=text,
            title=text,
            emails=[{"value": f"{LONG}{text}" if number % 2 else text}],
            **{ENTERPRISE: {"department": text}},
        )
        found[made["id"]] = text
    return found


@pytest.mark.parametrize("operator", MEANS)
def test_of_users(hr: SCIM, named: dict[str, str], operator: str) -> None:
    """Percent sign, underscore and backslash are found where they are written, and nowhere else."""
    for place in PLACES:
        for part in PARTS:
            wanted = {
                one: f"{LONG}{text}" if place == "emails.value" and hidden(text) else text
                for one, text in named.items()
            }
            sought = part if operator != "ew" else f"{part}off"
            expected = {one for one, text in wanted.items() if MEANS[operator](text, sought)}
            text = f"{place} {operator} {json.dumps(sought)}"
            assert set(hr.found(text)) == expected, text


def hidden(text: str) -> bool:
    """Tell whether a text is at the end of a long one."""
    return bool(TEXTS.index(text) % 2)


def test_inside_of_brackets_and_under_not(hr: SCIM, named: dict[str, str]) -> None:
    """The same, where one value of several is looked for, or is not to be there."""
    for part in PARTS:
        having = {one for one, text in named.items() if part in text}
        wanted = json.dumps(part)
        assert set(hr.found(f"emails[value co {wanted}]")) == having
        assert set(hr.found(f"not (emails.value co {wanted})")) == named.keys() - having
        assert set(hr.found(f"title co {wanted} or emails.value co {wanted}")) == having


def test_of_groups(hr: SCIM) -> None:
    """Their names, and the names of their members."""
    groups: dict[str, str] = {}
    for text in TEXTS:
        user = hr.create(f"user {text}", displayName=text)
        body = {"schemas": [GROUP], "displayName": text, "members": [{"value": user["id"]}]}
        made: Any = hr("POST", "/Groups", body).json
        groups[made["id"]] = text
    for part in PARTS:
        having = {one for one, text in groups.items() if part in text}
        for place in ("displayName", "members.display"):
            assert set(hr.found(f"{place} co {json.dumps(part)}", "/Groups")) == having, place
