"""Owed work and history in one process: neither waits for the other."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import Final

import structlog

from gatekeeper.relay.history import HistoryCopy
from gatekeeper.relay.relay import Relay

#: A page is copied within it; a database that hangs is left. Process managers kill after 5 s.
STOP_TIMEOUT_S: Final = 3.0

log = structlog.get_logger(__name__)


def run_beside(
    relay: Relay,
    history: HistoryCopy,
    stop: threading.Event,
    *,
    stop_timeout_s: float = STOP_TIMEOUT_S,
) -> None:
    """Relay owed work, and copy the log in a thread beside it, until `stop` is set.

    What `history` does not expect ends both and is raised here: a process that went on without
    history would look well. After `stop` it has `stop_timeout_s` to finish its page. If it hangs
    longer it is left to end with the process; what it had not committed is copied after the next
    start.
    """
    ended: Future[None] = Future()

    def copy() -> None:
        try:
            history.run(stop)
        except BaseException as error:  # raised again by result()
            ended.set_exception(error)
        else:
            ended.set_result(None)
        finally:
            stop.set()

    threading.Thread(target=copy, name="history", daemon=True).start()
    relay.run(stop)
    wait([ended], stop_timeout_s)
    if ended.done():
        ended.result()
    else:
        log.warning("history_abandoned", waited_s=stop_timeout_s)
