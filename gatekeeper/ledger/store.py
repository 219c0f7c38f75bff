"""What every part of the ledger works with: a client, the keys, the clock and the scripts."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

from gatekeeper.domain.cycle import Interval, Period, period_of
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.keys import Keys, new_record_id
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
        """Run a verb on an account, after the turn of its cycle if that is due (R4).

        Raises UnknownAccount; redis.RedisError: outcome unknown.
        """
        while True:
            reply = self._run_once(verb, account_id, args, keys)
            if reply[0] == "unknown_account":
                raise UnknownAccount(account_id)
            if reply[0] != "cycle_over":
                return reply
            period = period_of(int(reply[1]), Interval(reply[2]), self.clock())
            self._run_once("start_cycle", account_id, (period.start_ms, period.end_ms), ())

    def period_now(self, account_id: str) -> Period:
        """Find the period by the account's anchor that contains now. Raises UnknownAccount."""
        profile = self.keys.of_account(account_id).profile
        anchor_ms, interval = self.client.hmget(profile, "anchor_ms", "interval")
        if anchor_ms is None or interval is None:
            raise UnknownAccount(account_id)
        return period_of(int(anchor_ms), Interval(str(interval)), self.clock())

    def _run_once(
        self, verb: str, account_id: str, args: Sequence[str | int], keys: Sequence[str]
    ) -> list[Any]:
        own = self.keys.of_account(account_id)
        new_id = new_record_id(account_id)
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
            (account_id, self.clock(), new_id.rpartition("-")[2], own.wake, *args),
        )
        return reply
