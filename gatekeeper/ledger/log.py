"""The log: every entry in the order it was written, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from gatekeeper.domain.entry import Entry
from gatekeeper.ledger.records import read_entry
from gatekeeper.ledger.store import Store

_PAGE = 1000


class Log:
    """Reads the log. Raises redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self, account_id: str) -> Iterator[Entry]:
        """Yield an account's entries, oldest first, reading the whole of its shard's log."""
        shard = self._store.keys.shard_of(account_id)
        return (entry for entry in self.shard_entries(shard) if entry.account_id == account_id)

    def shard_entries(self, shard: int) -> Iterator[Entry]:
        """Yield a shard's entries, oldest first."""
        key, after = self._store.keys.log(shard), "-"
        while page := cast(
            list[tuple[str, dict[str, str]]],
            self._store.client.xrange(key, min=after, count=_PAGE),
        ):
            for entry_id, fields in page:
                yield read_entry(entry_id, fields)
            after = f"({page[-1][0]}"
