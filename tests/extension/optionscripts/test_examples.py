"""The scripts in `examples/option-scripts`: each is in the language and decides what its first line says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid.domain.options import Kind, Notify, QRLocation, Validity
from mobid.optionscripts.words import DECLARATION
from mobid.processes.ports import Outcome
from mobid_scripts.outcome import Code
from mobid_scripts.vocabulary import BUILTINS

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

    from mobid.domain.options import Options

_FOLDER: Final = Path(__file__).parents[3] / "examples" / "option-scripts"
_README: Final = (_FOLDER / "README.md").read_text("utf-8")
NAMES: Final = sorted(path.name for path in _FOLDER.glob("*.txt"))
BOTH: Final = (Kind.AUTHENTICATION, Kind.SIGNATURE)


def _decide(scripts: Scripts, name: str, **changes: object) -> Options:
    evaluation = scripts.evaluate((_FOLDER / name).read_text("utf-8"), **changes)
    assert evaluation.options is not None, evaluation
    return evaluation.options


@pytest.mark.parametrize("name", NAMES)
def test_every_example_can_be_uploaded_and_is_listed(name: str, scripts: Scripts) -> None:
    """Whoever copies one starts from a script that works, and finds it in the README."""
    assert scripts.port.check((_FOLDER / name).read_text("utf-8")).outcome is Outcome.OK
    assert f"[{name}]({name})" in _README


def test_everyone(scripts: Scripts) -> None:
    """Two certificates for a year, a mail on failure."""
    options = _decide(scripts, "everyone.txt")
    assert (options.certificates, options.validity) == (BOTH, Validity("P1Y"))
    assert (options.server_name, options.notify) == ("Example AB", Notify.FAILURE)


@pytest.mark.parametrize(
    ("department", "validity"),
    [("Finance", "P90D"), ("Research", "P6M"), ("Kitchen", "P2Y"), (None, "P2Y")],
)
def test_validity_by_department(department: str | None, validity: str, scripts: Scripts) -> None:
    """The table decides, and the default for who is not in it."""
    options = _decide(scripts, "validity-by-department.txt", department=department)
    assert options.validity == Validity(validity)


def test_members_only(scripts: Scripts) -> None:
    """Members may tick the signature; everybody else reads whom to ask."""
    source = (_FOLDER / "members-only.txt").read_text("utf-8")
    refused = scripts.evaluate(source)
    assert refused.refusal == "You are not in the group mobile-id-users. Ask your manager."
    options = _decide(scripts, "members-only.txt", groups=["mobile-id-users"])
    assert options.certificates == (Kind.AUTHENTICATION,)
    assert options.selectable_certificates == (Kind.SIGNATURE,)


def test_names_from_attributes(scripts: Scripts) -> None:
    """The site comes from a group, the names from attributes, with a way out for those without."""
    options = _decide(scripts, "names-from-attributes.txt", preferredLanguage="sv")
    assert (options.user_id, options.server_name) == ("ada@corp", "Example North")
    assert options.profile_name == "Work ID of Ada Lovelace"
    assert options.properties == {"site": "north", "language": "sv"}
    other = _decide(scripts, "names-from-attributes.txt", groups=None, display_name="")
    assert (other.profile_name, other.properties) == ("Work ID", {"site": "headquarters"})


@pytest.mark.parametrize(
    ("email", "where"),
    [("ada@example.org", QRLocation.EMAIL), (None, QRLocation.SELF_SERVICE)],
)
def test_code_by_mail(email: str | None, where: QRLocation, mailing_scripts: Scripts) -> None:
    """A code is mailed to whom one can be mailed to."""
    assert _decide(mailing_scripts, "code-by-mail.txt", email=email).qr_location is where


def test_external_staff(scripts: Scripts) -> None:
    """External staff sign in only, as long as the project runs, and need an address."""
    options = _decide(scripts, "external-staff.txt", userType="external", groups=["project-north"])
    assert options.certificates == (Kind.AUTHENTICATION,)
    assert options.validity == Validity("2030-06-30")
    assert _decide(scripts, "external-staff.txt", userType="external").validity == Validity("P180D")
    assert _decide(scripts, "external-staff.txt").certificates == BOTH
    source = (_FOLDER / "external-staff.txt").read_text("utf-8")
    assert scripts.evaluate(source, userType="external", email=None).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    "word",
    [
        *(f"`options.{name}`" for name in DECLARATION.option_names),
        *(f"`user.{name}`" for name in DECLARATION.attributes),
        *(f"`cert.{name}`" for name in DECLARATION.constants["cert"]),
        "`user.has(",
        "`user.in_group(",
    ],
)
def test_every_word_of_the_product_is_documented(word: str) -> None:
    """What a script can set or ask stands in the README."""
    assert word in _README


@pytest.mark.parametrize("code", Code)
def test_every_code_is_documented(code: Code) -> None:
    """What a diagnostic can carry stands in the README."""
    assert f"`{code.value}`" in _README


@pytest.mark.parametrize("function", BUILTINS)
def test_every_function_is_documented(function: str) -> None:
    """What a script can call stands in the README."""
    assert f"`{function}`" in _README or f"`{function}(" in _README
