"""The end of a shard's log that is not in SQL yet, read page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
from redis import Redis, ResponseError

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.history.call_writer import UnreadableEntry
from gatekeeper.history.store import Position
from gatekeeper.ledger.records import read_entry

#: What is read again after a start and after an outage. A replica that has taken over may lack the
#: last entries and its clock may be behind, so new entries may have ids before the position.
REREAD_MS: Final = 60_000

_Place = tuple[int, int]
_RawEntry = tuple[str, dict[str, str]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in the log's order, and the position that the shard reaches with them.

    `is_last` says that there was nothing behind them.
    """

    entries: Sequence[Entry]
    reached: Position
    is_last: bool


class Tail:
    """Reads one shard's log from its position on. All methods raise redis.RedisError."""

    def __init__(self, client: Redis, log_key: str) -> None:
        self._client = client
        self._key = log_key
        self._rereads = True
        self._reread_after: _Place | None = None
        self._missing = 0

    def read_again(self) -> None:
        """Begin the next page a little before the position."""
        self._rereads = True

    def read(self, position: Position, limit: int) -> Page:
        """Read the next page behind a position. Raises UnreadableEntry if its first entry is."""
        after = self._after(position)
        raw, stream = self._read_raw(after, limit)
        if not raw:
            return Page([], position, is_last=True)
        entries = _readable(raw)
        last, is_last = entry_position(entries[-1].id), len(entries) == len(raw) < limit
        counted = self._count(position, entries, stream)
        reached = max(position, Position(*last, stream["entries-added"] if is_last else counted))
        return Page(entries, reached, is_last)

    def taken(self, page: Page) -> None:
        """Go on behind a page once it is in SQL."""
        if self._reread_after is not None and page.entries:
            self._reread_after = entry_position(page.entries[-1].id)

    def trim(self, position: Position, behind_s: float) -> None:
        """Remove entries that are older than a copied one by so many seconds."""
        before_ms = position.id_ms - int(behind_s * 1000)
        if before_ms > 0:
            self._client.xtrim(self._key, minid=f"{before_ms}-0", approximate=True)

    def _after(self, position: Position) -> _Place:
        here = (position.id_ms, position.id_seq)
        if self._rereads:
            self._rereads, self._reread_after = False, (max(0, here[0] - REREAD_MS), 0)
        if self._reread_after is not None and self._reread_after >= here:
            self._reread_after = None
        return self._reread_after or here

    def _read_raw(self, after: _Place, limit: int) -> tuple[list[_RawEntry], dict[str, Any]]:
        """Read entries, and what Redis tells of the stream, as of one instant."""
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.xrange(self._key, min=f"({after[0]}-{after[1]}", count=limit)
            pipeline.xinfo_stream(self._key)
            raw, stream = pipeline.execute(raise_on_error=False)
        if isinstance(raw, ResponseError):
            raise raw
        return cast(list[_RawEntry], raw), cast(dict[str, Any], stream)

    def _count(self, position: Position, entries: Sequence[Entry], stream: dict[str, Any]) -> int:
        """Count the entries that there ever were up to the last of these."""
        here = (position.id_ms, position.id_seq)
        trimmed = stream["entries-added"] - stream["length"]
        before = position.entries
        if here < entry_position(stream["first-entry"][0]) and trimmed > before:
            self._log_gap(trimmed - before)
            before = trimmed
        return before + sum(entry_position(entry.id) > here for entry in entries)

    def _log_gap(self, missing: int) -> None:
        """Say once that entries were removed from the log before they were copied."""
        if missing != self._missing:
            self._missing = missing
            log.error("history_gap", log=self._key, missing=missing)


def _readable(raw: Sequence[_RawEntry]) -> list[Entry]:
    """Read the entries before the first that this version does not understand.

    Nor is one of an unknown type taken: it may be about a call, which then had to be told of it.
    """
    entries: list[Entry] = []
    for entry_id, fields in raw:
        try:
            EntryType(fields["type"])  # a ValueError as well, where it is unknown
            entries.append(read_entry(entry_id, fields))
        except (KeyError, ValueError) as error:
            if not entries:
                raise UnreadableEntry(entry_id, error) from error
            break
    return entries
