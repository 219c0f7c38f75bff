"""An account's entries, whether history has them already or the ledger's log alone."""

from __future__ import annotations

from sqlalchemy import Engine

from gatekeeper.domain.account_audit import entry_position
from gatekeeper.domain.entry import Entry
from gatekeeper.history.queries import Page, entries_page
from gatekeeper.history.store import LOG_START, read_positions
from gatekeeper.ledger.ledger import Ledger


def entries_not_copied(ledger: Ledger, engine: Engine, account_id: str) -> list[Entry]:
    """Read the entries that history lacks, newest first.

    Read first, and history after it: what is copied in between is then in both, and what is trimmed
    from the log in between is in history. Raises redis.RedisError, sqlalchemy.exc.SQLAlchemyError.
    """
    shard = ledger.keys.shard_of(account_id)
    position = read_positions(engine).get(shard, LOG_START)
    behind = ledger.log.shard_entries(shard, position.entry_id)
    return [entry for entry in behind if entry.account_id == account_id][::-1]


def newest_entries(
    ledger: Ledger, engine: Engine, account_id: str, *, after: str | None, limit: int
) -> Page[Entry]:
    """Read a page of an account's entries, newest first.

    Raises BadCursor; redis.RedisError, sqlalchemy.exc.SQLAlchemyError.
    """
    not_copied = entries_not_copied(ledger, engine, account_id)
    stored = entries_page(engine, account_id, after=after, limit=limit)
    if after is not None:
        not_copied = [entry for entry in not_copied if _place(entry) < entry_position(after)]
    found = {entry.id: entry for entry in (*not_copied, *stored.items)}
    entries = sorted(found.values(), key=_place, reverse=True)
    has_more = len(entries) > limit or stored.next is not None
    items = entries[:limit]
    return Page(items, items[-1].id if has_more else None)


def _place(entry: Entry) -> tuple[int, int]:
    return entry_position(entry.id)
