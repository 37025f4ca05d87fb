"""`mobid scripts`, `ca`, `effects` and `audit`: what administrators and operators do from a shell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


class Mobid(Protocol):
    """What the fixture gives."""

    home: Path

    def __call__(self, *words: str) -> Result:
        """Run the command."""

    def json(self, *words: str) -> Any:
        """Run it, and return what it answered."""


class TestScripts:
    def test_from_file_to_active_and_back(self, mobid: Mobid, tmp_path: Path) -> None:
        """A script is stored, activated, and rolled back to the shipped one."""
        file = tmp_path / "options.py"
        file.write_text("options.validity = days(90)\n")

        pushed = mobid.json("scripts", "push", str(file), "-m", "Shorter")
        activated = mobid.json("scripts", "activate", "1")
        rolled_back = mobid.json("scripts", "activate", "0")

        assert pushed["version"] == 1
        assert (activated["active"], activated["replaced"]) == (1, 0)
        assert (rolled_back["active"], rolled_back["replaced"]) == (0, 1)
        listed = mobid.json("scripts", "list")
        assert [(one["version"], one["active"], one["comment"]) for one in listed][:1] == [
            (1, False, "Shorter")
        ]

    def test_a_fault_is_shown_with_a_caret(self, mobid: Mobid, tmp_path: Path) -> None:
        """A misspelt option is refused with its place and what was probably meant."""
        file = tmp_path / "options.py"
        file.write_text("options.validty = days(90)\n")

        done = mobid("scripts", "check", str(file))

        assert done.exit_code == 2
        assert f'{file}:1:1: There is no option "validty"; did you mean' in done.output
        assert "    options.validty = days(90)\n    ^^^^^^^^^^^^^^^\n" in done.output
        assert mobid("scripts", "push", str(file)).exit_code == 2
        assert [one["version"] for one in mobid.json("scripts", "list")] == [0]

    def test_a_comment_is_one_printable_line(self, mobid: Mobid, tmp_path: Path) -> None:
        """What is listed on a terminal cannot steer it."""
        file = tmp_path / "options.py"
        file.write_text("options.validity = days(90)\n")

        done = mobid("scripts", "push", str(file), "-m", "harmless\x1b[2J")

        assert done.exit_code == 2
        assert 'Input "comment" must be one line of at most 500 characters' in done.output

    def test_activation_is_compare_and_set(self, mobid: Mobid, tmp_path: Path) -> None:
        """Whoever expects another active version than there is learns it."""
        file = tmp_path / "options.py"
        file.write_text("options.validity = days(90)\n")
        mobid("scripts", "push", str(file))
        mobid("scripts", "activate", "1")

        done = mobid("scripts", "activate", "0", "--expected", "7")

        assert done.exit_code == 1
        assert "7" in done.output

    def test_an_unknown_version_or_script_is_named(self, mobid: Mobid) -> None:
        """What is not there is told by its name."""
        assert "9" in mobid("scripts", "activate", "9").output
        unknown = mobid("scripts", "list", "--name", "MobileIDScriptOption")
        assert unknown.exit_code == 2
        assert "MobileIDScriptExpiringOptions" in unknown.output


class TestCA:
    def test_it_says_what_it_can_do(self, mobid: Mobid) -> None:
        """The built-in CA issues two kinds, and can hold."""
        known = mobid.json("ca", "show")

        assert known["kinds"] == ["authentication", "signature"]
        assert known["holds"] is True
        assert "kinds: authentication, signature" in mobid("ca", "show").output

    def test_reconciliation_of_nothing_is_no_error(self, mobid: Mobid) -> None:
        """Without certificates nothing is asked for."""
        assert mobid.json("ca", "reconcile") == {"asked": 0}


class TestEffects:
    def test_nothing_waits_at_first(self, mobid: Mobid) -> None:
        """A fresh home has nothing to do."""
        assert mobid("effects", "list").output.strip() == "Nothing waits."

    def test_only_a_dead_letter_is_put_back(self, mobid: Mobid) -> None:
        """An id that is not there is told, and so is a kind."""
        assert "no dead letter" in mobid("effects", "requeue", "certificate", "c-1").output
        assert "is no kind of work" in mobid("effects", "requeue", "letter", "l-1").output


class TestAudit:
    def test_an_untouched_log_is_ok(self, mobid: Mobid) -> None:
        """What commands did is in the log, and it verifies."""
        mobid("token", "create", "--client", "hr", "--scope", "scim:read")

        report = mobid.json("audit", "verify")

        assert report["verdict"] == "ok"
        assert report["records"] >= 1

    def test_a_changed_record_is_found(self, mobid: Mobid) -> None:
        """Whoever edits the database is found out, with the number of the record."""
        mobid("token", "create", "--client", "hr", "--scope", "scim:read")
        mobid("audit", "verify")
        with closing(sqlite3.connect(mobid.home / "mobid.db")) as database, database:
            database.execute(
                "UPDATE audit_events SET record = replace(record, 'token.create', 'token.revoke')"
            )

        done = mobid("audit", "verify")

        assert done.exit_code == 1
        assert "tampered" in done.output
