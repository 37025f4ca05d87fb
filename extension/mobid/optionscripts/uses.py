"""What the result of a script can depend on, told from its text alone, without any parser.

The answer is never too small: whatever could be read counts as read. A word in a text counts, too, which
costs a run that could have been spared, and nothing else. Lines that are comments are left out, where it is
certain that they are none of a longer text: the shipped script names every option in one.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

    from mobid_scripts.declaration import Declaration

_WORD: Final = re.compile(r"\w+")
_HAS: Final = re.compile(r"\bhas\b(?!\(\"\w+\"\)|\('\w+'\))")
"""`has` in any other form than a question about an attribute that is named right there."""
_COMMENT: Final = re.compile(r"^[ \t]*#[^\r\n]*", re.MULTILINE)
_LONG_TEXT: Final = re.compile(r"\"\"\"|'''|\\[\r\n]")
_IN_GROUP: Final = "in_group"


@dataclass(frozen=True, slots=True)
class Uses:
    """Attributes of the user, and options whose default is the user's own."""

    attributes: frozenset[str]
    defaults: frozenset[str]


def uses_of(source: str, declaration: Declaration, personal: Collection[str]) -> Uses:
    """Return what a script can read; `personal` are the options with a default of the user's own."""
    # Names are read in their compatibility form (PEP 3131), so that is where they are looked for.
    code = source if _LONG_TEXT.search(source) else _COMMENT.sub("", source)
    text = unicodedata.normalize("NFKC", code)
    words = set(_WORD.findall(text))
    named = words.intersection(declaration.attributes)
    if _IN_GROUP in words:
        named.add(declaration.groups)
    if _HAS.search(text):
        named = set(declaration.attributes)
    return Uses(frozenset(named), frozenset(words.intersection(personal)))
