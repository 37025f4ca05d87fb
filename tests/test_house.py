"""The house itself: what is pinned is what is installed, floors hold, and every root is checked."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).resolve().parent.parent
FLOORS: Final = {
    "cryptography": "50",
    "flask": "3.1.3",
    "marshmallow": "4.1.2",
    "restrictedpython": "9",
}
"""Below these versions there are holes that our walls count on being closed."""
CANAILLE: Final = "tests/conformance/canaille/requirements.txt"
"""An identity server of others, which needs older libraries than we do."""
PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
ADDRESS: Final = re.compile(r"://|@|file:|--index|--extra-index|--find-links|--trusted-host")


def read(name: str) -> str:
    """Return a file of the root as text."""
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str) -> dict[str, Version]:
    """Return what a file pins, by canonical name."""
    return {canonicalize_name(name): Version(version) for name, version in PIN.findall(read(name))}


def installed_with(extra: str) -> dict[str, Version]:
    """Return mobid's requirements with one extra, and theirs, as they are installed here."""
    found: dict[str, Version] = {}
    wanted = [("mobid", extra)]
    done = set()
    while wanted:
        name, extra = wanted.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        dist = distribution(name)
        found[name] = Version(dist.version)
        for line in dist.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                wanted += [(canonicalize_name(needed.name), more) for more in ["", *needed.extras]]
    del found["mobid"]
    return found


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads(read("pyproject.toml"))


class TestPins:
    """constraints.txt for developers and CI, requirements.lock for who runs it."""

    def test_constraints_are_what_is_installed(self) -> None:
        """Neither a requirement without a pin nor a pin that nothing requires."""
        assert pins("constraints.txt") == installed_with("test-all")

    def test_the_lock_is_what_a_plain_install_and_the_demo_need(self) -> None:
        """What is run is what was tested."""
        assert pins("requirements.lock") == installed_with("demo")

    @pytest.mark.parametrize("name", ["requirements.lock", CANAILLE])
    def test_everything_in_a_lock_has_hashes(self, name: str) -> None:
        """An install takes exactly these files, from wherever it gets them."""
        for entry in re.split(r"\n(?=\S)", read(name).strip()):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry

    @pytest.mark.parametrize("name", ["constraints.txt", "requirements.lock", CANAILLE])
    def test_no_pin_names_an_address(self, name: str) -> None:
        """Where packages come from is the business of who installs them."""
        assert ADDRESS.search(read(name)) is None

    @pytest.mark.parametrize("name", FLOORS)
    def test_floors_hold(self, name: str, project: dict[str, Any]) -> None:
        """Neither the pins nor the least version that pyproject allows are below."""
        floor = Version(FLOORS[name])
        assert pins("constraints.txt")[name] >= floor
        required = [Requirement(line) for line in project["project"]["dependencies"]]
        (least,) = [
            Version(specifier.version)
            for requirement in required
            if canonicalize_name(requirement.name) == name
            for specifier in requirement.specifier
            if specifier.operator == ">="
        ]
        assert least >= floor


def imported(path: Path) -> set[str]:
    """Return the packages that a module imports when it runs, and not for its types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    names = [
        one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names
    ]
    names += [
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    ]
    return {name.partition(".")[0] for name in names}


class TestRequirements:
    """What pyproject asks for is what the code needs."""

    def test_everything_imported_is_declared(self, project: dict[str, Any]) -> None:
        """A library of ours may stop bringing another one along."""
        shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        found = set[str]().union(
            *(imported(path) for root in shipped for path in (ROOT / root).rglob("*.py"))
        )
        ours = {Path(root).name for root in shipped}
        distributions = packages_distributions()
        extras = project["project"]["optional-dependencies"]
        declared = {
            canonicalize_name(Requirement(line).name)
            for line in [*project["project"]["dependencies"], *extras["demo"], *extras["openbao"]]
        }
        missing = {
            name
            for name in found - ours - sys.stdlib_module_names
            if not {canonicalize_name(one) for one in distributions[name]} & declared
        }
        assert missing == set()


class TestChecks:
    """The check command sees everything there is."""

    def test_every_root_with_python_in_it_is_type_checked(self, project: dict[str, Any]) -> None:
        """A new root must not be forgotten."""
        roots = {path.relative_to(ROOT).parts[0] for path in ROOT.glob("[a-z]*/**/*.py")}
        assert roots == set(project["tool"]["mypy"]["files"])

    def test_coverage_measures_what_is_shipped(self, project: dict[str, Any]) -> None:
        """A package that is in the wheel is in the measure."""
        shipped = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
        assert [Path(path).name for path in shipped] == ["mobid_scim", "mobid_scripts", "mobid"]
        assert sorted(project["tool"]["coverage"]["run"]["source_pkgs"]) == sorted(
            Path(path).name for path in shipped
        )
