"""A log as a busy day leaves it, written by the ledger's own verbs.

Practices with some numbers each take calls in turn. Most calls are answered and completed, some are
hung up at once, some are never picked up and get their credit back. Most practices top off when
they run low; a few do not, and in the end their calls are dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from redis import Redis

from gatekeeper.domain.account import Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.jobs import argument_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.sandbox.caller.call import CallSids
from gatekeeper.sandbox.stack import ACCOUNT_SID

_ACCOUNTS: Final = 20
_NUMBERS: Final = 3
#: Every so many accounts one does not top off.
_WITHOUT_TOPOFF: Final = 10
_ALLOTMENT: Final = 200
_TOPOFF: Final = TopoffSettings(enabled=True, threshold=50, amount=200)
_PRICE_MINOR: Final = 25
_CURRENCY: Final = "usd"
_CARD: Final = Card("cus_0123456789abcd", "pm_0123456789abcdefghijklmn", "visa", "4242", "12/2031")
#: A call comes in every second, and lasts while so many others do.
_CALL_INTERVAL_MS: Final = 1000
_UNDER_WAY: Final = 60
#: How calls end, in turn. The first is hung up at once.
_ENDS: Final = (
    (CallEnd.COMPLETED, 2),
    *((CallEnd.COMPLETED, duration_s) for duration_s in range(30, 140, 10)),
    (CallEnd.NO_ANSWER, None),
)
_BEGIN_MS: Final = int(datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class _Call:
    account_id: str
    number: str
    id: CallId
    end: CallEnd
    duration_s: int | None


class BusyDay:
    """Writes a log. The ledger's clock is the day's own: a log of any length is soon written."""

    def __init__(self, client: Redis) -> None:
        self._now_ms = _BEGIN_MS
        self.ledger = Ledger(client, clock=lambda: self._now_ms)
        self._sids = CallSids()
        self._accounts = [self._open_account(n) for n in range(_ACCOUNTS)]
        self._under_way: deque[_Call] = deque()
        self._calls = 0

    def write(self, entries: int) -> None:
        """Let calls come in until the log has so many entries, or a few more."""
        log_key = self.ledger.keys.log(0)
        while (missing := entries - self.ledger.client.xlen(log_key)) > 0:
            # A call makes two entries, and those that are under way one so far.
            for _ in range(missing // 2 + 1):
                self._take_call()
            self._charge()

    def _open_account(self, n: int) -> str:
        new = NewAccount(new_account_id(), f"Practice {n}", "owner@example.com", _ALLOTMENT)
        self.ledger.accounts.open_account(new)
        if n % _WITHOUT_TOPOFF:
            self.ledger.accounts.set_topoff(new.id, _TOPOFF)
            self.ledger.accounts.set_card(new.id, _CARD)
        return new.id

    def _take_call(self) -> None:
        n = self._calls
        self._calls += 1
        self._now_ms += _CALL_INTERVAL_MS
        number = f"+1555{n % _ACCOUNTS:04}{n // _ACCOUNTS % _NUMBERS:03}"
        call_id = CallId(ACCOUNT_SID, self._sids.next())
        call = _Call(self._accounts[n % _ACCOUNTS], number, call_id, *_ENDS[n % len(_ENDS)])
        self.ledger.calls.admit_call(call.account_id, call.id, call.number)
        self._under_way.append(call)
        if len(self._under_way) > _UNDER_WAY:
            self._settle(self._under_way.popleft())
        if n % _ACCOUNTS == 0:
            self._charge()

    def _settle(self, call: _Call) -> None:
        self.ledger.calls.settle_call(
            call.account_id,
            call.id,
            call.number,
            call.end,
            duration_s=call.duration_s,
            debit_unknown=True,
        )

    def _charge(self) -> None:
        """Do the owed work as the workers do: top-offs succeed, and e-mails are sent."""
        for owed in self.ledger.owed.claim_owed(0, lease_s=60, limit=100):
            if owed.task.startswith("charge:"):
                self._succeed(argument_of(owed.task))
            else:
                self.ledger.owed.strike_owed(argument_of(owed.task), owed.task)

    def _succeed(self, topoff_id: str) -> None:
        topoffs = self.ledger.topoffs
        _, topoff = topoffs.begin_charge(topoff_id, price_minor=_PRICE_MINOR, currency=_CURRENCY)
        intent = topoffs.record_intent(topoff_id, f"pi_{topoff_id}")
        paid_minor = topoff.credits * _PRICE_MINOR
        payment = Payment(intent, paid_minor, _CURRENCY, _CARD.customer, _CARD.last4)
        topoffs.settle_topoff(topoff_id, payment, price_minor=_PRICE_MINOR)
