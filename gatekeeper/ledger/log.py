"""The log: every entry in the order it was written, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from redis import ResponseError

from gatekeeper.domain.entry import Entry
from gatekeeper.ledger.records import read_entry
from gatekeeper.ledger.store import Store

_PAGE: Final = 1000
#: Stands before every entry.
EMPTY_LOG: Final = "0-0"

#: What Redis says of a key that does not exist.
_NO_KEY: Final = "no such key"

#: An entry's id and its fields.
RawEntry = tuple[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries in their order, and how the log stood at the instant when they were read.

    `first_id` is the oldest entry that it held ("0-0": none). `last_id` is the newest there ever
    was, held or not ("0-0": none), and `written` counts all there ever were.
    """

    entries: list[RawEntry]
    first_id: str
    last_id: str
    written: int


class Log:
    """Reads the log, as it is: what has been trimmed is in history. Raises redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self, account_id: str) -> Iterator[Entry]:
        """Yield an account's entries, oldest first, reading the whole of its shard's log."""
        shard = self._store.keys.shard_of(account_id)
        return (entry for entry in self.shard_entries(shard) if entry.account_id == account_id)

    def shard_entries(self, shard: int, after: str = EMPTY_LOG) -> Iterator[Entry]:
        """Yield a shard's entries behind one, oldest first, until there are no more."""
        for page in self.pages(shard, after):
            for entry_id, fields in page.entries:
                yield read_entry(entry_id, fields)

    def pages(self, shard: int, after: str = EMPTY_LOG) -> Iterator[LogPage]:
        """Yield a shard's entries behind one page by page. The last may be empty; there is one."""
        while True:
            page = self._page(shard, after)
            yield page
            if len(page.entries) < _PAGE:
                return
            after = page.entries[-1][0]

    def length(self, shard: int) -> int:
        """Count the entries that a shard's log holds."""
        return self._store.client.xlen(self._store.keys.log(shard))

    def end(self, shard: int) -> str:
        """Find the id of the newest entry there ever was in a shard; "0-0" when there was none."""
        with self._store.client.pipeline(transaction=False) as pipeline:
            pipeline.xinfo_stream(self._store.keys.log(shard))
            return last_id_of(pipeline.execute(raise_on_error=False)[0])

    def _page(self, shard: int, after: str) -> LogPage:
        key = self._store.keys.log(shard)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.xrange(key, min=f"({after}", count=_PAGE)
            pipeline.xinfo_stream(key)
            raw, stream = pipeline.execute(raise_on_error=False)
        if isinstance(raw, ResponseError):
            raise raw
        last_id = last_id_of(stream)
        if last_id == EMPTY_LOG:
            return LogPage([], EMPTY_LOG, EMPTY_LOG, 0)
        first = stream["first-entry"]
        first_id = first[0] if first else EMPTY_LOG
        return LogPage(cast(list[RawEntry], raw), first_id, last_id, stream["entries-added"])


def last_id_of(stream: dict[str, Any] | ResponseError) -> str:
    """Read the newest id there ever was from the reply to XINFO STREAM, which may be an error.

    Raises redis.ResponseError unless it only says that there is no log yet.
    """
    if not isinstance(stream, ResponseError):
        last_id: str = stream["last-generated-id"]
        return last_id
    if str(stream).startswith(_NO_KEY):
        return EMPTY_LOG
    raise stream
