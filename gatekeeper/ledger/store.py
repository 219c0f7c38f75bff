"""What every part of the ledger works with: a client, the keys, the clock and the scripts."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.keys import Keys
from gatekeeper.ledger.scripts import Scripts

Clock = Callable[[], int]


def wall_clock_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Store:
    """Runs verbs by the scripts' calling convention (see lua/prelude.lua)."""

    def __init__(self, client: Redis, shards: int, clock: Clock = wall_clock_ms) -> None:
        self.client = client
        self.keys = Keys(shards)
        self.clock = clock
        self.scripts = Scripts(client)

    def run(
        self,
        verb: str,
        account_id: str,
        *args: str | int,
        keys: Sequence[str] = (),
    ) -> list[Any]:
        """Run a verb on an account. Raises UnknownAccount; redis.RedisError: outcome unknown."""
        own = self.keys.of_account(account_id)
        token = secrets.token_hex(6)
        new_id = f"{account_id}-{token}"
        reply: list[Any] = self.scripts.run(
            verb,
            (
                own.account,
                own.profile,
                own.log,
                own.owed,
                own.tries,
                own.incident,
                own.topoff(new_id),
                own.notice(new_id),
                *keys,
            ),
            (account_id, self.clock(), token, own.wake, *args),
        )
        if reply[0] == "unknown_account":
            raise UnknownAccount(account_id)
        return reply
