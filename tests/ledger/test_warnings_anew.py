"""R11: whatever brings credits ends a crossing and an empty spell; the next ones are told anew."""

from __future__ import annotations

import pytest

from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.subscription import SubscriptionStatus
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.desk import PRICE_MINOR, Desk


def use(desk: Desk, count: int) -> None:
    for _ in range(count):
        desk.call()


def test_r11_after_a_new_period(desk: Desk, clock: MovableClock) -> None:
    desk.open(allotment=6).topoff(on=False, threshold=5)
    use(desk, 7)
    assert sorted(desk.mail) == ["balance_low", "calls_dropped"]
    clock.advance(s=32 * 24 * 3600)
    use(desk, 7)
    assert sorted(desk.mail) == ["balance_low"] * 2 + ["calls_dropped"] * 2


def test_r11_after_a_raise_of_the_allotment(desk: Desk) -> None:
    desk.open(allotment=6).topoff(on=False, threshold=5)
    use(desk, 7)
    desk.ledger.cycles.set_cycle(
        desk.id, allotment=12, anchor_ms=NOON_MS, interval=Interval.MONTHLY
    )
    use(desk, 7)
    assert sorted(desk.mail) == ["balance_low"] * 2 + ["calls_dropped"] * 2


def test_r11_after_a_subscription_gave_back_what_it_withheld(desk: Desk) -> None:
    desk.open(allotment=3).topoff(on=False, threshold=2)
    desk.subscribed(SubscriptionStatus.ACTIVE)
    desk.subscribed(SubscriptionStatus.UNPAID)
    use(desk, 1)
    assert sorted(desk.mail) == ["balance_low", "calls_dropped"]
    desk.subscribed(SubscriptionStatus.ACTIVE)
    use(desk, 4)
    assert sorted(desk.mail) == ["balance_low"] * 2 + ["calls_dropped"] * 2


@pytest.mark.parametrize("moves", [3, 5])
def test_r11_after_money_came_again(desk: Desk, moves: int) -> None:
    """A dispute that is won and lost again, heard of each time."""
    desk.open().card().topoff(threshold=5, amount=20)
    paid = desk.paid_topoff()
    for move in range(1, moves + 1):
        out = move % 2 == 1
        desk.correct(
            paid, Reversal("du_1", CorrectionCause.DISPUTE, move, 20 * PRICE_MINOR, is_out=out)
        )
        if out:
            use(desk, 2)
    assert desk.mail.count("calls_dropped") == (moves + 1) // 2
