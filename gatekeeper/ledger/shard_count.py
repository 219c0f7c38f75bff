"""The number of shards, fixed for a deployment the first time that one of its processes starts."""

from __future__ import annotations

from typing import cast

from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.ledger.ledger import Ledger


class ShardsChanged(LedgerRefusal):
    """The setting is not what the ledger was filled with: accounts would not be found."""

    def __init__(self, fixed: int, wanted: int) -> None:
        super().__init__(f"SHARDS is {wanted}, but this ledger was started with {fixed}")


def fix_shard_count(ledger: Ledger) -> None:
    """Note the number of shards, once. Raises ShardsChanged; redis.RedisError."""
    ledger.client.set(ledger.keys.shard_count(), ledger.keys.shards, nx=True)
    check_shard_count(ledger)


def check_shard_count(ledger: Ledger) -> bool:
    """Tell whether the number is fixed yet. Raises ShardsChanged; redis.RedisError."""
    noted = cast(str | None, ledger.client.get(ledger.keys.shard_count()))
    if noted is not None and int(noted) != ledger.keys.shards:
        raise ShardsChanged(int(noted), ledger.keys.shards)
    return noted is not None
