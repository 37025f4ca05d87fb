"""What a process refuses, and why. Each class has the code that its caller sees.

ProcessError
├── Refusal                      nothing was stored; the caller can do something about it
│   ├── UserNotActive            USER_NOT_ACTIVE
│   ├── ReauthenticationRequired REAUTH_REQUIRED
│   ├── MobileIDSuspended        MOBILE_ID_SUSPENDED
│   ├── MobileIDNotActive        MOBILE_ID_NOT_ACTIVE
│   ├── AlreadyHasMobileID       ALREADY_HAS_MOBILE_ID
│   ├── ProcessRunning           PROCESS_RUNNING
│   ├── AlreadyHeld              ALREADY_HELD
│   ├── NotHeld                  NOT_HELD
│   ├── UserNotRestorable        USER_NOT_RESTORABLE
│   ├── CAStillAnswers           CA_STILL_ANSWERS
│   ├── RefusedByScript          REFUSED
│   ├── MissingUserAttribute     MISSING_USER_ATTRIBUTE
│   │   └── NoEmail              NO_EMAIL
│   ├── NotFound                 NOT_FOUND
│   ├── StaleStep                STALE_STEP
│   ├── IllegalAction            ILLEGAL_TRANSITION
│   ├── InvalidInput             INVALID_INPUT
│   ├── TooManyCodes             TOO_MANY
│   ├── TooMany                  TOO_MANY
│   ├── CodeNotUsable            CODE_NOT_USABLE
│   ├── BadMailCode              BAD_CODE
│   ├── MailCodeRequired         BAD_CODE
│   ├── BadCertificateRequest    BAD_CSR
│   ├── KeyTypeNotAllowed        KEY_TYPE_NOT_ALLOWED
│   ├── KeyReused                KEY_REUSED
│   ├── WrongConfirmation        WRONG_CONFIRMATION
│   ├── ScriptNotAccepted        SCRIPT_NOT_ACCEPTED
│   ├── ScriptTestsFailed        SCRIPT_TESTS_FAILED
│   ├── ScriptTestsMissing       SCRIPT_TESTS_MISSING
│   ├── ScriptInQuarantine       SCRIPT_IN_QUARANTINE
│   ├── FourEyes                 FOUR_EYES
│   ├── NothingToRollBack        NOTHING_TO_ROLL_BACK
│   └── VersionConflict          VERSION_CONFLICT
└── Fault                        our side or the CA's; the same call may work later
    ├── OptionScriptFailed       OPTION_SCRIPT_ERROR
    │   ├── OptionScriptStopped  OPTION_SCRIPT_ERROR
    │   └── ScriptQuarantined    OPTION_SCRIPT_ERROR
    ├── SandboxNotAvailable      SANDBOX_UNAVAILABLE
    └── CANotAvailable           CA_UNAVAILABLE
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from mobid.domain.instances import Instance
    from mobid.domain.mobile_ids import Hold, MobileID
    from mobid.processes.ports import Evaluation
    from mobid.processes.script_tests import ScriptTestResult


class ProcessError(Exception):
    """A process did not do what it was asked to do."""

    code: ClassVar[str]


class Refusal(ProcessError):
    """Nothing was stored; the message says what would be right."""


class UserNotActive(Refusal):
    """The user is inactive or deleted."""

    code = "USER_NOT_ACTIVE"

    def __init__(self, state: str) -> None:
        super().__init__(f"This user account is {state}; only an active one can get a mobile ID.")


class ReauthenticationRequired(Refusal):
    """The last login is too long ago for this step."""

    code = "REAUTH_REQUIRED"

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes
        super().__init__(f"Sign in again: this step needs a login of the last {minutes} minutes.")


class MobileIDSuspended(Refusal):
    """The user has a mobile ID, but it is on hold."""

    code = "MOBILE_ID_SUSPENDED"

    def __init__(self) -> None:
        super().__init__(
            "Your mobile ID is suspended, so you cannot get another one. Contact your operator."
        )


class MobileIDNotActive(Refusal):
    """A user's own Lock is for an active mobile ID."""

    code = "MOBILE_ID_NOT_ACTIVE"

    def __init__(self, mobile_id: str, state: str) -> None:
        super().__init__(f"Mobile ID {mobile_id} is {state}; only an active one can be locked.")


class AlreadyHasMobileID(Refusal):
    """A user has one live mobile ID at most."""

    code = "ALREADY_HAS_MOBILE_ID"

    def __init__(self, mobile_id: MobileID) -> None:
        super().__init__(
            f"The user has the mobile ID {mobile_id.id}, which is {mobile_id.state}; "
            "another one can be ordered when that one is locked or has ended."
        )


class ProcessRunning(Refusal):
    """A user gets one mobile ID at a time."""

    code = "PROCESS_RUNNING"

    def __init__(self, instance: Instance) -> None:
        super().__init__(
            f"The user is getting a mobile ID already: process {instance.id} is at step "
            f"{instance.step}. Order again when it has ended."
        )


