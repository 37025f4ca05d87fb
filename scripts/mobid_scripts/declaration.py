"""What a product tells the engine: the options of its scripts, attributes to read, and constants."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from mobid_scripts.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mobid_scripts.kinds import OptionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The words of one product. It travels to the child as JSON, so it holds nothing but data.

    `attributes` are what `user.` knows (a released attribute that a user does not have reads as None);
    `groups` is the attribute that `user.in_group()` looks into; `constants` maps the name of an object to its
    members, `{"colour": {"RED": "red"}}` for `colour.RED`. `withheld` are attributes that there are, but that
    nobody has released: a script that reads one is refused with words of its own.
    """

    options: tuple[OptionKind, ...]
    attributes: tuple[str, ...]
    groups: str
    constants: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()

    @property
    def option_names(self) -> tuple[str, ...]:
        """The names of the options, in their order."""
        return tuple(option.name for option in self.options)

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return json.dumps(
            {
                "options": [[type(option).__name__, asdict(option)] for option in self.options],  # type: ignore[call-overload]  # every kind is a dataclass
                "attributes": self.attributes,
                "groups": self.groups,
                "constants": {name: dict(members) for name, members in self.constants.items()},
                "withheld": self.withheld,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Declaration:
        """Read what `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            options=tuple(KINDS[kind](**_tuples(fields)) for kind, fields in data["options"]),
            attributes=tuple(data["attributes"]),
            groups=data["groups"],
            constants=data["constants"],
            withheld=tuple(data["withheld"]),
        )


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
