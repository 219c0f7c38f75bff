"""Logs: one JSON object a line, on standard error, from every process and every library.

Standard error, because the command line's answers go to standard output. Nobody logs a secret or
a whole phone number: numbers pass `gatekeeper.domain.phone.mask` first.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

import structlog
from structlog.processors import format_exc_info

if TYPE_CHECKING:
    from structlog.typing import EventDict

# ASCII with every control character escaped: a line is a line, whatever a caller sent.
_encode: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log line, ours and the libraries', to `stream` (standard error).

    A logger that is used for every call is bound where it is made, `structlog.get_logger().bind()`:
    structlog's own caching would tie module-level loggers to the first configuration for good.
    """
    out = stream or sys.stderr
    structlog.configure(
        processors=[_render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render]
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _render(logger: Any, method: str, event: EventDict) -> str:
    """Write an event as one line. One processor, because every call passes here."""
    if "exc_info" in event:
        # A plain traceback: unlike structlog's dictionaries it never shows variables' values.
        event = format_exc_info(logger, method, event)
    level = "error" if method == "exception" else method
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return _encode({"at": at, "level": level, "event": event.pop("event"), **event})
