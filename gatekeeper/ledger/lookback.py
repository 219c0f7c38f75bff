"""Reads of many records at once, for the people on call. No caller waits for any of these.

All raise redis.RedisError. What is found by walking through the keys was there all the time that
the walk took; a record may come twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Final, cast

from redis import ResponseError

from gatekeeper.domain.account import Account
from gatekeeper.domain.call import CallId
from gatekeeper.ledger.keys import Keys, account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.log import last_id_of
from gatekeeper.ledger.records import ACCOUNT_REPLIES, in_groups, queue_account, read_account

#: Accounts and top-offs are read so many at a time: few round trips, and no long transaction.
_RECORD_PAGE: Final = 100
_CALL_PAGE: Final = 1000
_SCAN_COUNT: Final = 10_000
#: How long the record of a top-off is kept at least, from its request on, and that of a claw-back,
#: from the last time that it took or returned credits (see ledger/keys.py).
RECORD_KEPT_S: Final = 400 * 24 * 3600


@dataclass(frozen=True, slots=True)
class FoundTopoff:
    """A top-off's record, and whether its charge was owed at the same instant."""

    id: str
    fields: dict[str, str]
    is_owed: bool


@dataclass(frozen=True, slots=True)
class FoundClawback:
    """How many credits a payment lost by its record ("" if it does not say).

    `up_to` is the id of the log's newest entry at the same instant.
    """

    account_id: str
    payment_intent: str
    taken: str
    up_to: str


def account_ids(ledger: Ledger, shard: int) -> list[str]:
    """List the ids of a shard's accounts, sorted."""
    found = ledger.client.sscan_iter(ledger.keys.accounts(shard), count=_RECORD_PAGE)
    return sorted(set(cast(Iterator[str], found)))


def accounts_with_position(
    ledger: Ledger, shard: int, ids: Iterable[str]
) -> Iterator[tuple[Account, str]]:
    """Yield accounts of one shard, each with the id of the log's newest entry when it was read.

    The account and the log are read in one transaction, so the entries up to that one are the
    entries that made the account what it is. Ids without an account are passed over.
    """
    remaining = iter(ids)
    while page := list(islice(remaining, _RECORD_PAGE)):
        pipeline = ledger.client.pipeline(transaction=True)
        pipeline.xinfo_stream(ledger.keys.log(shard))
        for account_id in page:
            queue_account(pipeline, ledger.keys.of_account(account_id))
        stream, *replies = pipeline.execute(raise_on_error=False)
        for error in (reply for reply in replies if isinstance(reply, ResponseError)):
            raise error
        up_to = last_id_of(stream)
        for account_id, own in zip(page, in_groups(replies, ACCOUNT_REPLIES), strict=True):
            if (account := read_account(account_id, own)) is not None:
                yield account, up_to


def call_records(
    ledger: Ledger, account_id: str | None = None
) -> Iterator[tuple[str, CallId, str]]:
    """Yield the calls that the ledger keeps, of one account or all: account, call, record."""
    for page in _walk(ledger, ledger.keys.calls_of(account_id), _CALL_PAGE):
        records = cast(list[str | None], ledger.client.mget(page))
        for key, record in zip(page, records, strict=True):
            if record is not None:
                yield *Keys.read_call(key), record


def topoff_records(ledger: Ledger, account_id: str | None = None) -> Iterator[FoundTopoff]:
    """Yield the top-offs that the ledger keeps, of one account or all."""
    for page in _walk(ledger, ledger.keys.topoffs_of(account_id), _RECORD_PAGE):
        pipeline = ledger.client.pipeline(transaction=True)
        ids = [Keys.read_topoff(key) for key in page]
        for key, topoff_id in zip(page, ids, strict=True):
            pipeline.hgetall(key)
            pipeline.zscore(
                ledger.keys.of_account(account_of(topoff_id)).owed, f"charge:{topoff_id}"
            )
        replies = in_groups(pipeline.execute(), 2)
        for topoff_id, (fields, due) in zip(ids, replies, strict=True):
            if fields:
                yield FoundTopoff(topoff_id, fields, due is not None)


def clawback_records(ledger: Ledger, account_id: str | None = None) -> Iterator[FoundClawback]:
    """Yield what the ledger knows to have been taken back, of one account or all."""
    for page in _walk(ledger, ledger.keys.clawbacks_of(account_id), _RECORD_PAGE):
        pipeline = ledger.client.pipeline(transaction=True)
        found = [Keys.read_clawback(key) for key in page]
        pipeline.xinfo_stream(ledger.keys.of_account(found[0][0]).log)
        for key in page:
            pipeline.exists(key)
            pipeline.hget(key, "taken")
        stream, *replies = pipeline.execute()
        up_to = last_id_of(stream)
        for (owner, payment_intent), reply in zip(found, in_groups(replies, 2), strict=True):
            is_there, taken = reply
            if is_there:
                yield FoundClawback(owner, payment_intent, taken or "", up_to)


def _walk(ledger: Ledger, pattern: str, size: int) -> Iterator[list[str]]:
    """Yield the keys that match, in pages of one shard each."""
    matching = cast(Iterator[str], ledger.client.scan_iter(pattern, count=_SCAN_COUNT))
    while batch := list(islice(matching, _SCAN_COUNT)):
        for _, keys in groupby(sorted(batch, key=_shard_prefix), key=_shard_prefix):
            while page := list(islice(keys, size)):
                yield page


def _shard_prefix(key: str) -> str:
    return key.partition("}")[0]
