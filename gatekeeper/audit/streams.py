"""Everything that both stores hold, sorted by account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gatekeeper.audit.by_account import ByAccount, accounts_in
from gatekeeper.audit.ledger_reading import OnRead, counted
from gatekeeper.audit.spool import Spool
from gatekeeper.domain.line import Line
from gatekeeper.history.replay import Replay, Row
from gatekeeper.history.store import Position


class Streams:
    """What the spool and history hold, of one account or all; see `ByAccount`."""

    def __init__(
        self, spool: Spool, replay: Replay | None, account_id: str | None, on_read: OnRead
    ) -> None:
        stored: Iterator[Line] = iter(())
        calls: Iterator[Row] = iter(())
        readings: Iterator[Row] = iter(())
        listings: Iterator[tuple[str, dict[str, Any]]] = iter(())
        self.positions: dict[int, Position] = {}
        if replay is not None:
            self.positions = replay.positions()
            stored = counted(replay.lines(account_id), on_read)
            calls, readings = replay.calls(account_id), replay.readings(account_id)
            listings = replay.listings(account_id)
        self.stored = ByAccount(stored)
        self.stored_calls = ByAccount(calls)
        self.readings = ByAccount(readings)
        self.listings = ByAccount(listings)
        self.logged = ByAccount(spool.lines())
        self.kept_calls = ByAccount(spool.calls())
        self.topoffs = ByAccount(spool.topoffs())
        self.clawbacks = ByAccount(spool.clawbacks())

    def accounts(self, known: ByAccount[tuple[str]]) -> Iterator[str]:
        """Yield every account of these or of those known."""
        return accounts_in(
            known,
            *(self.stored, self.stored_calls, self.readings, self.listings),
            *(self.logged, self.kept_calls, self.topoffs, self.clawbacks),
        )

    def skip_records(self, account_id: str) -> bool:
        """Go on behind what is left of an account; tells whether there was any."""
        in_sql = (self.stored_calls, self.readings)
        streams = (*in_sql, self.kept_calls, self.topoffs, self.clawbacks)
        return sum(1 for stream in streams for _ in stream.take(account_id)) > 0
