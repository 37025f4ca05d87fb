"""Checks of the sandbox: which walls stand on this machine, and whether known escapes end as they must."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from mobid.app.doctor.finding import failed, ok, warning
from mobid.domain.users import User, UserState
from mobid.processes.errors import SandboxNotAvailable
from mobid.processes.ports import Outcome
from mobid_scripts.limits import LAYERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from mobid.app.doctor.finding import Finding
    from mobid.processes.option_scripts import OptionScriptLife
    from mobid.processes.ports import Evaluation
    from mobid_scripts.outcome import Walls

_NOBODY: Final = User(
    id="doctor", state=UserState.ACTIVE, user_name="doctor", display_name="Doctor"
)
_REMEDY: Final = (
    "Start no script on this machine. Report it, with the versions of mobid and the kernel."
)

_ANOTHER: Final = "Store a version that does what is wanted, and activate it."

ESCAPES: Final = {
    "reach the interpreter": "x = ().__class__.__mro__[1].__subclasses__()",
    "open a file": "x = open('/etc/passwd')",
    "import a module": "import os",
    "never end": "for i in range(9999):\n    for j in range(9999):\n        x = j",
    "take all memory": "x = 'a'\nfor i in range(60):\n    x = x + x",
}
"""What scripts try, and how. None may get options."""


class Evaluates(Protocol):
    """Runs scripts."""

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Run a script on a user."""

    def walls(self) -> Walls:
        """Return which layers stand, and why the others do not."""


def sandbox(scripts: Evaluates, now: datetime, demanded: Collection[str] = ()) -> Iterator[Finding]:
    """Name the walls of this machine, run an honest script, and then try to get out."""
    try:
        yield from walls(scripts.walls(), demanded)
        honest = scripts.evaluate("options.validity = days(90)", _NOBODY, at=now)
        if honest.outcome is not Outcome.OK:
            yield failed("sandbox", f"an honest script ended as {honest.outcome}", _REMEDY)
        out = [
            name
            for name, source in ESCAPES.items()
            if scripts.evaluate(source, _NOBODY, at=now).outcome is Outcome.OK
        ]
    except SandboxNotAvailable as unavailable:
        remedy = "No Get can start until that is mended."
        yield failed("sandbox", str(unavailable.__cause__ or unavailable), remedy)
        return
    if out:
        yield failed("sandbox", f"these scripts got out: {', '.join(out)}", _REMEDY)
    else:
        yield ok("sandbox", f"{len(ESCAPES)} known escapes ended as they must")


def walls(found: Walls, demanded: Collection[str] = ()) -> Iterator[Finding]:
    """Tell of every layer whether it holds, and if not why, and what that means."""
    for layer in LAYERS:
        if layer in found.layers:
            yield ok(f"sandbox {layer}", "holds")
            continue
        why = f"does not stand: {found.missing.get(layer, 'nobody knows why')}"
        remedy = "Run on a kernel that has it; let container profile and systemd unit allow it"
        if layer in demanded:
            allowed = f"{remedy}, or take it out of scripts.layers. Until then no script runs."
            yield failed(f"sandbox {layer}", why, allowed)
        else:
            yield warning(f"sandbox {layer}", f"{why}; the others hold", f"{remedy}.")


def active_versions(life: OptionScriptLife) -> Iterator[Finding]:
    """Tell of every script whether its active version still does what its tests say.

    What an older version of the software accepted, this one may not: then it fails for everybody.
    """
    for name in life.names:
        try:
            yield _active(life, name)
        except SandboxNotAvailable as unavailable:
            yield failed(f"script {name}", str(unavailable), "See what is wrong with the sandbox.")


def _active(life: OptionScriptLife, name: str) -> Finding:
    script, what = life.active(name), f"script {name}"
    number = f"version {script.version}"
    if script.quarantined_at is not None:
        remedy = f"Look at it; then: mobid scripts release {script.version} --name {name}"
        return failed(what, f"{number} is in quarantine: {script.quarantined_why}", remedy)
    checked = life.check(name, script.source)
    if checked.outcome is not Outcome.OK:
        why = "; ".join(fault.message for fault in checked.diagnostics)
        return failed(what, f"{number} is not accepted: {why}", _ANOTHER)
    red = [one for one in life.test_version(name, script.version) if not one.passed]
    if red:
        why = f"{number} fails its test {red[0].name}: {red[0].problems[0]}"
        return failed(what, why, _ANOTHER)
    return ok(what, f"{number} is active; tests that pass: {len(script.tests)}")
