"""The port `OptionScript`: what a script decides about a user, as values of the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mobid.domain.options import Kind, Notify, Options, QRLocation, Recovery, Validity
from mobid.optionscripts import SHIPPED_VERSION_0, OptionScripts
from mobid.processes.errors import SandboxNotAvailable
from mobid.processes.ports import OptionScript, Outcome

if TYPE_CHECKING:
    from tests.extension.optionscripts.conftest import Scripts

MAIL = "needs a mail server, which this site does not have: set mail.host"
ARCHIVE = "needs the key archive, which this version does not have"


def test_it_is_the_port() -> None:
    """The processes can be given this class."""
    port: type[OptionScript] = OptionScripts
    assert port is OptionScripts


def test_every_option_can_be_set(scripts: Scripts) -> None:
    """What a script sets arrives as values of the domain."""
    evaluation = scripts.evaluate(
        """
options.certificates = [cert.AUTHENTICATION]
options.selectable_certificates = [cert.SIGNATURE]
options.qr_location = True
options.validity = days(90) if user.department == "Finance" else years(2)
options.user_id = user.userName
options.server_name = "Example AB"
options.profile_name = "Work"
options.properties = {"site": "north"}
options.recover_encryption = "none"
options.notify = "failure"
"""
    )
    assert evaluation.outcome is Outcome.OK
    assert evaluation.options == Options(
        certificates=(Kind.AUTHENTICATION,),
        selectable_certificates=(Kind.SIGNATURE,),
        qr_location=QRLocation.SELF_SERVICE,
        validity=Validity("P90D"),
        user_id="ada",
        server_name="Example AB",
        profile_name="Work",
        properties={"site": "north"},
        recover_encryption=Recovery.NONE,
        notify=Notify.FAILURE,
    )


@pytest.mark.parametrize("word", ['"email"', "False"])
def test_a_site_with_a_mail_server_can_mail_codes(word: str, mailing_scripts: Scripts) -> None:
    """Then nothing is in the way of the option."""
    options = mailing_scripts.evaluate(f"options.qr_location = {word}").options
    assert options is not None
    assert options.qr_location is QRLocation.EMAIL


@pytest.mark.parametrize("source", ["", SHIPPED_VERSION_0])
def test_the_shipped_version_is_what_an_empty_script_decides(source: str, scripts: Scripts) -> None:
    """The shipped script writes the defaults down, and the defaults are those of the domain."""
    expected = Options(user_id="ada@example.org", profile_name="MobileID Ada Lovelace")
    assert scripts.evaluate(source).options == expected


def test_without_an_address_the_user_id_is_the_user_name(scripts: Scripts) -> None:
    """The default of the user id is the primary e-mail address, else the user name."""
    options = scripts.evaluate("", email=None).options
    assert options is not None
    assert options.user_id == "ada"


@pytest.mark.parametrize(
    ("display_name", "profile_name"),
    [
        ("Ada\tKing\r\nLovelace", "MobileID Ada King Lovelace"),
        ("A" * 80, "MobileID " + "A" * 55),
        ("A\u030a", "MobileID Å"),
        ("", "MobileID ada"),
    ],
)
def test_a_default_profile_name_fits_on_a_phone(
    display_name: str, profile_name: str, scripts: Scripts
) -> None:
    """Whatever a directory has for a name, a user who got no script of their own gets a mobile ID."""
    options = scripts.evaluate("", display_name=display_name).options
    assert options is not None
    assert options.profile_name == profile_name


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            'options.recover_encryption = "all"',
            f'Option "recover_encryption": "all" {ARCHIVE}; use "none" (line 1).',
        ),
        (
            'options.recover_encryption = "ask"',
            f'Option "recover_encryption": "ask" {ARCHIVE}; use "none" (line 1).',
        ),
        (
            "options.certificates = [cert.ENCRYPTION]",
            f'Option "certificates": "encryption" {ARCHIVE}; leave it out (line 1).',
        ),
        (
            "options.selectable_certificates = [cert.ENCRYPTION]",
            f'Option "selectable_certificates": "encryption" {ARCHIVE}; leave it out (line 1).',
        ),
        (
            "options.qr_location = False",
            f'Option "qr_location": "email" {MAIL}; use "self_service" (line 1).',
        ),
    ],
)
def test_what_is_not_built_is_refused_by_name(source: str, message: str, scripts: Scripts) -> None:
    """A script can not ask for what nobody would do."""
    assert scripts.fault(source) == message


def test_a_fault_names_option_value_and_remedy(scripts: Scripts) -> None:
    """The administrator who reads the error knows what to write instead, and where."""
    source = "# one\n# two\noptions.validity = days(0)"
    evaluation = scripts.evaluate(source)
    (diagnostic,) = evaluation.diagnostics
    assert evaluation.outcome is Outcome.FAILED_AT_RUN
    assert (
        diagnostic.message == 'Option "validity": 0 days is too short; the least is 1 day (line 3).'
    )
    assert (diagnostic.code, diagnostic.line, diagnostic.column) == ("bad_value", 3, 1)


def test_nobody_is_offered_what_they_get_anyway(scripts: Scripts) -> None:
    """A kind is issued, or may be ticked, but not both."""
    evaluation = scripts.evaluate("options.selectable_certificates = [cert.SIGNATURE]")
    assert (evaluation.outcome, evaluation.options) == (Outcome.INVALID_RESULT, None)
    assert evaluation.diagnostics[0].message == (
        'Option "selectable_certificates": "signature" is in "certificates" already; leave it out.'
    )


def test_a_user_id_that_is_too_long_is_not_cut(scripts: Scripts) -> None:
    """Half an identifier is somebody else's; the error says that it was a default."""
    assert scripts.fault("", email="a" * 120 + "@example.org") == (
        'Option "user_id": 132 characters are too many; the most is 128; '
        "this is the default, so let the script set it."
    )


