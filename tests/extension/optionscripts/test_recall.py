"""Runs that are not repeated: the answer is that of a run, always."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid.optionscripts import SHIPPED_VERSION_0, OptionScripts, sample_user
from mobid.optionscripts.uses import uses_of
from mobid.processes.ports import Evaluation, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.domain.users import User

NOW: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
_FOLDER: Final = Path(__file__).parents[3] / "examples" / "option-scripts"
SCRIPTS: Final = (
    SHIPPED_VERSION_0,
    *(path.read_text("utf-8") for path in sorted(_FOLDER.glob("*.txt"))),
    "options.profile_name = options.profile_name.upper()",
    "options.validity = days(90) if options.user_id == 'ada' else days(9)",
    'for name in ["title", "department"]:\n    if user.has(name):\n        options.notify = "none"',
    "x = 1 / (len(user.userName) - 3)",
)


class Counting(OptionScripts):
    """Counts how often a script really runs."""

    runs = 0

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Run a script."""
        self.runs += 1
        return super().evaluate(source, user, at=at)


@pytest.fixture(scope="module")
def scripts() -> Iterator[Counting]:
    """One sandbox for the module."""
    counting = Counting(mail=True)
    yield counting
    counting.close()


def essence(evaluation: Evaluation) -> Evaluation:
    """Return what does not depend on the clock."""
    return replace(evaluation, ms=0)


NAMES: Final = st.sampled_from(["ada", "bob", "eve"])
PEOPLE: Final = st.fixed_dictionaries(
    {"userName": NAMES},
    optional={
        "displayName": NAMES,
        "email": st.sampled_from(["ada@example.org", "a" * 120 + "@example.org"]),
        "department": st.sampled_from(["Finance", "Legal"]),
        "title": NAMES,
        "userType": st.sampled_from(["external", "contractor"]),
        "groups": st.lists(
            st.sampled_from(["staff", "mobile-id-users", "site-north"]), unique=True
        ),
        "preferredLanguage": st.sampled_from(["sv", "en"]),
    },
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(people=st.lists(PEOPLE, min_size=2, max_size=4), source=st.sampled_from(SCRIPTS))
def test_what_is_recalled_is_what_a_run_answers(
    people: list[dict[str, Any]], source: str, scripts: Counting
) -> None:
    """For everybody, whoever came before."""
    for attributes in people:
        user = sample_user(attributes)
        recalled = scripts.recall(source, user, at=NOW)
        assert essence(recalled) == essence(scripts.evaluate(source, user, at=NOW))


def test_a_run_is_spared_where_nothing_that_is_read_differs(scripts: Counting) -> None:
    """A thousand people in three departments are three runs a day, each with their own names."""
    source = 'options.validity = days(41) if user.department == "Finance" else days(14)'
    before = scripts.runs
    for number in range(50):
        department = ("Finance", "Legal")[number % 2]
        user = sample_user({"userName": f"u{number}", "department": department})
        options = scripts.recall(source, user, at=NOW).options
        assert options is not None
        assert (options.user_id, options.profile_name) == (f"u{number}", f"MobileID u{number}")
        assert options.validity.text == ("P41D", "P14D")[number % 2]
    assert scripts.runs - before == 2
    scripts.recall(source, sample_user({"department": "Legal"}), at=NOW + timedelta(days=1))
    assert scripts.runs - before == 3


class Busy(OptionScripts):
    """A language on a machine that is too busy to end any script in time."""

    runs = 0

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Say that the script took too long."""
        del source, user, at
        self.runs += 1
        return Evaluation(outcome=Outcome.KILLED_BY_LIMIT)


def test_what_a_busy_machine_did_is_not_remembered() -> None:
    """A limit of time may be met today and not tomorrow."""
    busy = Busy()
    for runs in (1, 2):
        busy.recall("", sample_user({}), at=NOW)
        assert busy.runs == runs


@pytest.mark.parametrize(
    ("source", "attributes"),
    [
        ("", set()),
        ("  # department\nx = 1 # title", {"title"}),
        ("x = 1\r# department\rx = user.title", {"department", "title"}),
        ('x = """\n# """; y = user.department', {"department"}),
        ("x = '''\n# '''; y = user.department", {"department"}),
        ("x = '\\\n# '; y = user.department", {"department"}),
        ("\uff03 department", {"department"}),
        ("x = user.title", {"title"}),
        ("x = user.\uff54itle", {"title"}),
        ('x = user.has("email")', {"email"}),
        ("x = user.has('email')", {"email"}),
        ('x = user.in_group("staff")', {"groups"}),
        ('x = user.has("em" + "ail")', set(SCRIPT_ATTRIBUTES)),
        ("ask = user.has", set(SCRIPT_ATTRIBUTES)),
        (r'x = user.has("\x65mail")', set(SCRIPT_ATTRIBUTES)),
    ],
)
def test_what_a_script_can_read_is_never_told_too_small(
    source: str, attributes: set[str], scripts: Counting
) -> None:
    """In any spelling, and by any detour."""
    uses = uses_of(source, scripts.declaration, scripts.personal)
    assert uses.attributes == attributes


def test_the_shipped_script_depends_on_nobody(scripts: Counting) -> None:
    """It names options in comments; a dry run against it is one run for all."""
    uses = uses_of(SHIPPED_VERSION_0, scripts.declaration, scripts.personal)
    assert not uses.attributes
    assert not uses.defaults


def test_defaults_are_read_like_attributes(scripts: Counting) -> None:
    """A script that looks at a default of the user's own depends on it."""
    uses = uses_of("x = options.user_id", scripts.declaration, scripts.personal)
    assert uses.defaults == {"user_id"}
