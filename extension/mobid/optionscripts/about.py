"""What each word of our scripts is for: the sentences of the manual, and of what editors show.

A word that is declared and not described here fails a test, and so does the opposite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mobid_scripts.outcome import Code

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AboutOption:
    """An option: what it is for, what it takes, and what holds where no script sets it."""

    what: str
    takes: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class AboutFunction:
    """A function of the language: how it is called, in the spelling of stubs, and what it does."""

    signature: str
    what: str


OPTIONS: Final[Mapping[str, AboutOption]] = {
    "certificates": AboutOption(
        "Which certificates every mobile ID has.",
        "a list of 1 to 8 of `cert.AUTHENTICATION`, `cert.SIGNATURE` (`cert.ENCRYPTION` needs the key "
        "archive, which this version does not have)",
        "authentication and signature",
    ),
    "selectable_certificates": AboutOption(
        "Which more the user may tick before the QR code is shown.",
        "a list of kinds that are not in `certificates`",
        "none",
    ),
    "qr_location": AboutOption(
        "Where the user finds the QR code: on the page, or in a mail.",
        '`"self_service"` or `True`, `"email"` or `False`; by mail needs a mail server (`mail.host`) '
        "and users with an e-mail address",
        '`"self_service"`',
    ),
    "validity": AboutOption(
        "How long a mobile ID is valid; never longer than the CA's own certificate.",
        '`days(90)`, `months(6)`, `years(2)` or `until("2027-06-30")`; 1 day to 10 years',
        "2 years",
    ),
    "user_id": AboutOption(
        "Who the mobile ID is made out to, as the phone shows it.",
        "one line of 1 to 128 characters",
        "the primary e-mail address, else the user name",
    ),
    "server_name": AboutOption(
        "How the phone calls the company's service.",
        "one line of 1 to 64 characters",
        '"Mobile ID"',
    ),
    "profile_name": AboutOption(
        "How the phone calls the mobile ID.",
        "one line of 1 to 64 characters",
        '"MobileID " and the display name',
    ),
    "properties": AboutOption(
        "Text for the app on the phone.",
        "a table of text to text: at most 20 keys of small letters, digits and `_`, values of at most "
        "256 characters",
        "none",
    ),
    "recover_encryption": AboutOption(
        "Which earlier encryption keys the new phone receives.",
        '`"none"` (`"ask"`, `"latest"` and `"all"` need the key archive, which this version does not '
        "have)",
        '`"none"`',
    ),
    "notify": AboutOption(
        "Which outcomes the user is told by mail.",
        '`"both"`, `"success"`, `"failure"` or `"none"`',
        '`"both"`',
    ),
    "remind_days": AboutOption(
        "How many days before its end the owner of a mobile ID is told by mail.",
        "a list of at most 20 whole numbers from 1 to 365; an empty list tells nobody",
        "60, 30, 14 and 7 days",
    ),
    "daily_after_last": AboutOption(
        "Whether a mail goes every day after the last of `remind_days`, until the end.",
        "`True` or `False`",
        "`True`",
    ),
}

ATTRIBUTES: Final[Mapping[str, str]] = {
    "userName": "The name by which the identity manager knows the user; everybody has one.",
    "displayName": "The name as people write it.",
    "givenName": "The given name (`name.givenName` in SCIM).",
    "familyName": "The family name (`name.familyName` in SCIM).",
    "title": "The title, such as Vice President.",
    "userType": "What ties the user to the company, such as employee or contractor.",
    "preferredLanguage": "The language, such as sv or en-GB.",
    "locale": "The region for numbers and dates, such as sv-SE.",
    "employeeNumber": "The number in the company (enterprise extension).",
    "costCenter": "The cost centre (enterprise extension).",
    "organization": "The organization (enterprise extension).",
    "division": "The division (enterprise extension).",
    "department": "The department (enterprise extension).",
    "principalName": "The UPN for certificates (our extension).",
    "email": "The primary e-mail address.",
    "groups": "The names of all groups that the user is in, at any depth; an empty list for none.",
}

METHODS: Final[Mapping[str, AboutFunction]] = {
    "has": AboutFunction(
        "has(name: {attribute}) -> bool",
        "Whether the user has an attribute, and there is something in it.",
    ),
    "in_group": AboutFunction(
        "in_group(group: str) -> bool", "Whether the user is in the group of this name."
    ),
}

FUNCTIONS: Final[Mapping[str, AboutFunction]] = {
    "days": AboutFunction("days(count: int) -> Duration", "So many days of validity."),
    "months": AboutFunction(
        "months(count: int) -> Duration",
        "So many calendar months; from the 31st to the last day of a shorter month.",
    ),
    "years": AboutFunction(
        "years(count: int) -> Duration", "So many calendar years; from 29 to 28 February."
    ),
    "until": AboutFunction(
        "until(day: str) -> Duration", 'Through the end of a day, UTC: `until("2027-06-30")`.'
    ),
    "refuse": AboutFunction(
        'refuse(why: str = "") -> NoReturn',
        "End the script: the user gets no mobile ID, and reads why (at most 300 characters). In "
        "`MobileIDScriptExpiringOptions` this user is told nothing.",
    ),
    "log": AboutFunction(
        "log(*values: object) -> None",
        "Write a line for whoever tries or reviews the script; at most 50. Users never see them.",
    ),
    "print": AboutFunction("print(*values: object) -> None", "The same as `log`."),
}
"""What Python does not have, or has otherwise. `abs`, `len` and their like are as in Python."""

CODES: Final[Mapping[Code, str]] = {
    Code.SOURCE: "the text is too large, or has characters that nobody can see",
    Code.SYNTAX: "the text can not be read",
    Code.NOT_IN_LANGUAGE: "it says something that is not in the language",
    Code.UNKNOWN_NAME: "a name that nobody knows; the message names the nearest",
    Code.UNKNOWN_ATTRIBUTE: "an attribute that there is not, or that this site has not released",
    Code.UNKNOWN_OPTION: "an option that there is not; the message names the nearest",
    Code.READ_ONLY: "a name or thing that a script can not change",
    Code.BAD_VALUE: "an option does not take this value; the message says what it takes",
    Code.RUN_ERROR: "the statement failed for this user",
    Code.STEPS: "more than 20,000 turns of loops and calls",
    Code.MEMORY: "too much memory",
    Code.TIME: "more than a second of processor time",
    Code.OUTPUT: "the script leaves too much behind",
    Code.CRASH: "the interpreter ended without an answer; somebody should look at who wrote it",
    Code.VIOLATION: "the script left the language and was stopped; its version waits for its release",
    Code.BAD_ANSWER: "the answer is none that a script can give; somebody should look at who wrote it",
}

ORIGINAL: Final[tuple[tuple[str, str, str], ...]] = (
    ("script `MobileIDScriptOptions`", "script `MobileIDScriptOptions`", ""),
    (
        "`yearsOfValidity = 2`",
        "`options.validity = years(2)`",
        "`CredentialsDp_ValidFrom` and `…ValidTo` follow from it",
    ),
    (
        '`MobileIDOptionUserID = binding.variables["UsersDp_Email"]`',
        "`options.user_id = user.email`",
        "this is the default",
    ),
    ('`MobileIDOptionServerName = "Smart ID"`', '`options.server_name = "Smart ID"`', ""),
    (
        '`MobileIDOptionProfileName = "MobileID " + UsersDp_CN`',
        '`options.profile_name = "MobileID " + user.displayName`',
        "this is the default",
    ),
    (
        "QR code in Self-Service: `true`, by e-mail: `false`",
        "`options.qr_location = True` or `False`",
        '`"self_service"` and `"email"` say the same',
    ),
    (
        "certificates to issue: authentication, signature, encryption",
        "`options.certificates = [cert.AUTHENTICATION, cert.SIGNATURE]`",
        "what the user may choose is `options.selectable_certificates`",
    ),
    (
        "recovery of encryption certificates",
        '`options.recover_encryption = "none"`',
        "others need the key archive, which this version does not have",
    ),
    (
        "notify the user of success or failure",
        '`options.notify = "both"`',
        '`"success"`, `"failure"`, `"none"`',
    ),
    ("`UsersDp_Email`, `UsersDp_CN`, …", "`user.email`, `user.displayName`, …", "in SCIM spelling"),
    ("script `MobileIDScriptExpiringOptions`", "script `MobileIDScriptExpiringOptions`", ""),
    (
        "`MobileIDEmailBeforeExpiringDays = [60, 30, 14, 7]`",
        "`options.remind_days = [60, 30, 14, 7]`",
        "up to 365 days before",
    ),
    (
        "`MobileIDEmailBeforeExpiringEachDay = true`",
        "`options.daily_after_last = True`",
        "",
    ),
)
"""The variables of the Groovy scripts of Smart ID Identity Manager, and what says the same here."""
