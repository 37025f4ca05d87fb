"""scim-sanity, another independent conformance suite: its strict probe against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.conformance.conftest import Site

PROBE: Final = "from scim_sanity.cli import main; main(auto_envvar_prefix='SCIM_SANITY')"
"""The command `scim-sanity`. It takes a token as an argument alone, which everybody on the machine can
read; Click, of which it is made, takes options from the environment as well, where it is told a prefix."""
PATIENCE: Final = 120.0
Result = dict[str, str]

SKIPPED: Final = {
    # The probe knows two resource types of draft-abbey-scim-agent-extension-00, for software that acts by
    # itself. No RFC has them, nobody here gets a mobile ID without a phone in a hand, and discovery says
    # what there is; so there is nothing to be probed.
    "Agent CRUD Lifecycle": "Agent not supported by server",
    "AgenticApplication CRUD Lifecycle": "AgenticApplication not supported by server",
    "Agent Rapid Lifecycle": "Agent not supported or not in scope",
}


@pytest.fixture(scope="session")
def token(site: Site) -> str:
    """A token of no dialect."""
    return site.token("scim-sanity")


def test_the_strict_probe_passes(
    site: Site, token: str, record_property: Callable[[str, object], None]
) -> None:
    """Everything passes, without a warning; what is not there to be probed is written down here."""
    report = probe(site, token)
    results = report["results"]
    record_property("report", told(report))
    others = [one for one in results if one["status"] != "pass"]
    expected = [(name, "skip", why) for name, why in SKIPPED.items()]
    assert sorted(map(outcome, others)) == sorted(expected)
    assert len(results) - len(others) >= 28
    assert [one for one in results if "may ignore" in one.get("message", "")] == []


def probe(site: Site, token: str) -> dict[str, Any]:
    """Run the whole probe, and return its report."""
    words = ["probe", site.base_url, "--strict", "--i-accept-side-effects", "--json-output"]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        env=os.environ | {"SCIM_SANITY_PROBE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def outcome(result: Result) -> tuple[str, str, str]:
    """Return what was tried, how it went, and why."""
    return result["name"], result["status"], result.get("message", "")


def told(report: dict[str, Any]) -> str:
    """Return the counts, and a line for each phase and whatever did not pass in it."""
    counts = ", ".join(f"{count} {name}" for name, count in report["summary"].items())
    lines = [f"scim-sanity {report['scim_sanity_version']}, {report['mode']}: {counts}"]
    results: Sequence[Result] = report["results"]
    for phase in dict.fromkeys(one["phase"] for one in results):
        here = [one for one in results if one["phase"] == phase]
        lines.append(f"{phase}: {sum(one['status'] == 'pass' for one in here)} of {len(here)}")
        lines += [
            "  {1}: {0}: {2}".format(*outcome(one)) for one in here if one["status"] != "pass"
        ]
    return "\n".join(lines)
