"""A stub (PEP 484) for editors and type checkers, made of what is declared to the engine.

An attribute is `str` there, although one that a user does not have is None: with `str | None` every
`user.department.lower()` after `user.has("department")` would be an error to a checker that can not
know the one from the other.
"""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Final

from mobid.optionscripts.about import ATTRIBUTES, FUNCTIONS, METHODS, OPTIONS
from mobid_scripts.kinds import Choice, Choices, Flag, Numbers, Span, Table, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mobid_scripts.declaration import Declaration
    from mobid_scripts.kinds import OptionKind

_HEAD: Final = '''\
"""What {name} can say. Made by: mobid scripts stub --name {name}

Pylance and pyright find it as __builtins__.pyi in the folder of the scripts. For mypy, give it another
name and begin a copy of the script with an import of everything in it.
"""

from typing import Final, Literal, NoReturn

class Duration:
    """How long something is valid."""
'''


_TYPES: Final[Mapping[type, str]] = {
    Text: "str",
    Span: "Duration",
    Table: "dict[str, str]",
    Numbers: "list[int]",
    Flag: "bool",
}


def stub(name: str, declaration: Declaration) -> str:
    """Return the stub of the scripts of a name."""
    parts = [
        _HEAD.format(name=name),
        *_constants(declaration),
        _class("User", _user(declaration)),
        _class("Options", map(_option, declaration.options)),
        *(f"def {one.signature}:\n{_doc(one.what)}" for one in FUNCTIONS.values()),
        "user: Final[User]\noptions: Final[Options]\n"
        + "".join(f"{name}: Final[{name.title()}]\n" for name in declaration.constants),
    ]
    return "\n".join(parts)


def _constants(declaration: Declaration) -> Iterator[str]:
    for name, members in declaration.constants.items():
        lines = (f'{member}: Final = "{word}"\n' for member, word in members.items())
        yield _class(name.title(), lines)


def _user(declaration: Declaration) -> Iterator[str]:
    for name in declaration.attributes:
        kind = "list[str]" if name == declaration.groups else "str"
        yield f"@property\ndef {name}(self) -> {kind}:\n{_doc(ATTRIBUTES[name])}"
    named = _literal(declaration.attributes)
    for method in METHODS.values():
        arguments = method.signature.format(attribute=named).replace("(", "(self, ", 1)
        yield f"def {arguments}:\n{_doc(method.what)}"


def _option(kind: OptionKind) -> str:
    about = OPTIONS[kind.name]
    otherwise = "" if not about.otherwise else f" Otherwise: {about.otherwise}."
    said = f"{about.what} It takes {about.takes}.{otherwise}".replace("`", "")
    return f"{kind.name}: {_type(kind)}\n{_quoted(said)}"


def _type(kind: OptionKind) -> str:
    match kind:
        case Choice(values=values, yes=yes):
            return _literal(values) + (" | bool" if yes else "")
        case Choices(values=values):
            return f"list[{_literal(values)}]"
    return _TYPES[type(kind)]


def _literal(words: Iterable[str]) -> str:
    quoted = ", ".join(f'"{word}"' for word in words)
    return f"Literal[{quoted}]"


def _class(name: str, members: Iterable[str]) -> str:
    return f"class {name}:\n{indent(''.join(members), '    ')}"


def _doc(text: str) -> str:
    return indent(_quoted(text.replace("`", "")), "    ")


def _quoted(text: str) -> str:
    ending = " " if text.endswith('"') else ""
    return dedent(f'"""{text}{ending}"""\n')