class AlreadyHeld(Refusal):
    """A hold is placed once; a second reason would be lost."""

    code = "ALREADY_HELD"

    def __init__(self, mobile_id: MobileID, hold: Hold) -> None:
        placed = mobile_id.holds[hold]
        super().__init__(
            f"Mobile ID {mobile_id.id} is {mobile_id.state} and has the hold {hold} already, placed by "
            f"{placed.placed_by} on {placed.placed_at:%Y-%m-%d %H:%M} UTC. Lift that one first."
        )


class NotHeld(Refusal):
    """A hold is lifted by its own kind only, and where it is."""

    code = "NOT_HELD"

    def __init__(self, mobile_id: MobileID, hold: Hold) -> None:
        there = ", ".join(sorted(mobile_id.holds)) or "none"
        super().__init__(
            f"Mobile ID {mobile_id.id} is {mobile_id.state} and has no hold {hold} to lift; "
            f"its holds: {there}."
        )


class UserNotRestorable(Refusal):
    """A deleted user cannot come back, because what they were known by is somebody else's now."""

    code = "USER_NOT_RESTORABLE"

    def __init__(self, user_id: str, problem: str) -> None:
        super().__init__(f"User {user_id} cannot be restored: {problem}. Nothing was changed.")


class CAStillAnswers(Refusal):
    """A CA that answers can confirm its revocations itself."""

    code = "CA_STILL_ANSWERS"

    def __init__(self, ca: str) -> None:
        super().__init__(
            f'The CA "{ca}" answers, so it is not gone. It is told of every revocation until it '
            "confirms; look at what it says with: mobid effects list"
        )


class RefusedByScript(Refusal):
    """The option script refuses this user, in its own words."""

    code = "REFUSED"


class MissingUserAttribute(Refusal):
    """A user attribute that a certificate needs is missing or cannot be used."""

    code = "MISSING_USER_ATTRIBUTE"

    def __init__(self, attribute: str, problem: str) -> None:
        self.attribute = attribute
        super().__init__(
            f'The user attribute "{attribute}" {problem}. Have it corrected, then try again.'
        )


class NoEmail(MissingUserAttribute):
    """The code goes by mail, and there is no address."""

    code = "NO_EMAIL"

    def __init__(self) -> None:
        super().__init__("emails", "is missing, and the code for your phone goes by mail")


class NotFound(Refusal):
    """There is no such thing, or it belongs to somebody else; the answer does not tell which."""

    code = "NOT_FOUND"

    def __init__(self, thing: str, name: str) -> None:
        super().__init__(f'There is no {thing} "{name}" here.')


class StaleStep(Refusal):
    """The action was meant for a step that is no longer the current one."""

    code = "STALE_STEP"

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        super().__init__(
            f"Process {instance.id} has moved on to step {instance.step} ({instance.step_seq}); "
            "look at it again before you act."
        )


class IllegalAction(Refusal):
    """The current step does not know this action."""

    code = "ILLEGAL_TRANSITION"

    def __init__(self, instance: Instance, action: str, known: Collection[str]) -> None:
        ways = "it knows " + (", ".join(known) or "none")
        super().__init__(
            f"Process {instance.id} at step {instance.step} has no action {action}; {ways}."
        )


class InvalidInput(Refusal):
    """A field of the input to an action is missing or not one of the choices."""

    code = "INVALID_INPUT"

    def __init__(self, field: str, right: str) -> None:
        self.field = field
        self.right = right
        """What would be right, or what is wrong: a sentence without its subject."""
        super().__init__(_sentence(f'Input "{field}" {right}'))


class TooManyCodes(Refusal):
    """The code of a run was renewed as often as allowed."""

    code = "TOO_MANY"

    def __init__(self, most: int) -> None:
        super().__init__(f"This run has used its {most} codes. Cancel it and start again.")


