"""Reads that look back over the log, for the people on call. No caller waits for any of these.

All raise redis.RedisError.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import cast

from gatekeeper.domain.account import Account
from gatekeeper.domain.entry import Entry
from gatekeeper.domain.topoff import Topoff
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    ACCOUNT_REPLIES,
    in_groups,
    queue_account,
    read_account,
    read_entry,
    read_topoff,
)

_LOG_PAGE = 1000
#: Accounts and top-offs are read so many at a time: few round trips, and no long transaction.
_RECORD_PAGE = 100
#: Stands before every entry.
EMPTY_LOG = "0-0"

_Page = list[tuple[str, dict[str, str]]]


def account_ids(ledger: Ledger, shard: int) -> list[str]:
    """List the ids of a shard's accounts, sorted."""
    found = ledger.client.sscan_iter(ledger.keys.accounts(shard), count=_RECORD_PAGE)
    return sorted(set(cast(Iterator[str], found)))


def accounts_with_position(
    ledger: Ledger, shard: int, ids: Iterable[str]
) -> Iterator[tuple[Account, str]]:
    """Yield accounts of one shard, each with the id of the log's last entry when it was read.

    The account and the log are read in one transaction, so the entries up to that one are the
    entries that made the account what it is. Ids without an account are passed over.
    """
    remaining = iter(ids)
    while page := list(islice(remaining, _RECORD_PAGE)):
        pipeline = ledger.client.pipeline(transaction=True)
        pipeline.xrevrange(ledger.keys.log(shard), count=1)
        for account_id in page:
            queue_account(pipeline, ledger.keys.of_account(account_id))
        last, *replies = pipeline.execute()
        up_to = last[0][0] if last else EMPTY_LOG
        for account_id, own in zip(page, in_groups(replies, ACCOUNT_REPLIES), strict=True):
            if (account := read_account(account_id, own)) is not None:
                yield account, up_to


def topoffs(ledger: Ledger, ids: Iterable[str]) -> Iterator[Topoff]:
    """Yield the top-offs that the ledger still has (they are kept 400 days past their end)."""
    remaining = iter(ids)
    while page := list(islice(remaining, _RECORD_PAGE)):
        pipeline = ledger.client.pipeline(transaction=False)
        for topoff_id in page:
            pipeline.hgetall(ledger.keys.of_account(account_of(topoff_id)).topoff(topoff_id))
        for topoff_id, fields in zip(page, pipeline.execute(), strict=True):
            if fields:
                yield read_topoff(topoff_id, fields)


def log_length(ledger: Ledger, shard: int) -> int:
    """Count a shard's entries."""
    return ledger.client.xlen(ledger.keys.log(shard))


def log_end(ledger: Ledger, shard: int) -> str:
    """Find the id of a shard's newest entry; "0-0" when there is none."""
    page = cast(_Page, ledger.client.xrevrange(ledger.keys.log(shard), count=1))
    return page[0][0] if page else EMPTY_LOG


def entries_behind(ledger: Ledger, shard: int, entry_id: str = EMPTY_LOG) -> Iterator[Entry]:
    """Yield a shard's entries behind one, oldest first, until there are no more."""
    key = ledger.keys.log(shard)
    while page := cast(_Page, ledger.client.xrange(key, min=f"({entry_id}", count=_LOG_PAGE)):
        for entry_id, fields in page:  # noqa: PLR1704 - where the next page begins
            yield read_entry(entry_id, fields)


def newest_entries(ledger: Ledger, account_id: str, limit: int) -> list[Entry]:
    """Read an account's last `limit` entries, oldest first. Reads its shard's log backwards."""
    return list(islice(_entries_backwards(ledger, account_id), limit))[::-1]


def _entries_backwards(ledger: Ledger, account_id: str) -> Iterator[Entry]:
    key, before = ledger.keys.of_account(account_id).log, "+"
    while page := cast(_Page, ledger.client.xrevrange(key, max=before, count=_LOG_PAGE)):
        for entry_id, fields in page:
            if fields["account"] == account_id:
                yield read_entry(entry_id, fields)
        before = f"({page[-1][0]}"
