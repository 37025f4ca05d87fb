"""A mail server in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobid.processes.mailing import MailRefused, MailUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mobid.processes.mailing import Letter


class Post:
    """A mail server in memory, which refuses, falls silent, or dies when a test asks for it."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        """What it has taken, in order."""
        self.refuses = ""
        """Why it takes no letter, if it takes none."""
        self.silent = False
        self.loses_answers = False
        """Whether it takes letters and nobody hears of it, as when we die meanwhile."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens once, while it takes a letter."""

    def send(self, letter: Letter) -> None:
        """Take a letter."""
        happens, self.meanwhile = self.meanwhile, lambda: None
        happens()
        if self.silent:
            raise MailUnavailable("The mail server does not answer.")
        if self.refuses:
            raise MailRefused(self.refuses)
        self.letters.append(letter)
        if self.loses_answers:
            raise MailUnavailable("The answer of the mail server was lost.")

    def told(self) -> list[str]:
        """Return the events that were told, in their order."""
        return [letter.event.value for letter in self.letters]

    def last(self, event: str) -> Letter:
        """Return the last letter of an event."""
        return [letter for letter in self.letters if letter.event == event][-1]
