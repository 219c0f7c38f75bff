"""The HTTP server: granian, one master and its worker processes."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from typing import Any, Final

import click
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
    Raises click.ClickException when something else listens at the port already.
    """
    _require_free_port(settings.web_host, settings.port)
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


def _require_free_port(host: str, port: int) -> None:
    """Make sure that nobody listens there: granian shares its port with whoever does so too.

    Of two gates on one port, each would get some of the calls.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            # Lets the port of a server that has just ended pass, but not that of one that listens.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        why = (error.strerror or "no such host").lower()
    else:
        return
    raise click.ClickException(f"cannot listen at {host}:{port}: {why}")


def _share_metrics(stack: ExitStack) -> None:
    """Give the workers an empty folder to count in (see gatekeeper/web/metrics.py)."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekeeper-metrics-"))
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
