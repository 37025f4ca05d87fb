"""The log of a process: one line per event on stderr, from us and from libraries alike, without secrets.

A line has the time (UTC), the level, the event, and what is bound to the request or the thread.
Tracebacks have no values of variables, and `mobid.app.masking` is the last to look at a line.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

import structlog
from structlog.dev import plain_traceback
from structlog.tracebacks import ExceptionDictTransformer
from typing_extensions import override

from mobid.app.masking import mask
from mobid.config import LogFormat, LogLevel

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import TracebackType

    from structlog.typing import Processor

QUIET: Final = ("alembic", "dbos", "sqlalchemy")
"""Libraries of which nothing below a warning is ever logged: their statements have values in them."""

_LEVELS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.INFO: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}


def configure(level: LogLevel, form: LogFormat) -> None:
    """Log from this level on, in this form; of libraries, from warnings on.

    This is the whole process's, so it is called by commands and by nobody else.
    """
    least = _LEVELS[level]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(form),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # Looked up at each line: whoever replaces stderr for a while gets what is said meanwhile.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, Bridge)]:
        root.removeHandler(old)
    root.addHandler(Bridge())
    root.setLevel(max(least, logging.WARNING))
    for name in QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_failed
    sys.excepthook = _process_failed


def _rendering(form: LogFormat) -> tuple[Processor, ...]:
    if form is LogFormat.JSON or (form is LogFormat.AUTO and not sys.stderr.isatty()):
        return (
            # Without the values in its frames: secrets and people's data are among them.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            mask,
            structlog.processors.JSONRenderer(),
        )
    return (
        structlog.processors.format_exc_info,
        mask,
        _harmless,
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=plain_traceback
        ),
    )


def _harmless(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Write out what could steer a terminal; a traceback keeps its lines."""
    return {
        name: _written_out(value, keep="\n" if name == "exception" else "")
        if isinstance(value, str)
        else value
        for name, value in event.items()
    }


def _written_out(text: str, *, keep: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() or one in keep else one.encode("unicode_escape").decode()
        for one in text
    )


class Bridge(logging.Handler):
    """Hands what libraries log, and warnings, to the one log."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
            structlog.get_logger().log(
                level, record.getMessage(), logger=record.name, exc_info=record.exc_info or None
            )
        except Exception:  # noqa: BLE001 - a library must not fail because it logs
            self.handleError(record)


def _thread_failed(arguments: threading.ExceptHookArgs) -> None:
    """Log what ended a thread that nobody waits for."""
    if arguments.exc_type is not SystemExit:
        name = arguments.thread.name if arguments.thread is not None else "?"
        structlog.get_logger(__name__).critical(
            "thread_failed", thread=name, exc_info=arguments.exc_value
        )


def _process_failed(
    kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    """Log what ends the process."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger(__name__).critical("process_failed", exc_info=error)
