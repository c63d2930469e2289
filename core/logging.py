"""Logs: structlog and the standard library in one stream, with everything private taken out at its root."""

import contextlib
import logging
import sys
import threading
from types import TracebackType
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor

from core.redaction import redact
from core.settings import Settings
from core.tracing import configure_tracing, present_ids

_CHATTY = ("httpx", "httpcore", "asyncio", "urllib3", "alembic", "procrastinate", "strawberry.execution")
"""Loggers held at WARNING: below it they print whole URLs, headers or documents, or a line per tick."""


def configure_logging(settings: Settings) -> None:
    """Send every log of this process to stderr, redacted, as lines for people or as JSON; traces too, where the
    environment asks for them (``core.tracing``).

    Also warnings and uncaught exceptions. Tracebacks are printed without the values of local variables. Call it
    once at the start of a process, after libraries that set up handlers of their own were imported.
    """
    configure(settings.log_level, settings.log_format)
    configure_tracing()


def configure(level: str, style: Literal["console", "json"]) -> None:
    """See `configure_logging`."""
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _name_trace,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Processor
    if style == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        colours = sys.stderr.isatty()
        renderer = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact_event,
            renderer,
        ],
    )
    handler = _StandardError()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if isinstance(logger, logging.Logger):  # no library keeps a handler that goes past the redaction
            logger.handlers.clear()
            logger.propagate = True
            if name.startswith("uvicorn"):
                logger.setLevel(logging.NOTSET)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # module-level loggers must obey a later set-up
    )


class _StandardError(logging.Handler):
    """Writes to whatever is stderr at the moment.

    The standard handler prints the raw message and its arguments when it fails; this one only says that it did.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 (a repr may raise anything, and a log must not stop the work)
            line = f"A record of the logger {record.name!r} couldn't be formatted: {type(error).__name__}."
        with contextlib.suppress(OSError, ValueError):  # stderr is gone
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def _name_trace(_: Any, __: str, event: EventDict) -> EventDict:
    event.update(present_ids())
    return event


def _redact_event(_: Any, __: str, event: EventDict) -> EventDict:
    return {
        name: value if name in ("timestamp", "level") else redact({name: value})[name]
        for name, value in event.items()
    }


def _log_uncaught_in_thread(raised: threading.ExceptHookArgs) -> None:
    if raised.exc_value is not None:
        _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
    else:
        logging.getLogger("skvoz").critical("Uncaught exception", exc_info=(kind, error, traceback))
