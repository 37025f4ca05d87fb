"""The log of a process: our events, those of libraries, faults and warnings, all in one form."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from mobid.app.logs import configure
from mobid.config import LogFormat, LogLevel

if TYPE_CHECKING:
    from collections.abc import Callable

INSERT = text("INSERT INTO t VALUES (:x)")
TOKEN = "mid_scim_abcdefghijklmnop_kR3wV9_xQ-7mZpB1nYc5Tf8Ls2Hd4Gj6Ua0EiOqWr3v"


pytestmark = pytest.mark.usefixtures("process_of_its_own")


def open_safe(combination: str) -> None:
    """Fail with a secret at hand."""
    raise LookupError(f"no safe for {len(combination)} digits")


def fail_in_turn(token: str) -> None:
    """Fail because of a failure, both with a secret in their words."""
    try:
        int(token)
    except ValueError as error:
        raise RuntimeError(f"outer {token}") from error


class TestJSON:
    def test_a_line_is_an_object_with_time_and_level(self, said: Callable[[], list[Any]]) -> None:
        """Times are UTC; letters beyond ASCII and line ends are escaped."""
        configure(LogLevel.INFO, LogFormat.JSON)

        structlog.get_logger().info("seen", name="Änne\nadmin: true", count=2)

        (line,) = said()
        assert line.pop("timestamp").endswith("Z")
        assert line == {"event": "seen", "level": "info", "name": "Änne\nadmin: true", "count": 2}

    def test_below_the_level_nothing_is_said(self, said: Callable[[], list[Any]]) -> None:
        """Neither by us nor by libraries."""
        configure(LogLevel.ERROR, LogFormat.JSON)

        structlog.get_logger().warning("ours")
        logging.getLogger("waitress").warning("theirs")

        assert said() == []

    def test_a_fault_has_its_place_and_not_the_values_there(
        self, said: Callable[[], list[Any]]
    ) -> None:
        """What failed and where helps; what was in the variables is secrets and people's data."""
        configure(LogLevel.INFO, LogFormat.JSON)

        try:
            open_safe("17-42-93")
        except LookupError:
            structlog.get_logger().exception("fault")

        (line,) = said()
        (fault,) = line["exception"]
        assert (fault["exc_type"], fault["exc_value"]) == ("LookupError", "no safe for 8 digits")
        assert fault["frames"][-1]["name"] == "open_safe"
        assert "17-42-93" not in json.dumps(line)

    def test_a_secret_is_masked_wherever_it_stands(self, said: Callable[[], list[Any]]) -> None:
        """In the event, in its values, and in the messages of a chain of exceptions."""
        configure(LogLevel.INFO, LogFormat.JSON)

        try:
            fail_in_turn(TOKEN)
        except RuntimeError:
            structlog.get_logger().exception(f"got {TOKEN}", seen=[{"header": f"Bearer {TOKEN}"}])

        (line,) = said()
        assert TOKEN[-43:] not in json.dumps(line)
        outer, inner = line["exception"]
        assert outer["exc_value"] == "outer mid_scim_abcdefghijklmnop_***"
        assert inner["exc_value"].endswith("base 10: 'mid_scim_abcdefghijklmnop_***'")