class TooMany(Refusal):
    """Somebody did this more often than allowed; it is counted, and nothing else was done."""

    code = "TOO_MANY"

    def __init__(self, retry_after: timedelta, what: str = "This was done too often.") -> None:
        self.retry_after = max(1, -(-retry_after // timedelta(seconds=1)))
        """Seconds after which it is allowed again."""
        unit = "second" if self.retry_after == 1 else "seconds"
        super().__init__(f"{what} Try again in {self.retry_after} {unit}.")


class CodeNotUsable(Refusal):
    """Unknown, used, expired and foreign codes are all answered alike."""

    code = "CODE_NOT_USABLE"

    def __init__(self) -> None:
        super().__init__("This code cannot be used. Ask for a new code on the page and try again.")


class BadMailCode(Refusal):
    """The link is good, the mail code is not: wrong, expired, or tried too often."""

    code = "BAD_CODE"

    def __init__(self, tries_left: int) -> None:
        self.tries_left = tries_left
        super().__init__(
            f"This is not the code of the page. Tries left: {tries_left}."
            if tries_left
            else "The code of the page is dead. Get a new code there; the link in the mail stays good."
        )


class MailCodeRequired(Refusal):
    """The code came by mail, and the phone has to send the mail code, too. No try is counted."""

    code = "BAD_CODE"

    def __init__(self) -> None:
        super().__init__(
            "This link came by mail. Enter the code that the page shows, and send it, too."
        )


class BadCertificateRequest(Refusal):
    """A PKCS#10 request that does not prove possession of a sound key."""

    code = "BAD_CSR"

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(f"The certificate request for {kind} {problem}.")


class KeyTypeNotAllowed(Refusal):
    """A key of a type or size that we issue nothing for."""

    code = "KEY_TYPE_NOT_ALLOWED"

    def __init__(self, kind: str, found: str, allowed: str) -> None:
        super().__init__(f"The key for {kind} is {found}; allowed is {allowed}.")


class KeyReused(Refusal):
    """One key belongs to one certificate, ever."""

    code = "KEY_REUSED"

    def __init__(self, kind: str) -> None:
        super().__init__(
            f"The key for {kind} was used before. Make a new key for every certificate."
        )


class WrongConfirmation(Refusal):
    """A phone confirmed something else than the certificates that it was given."""

    code = "WRONG_CONFIRMATION"

    def __init__(self) -> None:
        super().__init__(
            "These are not the hashes of the certificates that were issued. Fetch them again, "
            "then confirm the SHA-256 of each in DER."
        )


class ScriptNotAccepted(Refusal):
    """An option script that does not compile; the diagnostics say where and why."""

    code = "SCRIPT_NOT_ACCEPTED"

    def __init__(self, name: str, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        faults = "; ".join(fault.message for fault in evaluation.diagnostics)
        said = faults or evaluation.outcome
        super().__init__(_sentence(f'Option script "{name}" was not stored: {said}'))


class ScriptTestsFailed(Refusal):
    """A version does not do what its stored tests say, on this version of the software."""

    code = "SCRIPT_TESTS_FAILED"

    def __init__(self, name: str, version: int, results: Sequence[ScriptTestResult]) -> None:
        self.results = results
        red = [result for result in results if not result.passed]
        first = f'"{red[0].name}": {red[0].problems[0]}'
        super().__init__(
            f"Version {version} of {name} was not activated: {len(red)} of its {len(results)} tests "
            f"failed, the first is {first}. Push a version whose tests pass."
        )


class ScriptTestsMissing(Refusal):
    """A site that wants tests with every version got one without."""

    code = "SCRIPT_TESTS_MISSING"

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"Version {version} of {name} has no tests, and this site activates none without "
            "(scripts.tests_required). Push it again with its tests."
        )


class ScriptInQuarantine(Refusal):
    """A version that did what no script can do is not activated before somebody has looked at it."""

    code = "SCRIPT_IN_QUARANTINE"

    def __init__(self, name: str, version: int, why: str) -> None:
        super().__init__(
            f"Version {version} of {name} is in quarantine: {why} Look at it, and release it if it is "
            f"good: mobid scripts release {version} --name {name}"
        )


class FourEyes(Refusal):
    """Whoever wrote a version may not activate it at this site."""

    code = "FOUR_EYES"

    def __init__(self, name: str, version: int, author: str) -> None:
        super().__init__(
            f"Version {version} of {name} was stored by {author}; at this site (scripts.four_eyes) "
            "somebody else has to activate it."
        )


class NothingToRollBack(Refusal):
    """A script was never anything but what it is now."""

    code = "NOTHING_TO_ROLL_BACK"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"No other version of {name} was ever active; there is none to go back to."
        )


class VersionConflict(Refusal):
    """Somebody else changed it in the meantime."""

    code = "VERSION_CONFLICT"


class Fault(ProcessError):
    """Our side or the CA's; the caller did nothing wrong."""


class OptionScriptFailed(Fault):
    """The option script broke. The user gets a reference, the administrators get the line."""

    code = "OPTION_SCRIPT_ERROR"

    because: ClassVar[str] = "its option script failed"

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(
            f"A mobile ID cannot be ordered right now: {self.because}. "
            f"Tell your service desk the reference {reference}."
        )


class OptionScriptStopped(OptionScriptFailed):
    """The option script met a limit of time, memory or output; so it may for this user alone."""

    because = "its option script took too much time or memory and was stopped"


class ScriptQuarantined(OptionScriptFailed):
    """The active version of the script is in quarantine; an administrator has to look at it."""

    because = "its option script was taken out of service for safety"


class SandboxNotAvailable(Fault):
    """No option script can be run, so nothing can be decided; why is for the log."""

    code = "SANDBOX_UNAVAILABLE"

    def __init__(self, reference: str | None = None) -> None:
        self.reference = reference
        told = "" if reference is None else f" or tell your service desk the reference {reference}"
        super().__init__(f"No option script can be run right now. Try again soon{told}.")


class CANotAvailable(Fault):
    """What the CA can do is not known yet."""

    code = "CA_UNAVAILABLE"

    def __init__(self, ca: str) -> None:
        super().__init__(
            f'The CA "{ca}" has not answered yet, so nothing can be ordered. Try again soon.'
        )


def _sentence(text: str) -> str:
    """Return a text with an end; what it quotes may have brought one."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
