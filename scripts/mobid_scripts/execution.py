"""One script, compiled and run in this process: only for the locked-down child of the fork server."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mobid_scripts.errors import BadResult, BadValue, Refusal, ScriptFault
from mobid_scripts.guards import Guards, Steps
from mobid_scripts.kinds import tidy
from mobid_scripts.language import Rejected, compiled
from mobid_scripts.outcome import MOST_DIAGNOSTICS, Code, Verdict
from mobid_scripts.places import Place, place_of
from mobid_scripts.views import Constants, Options, User
from mobid_scripts.vocabulary import Log, functions
from mobid_scripts.wording import kind_of, quoted, sentence

if TYPE_CHECKING:
    from mobid_scripts.declaration import Declaration
    from mobid_scripts.names import Finding

Answer = dict[str, Any]

MOST_STEPS: Final = 20_000
MOST_CALLS: Final = 200
_MOST_MESSAGE: Final = 400
_SHOWN: Final = re.compile(r"<[^<>]*>")
_ASKED: Final = re.compile(r"User\._(\w+)\(\)")
_NAMED: Final = re.compile(r"variable '(\w+)'")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


def answer(request: Answer, declaration: Declaration) -> Answer:
    """Do what a request asks for: check a script, or run it."""
    if request["only_check"]:
        return check(request["source"], declaration)
    return run(request, declaration)


def check(source: str, declaration: Declaration) -> Answer:
    """Compile a script without running it."""
    try:
        compiled(source, declaration)
    except Rejected as rejected:
        return _rejected(rejected, source)
    return {"outcome": Verdict.OK}


def run(request: Answer, declaration: Declaration) -> Answer:
    """Compile and run a script: `source`, `user`, `defaults`, and `now` as text."""
    log = Log()
    steps = Steps(MOST_STEPS)
    answer = _run(request, declaration, log, steps)
    return {**answer, "log": log.lines(), "steps": steps.used}


def _run(request: Answer, declaration: Declaration, log: Log, steps: Steps) -> Answer:
    source: str = request["source"]
    try:
        code = compiled(source, declaration)
        options = Options(declaration, request["defaults"], datetime.fromisoformat(request["now"]))
        guards = Guards(steps)
        names = {
            "__builtins__": {},
            "__name__": "script",
            **guards.names(),
            **functions(guards.turns, log),
            **{name: Constants(name, members) for name, members in declaration.constants.items()},
            "user": User(request["user"], declaration),
            "options": options,
        }
        _bounded_depth()
        exec(code, names)  # noqa: S102 - this process exists for it, behind the wall, under the guards
        return _finished(options, source)
    except Rejected as rejected:
        return _rejected(rejected, source)
    except Refusal as refusal:
        return {"outcome": Verdict.REFUSED, "refusal": refusal.words}
    except MemoryError:
        clause = "The script uses too much memory"
        return _ended(Verdict.KILLED_BY_LIMIT, [_diagnostic(Code.MEMORY, clause, Place(), source)])
    except Exception as error:  # noqa: BLE001 - whatever a script makes happen is a diagnostic for its author
        code_, clause = _told(error)
        place = place_of(error.__traceback__)
        return _ended(Verdict.FAILED_AT_RUN, [_diagnostic(code_, clause, place, source)])


def _bounded_depth() -> None:
    """Bound how deep functions may call each other, counted from here."""
    depth = 0
    frame = sys._getframe()  # noqa: SLF001 - the only way to learn the depth of the stack
    while frame.f_back is not None:
        frame = frame.f_back
        depth += 1
    sys.setrecursionlimit(depth + MOST_CALLS)


def _finished(options: Options, source: str) -> Answer:
    values, faults = options.result()
    if faults:
        found = [
            _diagnostic(Code.BAD_VALUE, clause, Place(line), source) for clause, line in faults
        ]
        return _ended(Verdict.INVALID_RESULT, found)
    return {"outcome": Verdict.OK, "options": values}


def _rejected(rejected: Rejected, source: str) -> Answer:
    told = rejected.findings[: MOST_DIAGNOSTICS - 1]
    found = [_found(finding, source) for finding in told]
    if (more := len(rejected.findings) - len(told)) > 0:
        clause = f"There are {more:,} more faults; mend these first"
        found.append(_diagnostic(Code.SOURCE, clause, Place(), source))
    return _ended(Verdict.REJECTED_AT_UPLOAD, found)


def _found(finding: Finding, source: str) -> Answer:
    node = finding.node
    line = getattr(node, "lineno", None)
    end = (
        getattr(node, "end_col_offset", None) if getattr(node, "end_lineno", None) == line else None
    )
    return _diagnostic(
        finding.code, finding.clause, Place(line, getattr(node, "col_offset", None), end), source
    )


def _ended(verdict: Verdict, diagnostics: list[Answer]) -> Answer:
    return {"outcome": verdict, "diagnostics": diagnostics}


def _diagnostic(code: Code, clause: str, place: Place, source: str) -> Answer:
    shown = tidy(clause)[:_MOST_MESSAGE]
    lines = source.split("\n")
    line = place.line if place.line is not None and 1 <= place.line <= len(lines) else None
    text = lines[line - 1].encode("utf-8", "replace") if line else b""
    return {
        "code": code,
        "message": sentence(shown, line),
        "line": line,
        "column": _column(text, place.column) if line else None,
        "end_column": _column(text, place.end_column) if line else None,
    }


def _column(text: bytes, offset: int | None) -> int | None:
    """Python counts bytes from 0, people count characters from 1."""
    return None if offset is None else len(text[:offset].decode(errors="replace")) + 1


def _told(error: Exception) -> tuple[Code, str]:
    """Say in the words of a script author what Python raised."""
    match error:
        case BadValue() | BadResult():
            return Code.BAD_VALUE, error.clause
        case ScriptFault():
            return error.code or Code.RUN_ERROR, error.clause
        case RecursionError():
            return (
                Code.STEPS,
                f"Functions call each other more than {MOST_CALLS} deep, or values are nested too deep",
            )
        case NameError():
            return Code.UNKNOWN_NAME, f"{quoted(_unbound(error))} has no value yet"
        case KeyError(args=(key,)):
            shown = quoted(key) if isinstance(key, str) else kind_of(key)
            return Code.RUN_ERROR, f"There is no key {shown}; .get() reads as None then"
        case _:
            return Code.RUN_ERROR, _without_insides(error)


def _unbound(error: NameError) -> str:
    """Return which name it is about; Python keeps that of a variable of a function in its words only."""
    named = _NAMED.search(str(error))
    return error.name or (named[1] if named else "A name")


def _without_insides(error: Exception) -> str:
    """Leave out how Python shows an object it has no words for: its address says where our memory is."""
    words = str(error)
    if (asked := _ASKED.match(words)) is not None:  # Python would count our `self`, too
        return f"user.{asked[1]}() takes one text, and nothing else"
    return f"{type(error).__name__}: {_ADDRESS.sub('?', _SHOWN.sub('this value', words))}"
