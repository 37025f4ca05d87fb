"""The walk: from a user that arrives over SCIM to mobile IDs that are locked and revoked.

It uses HTTP and files only and knows nothing of the server's inside. Every end state is checked by
OpenSSL, the CRL and OCSP; our own word is asked only to be compared with theirs.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import httpx2
from scim2_client import SCIMClientException

from mobid.cli.demo.actors import running_server
from mobid.cli.demo.checks import CheckFailed, find_openssl
from mobid.cli.demo.walk import arriving, getting, locking, mailing
from mobid.cli.demo.walk.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STEPS: Final[Sequence[tuple[str, Callable[[Stage], str]]]] = (
    ("A user arrives over SCIM", arriving.user_arrives),
    ("An option script decides", arriving.script_decides),
    ("Get: the page shows a QR code", getting.page_shows_code),
    ("A phone scans it and makes its keys", getting.phone_scans),
    ("The user approves this phone, the CA issues", getting.user_approves),
    ("Every certificate holds", getting.certificates_hold),
    ("A second Get, with Lock inside", getting.second_get_locks),
    ("The first one's certificates are revoked", locking.first_is_revoked),
    ("Another phone scans the new code", getting.phone_scans),
    ("The user approves that phone", getting.user_approves),
    ("Every certificate of the second one holds", getting.certificates_hold),
    ("The user locks the second one", locking.user_locks),
    ("Another option script sends codes by mail", arriving.script_sends_mails),
    ("A third Get: the code goes by mail", mailing.code_goes_by_mail),
    ("A thief of the mails gets nothing", mailing.thief_gets_nothing),
    ("A wrong mail code is counted", mailing.wrong_mail_code_is_counted),
    ("A phone with mail and mail code makes its keys", mailing.phone_has_both),
    ("The user approves it, without a number", mailing.user_approves),
    ("Every certificate of the third one holds", getting.certificates_hold),
    ("Mails have told the user of each mobile ID", mailing.user_is_told),
    ("The user locks the third one", locking.user_locks),
    ("Nothing that was ever issued is valid", locking.everything_is_revoked),
)


def walk(home: Path, keep: Path | None, phone: Path, config: Path | None = None) -> int:
    """Walk the whole path; return 0 only if every check was met."""
    with tempfile.TemporaryDirectory(prefix="mobid-walk-") as scratch:
        out = keep or Path(scratch, "kept")
        (out / "certs").mkdir(parents=True, exist_ok=True)
        diary: list[dict[str, Any]] = []
        try:
            openssl = find_openssl()
            click.echo("The server starts …")
            with running_server(home, out / "server.log", out / "mail", config) as told:
                complete = _go(Stage(told, out=out, phone=phone, openssl=openssl), diary)
        except CheckFailed as failure:
            click.echo(f"The walk did not begin: {failure}", err=True)
            complete = False
        (out / "walk.json").write_text(
            json.dumps(diary, indent=2, ensure_ascii=False) + "\n", "utf-8"
        )
    click.echo(
        "Every step was as it must be." if complete else "The walk failed.", err=not complete
    )
    return 0 if complete else 1


def _go(stage: Stage, diary: list[dict[str, Any]]) -> bool:
    """Take one step after the other until one fails; say whether none did."""
    for number, (title, step) in enumerate(STEPS, 1):
        begun = time.monotonic()
        try:
            outcome, passed = step(stage), True
        except (CheckFailed, SCIMClientException, httpx2.HTTPError) as failure:
            outcome, passed = str(failure), False
        seconds = round(time.monotonic() - begun, 3)
        diary.append({"step": title, "seconds": seconds, "passed": passed, "outcome": outcome})
        click.echo(f"{'✓' if passed else '✗'} {number:2}/{len(STEPS)} {title}  ({seconds:.1f} s)")
        click.echo(f"        {outcome}")
        if not passed:
            return False
    return True
