"""Whose call is it: the account behind a phone number, remembered for a moment."""

from __future__ import annotations

import time
from typing import Final

from gatekeeper.domain.call import CallId
from gatekeeper.ledger.keys import CALL_KEPT_S
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.numbers import NumberRecord
from gatekeeper.ledger.store import Clock, wall_clock_ms
from gatekeeper.web.memory import Memory

#: How long a number that changed hands may still be decided for the account it had. With it a
#: decision costs one round trip; it is also how soon a new route is followed.
_REMEMBERED_S: Final = 5.0
_NUMBERS_MAX: Final = 20_000


class NumberBook:
    """Finds the account that pays for a call. Raises redis.RedisError.

    Only numbers that belong to somebody are remembered, so an assignment counts at once.
    """

    def __init__(
        self, gate: Ledger, *, clock: Clock = wall_clock_ms, remembered_s: float = _REMEMBERED_S
    ) -> None:
        self._gate = gate
        self._clock = clock
        self._remembered_s = remembered_s
        self._found: Memory[str, tuple[NumberRecord, float]] = Memory(_NUMBERS_MAX)

    def payer(self, number: str, call: CallId) -> NumberRecord | None:
        """Find whose call it is, as the number stood a moment ago; None when it is nobody's."""
        known = self._found.get(number)
        if known is not None and time.monotonic() < known[1]:
            return self._as_it_was_for(known[0], call)
        return self.payer_now(number, call)

    def payer_now(self, number: str, call: CallId) -> NumberRecord | None:
        """Find whose call it is, as the number stands now; None when it is nobody's."""
        record = self._gate.numbers.find(number)
        if record is None:
            return None
        trusted_until_s = time.monotonic() + self._remembered_s if record.account_id else 0.0
        self._found.put(number, (record, trusted_until_s))
        return self._as_it_was_for(record, call)

    def last_seen(self, number: str) -> NumberRecord | None:
        """Recall whose a number last was, however long ago, without asking the ledger."""
        known = self._found.get(number)
        return known[0] if known is not None and known[0].account_id else None

    def _as_it_was_for(self, record: NumberRecord, call: CallId) -> NumberRecord | None:
        """Leave a call with the account that it began with, when its number changed hands since.

        That account's record of the call says so. It goes on by that account's own route: the
        number's is the new owner's. The ledger keeps call records for CALL_KEPT_S.
        """
        previous = record.previous
        if previous and previous != record.account_id:
            age_ms = self._clock() - record.changed_at_ms
            if age_ms < CALL_KEPT_S * 1000 and self._gate.calls.knows(previous, call):
                return NumberRecord(previous, route="", previous="", changed_at_ms=0)
        return record if record.account_id else None
