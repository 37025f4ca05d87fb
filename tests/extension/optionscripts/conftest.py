"""Option scripts in their real sandbox, and a user for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from mobid.domain.users import User, UserState
from mobid.optionscripts import OptionScripts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mobid.processes.ports import Evaluation

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Scripts:
    """Evaluates scripts for Ada, who works in Finance, or for somebody like her."""

    def __init__(self, option_scripts: OptionScripts) -> None:
        self.port = option_scripts
        self.ada = User(
            id="2819c223",
            state=UserState.ACTIVE,
            user_name="ada",
            display_name="Ada Lovelace",
            email="ada@example.org",
            attributes={"department": "Finance", "groups": ["staff", "site-north"]},
        )

    def evaluate(self, source: str, **changes: object) -> Evaluation:
        """Run a script for Ada, with fields or attributes of hers changed."""
        fields = {name: value for name, value in changes.items() if hasattr(self.ada, name)}
        attributes = {name: value for name, value in changes.items() if name not in fields}
        user = replace(self.ada, attributes={**self.ada.attributes, **attributes})
        return self.port.evaluate(source, replace(user, **fields), at=NOW)  # type: ignore[arg-type]  # a test names fields freely

    def fault(self, source: str, **changes: object) -> str:
        """Run a script that must fail with one diagnostic and return its message."""
        (diagnostic,) = self.evaluate(source, **changes).diagnostics
        return diagnostic.message


@pytest.fixture(scope="module")
def scripts() -> Iterator[Scripts]:
    """One sandbox for a module."""
    option_scripts = OptionScripts()
    yield Scripts(option_scripts)
    option_scripts.close()


@pytest.fixture(scope="module")
def mailing_scripts() -> Iterator[Scripts]:
    """One sandbox of a site with a mail server."""
    option_scripts = OptionScripts(mail=True)
    yield Scripts(option_scripts)
    option_scripts.close()
