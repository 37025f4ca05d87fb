"""References between the operations of a Bulk request (RFC 7644, 3.7.2): `bulkId:qwerty`.

A string that is just that is a reference wherever it stands: the word is reserved, as no id begins
with it (RFC 7643, 3.1). So are the last part of a `$ref`, and a quoted string in a PATCH path.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mobid_scim.bulk.request import BulkOperation
from mobid_scim.resource import Values

_WHOLE: Final = re.compile(r"bulkId:(.+)", re.DOTALL)
_LAST_PART: Final = re.compile(r".*/bulkId:([^/]+)", re.DOTALL)
_QUOTED: Final = re.compile(r'"bulkId:([^"\\]+)"')
_REF: Final = "$ref"
_PATH: Final = "path"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is that an operation of the request is about."""

    id: str
    location: str


def references(operation: BulkOperation) -> frozenset[str]:
    """Return the bulkIds that an operation refers to, in its path and in its data."""
    return frozenset((*_names(operation.resource_id, ""), *_names(operation.data, "")))


def resolved(value: object, created: Mapping[str, Place], *, key: str = "") -> object:
    """Return a JSON value with ids, or URLs in `$ref`, in place of references to what is created."""
    match value:
        case dict():
            return {name: resolved(each, created, key=name) for name, each in value.items()}
        case list():
            return [resolved(each, created, key=key) for each in value]
        case str():
            return _resolved_text(value, created, key.lower())
        case _:
            return value


def put_off(data: Values, missing: frozenset[str]) -> tuple[Values, list[Values]]:
    """Return a resource without what refers to `missing`, and the PATCH operations to add that.

    Left out is as little as can be: of several values those that refer, of an extension the
    attributes that do.
    """
    kept: Values = {}
    later: list[Values] = []
    for name, value in data.items():
        if not _refers(value, name, missing):
            kept[name] = value
        elif isinstance(value, dict) and ":" in name:
            kept[name], below = put_off(value, missing)
            later += [each | {"path": f"{name}:{each['path']}"} for each in below]
        elif isinstance(value, list):
            kept[name] = [each for each in value if not _refers(each, name, missing)]
            others = [each for each in value if _refers(each, name, missing)]
            later.append({"op": "add", "path": name, "value": others})
        else:
            later.append({"op": "add", "path": name, "value": value})
    return kept, later


def _refers(value: object, key: str, names: frozenset[str]) -> bool:
    return not names.isdisjoint(_names(value, key))


def _names(value: object, key: str) -> Iterator[str]:
    match value:
        case dict():
            for name, each in value.items():
                yield from _names(each, name)
        case list():
            for each in value:
                yield from _names(each, key)
        case str():
            yield from _names_in_text(value, key.lower())


def _names_in_text(text: str, key: str) -> Iterator[str]:
    if (found := _WHOLE.fullmatch(text)) or (key == _REF and (found := _LAST_PART.fullmatch(text))):
        yield found.group(1)
    elif key == _PATH:
        yield from _QUOTED.findall(text)


def _resolved_text(text: str, created: Mapping[str, Place], key: str) -> str:
    if key == _PATH:
        return _QUOTED.sub(lambda found: _quoted_id(found, created), text)
    found = _LAST_PART.fullmatch(text) if key == _REF else None
    found = _WHOLE.fullmatch(text) or found
    target = None if found is None else created.get(found.group(1))
    if target is None:
        return text
    return target.location if key == _REF else target.id


def _quoted_id(found: re.Match[str], created: Mapping[str, Place]) -> str:
    target = created.get(found.group(1))
    return found.group() if target is None else json.dumps(target.id)
