"""The declaration, the user and the scripts that are run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from mobid_scripts.declaration import Declaration
from mobid_scripts.kinds import Choices, Span, Table, Text

DECLARATION: Final = Declaration(
    options=(
        Choices(name="certificates", values=("authentication", "signature"), least=1),
        Span(name="validity", least_days=1, most_years=10),
        Text(name="user_id", most=128),
        Table(
            name="properties", key="[a-z]+", key_words="small letters", most_keys=20, most_value=256
        ),
    ),
    attributes=("userName", "department", "email", "groups"),
    groups="groups",
    constants={"cert": {"AUTHENTICATION": "authentication", "SIGNATURE": "signature"}},
)
DEFAULTS: Final = {
    "certificates": ["authentication"],
    "validity": "P2Y",
    "user_id": "ada",
    "properties": {},
}
USER: Final = {
    "userName": "ada",
    "department": "Finance",
    "email": "ada@example.org",
    "groups": ["staff", "site-north"],
}
NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)

TYPICAL: Final = """
DAYS = {"Finance": 90, "Legal": 90, "Contractors": 30}

def site_of(groups):
    for group in groups:
        if group.startswith("site-"):
            return group.removeprefix("site-")
    return "default"

if not user.in_group("staff"):
    refuse("You are not in the group staff. Ask your manager.")
options.certificates = [cert.AUTHENTICATION, cert.SIGNATURE]
options.validity = days(DAYS.get(user.department, 365))
options.user_id = f"{user.userName}@example.org"
options.properties = {"site": site_of(user.groups), "department": user.department}
"""
"""A script as sites write them; what it decides is checked in every run."""
DECIDED: Final = {
    "certificates": ["authentication", "signature"],
    "validity": "P90D",
    "user_id": "ada@example.org",
    "properties": {"site": "north", "department": "Finance"},
}

LOOP: Final = (
    "h = 'a' * 90000\nn = 'a' * 45000 + 'b'\nfor i in range(9000):\n" + "    x = h.count(n)\n" * 20
)
"""No loop of the language is endless; this one goes on for hours."""
BOMB: Final = "x = []\nfor i in range(9000):\n    x.append('a' * 90000 + str(i))"
