"""Lists in the directory the accounts that the log does not tell of.

Accounts are listed by their entries as these are copied. What was copied before there was a
directory made no rows, and names stand in no entry of that time; so a relay compares the directory
with the ledger's own list when it begins to work with a database, and reads from the ledger what
is missing. An account is read together with its log's end, so entries that are copied before,
meanwhile or afterwards, by whichever relay, add to it what they should and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from sqlalchemy import Engine

from gatekeeper.domain.account import Account
from gatekeeper.domain.account_audit import entry_position
from gatekeeper.history.directory import enlist, missing_from_directory
from gatekeeper.history.listing import Fact, Listing
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.lookback import account_ids, accounts_with_position
from gatekeeper.ledger.overview import open_incidents

_PAGE: Final = 500


def list_missing_accounts(ledger: Ledger, engine: Engine, stop: threading.Event) -> None:
    """List what is missing until all is there, or `stop` is set.

    Raises redis.RedisError, sqlalchemy.exc.SQLAlchemyError.
    """
    for shard in range(ledger.keys.shards):
        ids = iter(account_ids(ledger, shard))
        while (page := list(islice(ids, _PAGE))) and not stop.is_set():
            if missing := missing_from_directory(engine, page):
                enlist(engine, shard, list(_listings(ledger, shard, missing)))


def _listings(ledger: Ledger, shard: int, ids: Iterable[str]) -> Iterator[Listing]:
    found = list(accounts_with_position(ledger, shard, ids))
    incidents = open_incidents(ledger, [one.id for one, _ in found if one.incident_id])
    for account, up_to in found:
        incident = incidents.get(account.id)
        yield _listing(account, up_to, 0 if incident is None else incident.at_ms)


def _listing(account: Account, up_to: str, incident_at_ms: int) -> Listing:
    return Listing(
        account.id,
        name=account.name,
        email=account.email,
        opened_at_ms=account.created_at_ms,
        balance=account.balance,
        incident_id=account.incident_id,
        incident_at_ms=incident_at_ms,
        suspended=account.suspended,
        places=dict.fromkeys(Fact, entry_position(up_to)),
    )
