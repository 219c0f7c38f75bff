"""Forecasts and suggestions: honest, and none where there is too little to go by."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.account import MAX_CHARGE_MINOR, TopoffSettings
from gatekeeper.domain.card_expiry import CardExpiry, expiry_of
from gatekeeper.domain.forecast import HORIZON_DAYS, Forecast, Supply, forecast
from gatekeeper.domain.suggestion import suggest_topoff

#: Ten credits a day.
STEADY = [10] * 14

use = st.lists(st.integers(0, 500), max_size=40)
busy_use = st.lists(st.integers(1, 500), min_size=7, max_size=40)
supplies = st.builds(
    Supply,
    allotment=st.integers(0, 2000),
    purchased=st.integers(-500, 5000),
    allotment_size=st.integers(0, 2000),
    days_to_reset=st.none() | st.floats(0, 366),
    period_days=st.sampled_from([28.0, 30.0, 31.0, 365.0]),
)


@pytest.mark.parametrize(
    ("supply", "days_left"),
    [
        (Supply(0, 95), 9),
        (Supply(30, 65), 9),
        (Supply(0, 9), 0),
        (Supply(0, 0), 0),
        (Supply(0, -30), 0),
        (Supply(100, 0, 100, days_to_reset=5.0), 15),  # five days, and then a new allotment
        (Supply(100, 20, 100, days_to_reset=5.0), 17),  # purchased credits outlast the reset
        (Supply(100, -20, 100, days_to_reset=5.0), 13),  # what was overdrawn is made up for
        (Supply(300, 0, 300, days_to_reset=30.0), None),  # each allotment just lasts
        (Supply(290, 0, 290, days_to_reset=30.0), 29),
        (Supply(290, 15, 290, days_to_reset=30.0), 59),
        (Supply(0, 10 * HORIZON_DAYS + 10), None),
    ],
)
def test_how_long_credits_last(supply: Supply, days_left: int | None) -> None:
    told = forecast(STEADY, supply)
    assert told is not None
    assert (told.per_day, told.over_days, told.days_left) == (10.0, 14, days_left)


@pytest.mark.parametrize(
    ("supply", "counted"),
    [
        (Supply(100, 0, 90, days_to_reset=5.0), 90),
        (Supply(300, 0, 300, days_to_reset=30.0), 300),
        (Supply(40, 0, 90, days_to_reset=5.0), 0),  # used up before the reset
        (Supply(40, 60), 0),
    ],
)
def test_the_allotments_that_are_counted_are_named(supply: Supply, counted: int) -> None:
    told = forecast(STEADY, supply)
    assert told is not None
    assert told.counted == counted


@pytest.mark.parametrize(
    "used_by_day",
    [
        [],
        [0] * 28,
        [9] * 6,
        [0] * 22 + [9] * 6,  # begun six days ago
        [0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1],  # four calls
        [50] * 14 + [0] * 14,  # nothing in the last two weeks
    ],
)
def test_none_when_there_is_too_little_to_go_by(used_by_day: list[int]) -> None:
    assert forecast(used_by_day, Supply(100, 100)) is None
    assert suggest_topoff(used_by_day, 20) is None


def test_the_rate_is_that_of_the_last_two_weeks_and_of_the_days_since_the_first_call() -> None:
    two_weeks = forecast([99] * 14 + [1] * 14, Supply(0, 5))
    one_week = forecast([0] * 20 + [7] + [0] * 6 + [7], Supply(0, 5))
    assert two_weeks == Forecast(1.0, 14, 5)
    assert one_week == Forecast(14 / 8, 8, 2)


@given(used_by_day=busy_use, supply=supplies, more=st.integers(0, 1000))
def test_more_credits_never_last_shorter(used_by_day: list[int], supply: Supply, more: int) -> None:
    richer = Supply(
        supply.allotment,
        supply.purchased + more,
        supply.allotment_size,
        supply.days_to_reset,
        supply.period_days,
    )
    fewer, longer = forecast(used_by_day, supply), forecast(used_by_day, richer)
    assert fewer is not None
    assert longer is not None
    if longer.days_left is not None:
        assert fewer.days_left is not None
        assert fewer.days_left <= longer.days_left


@given(used_by_day=use, supply=supplies)
def test_a_forecast_is_a_day_within_the_horizon_or_none(
    used_by_day: list[int], supply: Supply
) -> None:
    told = forecast(used_by_day, supply)
    if told is not None:
        assert told.per_day > 0
        assert told.days_left is None or 0 <= told.days_left <= HORIZON_DAYS


@given(used_by_day=use, supply=supplies)
def test_days_before_the_first_use_change_nothing(used_by_day: list[int], supply: Supply) -> None:
    assert forecast([0] * 9 + used_by_day, supply) == forecast(used_by_day, supply)


def test_a_suggestion_says_where_it_comes_from() -> None:
    told = suggest_topoff([4, 6, 5, 12, 15, 3, 4] * 2, 20)
    assert told is not None
    assert (told.threshold, told.amount) == (30, 100)
    assert told.reason == (
        "Your two busiest days in a row used 27 credits, and two weeks use about 98 credits."
    )


def test_a_burst_raises_the_amount_above_the_threshold() -> None:
    told = suggest_topoff([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 30], 20)
    assert told is not None
    assert (told.threshold, told.amount) == (70, 75)


@given(used_by_day=use, price_minor=st.integers(1, 2 * MAX_CHARGE_MINOR))
def test_a_suggestion_can_always_be_saved(used_by_day: list[int], price_minor: int) -> None:
    told = suggest_topoff(used_by_day, price_minor)
    if told is not None:
        TopoffSettings(enabled=True, threshold=told.threshold, amount=told.amount).check(
            price_minor
        )


@pytest.mark.parametrize(
    ("expiry", "today", "expected"),
    [
        ("12/2026", date(2026, 10, 31), CardExpiry.FAR),  # 61 days before its last
        ("12/2026", date(2026, 11, 1), CardExpiry.SOON),
        ("12/2026", date(2026, 12, 31), CardExpiry.SOON),
        ("12/2026", date(2027, 1, 1), CardExpiry.PAST),
        ("02/2028", date(2028, 2, 29), CardExpiry.SOON),
        ("", date(2026, 1, 1), CardExpiry.UNKNOWN),
        ("13/2026", date(2026, 1, 1), CardExpiry.UNKNOWN),
        ("12/0000", date(2026, 1, 1), CardExpiry.UNKNOWN),
    ],
)
def test_a_card_is_good_through_its_month(expiry: str, today: date, expected: CardExpiry) -> None:
    assert expiry_of(expiry, today) is expected
