"""Scripts that try to get out, to read what is not theirs, or to never end: none may get any further."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from mobid_scripts.outcome import Verdict

if TYPE_CHECKING:
    from tests.scripts.conftest import LanguageAlone, Scripts

_FOLDER: Final = Path(__file__).parent / "escapes"
_INDEX: Final = json.loads((_FOLDER / "index.json").read_text("utf-8"))
# The order in which a script can be stopped; an earlier stage than the one written down is as good.
_AT_UPLOAD: Final = [Verdict.REJECTED_AT_UPLOAD]
_AT_RUN: Final = [*_AT_UPLOAD, Verdict.FAILED_AT_RUN, Verdict.INVALID_RESULT]
_STAGES: Final = {
    "rejected_at_upload": _AT_UPLOAD,
    "rejected_at_run": _AT_RUN,
    "killed_by_limit": [*_AT_RUN, Verdict.KILLED_BY_LIMIT],
}

every_escape = pytest.mark.parametrize("escape", _INDEX, ids=lambda escape: str(escape["name"]))


def _source(escape: dict[str, str]) -> str:
    return (_FOLDER / escape["file"]).read_bytes().decode("utf-8", "surrogatepass")


@every_escape
def test_no_escape_reaches_its_goal(escape: dict[str, str], scripts: Scripts) -> None:
    """It ends at the stage written down or before, within a second of its limit, and gets no options.

    Check and run agree on what is in the language; and the fork server that ran it runs the next one.
    """
    accepted = scripts.check(_source(escape)).accepted
    server = scripts.sandbox.server_pid
    outcome = scripts.run(_source(escape))
    assert scripts.sandbox.server_pid == server
    assert accepted is (outcome.outcome is not Verdict.REJECTED_AT_UPLOAD)
    assert accepted or escape["expected"] != "killed_by_limit"
    assert outcome.outcome in _STAGES[escape["expected"]]
    assert "PWNED" not in " ".join(outcome.log)
    assert outcome.options is None
    assert outcome.diagnostics
    assert outcome.ms < 2000


@every_escape
def test_no_escape_gets_past_the_language_alone(
    escape: dict[str, str], language_alone: LanguageAlone
) -> None:
    """In a process with all its rights it ends no later, since no wall may need another one."""
    answer = language_alone.run(_source(escape))
    assert "PWNED" not in str(answer.get("log"))
    if escape["expected"] == "killed_by_limit":
        assert answer.get("status") == -signal.SIGPROF or answer["outcome"] != Verdict.OK
    else:
        assert answer["outcome"] in _STAGES[escape["expected"]]
        assert answer["diagnostics"]


def test_every_escape_is_there() -> None:
    """Eighty-five scripts, as they were collected: the digest is over names, texts and expectations."""
    assert len(_INDEX) == 85
    assert sorted(escape["file"] for escape in _INDEX) == sorted(
        path.name for path in _FOLDER.glob("*.txt")
    )
    digest = hashlib.sha256()
    for escape in sorted(_INDEX, key=lambda escape: str(escape["name"])):
        source = hashlib.sha256((_FOLDER / escape["file"]).read_bytes()).hexdigest()
        digest.update(f"{escape['name']} {escape['expected']} {source}\n".encode())
    assert digest.hexdigest() == "e02173dbc78fc9d2f7171df8e7fbdbea34af0a513f040706d77b03602cc2c913"
