"""Which attributes an answer holds: `attributes`, `excludedAttributes` (RFC 7644, 3.9)."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from mobid_scim.attributes import Attribute, Returned, Schema
from mobid_scim.errors import InvalidPath, InvalidValue
from mobid_scim.path import Path, resolve, split_urn
from mobid_scim.resource import Resource, ResourceType, Values

MAX_NAMES: Final = 100


class Choice(Enum):
    """How the names of a projection are meant."""

    DEFAULT = auto()
    ONLY = auto()
    EXCEPT = auto()


@dataclass(frozen=True, slots=True)
class Projection:
    """A choice of attributes; `names` are path keys, and URNs for whole extensions."""

    scope: ResourceType
    choice: Choice = Choice.DEFAULT
    names: frozenset[str] = frozenset()

    @classmethod
    def parse(
        cls, scope: ResourceType, attributes: str | None, excluded: str | None
    ) -> "Projection":
        """Read the two query parameters; names that the type does not have choose nothing."""
        if attributes is not None and excluded is not None:
            raise InvalidValue('Send "attributes" or "excludedAttributes", not both.')
        if attributes is not None:
            return cls(scope, Choice.ONLY, _keys(attributes, scope))
        if excluded is not None:
            return cls(scope, Choice.EXCEPT, _keys(excluded, scope))
        return cls(scope)

    @classmethod
    def without_rows(cls, scope: ResourceType) -> "Projection":
        """Return the choice of everything that a document holds, and of no rows."""
        return cls(scope, Choice.EXCEPT, frozenset(name.lower() for name in scope.by_row))

    @classmethod
    def of_the_writable(cls, scope: ResourceType, *besides: Path) -> "Projection":
        """Return the choice of what clients can change in a document, and of what lies `besides`."""
        also = {Path(path.attribute, None, path.extension).key for path in besides}
        return cls(scope, Choice.EXCEPT, scope.not_in_documents - also)

    def wants(self, name: str) -> bool:
        """Tell whether the answer holds `name`, so that what is costly is made only then."""
        path = resolve(name, self.scope, error=InvalidPath)
        whole = Path(path.attribute, None, path.extension)
        return self._holds(whole) and (path.sub is None or self._holds_sub(path))

    def is_versioned(self) -> bool:
        """Tell whether the version changes with whatever the answer holds."""
        return not any(map(self.wants, self.scope.unversioned))

    def apply(self, whole: Resource) -> Values:
        """Return the values that the answer holds, in the order of `whole`."""
        kept: Values = {}
        for name, value in whole.values.items():
            schema = self.scope.extension(name)
            if schema is not None:
                if isinstance(value, dict) and (left := self._members(value, schema)):
                    kept[name] = left
                continue
            attribute = self.scope.attribute(name)
            if attribute is not None and self._holds(Path(attribute)):
                kept[name] = self._project(value, Path(attribute))
        return _assigned(kept)

    def _members(self, values: Values, schema: Schema) -> Values:
        paths = {each.name: Path(each, None, schema.id) for each in schema.attributes}
        kept = {
            name: self._project(value, paths[name])
            for name, value in values.items()
            if self._holds(paths[name])
        }
        return _assigned(kept)

    def _project(self, value: object, path: Path) -> object:
        if isinstance(value, list):
            return [left for item in value if (left := self._project(item, path)) != {}]
        if not isinstance(value, dict):
            return value
        subs = {name: path.attribute.sub(name) for name in value}
        return {
            name: value[name]
            for name, sub in subs.items()
            if sub is not None and self._holds_sub(Path(path.attribute, sub, path.extension))
        }

    def _holds(self, path: Path) -> bool:
        by_rule = _by_rule(path.attribute)
        if by_rule is not None:
            return by_rule
        by_default = path.attribute.returned is Returned.DEFAULT
        of_named_extension = self._owner_named(path)
        match self.choice:
            case Choice.DEFAULT:
                return by_default
            case Choice.EXCEPT:
                return by_default and path.key not in self.names and not of_named_extension
            case Choice.ONLY:
                named = path.key in self.names or self._names_parts_of(path)
                return named or (of_named_extension and by_default)

    def _holds_sub(self, path: Path) -> bool:
        sub = path.leaf
        by_rule = _by_rule(sub)
        if by_rule is not None:
            return by_rule
        by_default = sub.returned is Returned.DEFAULT
        if self.choice is Choice.EXCEPT:
            return by_default and path.key not in self.names
        if self.choice is Choice.DEFAULT or path.key in self.names:
            return by_default or self.choice is Choice.ONLY
        whole = Path(path.attribute, None, path.extension)
        return by_default and (whole.key in self.names or not self._names_parts_of(whole))

    def _owner_named(self, path: Path) -> bool:
        return path.extension is not None and path.extension.lower() in self.names

    def _names_parts_of(self, path: Path) -> bool:
        subs = path.attribute.sub_attributes
        return any(Path(path.attribute, sub, path.extension).key in self.names for sub in subs)


def _assigned(values: Values) -> Values:
    """Return the values of which the choice has left something: what is empty is none (RFC 7643, 2.5)."""
    return {name: value for name, value in values.items() if value not in ({}, [])}


def _by_rule(attribute: Attribute) -> bool | None:
    """Answer for what no client can choose: `always` and `never` (RFC 7643, 2.2)."""
    match attribute.returned:
        case Returned.ALWAYS:
            return True
        case Returned.NEVER:
            return False
        case _:
            return None


def _keys(text: str, scope: ResourceType) -> frozenset[str]:
    names = [name.strip() for name in text.split(",")]
    if len(names) > MAX_NAMES:
        raise InvalidValue(f"More than {MAX_NAMES} attributes are named.")
    return frozenset(key for name in names if name for key in _key(name, scope))


def _key(name: str, scope: ResourceType) -> tuple[str, ...]:
    extension, rest = split_urn(name, scope)
    if not rest:
        return (extension.lower(),) if extension else ()
    try:
        return (resolve(name, scope, error=InvalidPath).key,)
    except InvalidPath:
        # An attribute that a type does not have has no value: nothing to add, nothing to drop.
        return ()