def test_a_refusal_has_the_words_of_the_script(scripts: Scripts) -> None:
    """The user reads what the administrator wrote."""
    evaluation = scripts.evaluate('if not user.in_group("x"):\n    refuse("Ask your manager.")')
    assert (evaluation.outcome, evaluation.refusal) == (Outcome.REFUSED, "Ask your manager.")


def test_attributes_are_the_released_ones(scripts: Scripts) -> None:
    """A script sees names, address and released attributes, and nothing else of a user."""
    log = "log(user.userName, user.email, user.principalName, user.department, user.groups, user.title)"
    evaluation = scripts.evaluate(log, principal_name="ada@corp", title={"not": "plain"}, salary=9)
    assert evaluation.log == ("ada ada@example.org ada@corp Finance [staff, site-north] None",)
    assert "no attribute" in scripts.fault("x = user.salary", salary=9)


def test_check_reports_everything_and_runs_nothing(scripts: Scripts) -> None:
    """An upload is checked in the sandbox, and all of its faults come back together."""
    checked = scripts.port.check("options.notfy = 1\nwhile True:\n    pass\nx = user.deparment\n")
    assert checked.outcome is Outcome.REJECTED_AT_UPLOAD
    assert [fault.line for fault in checked.diagnostics] == [1, 2, 4]
    assert scripts.port.check("x = 1 / 0").outcome is Outcome.OK


def test_each_answer_says_what_stood_around_it(scripts: Scripts) -> None:
    """Layers and time come with every run and every check."""
    for answer in (scripts.evaluate(""), scripts.port.check("")):
        assert {"rlimits", "no_new_privs"} <= set(answer.layers)
        assert answer.ms > 0


def test_without_a_sandbox_there_is_no_answer(scripts: Scripts) -> None:
    """Nothing runs in the process of the server, whatever happens to the sandbox."""
    closed = OptionScripts()
    closed.close()
    with pytest.raises(SandboxNotAvailable, match="No option script can be run right now"):
        closed.check("")
    assert scripts.evaluate("").outcome is Outcome.OK


def test_a_user_who_is_too_large_for_a_run_is_a_limit(scripts: Scripts) -> None:
    """Ten thousand long names of groups: the user gets a reference, the administrator the size."""
    evaluation = scripts.evaluate("", groups=["x" * 100] * 11_000)
    assert (evaluation.outcome, evaluation.options) == (Outcome.KILLED_BY_LIMIT, None)
    (fault,) = evaluation.diagnostics
    assert fault.message.startswith("The script and the attributes of the user take 1,1")
    assert fault.message.endswith(" bytes; the most is 1,048,576.")
