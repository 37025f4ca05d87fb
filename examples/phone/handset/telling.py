"""What the phone tells: to a person in words and a big number, to a program in lines of JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from .errors import PhoneError

_DIGITS: Final = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
}


def _wanted(tries_left: int | None) -> str:
    if tries_left is None:
        return "This code came by mail. The page shows another one, which is needed, too."
    if tries_left == 0:
        return "The code of the page is dead. Get a new one there; the mail stays good."
    return f"That is not the code of the page. Tries left: {tries_left}."


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "claimed": lambda facts: (
        f"{facts['profile_name']} for {facts['user_id']} ({facts['server_name']})\n\n"
        f"If the page shows numbers, pick this one: {facts['number']}\n\n{_big(str(facts['number']))}\n"
    ),
    "mail_code_needed": lambda facts: _wanted(facts["tries_left"]),
    "keys_sent": lambda _facts: "Keys made and sent. Approve this phone on the page.",
    "waiting": lambda facts: f"Waiting ({facts['state']}) …",
    "approved": lambda _facts: "Approved; the certificates are here.",
    "stored": lambda facts: f"Stored {facts['kind']} in {facts['file']}",
    "active": lambda _facts: "The mobile ID is active.",
    "status": lambda facts: f"The mobile ID is {facts['state']}.",
    "removed": lambda facts: f"Removed from this phone. The mobile ID is {facts['state']}.",
}


def tell_person(event: str, **facts: object) -> None:
    """Print what happens in words."""
    _say(_printable(_WORDS[event](facts)), sys.stdout)


def tell_program(event: str, **facts: object) -> None:
    """Print what happens as one line of JSON."""
    _say(json.dumps({"event": event, **facts}), sys.stdout)


def complain(error: PhoneError, *, code: str, as_json: bool) -> None:
    """Tell what went wrong: in JSON on stdout, in words on stderr."""
    if as_json:
        tell_program("failed", code=code, detail=str(error))
    else:
        _say(f"{code}: {_printable(str(error))}", sys.stderr)


def _say(text: str, stream: TextIO) -> None:
    """Write a line at once, so that whoever reads along sees it in time."""
    stream.write(f"{text}\n")
    stream.flush()


def _printable(text: str) -> str:
    """Drop what could steer a terminal: the words may come from a server."""
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n")


def _big(number: str) -> str:
    """Draw a number so that it can be read across a room."""
    rows = ("   ".join(_DIGITS[digit][row] for digit in number) for row in range(5))
    return "\n".join("    " + "".join(sign * 2 for sign in row) for row in rows)
