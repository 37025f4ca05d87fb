"""The port `OptionScript`: a script and a user in, options out, or why there are none."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import structlog
from typing_extensions import override

from mobid.domain.options import Kind, Notify, Options, QRLocation, Recovery, Validity
from mobid.domain.users import SCRIPT_ATTRIBUTES
from mobid.optionscripts.recall import Recall
from mobid.optionscripts.released import attributes_of, defaults_for, sample_user
from mobid.optionscripts.stored_tests import read_tests, result_of
from mobid.optionscripts.words import declaration, expiring_declaration
from mobid.processes.errors import SandboxNotAvailable
from mobid.processes.ports import Diagnostic, Evaluation, Outcome
from mobid.processes.violations import broke_out
from mobid_scripts.errors import RequestTooLarge, SandboxUnavailable
from mobid_scripts.outcome import Code
from mobid_scripts.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from mobid.domain.users import User
    from mobid.processes.script_tests import ScriptTest, ScriptTestResult
    from mobid_scripts import outcome as engine
    from mobid_scripts.declaration import Declaration
    from mobid_scripts.limits import Limits


_log: Final = structlog.get_logger(__name__)


class ScriptLanguage:
    """The scripts of one name in their sandbox. One per process, thread-safe; `close` ends its fork server.

    Whatever a script does is an `Evaluation`, and so is a user with more attributes than fit into a run.
    `SandboxNotAvailable`, no script's fault, is raised: nothing was decided then, and nothing may be issued.
    """

    personal: ClassVar[frozenset[str]] = frozenset()
    """The options whose default is the user's own."""

    def __init__(self, declared: Declaration, limits: Limits | None = None) -> None:
        self.declaration: Final = declared
        self._sandbox = Sandbox(declared, limits)
        self._recall = Recall(self)

    def defaults_for(self, user: User) -> dict[str, object]:
        """Return every option as it is when a script does not set it, in plain form."""
        raise NotImplementedError

    def finished(self, evaluation: Evaluation) -> Evaluation:
        """Return an evaluation that has values, with all that follows from them."""
        return evaluation

    def check(self, source: str) -> Evaluation:
        """Compile a script, in the sandbox too, and return everything that is wrong with it."""
        with _availability():
            checked = self._sandbox.check(source)
        return _watched(
            source,
            Evaluation(
                outcome=Outcome.OK if checked.accepted else Outcome.REJECTED_AT_UPLOAD,
                diagnostics=_diagnostics(checked.diagnostics),
                layers=checked.layers,
                ms=checked.ms,
            ),
        )

    def evaluate(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Run a script on the released attributes of a user, as of a moment."""
        try:
            with _availability():
                run = self._sandbox.run(
                    source,
                    attributes_of(user, self.declaration),
                    defaults=self.defaults_for(user),
                    now=at,
                )
        except RequestTooLarge as too_large:
            fault = Diagnostic(code=Code.MEMORY.value, message=str(too_large))
            return Evaluation(outcome=Outcome.KILLED_BY_LIMIT, diagnostics=(fault,))
        evaluation = Evaluation(
            outcome=Outcome(run.outcome.value),
            values=run.options,
            refusal=run.refusal,
            diagnostics=_diagnostics(run.diagnostics),
            log=run.log,
            layers=run.layers,
            ms=run.ms,
        )
        if evaluation.values is None:
            return _watched(source, evaluation)
        return self.finished(evaluation)

    def recall(self, source: str, user: User, *, at: datetime) -> Evaluation:
        """Return what `evaluate` returns, without a run if all that the script can read was the same."""
        return self._recall.evaluate(source, user, at=at)

    def depends_on_user(self, source: str) -> bool:
        """Tell whether the result of a script can be another one for another user."""
        return bool(self.personal or self._recall.uses(source).attributes)

    def read_tests(self, plain: Sequence[object]) -> tuple[ScriptTest, ...]:
        """Read tests from plain values; raise `InvalidInput` with the first fault of one."""
        return read_tests(plain, self.declaration)

    def test(
        self, source: str, tests: Sequence[ScriptTest], *, at: datetime
    ) -> tuple[ScriptTestResult, ...]:
        """Run tests, each at its own moment or else this one."""
        return tuple(
            result_of(
                test,
                self.evaluate(source, sample_user(test.user), at=test.at or at),
                self.declaration,
            )
            for test in tests
        )

    def walls(self) -> engine.Walls:
        """Return which layers stand around scripts on this machine, and why the others do not."""
        with _availability():
            return self._sandbox.survey()

    def is_alive(self) -> bool:
        """Tell whether scripts can run; a fork server that is not there is started by asking."""
        if self._sandbox.server_pid is not None:
            return True
        with _availability():
            return self._sandbox.check("").accepted

    def close(self) -> None:
        """End the fork server."""
        self._sandbox.close()


class OptionScripts(ScriptLanguage):
    """`MobileIDScriptOptions`: the options of a mobile ID."""

    personal = frozenset({"user_id", "profile_name"})

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        mail: bool = False,
        released: Collection[str] = SCRIPT_ATTRIBUTES,
    ) -> None:
        """`mail` is whether this site has a mail server, so that a script may have codes mailed."""
        super().__init__(declaration(mail=mail, released=released), limits)

    @override
    def defaults_for(self, user: User) -> dict[str, object]:
        return defaults_for(user)

    @override
    def finished(self, evaluation: Evaluation) -> Evaluation:
        values = evaluation.values
        if values is None:
            return evaluation
        return _offered_once(replace(evaluation, options=_options(values)))


class ExpiringScripts(ScriptLanguage):
    """`MobileIDScriptExpiringOptions`: when the owner of a mobile ID is told that it is about to end."""

    def __init__(
        self, limits: Limits | None = None, *, released: Collection[str] = SCRIPT_ATTRIBUTES
    ) -> None:
        super().__init__(expiring_declaration(released=released), limits)

    @override
    def defaults_for(self, user: User) -> dict[str, object]:
        return {"remind_days": [60, 30, 14, 7], "daily_after_last": True}


@contextmanager
def _availability() -> Iterator[None]:
    """Tell callers of a sandbox that cannot run, and the log why."""
    try:
        yield
    except SandboxUnavailable as unavailable:
        _log.error("sandbox_unavailable", reason=unavailable.reason)  # the reason says it all
        raise SandboxNotAvailable from unavailable


def _watched(source: str, evaluation: Evaluation) -> Evaluation:
    """Raise the alarm about a script that got out of its language, whoever tries it, and wherever."""
    if broke_out(evaluation):
        _log.critical(
            "script_got_out_of_its_language",
            sha256=hashlib.sha256(source.encode("utf-8", "replace")).hexdigest(),
            outcome=evaluation.outcome.value,
            layers=evaluation.layers,
            faults=[fault.message for fault in evaluation.diagnostics],
        )
    return evaluation


def _offered_once(evaluation: Evaluation) -> Evaluation:
    """Nobody can tick what they get anyway: no kind may be in both lists of certificates."""
    options = evaluation.options
    if options is None:
        return evaluation
    twice = [k for k in options.selectable_certificates if k in options.certificates]
    if not twice:
        return evaluation
    message = f'Option "selectable_certificates": "{twice[0]}" is in "certificates" already; leave it out.'
    fault = Diagnostic(code=Code.BAD_VALUE.value, message=message)
    return replace(
        evaluation,
        outcome=Outcome.INVALID_RESULT,
        options=None,
        values=None,
        diagnostics=(fault,),
    )


def _options(plain: Mapping[str, object]) -> Options:
    """Make options of what the engine has checked against our declaration."""
    values = cast("Mapping[str, Any]", plain)
    return Options(
        certificates=tuple(map(Kind, values["certificates"])),
        selectable_certificates=tuple(map(Kind, values["selectable_certificates"])),
        qr_location=QRLocation(values["qr_location"]),
        validity=Validity(values["validity"]),
        user_id=values["user_id"],
        server_name=values["server_name"],
        profile_name=values["profile_name"],
        properties=values["properties"],
        recover_encryption=Recovery(values["recover_encryption"]),
        notify=Notify(values["notify"]),
    )


def _diagnostics(found: Iterable[engine.Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(
        Diagnostic(
            code=d.code.value, message=d.message, line=d.line, column=d.column, caret=d.caret
        )
        for d in found
    )
