"""The README of the engine: its program runs, its numbers are those of the code, and nothing has no place."""

import importlib.util
import re
from pathlib import Path
from typing import Final

import pytest
from flask.testing import FlaskClient

from mobid_scim import strict_json
from mobid_scim.bulk.request import BulkLimits
from mobid_scim.dialect import Rule
from mobid_scim.dialects import DIALECTS
from mobid_scim.filter import MAX_DEPTH, MAX_LENGTH, MAX_TERMS
from mobid_scim.listing import MAX_COUNT
from mobid_scim.patch_request import MAX_OPERATIONS
from mobid_scim.projection import MAX_NAMES
from mobid_scim.schemas.group import GROUP
from mobid_scim.schemas.user import USER
from mobid_scim.typed_values import MAX_BASE64_CHARACTERS, MAX_CHARACTERS

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "scim" / "README.md").read_text("utf-8")
PACKAGE: Final = ROOT / "scim" / "mobid_scim"
PROGRAM: Final = ROOT / "examples" / "scim-provider" / "people_in_memory.py"
PATCH_OP: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@pytest.fixture
def client() -> FlaskClient:
    """Return a client of the program that the README quotes, with the token of hr."""
    spec = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    found: FlaskClient = program.app.test_client()
    found.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {program.TOKENS['hr']}"
    return found


class TestTheProgram:
    """`examples/scim-provider` is what the README quotes."""

    def test_is_quoted_as_it_is(self) -> None:
        """Every block of Python stands in the program, word for word."""
        blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
        assert blocks
        for block in blocks:
            assert block in PROGRAM.read_text("utf-8")

    def test_is_a_whole_provider(self, client: FlaskClient) -> None:
        """A user is made, found, changed, replaced, and deleted."""
        body = {"schemas": [USER.id], "userName": "bjensen"}
        made = client.post("/scim/v2/Users", json=body)
        assert made.status_code == 201
        at = made.headers["Location"].removeprefix("http://127.0.0.1:5000")
        operation = {"op": "add", "path": "name.givenName", "value": "Babs"}
        change = {"schemas": [PATCH_OP], "Operations": [operation]}
        assert client.patch(at, json=change).status_code == 200
        found = client.get('/scim/v2/Users?filter=name.givenName sw "BA"&sortBy=userName')
        assert found.get_json(force=True)["totalResults"] == 1
        replaced = client.put(at, json=body | {"title": "Clerk"}).get_json(force=True)
        assert (replaced["title"], "name" in replaced) == ("Clerk", False)
        assert client.delete(at).status_code == 204
        assert client.get(at).status_code == 404

    def test_keeps_its_promises(self, client: FlaskClient) -> None:
        """Names are unique, versions are compared, and tokens are asked for."""
        body = {"schemas": [USER.id], "userName": "bjensen"}
        made = client.post("/scim/v2/Users", json=body)
        at = made.headers["Location"].removeprefix("http://127.0.0.1:5000")
        taken = client.post("/scim/v2/Users", json=body | {"userName": "BJensen"})
        assert taken.get_json(force=True)["scimType"] == "uniqueness"
        assert client.delete(at, headers={"If-Match": 'W/"2"'}).status_code == 412
        assert client.get(at, headers={"Authorization": "Bearer none"}).status_code == 401
        auditor = {"Authorization": "Bearer secret-of-the-auditor"}
        assert client.get(at, headers=auditor).status_code == 200
        assert client.delete(at, headers=auditor).status_code == 403


class TestTheText:
    """What a reader takes from it."""

    def test_every_module_has_its_place(self) -> None:
        """A reader finds each by its name, or by the name of its folder."""
        for path in [
            *PACKAGE.glob("*.py"),
            *(each.parent for each in PACKAGE.glob("*/__init__.py")),
        ]:
            name = f"`{path.stem}/`" if path.is_dir() else f"`{path.stem}`"
            assert path.stem == "__init__" or name in README, name

    def test_the_limits_are_those_of_the_code(self) -> None:
        """A number in a text grows old; these may not."""
        members = GROUP.attribute("members")
        assert members is not None
        limits = strict_json.DEFAULT_LIMITS
        text = " ".join(README.split())
        for said in (
            f"body {limits.size >> 20} MiB and {limits.depth} deep",
            f"({members.max_values:,} members)",
            f"{MAX_CHARACTERS:,} characters per string",
            f"({MAX_BASE64_CHARACTERS:,} in base64)",
            f"{MAX_OPERATIONS} PATCH operations",
            f"{BulkLimits().max_operations:,} Bulk operations",
            f"pages of {MAX_COUNT:,}",
            f"{MAX_NAMES} names in a projection",
            f"filters of {MAX_LENGTH:,} characters, {MAX_DEPTH} deep, {MAX_TERMS} comparisons",
        ):
            assert said in text, said

    def test_every_dialect_and_every_rule_is_named(self) -> None:
        """In the table of dialects, each rule with the dialects that have it."""
        for dialect in DIALECTS.values():
            for rule in dialect.rules:
                assert isinstance(rule, Rule)
                named = f"| `{type(rule).__name__}` |"
                row = next(each for each in README.splitlines() if named in each)
                assert dialect.name in row.split("|")[-2], row
