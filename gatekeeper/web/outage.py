"""The ledger unreachable (R12): no call waits for it, and it hears everything afterwards.

Every request that needs the ledger goes through `Outage.ask`, which bounds its time and tells
failures apart:

- No answer, or no connection: the ledger is taken to be down. Requests stop asking at once,
  because each would wait for a timeout while others queue behind it. One thread of this process
  writes a probe until the ledger takes it, records what stands in the journal, and lets requests
  ask again.
- A refusal (out of memory, read-only, a failing disk) comes at once, so requests go on asking:
  repeats of known calls need no write and still succeed.

Either way what was told meanwhile stands in the journal, and the same thread records it.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Lock, Thread
from typing import Final, TypeVar

import redis
import structlog

from gatekeeper.domain.call import CallId
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.web.journal import Journal, Unrecorded, log_lost
from gatekeeper.web.metrics import LedgerErrorKind, count_ledger_error
from gatekeeper.web.recorder import Recorded, Recorder

T = TypeVar("T")

#: The webhook must have answered after 2 s. The client's own timeouts bound each step but not
#: their sum, and name resolution not at all.
ASK_TIMEOUT_S: Final = 1.2
#: A quick answer is taken to show, for so long, that connections stand and steps are short.
_QUICK_S: Final = 0.1
_TRUSTED_S: Final = 5.0
#: A connection that fails sooner than this had been cut off while idle: it is worth a second one.
_CUT_OFF_S: Final = 0.2
_PROBE_INTERVAL_S: Final = 0.1
#: For lines that a working ledger will not take, which someone may be mending.
_RETRY_INTERVAL_S: Final = 30.0
#: What a process that is told to end may spend on its journal.
_CLOSE_TIMEOUT_S: Final = 2.0

log = structlog.get_logger()


class LedgerUnreachable(Exception):
    """The ledger did not answer in time, or refused. What was asked may have been done."""


class Outage:
    """Stands between this process's requests and a ledger that may not answer.

    The thread starts when it is first needed: in the process that serves, not in one that forks
    it.
    """

    def __init__(self, gate: Ledger, recorder: Recorder, journal: Journal) -> None:
        self._gate = gate
        self._recorder = recorder
        self._journal = journal
        self._down_since_s: float | None = None
        self._trusted_until_s = 0.0
        self._away_since_ms: int | None = None
        self._lock = Lock()
        self._thread: Thread | None = None
        self._work = Event()
        self._closing = Event()

    @property
    def is_down(self) -> bool:
        """Whether the ledger is taken to be down, so that nobody asks it."""
        return self._down_since_s is not None

    def ask(self, verb: Callable[[], T]) -> T:
        """Run an idempotent verb on the ledger within ASK_TIMEOUT_S.

        Raises LedgerUnreachable, and what else the verb raises.
        """
        if self.is_down:
            raise LedgerUnreachable
        started_s = time.monotonic()
        try:
            if started_s < self._trusted_until_s:
                answer = _once_or_twice(verb)
            else:
                answer = _within(ASK_TIMEOUT_S, lambda: _once_or_twice(verb))
        except redis.RedisError as error:
            self._note_failure(error)
            raise LedgerUnreachable from error
        if time.monotonic() - started_s < _QUICK_S:
            self._trusted_until_s = started_s + _TRUSTED_S
        return answer

    def has_to_record(self, call: CallId) -> bool:
        """Tell whether the ledger has yet to hear something about a call."""
        return call in self._journal

    def record(self, line: Unrecorded) -> Recorded | None:
        """Record a line now, with what stands in the journal of the same call, or keep it.

        Returns None when the number is nobody's. Raises LedgerUnreachable when the line is kept.
        """
        line = self._journal.merged(line)
        try:
            recorded = self.ask(lambda: self._recorder.record(line))
        except Exception as error:
            self.keep(line)
            if isinstance(error, LedgerUnreachable):
                raise
            log.exception("call_not_yet_recorded", call=line.call.call_sid)
            raise LedgerUnreachable from error
        self._journal.strike(line)
        return recorded

    def keep(self, line: Unrecorded) -> None:
        """Keep a line until the ledger has it."""
        self._journal.note(line)
        with self._lock:
            self._note_away()
            self._start_thread()
        self._work.set()

    def close(self) -> None:
        """Try to record the journal, as the process ends, and log what is left in the end."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._work.set()
        deadline_s = time.monotonic() + _CLOSE_TIMEOUT_S
        while len(self._journal) and time.monotonic() < deadline_s:
            with contextlib.suppress(redis.RedisError):
                self._record_outage()
                self._record_journal(until_s=deadline_s)
                break
            time.sleep(_PROBE_INTERVAL_S)
        for line in self._journal.lines():
            log_lost(line, why="process_ended")

    def _note_failure(self, error: redis.RedisError) -> None:
        kind = error_kind(error)
        count_ledger_error(kind)
        if kind not in ("timeout", "connection"):
            log.error("ledger_refused", kind=kind, error=str(error)[:200])
            return
        with self._lock:
            self._trusted_until_s = 0.0
            if self.is_down:
                return
            self._note_away()
            self._start_thread()
            self._down_since_s = time.monotonic()
        self._work.set()
        log.error("ledger_down", kind=kind, error=str(error)[:200])

    def _note_away(self) -> None:
        if self._away_since_ms is None:
            self._away_since_ms = wall_clock_ms()

    def _start_thread(self) -> None:
        if self._thread is not None:
            return
        thread = Thread(target=self._run, name="ledger-outage", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no thread to give; the next line tries again
            log.exception("outage_thread_not_started")
        else:
            self._thread = thread

    def _run(self) -> None:
        pause_s: float | None = None
        while not self._closing.is_set():
            self._work.wait(pause_s)
            self._work.clear()
            while not self._restored():
                if self._closing.wait(_PROBE_INTERVAL_S):
                    return
            pause_s = _RETRY_INTERVAL_S if len(self._journal) else None

    def _restored(self) -> bool:
        """Tell whether the ledger takes writes, having brought it what it can take."""
        try:
            self._gate.probe()
            self._record_outage()
            self._record_journal()
        except redis.ReadOnlyError:
            # The server was demoted and still answers: connecting anew is what finds the new one.
            # Connections in use are left alone; each is closed when its request is through.
            self._gate.client.connection_pool.reset()
            return False
        except redis.RedisError:
            return False
        except Exception:  # without this thread no call would be decided by the ledger again
            log.exception("probe_failed")
            return False
        with self._lock:
            down_since_s, self._down_since_s = self._down_since_s, None
        if down_since_s is not None:
            log.info("ledger_back", down_s=round(time.monotonic() - down_since_s, 3))
        return True

    def _record_outage(self) -> None:
        """Note when this process did without the ledger, before anyone asks it about calls."""
        away_since_ms = self._away_since_ms
        if away_since_ms is not None:
            self._gate.outages.note(away_since_ms, wall_clock_ms())
            with self._lock:
                self._away_since_ms = None

    def _record_journal(self, until_s: float = math.inf) -> None:
        """Record what stands in the journal. Raises redis.RedisError when the ledger fails."""
        for line in self._journal.lines():
            if time.monotonic() > until_s:
                return
            try:
                recorded = self._recorder.record(line)
            except LedgerRefusal:
                log_lost(line, why="unknown_account")
            except Exception as error:
                if isinstance(error, redis.RedisError) and error_kind(error) != "other":
                    raise
                log.exception("call_not_yet_recorded", call=line.call.call_sid)
                continue
            else:
                if recorded is None:
                    log_lost(line, why="unknown_number")
            self._journal.strike(line)


def error_kind(error: redis.RedisError) -> LedgerErrorKind:
    """Sort a failure; all but `other` concern the whole server and not one request."""
    if isinstance(error, redis.TimeoutError):
        return "timeout"
    if isinstance(error, redis.ConnectionError):  # also loading its data, or a refused password
        return "connection"
    if isinstance(error, redis.OutOfMemoryError):
        return "out_of_memory"
    if isinstance(error, redis.ReadOnlyError) or str(error).startswith(("MISCONF", "NOREPLICAS")):
        return "read_only"
    return "other"


def _once_or_twice(verb: Callable[[], T]) -> T:
    started_s = time.monotonic()
    try:
        return verb()
    except redis.ConnectionError:
        if time.monotonic() - started_s > _CUT_OFF_S:
            raise
        return verb()


def _within(timeout_s: float, verb: Callable[[], T]) -> T:
    """Run a verb in a thread of its own and wait so long for it. Raises redis.TimeoutError."""
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(verb())
        except BaseException as error:  # raised again by result()
            outcome.set_exception(error)

    Thread(target=run, name="ledger-ask", daemon=True).start()
    try:
        return outcome.result(timeout_s)
    except TimeoutError:
        raise redis.TimeoutError(f"no answer within {timeout_s:g} s") from None