class TestLibraries:
    """What they log goes the same way, from warnings on."""

    def test_have_their_name_in_the_line(self, said: Callable[[], list[Any]]) -> None:
        """A line of theirs is masked, has its level, and what is bound to the request."""
        configure(LogLevel.DEBUG, LogFormat.JSON)

        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            logging.getLogger("waitress.queue").warning("Task queue depth is %d %s", 5, TOKEN)
            logging.getLogger("waitress").info("Serving")

        (line,) = said()
        del line["timestamp"]
        assert line == {
            "event": "Task queue depth is 5 mid_scim_abcdefghijklmnop_***",
            "level": "warning",
            "logger": "waitress.queue",
            "request_id": "r-1",
        }

    def test_log_their_faults_with_a_traceback(self, said: Callable[[], list[Any]]) -> None:
        """Without values, as ours."""
        configure(LogLevel.INFO, LogFormat.JSON)

        try:
            open_safe("17-42-93")
        except LookupError:
            logging.getLogger("werkzeug").exception("Exception while serving")

        (line,) = said()
        assert line["exception"][0]["exc_type"] == "LookupError"
        assert "17-42-93" not in json.dumps(line)

    @pytest.mark.parametrize("name", ["sqlalchemy.engine.Engine", "dbos", "alembic.runtime"])
    def test_that_log_statements_say_none_even_when_all_is_logged(
        self, name: str, said: Callable[[], list[Any]]
    ) -> None:
        """Their values are people's data, and secrets."""
        configure(LogLevel.DEBUG, LogFormat.JSON)

        logging.getLogger(name).info("INSERT INTO users VALUES ('anne')")
        logging.getLogger(name).warning("slow")

        assert [line["event"] for line in said()] == ["slow"]

    def test_an_error_of_the_database_has_no_values(self, said: Callable[[], list[Any]]) -> None:
        """An engine that is not ours may append them to its message; they are masked."""
        configure(LogLevel.INFO, LogFormat.JSON)
        engine = create_engine("sqlite://")
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (x TEXT UNIQUE)"))
            connection.execute(INSERT, {"x": "hunter2"})
            with pytest.raises(IntegrityError, match="hunter2") as failed:
                connection.execute(INSERT, {"x": "hunter2"})
        engine.dispose()

        logging.getLogger("dbos").error("Failed: %s", failed.value, exc_info=failed.value)

        (line,) = said()
        assert "hunter2" not in json.dumps(line)
        assert "[parameters: ***]" in line["event"]

    def test_warnings_are_lines_as_well(self, said: Callable[[], list[Any]]) -> None:
        """A deprecation in production is told in the log, not beside it."""
        configure(LogLevel.INFO, LogFormat.JSON)

        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old and gone", UserWarning, stacklevel=1)

        (line,) = said()
        assert (line["level"], line["logger"]) == ("warning", "py.warnings")
        assert "old and gone" in line["event"]


class TestEnds:
    """What ends a thread or the process is a line, too."""

    def test_a_thread_that_fails(self, said: Callable[[], list[Any]]) -> None:
        """Nobody waits for it, so the log has to say it."""
        configure(LogLevel.INFO, LogFormat.JSON)

        thread = threading.Thread(target=open_safe, args=["17-42-93"], name="periodic-x")
        thread.start()
        thread.join()

        (line,) = said()
        assert (line["event"], line["level"], line["thread"]) == (
            "thread_failed",
            "critical",
            "periodic-x",
        )
        assert "17-42-93" not in json.dumps(line)

    def test_a_process_that_fails(self, said: Callable[[], list[Any]]) -> None:
        """Python would print a traceback that nobody masks."""
        configure(LogLevel.INFO, LogFormat.JSON)

        error = RuntimeError(f"got {TOKEN}")
        sys.excepthook(RuntimeError, error, None)

        (line,) = said()
        assert line["event"] == "process_failed"
        assert line["exception"][0]["exc_value"] == "got mid_scim_abcdefghijklmnop_***"


class TestConsole:
    """For people at a terminal."""

    def test_nothing_in_it_steers_the_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What comes from outside is written out, and secrets are masked here, too."""
        configure(LogLevel.INFO, LogFormat.CONSOLE)

        try:
            fail_in_turn(f"\x1b[2J {TOKEN}")
        except RuntimeError:
            structlog.get_logger().exception("seen \x1b]0;x\x07", name="a\u202eb\nc")

        shown = capsys.readouterr().err
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert TOKEN[-43:] not in shown
        assert "RuntimeError: outer \\x1b[2J mid_scim_abcdefghijklmnop_***" in shown
        assert "in fail_in_turn" in shown

    def test_auto_is_json_where_there_is_no_terminal(self, said: Callable[[], list[Any]]) -> None:
        """A service manager, a container and a pipe get JSON."""
        configure(LogLevel.INFO, LogFormat.AUTO)

        structlog.get_logger().info("seen")

        assert said()[0]["event"] == "seen"
