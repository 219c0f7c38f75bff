"""How fresh what pages show of history is."""

from __future__ import annotations

from typing import Final

from gatekeeper.history.lag import read_lag
from gatekeeper.ledger.ledger import Ledger

#: History that is behind by less is as good as up to date.
_LAG_SHOWN_S: Final = 60


def read_up_to_ms(ledger: Ledger, now_ms: int) -> int | None:
    """Read until when history tells everything; None when it is hardly behind.

    Ask before reading what is shown, so that nothing shown is newer than told. Raises
    redis.RedisError.
    """
    lag = read_lag(ledger)
    return now_ms - int(lag.oldest_s * 1000) if lag.oldest_s > _LAG_SHOWN_S else None
