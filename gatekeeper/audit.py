"""Audits a ledger: reads every shard's log once, and says where accounts differ from it.

The ledger may be in use meanwhile: every comparison is made of what was true at one instant, or
can only become true (see `gatekeeper.domain.account_audit`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gatekeeper.domain.account_audit import AccountAudit, entry_position
from gatekeeper.ledger import lookback
from gatekeeper.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that cannot be, in one line."""

    account_id: str
    what: str


def audit_ledger(
    ledger: Ledger, *, on_entry: Callable[[], object] = lambda: None
) -> list[Difference]:
    """Audit every account; `on_entry` is told of each entry read. Raises redis.RedisError."""
    return [
        difference
        for shard in range(ledger.keys.shards)
        for difference in _audit_shard(ledger, shard, on_entry)
    ]


def audit_account(
    ledger: Ledger, account_id: str, *, on_entry: Callable[[], object] = lambda: None
) -> list[Difference]:
    """Audit one account. Raises UnknownAccount; redis.RedisError."""
    ledger.accounts.account(account_id)
    shard = ledger.keys.shard_of(account_id)
    return _ShardAudit(ledger, shard, [account_id]).run(on_entry)


def _audit_shard(ledger: Ledger, shard: int, on_entry: Callable[[], object]) -> list[Difference]:
    # What the log holds before the accounts are listed is of accounts that are in the list.
    end = entry_position(lookback.log_end(ledger, shard))
    audit = _ShardAudit(ledger, shard, lookback.account_ids(ledger, shard))
    differences = audit.run(on_entry)
    strays = (
        Difference(account_id, "has entries, but there is no such account")
        for account_id, first in audit.strays.items()
        if entry_position(first) <= end
    )
    return [*differences, *strays]


class _ShardAudit:
    """Audits some of a shard's accounts. `strays` has the first entry of each other account."""

    def __init__(self, ledger: Ledger, shard: int, account_ids: Sequence[str]) -> None:
        self.strays: dict[str, str] = {}
        self._ledger = ledger
        self._shard = shard
        self._account_ids = account_ids
        self._audits = {
            account.id: AccountAudit(account, up_to)
            for account, up_to in lookback.accounts_with_position(ledger, shard, account_ids)
        }

    def run(self, on_entry: Callable[[], object]) -> list[Difference]:
        end = self._read_log(on_entry)
        requested = (topoff_id for audit in self._audits.values() for topoff_id in audit.requested)
        topoffs = {topoff.id: topoff for topoff in lookback.topoffs(self._ledger, requested)}
        for entry in lookback.entries_behind(self._ledger, self._shard, end):
            if entry.account_id in self._audits:
                self._audits[entry.account_id].add_behind(entry)
        found = [
            Difference(account_id, what)
            for account_id, audit in self._audits.items()
            for what in audit.differences(topoffs)
        ]
        return [*found, *self._without_record()]

    def _read_log(self, on_entry: Callable[[], object]) -> str:
        end = lookback.EMPTY_LOG
        for entry in lookback.entries_behind(self._ledger, self._shard, end):
            end = entry.id
            on_entry()
            audit = self._audits.get(entry.account_id)
            if audit is None:
                self.strays.setdefault(entry.account_id, entry.id)
            else:
                audit.add(entry)
        return end

    def _without_record(self) -> list[Difference]:
        missing = sorted(set(self._account_ids) - self._audits.keys())
        return [Difference(account_id, "is listed, but has no record") for account_id in missing]
