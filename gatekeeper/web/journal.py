"""What Twilio was told, or told us, that the ledger has yet to hear (R12).

A decision made without the ledger stands here until it is recorded: a debit whose reply was lost
may have been carried out all the same, and what Twilio was told counts. So does a call's end,
because Twilio need not report it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from typing import Final

import structlog

from gatekeeper.domain.call import CallEnd, CallId, Decision, Direction
from gatekeeper.domain.phone import mask

#: About 5 MB when full. At ten calls a second that is a quarter of an hour without a ledger.
CAPACITY: Final = 10_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended, how long it had been connected, and when we were told."""

    end: CallEnd
    duration_s: int | None
    told_at_ms: int


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """One call the ledger must hear about. Whose it was is looked up when it can be."""

    call: CallId
    number: str
    told: Decision | None = None
    ending: Ending | None = None
    direction: Direction = Direction.INBOUND


class Journal:
    """The unrecorded calls of this process, the oldest first; one line a call."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lines: dict[CallId, Unrecorded] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._lines)

    def __contains__(self, call: CallId) -> bool:
        return call in self._lines

    def lines(self) -> list[Unrecorded]:
        """Copy what stands here now."""
        with self._lock:
            return list(self._lines.values())

    def merged(self, line: Unrecorded) -> Unrecorded:
        """Complete a line by what stands here of the same call; what came first stays."""
        standing = self._lines.get(line.call)
        if standing is None:
            return line
        return replace(
            standing,
            told=standing.told or line.told,
            ending=standing.ending or line.ending,
        )

    def note(self, line: Unrecorded) -> None:
        """Write a line down. When the journal is full the oldest is given up, and logged."""
        with self._lock:
            self._lines[line.call] = self.merged(line)
            if len(self._lines) > self._capacity:
                oldest = next(iter(self._lines))
                log_lost(self._lines.pop(oldest), why="journal_full")

    def strike(self, line: Unrecorded) -> None:
        """Strike off a line that was recorded, unless more stands here of the same call."""
        with self._lock:
            if line.call in self._lines and self.merged(line) == line:
                del self._lines[line.call]


def log_lost(line: Unrecorded, *, why: str) -> None:
    """Log a line that will not be recorded, with all that is needed to correct it by hand."""
    log.error(
        "call_not_recorded",
        why=why,
        call=line.call.call_sid,
        number=mask(line.number),
        direction=line.direction,
        told=line.told,
        end=line.ending.end if line.ending else None,
    )
