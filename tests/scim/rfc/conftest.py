"""The examples of the RFCs, which the IETF Trust publishes under the Revised BSD License."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def example() -> Callable[..., Any]:
    """Return a function that reads an example by RFC and name, with ids of ours in place of some."""
    read = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}

    def find(rfc: str, name: str, ids: Mapping[str, str] | None = None) -> Any:
        text = json.dumps(read[rfc][name])
        for theirs, ours in (ids or {}).items():
            assert theirs in text, f"{name} has no {theirs}"
            text = text.replace(theirs, ours)
        return json.loads(text)

    return find
