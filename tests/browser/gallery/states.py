"""Every state that an account can be in, each reached as life reaches it: by calls and charges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from gatekeeper.domain.account import NewAccount
from gatekeeper.domain.call import CallEnd
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from tests.browser.paths import Paths
from tests.conftest import MovableClock
from tests.ledger.desk import PRICE_MINOR
from tests.web.portal.billing_desk import DAY_MS, NUMBER, fail
from tests.web.portal.calls_desk import OTHER_NUMBER, CallsDesk

TIMEZONE: Final = "America/New_York"
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
#: Calls on each day of a week, from Monday.
_WEEK: Final = (4, 5, 3, 6, 4, 1, 0)


class Life(Paths, CallsDesk):
    """An account that is not opened yet, at a clock that can be put back."""

    name = "Bright Smile Dental"
    newest_call = "CA" + "0" * 32
    newest_topoff = ""

    def opened(self, *, days_ago: int = 0, allotment: int = 0, purchased: int = 0) -> Life:
        """Open it so many days ago, where the clock then stands."""
        self.clock = MovableClock(wall_clock_ms() - days_ago * DAY_MS)
        self.ledger = Ledger(
            self.ledger.client, shards=self.ledger.keys.shards, clock=lambda: self.clock.now_ms
        )
        self.ledger.accounts.open_account(
            NewAccount(self.id, self.name, self.owner, allotment, TIMEZONE)
        )
        if purchased:
            self.purchased(purchased, reference="start", cause="Welcome")
        return self

    @property
    def owner(self) -> str:
        """The address of the owner, who has no other account."""
        return f"dana@{self.id.removeprefix('acct_')}.example"

    def lives(self, days: int) -> Life:
        """Let days pass with calls on most of them; top-offs are paid as they come."""
        for _ in range(days):
            self.clock.now_ms += DAY_MS
            midnight_ms = self.clock.now_ms - 12 * _HOUR_MS
            weekday = datetime.fromtimestamp(self.clock.now_ms / 1000, UTC).weekday()
            for place in range(_WEEK[weekday]):
                self._rings(midnight_ms + place * _HOUR_MS, place)
        return self

    def _rings(self, at_ms: int, place: int) -> None:
        self.newest_call = self.called(
            CallEnd.NO_ANSWER if place == 5 else CallEnd.COMPLETED,
            duration_s=3 if place == 3 else 47 + 61 * place,
            number=OTHER_NUMBER if place == 2 else NUMBER,
            at_ms=at_ms,
        )
        if self.account.topoff_id:
            self.newest_topoff = self.paid_topoff()

    def rings(self, times: int, *, minutes_ago: int = 0, duration_s: int = 75) -> Life:
        """Let calls come in one after the other, the last of them so long ago."""
        self.clock.now_ms = wall_clock_ms()
        for place in reversed(range(times)):
            at_ms = self.clock.now_ms - (minutes_ago + 7 * place) * _MINUTE_MS
            self.newest_call = self.called(duration_s=duration_s, at_ms=at_ms)
        return self


def _healthy(life: Life) -> None:
    life.opened(days_ago=40, allotment=60).card().topoff(threshold=20, amount=100)
    life.lives(40).rings(1)


def _low(life: Life) -> None:
    life.opened(days_ago=10, allotment=40).topoff(on=False, threshold=50, amount=200)
    life.lives(10)


def _overdraft(life: Life) -> None:
    life.opened(days_ago=3, purchased=9).card().topoff(threshold=0, amount=20)
    life.lives(1).rings(11)
    life.begin(life.account.topoff_id)


def _charge_in_flight(life: Life) -> None:
    life.opened(days_ago=10, purchased=80).card().topoff(threshold=30, amount=200)
    life.rings(51)
    life.begin(life.account.topoff_id)


def _failed(life: Life, *, reason: FailureReason) -> None:
    life.opened(days_ago=10, purchased=40).lives(9)
    life.rings(life.account.balance - 2, minutes_ago=60)
    fail(life, reason)
    life.rings(4, duration_s=9)


def _capped(life: Life) -> None:
    life.opened(days_ago=10, purchased=25).card()
    life.topoff(threshold=5, amount=20, cap=20 * PRICE_MINOR)
    life.lives(8).rings(22)


def _suspended(life: Life) -> None:
    life.opened(days_ago=5, allotment=40).lives(4)
    life.ledger.accounts.update_account(life.id, suspended="1")
    life.rings(1)


def _year(life: Life) -> None:
    life.opened(days_ago=370, allotment=60).card().topoff(threshold=20, amount=50)
    life.lives(200)
    life.correct(
        life.newest_topoff, Reversal("re_1", CorrectionCause.REFUND, 1, 10 * PRICE_MINOR, True)
    )
    life.topoff(threshold=20, amount=50)
    life.lives(150)
    life.purchased(5, reference="gift", cause="Goodwill of the support team")
    life.lives(20).rings(1)


STATES: Final[dict[str, Callable[[Life], object]]] = {
    "empty": Life.opened,
    "healthy": _healthy,
    "low": _low,
    "overdraft": _overdraft,
    "charge in flight": _charge_in_flight,
    "no payment method": partial(_failed, reason=FailureReason.NO_PAYMENT_METHOD),
    "declined": partial(_failed, reason=FailureReason.DECLINED),
    "internal error": partial(_failed, reason=FailureReason.INTERNAL_ERROR),
    "capped": _capped,
    "suspended": _suspended,
    "a year": _year,
}
