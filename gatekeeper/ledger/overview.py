"""What is true now of many accounts at once, in one round trip. All raise redis.RedisError."""

from __future__ import annotations

from collections.abc import Sequence

from gatekeeper.domain.account import Account
from gatekeeper.domain.incident import Incident
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.records import (
    ACCOUNT_REPLIES,
    in_groups,
    queue_account,
    read_account,
    read_incident,
)


def read_accounts(ledger: Ledger, account_ids: Sequence[str]) -> dict[str, Account]:
    """Read accounts; those that there are not are missing."""
    with ledger.client.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            queue_account(pipeline, ledger.keys.of_account(account_id))
        replies = in_groups(pipeline.execute(), ACCOUNT_REPLIES)
    found = map(read_account, account_ids, replies)
    return {account.id: account for account in found if account is not None}


def open_incidents(ledger: Ledger, account_ids: Sequence[str]) -> dict[str, Incident]:
    """Read the open incidents of accounts, by account; those without one are missing."""
    with ledger.client.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            pipeline.hgetall(ledger.keys.of_account(account_id).incident)
        replies = pipeline.execute()
    found = [read_incident(fields) for fields in replies if fields]
    return {one.account_id: one for one in found if one.resolved_at_ms is None}
