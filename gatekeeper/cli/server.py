"""The HTTP server: granian, one master and its worker processes."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from typing import Any, Final

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from gatekeeper.settings import Settings

_APPLICATION: Final = "gatekeeper.web.wsgi:app"
#: Connections that wait while every thread is busy; more are refused, and Twilio tries again.
_BACKLOG: Final = 1024
#: A request under way is done within 2 s; process managers send SIGKILL 5 s after SIGTERM. A worker
#: that is told to stop while it still starts does not hear it, and is killed after this.
_STOP_TIMEOUT_S: Final = 4
#: What granian says goes where every other log line goes, instead of to standard output.
_LOGGING: Final[dict[str, Any]] = {"loggers": {"_granian": {"level": "INFO", "propagate": True}}}


def serve_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are finished.

    A worker process that dies is started again. When it dies again at once, this exits with 1.
    """
    with ExitStack() as stack:
        if settings.web_workers > 1:
            _share_metrics(stack)
        Granian(
            _APPLICATION,
            address=settings.web_host,
            port=settings.port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,  # all that Twilio, Stripe and a platform's proxy speak to us
            websockets=False,
            workers=settings.web_workers,
            blocking_threads=settings.web_threads,
            backlog=_BACKLOG,
            respawn_failed_workers=True,
            workers_kill_timeout=_STOP_TIMEOUT_S,
            log_dictconfig=_LOGGING,
        ).serve()


def _share_metrics(stack: ExitStack) -> None:
    """Give the workers an empty folder to count in (see gatekeeper/web/metrics.py)."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekeeper-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
