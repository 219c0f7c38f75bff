"""The tab's words and days: zones at either end of the day, clocks that change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.correction import CorrectionCause
from gatekeeper.domain.cycle import Interval, period_of
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.forecast import Forecast
from gatekeeper.domain.incident import FailureReason
from gatekeeper.web.portal.billing_words import (
    allotment_note,
    balance_words,
    forecast_sentence,
    purchased_note,
    reset_sentence,
    topoff_sentence,
)
from gatekeeper.web.portal.cycles import Cycle, cycles_of
from gatekeeper.web.portal.statement import payment_intent_of, statement_line
from tests.history.written import ms
from tests.web.portal.billing_desk import NOV_1_MS, an_account


@pytest.mark.parametrize(
    ("changes", "note", "tone"),
    [
        ({}, "One credit per answered call", "plain"),
        ({"allotment": 0, "purchased": 50}, "One credit per answered call", "plain"),
        ({"allotment": 0, "purchased": 49}, "Below your threshold of 50 credits", "warning"),
        (
            {"allotment": 0, "purchased": 0},
            "Calls are answered ahead of the next top-off",
            "bad",
        ),
        (
            {"allotment": 0, "purchased": -1},
            "Overdraft: 1 call was answered ahead of the next top-off",
            "bad",
        ),
        (
            {"allotment": 0, "purchased": -1200, "topoff": TopoffSettings(True, 50, 9000)},
            "Overdraft: 1,200 calls were answered ahead of the next top-off",
            "bad",
        ),
        ({"suspended": True}, "Incoming calls are dropped", "bad"),
        ({"allotment": 0, "purchased": -200}, "Incoming calls are dropped", "bad"),
        (
            {"allotment": 0, "purchased": 0, "blocked_by": FailureReason.DECLINED},
            "Incoming calls are dropped",
            "bad",
        ),
        (
            {"allotment": 0, "purchased": 0, "topoff": TopoffSettings(False, 50, 200)},
            "Incoming calls are dropped",
            "bad",
        ),
    ],
)
def test_what_a_balance_means(changes: dict[str, object], note: str, tone: str) -> None:
    told = balance_words(an_account(**changes))
    assert (told.note, told.tone) == (note, tone)


def test_purchased_credits_that_are_overdrawn_under_a_new_allotment() -> None:
    assert purchased_note(an_account(purchased=-3)) == (
        "Overdrawn: the next credits make up for 3 credits first"
    )


def test_auto_topoff_without_a_card() -> None:
    assert topoff_sentence(an_account(card=None), "$1.00") == (
        "Auto top-off is on, but no card is attached as the payment method for it."
    )


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            Forecast(2.5, 8, 12),
            "At the rate of your last 8 days, 2.5 credits a day, your credits last for about 12 "
            "days if you buy none.",
        ),
        (
            Forecast(1.0, 14, 1),
            "At the rate of your last 14 days, 1 credit a day, your credits last for about 1 day "
            "if you buy none.",
        ),
        (
            Forecast(1000.0, 14, 0),
            "At the rate of your last 14 days, 1,000 credits a day, your credits last for less "
            "than a day if you buy none.",
        ),
        (
            Forecast(1.0, 14, None),
            "At the rate of your last 14 days, 1 credit a day, your credits last for more than "
            "365 days if you buy none.",
        ),
        (
            Forecast(3.1, 14, 54, counted=60),
            "At the rate of your last 14 days, 3.1 credits a day, your credits last for about 54 "
            "days, counting the 60 that come each month, if you buy none.",
        ),
    ],
)
def test_a_forecast_in_words(told: Forecast, sentence: str) -> None:
    assert forecast_sentence(told, Interval.MONTHLY) == sentence


# The same instants are different days at the ends of the world: UTC-12 and UTC+14.
@pytest.mark.parametrize(
    ("timezone", "now", "sentence"),
    [
        ("UTC", "2026-11-30T23:59", "It resets tomorrow, on Dec 1, 2026."),
        ("UTC", "2026-11-22T12:00", "It resets in 9 days, on Dec 1, 2026."),
        ("Etc/GMT+12", "2026-11-30T23:59", "It resets today, on Nov 30, 2026 at 12:00."),
        ("Etc/GMT+12", "2026-11-30T11:59", "It resets tomorrow, on Nov 30, 2026 at 12:00."),
        ("Pacific/Kiritimati", "2026-11-30T23:59", "It resets today, on Dec 1, 2026 at 14:00."),
        ("Pacific/Kiritimati", "2026-11-30T09:59", "It resets tomorrow, on Dec 1, 2026 at 14:00."),
        ("Asia/Kathmandu", "2026-11-22T12:00", "It resets in 9 days, on Dec 1, 2026 at 05:45."),
    ],
)
def test_resets_are_told_by_the_accounts_calendar(timezone: str, now: str, sentence: str) -> None:
    cycle = Cycle(NOV_1_MS, ms("2026-12-01T00:00"))
    days_left = cycle.days_left(ms(now), timezone)
    account = an_account(timezone=timezone)
    assert reset_sentence(account, cycle.end_ms, days_left) == sentence


def test_a_reset_to_another_size_says_so() -> None:
    ends = an_account(allotment_size=0)
    assert reset_sentence(ends, ms("2026-12-01T00:00"), 9) == (
        "It resets to 0 credits in 9 days, on Dec 1, 2026."
    )


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "Used first; unused credits do not carry over"),
        ({"granted": 0, "allotment_size": 0}, "None: calls use purchased credits"),
        (
            {"withheld": 80, "allotment": 0, "subscription_status": "past_due"},
            "80 credits withheld: your subscription is past due",
        ),
    ],
)
def test_what_the_allotment_is(changes: dict[str, object], note: str) -> None:
    assert allotment_note(an_account(**changes)) == note


@pytest.mark.parametrize("begin", ["2026-03-28T22:30", "2026-10-24T21:30"])
def test_days_left_are_days_of_the_calendar_when_clocks_change(begin: str) -> None:
    """Berlin's March 29, 2026 has 23 hours, and its October 25 has 25."""
    for hours in (24.5, 25.5):
        end_ms = ms(begin) + int(hours * 3_600_000)
        day_after = datetime.fromtimestamp(end_ms / 1000, ZoneInfo("Europe/Berlin")).day
        begun = datetime.fromtimestamp(ms(begin) / 1000, ZoneInfo("Europe/Berlin")).day
        assert Cycle(0, end_ms).days_left(ms(begin), "Europe/Berlin") == day_after - begun


def _days(cycles: list[Cycle]) -> list[str]:
    """The days, in UTC, on which they begin."""
    return [f"{datetime.fromtimestamp(one.start_ms / 1000, UTC):%Y-%m-%d}" for one in cycles]


def test_two_cycles_of_one_day_have_addresses_of_their_own() -> None:
    """As where the anchor was moved by hours, into a new period."""
    start_ms = ms("2026-11-22T00:00")
    account = an_account(cycle_start_ms=start_ms + 3_600_000, anchor_ms=start_ms)
    keys = [cycle.key for cycle in cycles_of(account, start_ms + 7_200_000)]
    assert len(set(keys)) == len(keys)


def test_cycles_reach_back_to_the_day_of_opening() -> None:
    account = an_account()
    cycles = cycles_of(account, ms("2026-11-22T12:00"))
    assert _days(cycles[:2]) == ["2026-11-01", "2026-10-01"]
    assert cycles[-1].start_ms <= account.created_at_ms < cycles[-1].end_ms
    assert len(cycles) == 11
    assert all(later.start_ms == earlier.end_ms for later, earlier in pairwise(cycles))


def test_a_cycle_that_is_over_but_was_not_turned_yet_is_an_earlier_one() -> None:
    cycles = cycles_of(an_account(), ms("2026-12-01T00:00"))
    assert _days(cycles[:2]) == ["2026-12-01", "2026-11-01"]


def test_an_account_without_an_allotment_has_months_from_its_anchor() -> None:
    account = an_account(cycle_end_ms=None, anchor_ms=ms("2026-01-31T00:00"))
    cycles = cycles_of(account, ms("2026-03-05T00:00"))
    assert _days(cycles) == ["2026-02-28", "2026-01-31", "2025-12-31"]


def test_of_very_many_cycles_the_latest_are_shown() -> None:
    cycles = cycles_of(an_account(created_at_ms=0), ms("2026-11-22T12:00"))
    assert len(cycles) == 36


_INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(
    lambda at: int(at.replace(tzinfo=UTC).timestamp() * 1000)
)


@given(
    anchor_ms=_INSTANTS,
    now_ms=_INSTANTS,
    age=st.timedeltas(timedelta(), timedelta(days=900)),
    interval=st.sampled_from(Interval),
)
def test_cycles_lie_side_by_side_and_have_keys_of_their_own(
    anchor_ms: int, now_ms: int, age: timedelta, interval: Interval
) -> None:
    period = period_of(anchor_ms, interval, now_ms)
    account = an_account(
        anchor_ms=anchor_ms,
        interval=interval,
        created_at_ms=now_ms - int(age.total_seconds() * 1000),
        cycle_start_ms=period.start_ms,
        cycle_end_ms=period.end_ms,
    )
    cycles = cycles_of(account, now_ms)
    assert cycles[0].start_ms <= now_ms < cycles[0].end_ms
    assert all(later.start_ms == earlier.end_ms for later, earlier in pairwise(cycles))
    assert len({cycle.key for cycle in cycles}) == len(cycles)
    assert cycles[-1].start_ms <= account.created_at_ms


def _entry(type_: EntryType, **changes: object) -> Entry:
    entry = Entry(
        id="1-1",
        at_ms=NOV_1_MS,
        account_id="acct_000000000001",
        type=type_,
        allotment_delta=0,
        purchased_delta=20,
        allotment=5,
        purchased=20,
        ref="ref",
        cause="",
        number="",
        detail="",
    )
    return replace(entry, **changes)  # type: ignore[arg-type]


def _every_line() -> Iterator[tuple[Entry, str, str]]:
    yield _entry(EntryType.ACCOUNT_OPENED), "Account opened", ""
    yield _entry(EntryType.CYCLE_STARTED), "Allotment reset", ""
    yield _entry(EntryType.ALLOTMENT_LAPSED), "Unused allotment lapsed", ""
    yield _entry(EntryType.ALLOTMENT_RAISED), "Allotment raised", ""
    withheld = _entry(EntryType.ALLOTMENT_WITHHELD, cause="past_due")
    yield withheld, "Allotment withheld", "The subscription is past due"
    yield _entry(EntryType.ALLOTMENT_RESTORED, cause="active"), "Allotment restored", ""
    yield _entry(EntryType.TOPOFF_SUCCEEDED, cause="pi_1"), "Auto top-off", ""
    failed = _entry(EntryType.TOPOFF_FAILED, cause="declined")
    yield failed, "Auto top-off", "Your card was declined"
    for cause, why in (
        ("switched_off", "auto top-off was switched off"),
        ("suspended", "the account was suspended"),
        ("spending_cap", "it would have passed the spending cap"),
    ):
        canceled = _entry(EntryType.TOPOFF_CANCELED, cause=cause)
        yield canceled, "Auto top-off", f"Not charged: {why}"
    capped = _entry(EntryType.TOPOFF_CAPPED, cause="spending_cap", detail="8000 10000 usd")
    reached = "Spending cap reached: $80.00 of $100.00 charged, the next would pass it"
    yield capped, "Auto top-off", reached
    yield _entry(EntryType.CYCLE_STARTED, allotment=0, purchased=25), "New billing cycle", ""
    yield _entry(EntryType.PURCHASE_SUCCEEDED, cause="pi_1"), "Credits purchased", ""
    yield _entry(EntryType.CREDITS_ADDED, cause="sorry", detail="staff@"), "Credits added", "sorry"
    yield _entry(EntryType.CREDITS_REMOVED, cause="slip"), "Credits removed", "slip"
    for cause, taken, returned in (
        (CorrectionCause.REFUND, "Refund", "Refund failed"),
        (CorrectionCause.DISPUTE, "Dispute", "Dispute won"),
    ):
        clawed_back = _entry(EntryType.CREDITS_CLAWED_BACK, cause=cause, detail="re_1 500 usd")
        yield clawed_back, taken, "Credits of the payment were taken back"
        given_back = _entry(EntryType.CREDITS_RETURNED, cause=cause, detail="re_1 500 usd")
        yield given_back, returned, "Credits of the payment were returned"


@pytest.mark.parametrize(("entry", "what", "detail"), list(_every_line()))
def test_every_kind_of_line_has_words(entry: Entry, what: str, detail: str) -> None:
    line = statement_line(entry)
    assert (line.what, line.detail) == (what, detail)
    assert (line.credits, line.balance) == (20, 25)
    assert "staff@" not in repr(line)


@pytest.mark.parametrize(
    ("type_", "detail", "amount"),
    [
        (EntryType.CREDITS_CLAWED_BACK, "re_1 500 usd", "\N{MINUS SIGN}$5.00"),
        (EntryType.CREDITS_CLAWED_BACK, "re_1 500 jpy", "\N{MINUS SIGN}¥500"),
        (EntryType.CREDITS_RETURNED, "re_1 500 usd", "$5.00"),
        (EntryType.CREDITS_CLAWED_BACK, "re_1", ""),  # as entries once were
        (EntryType.TOPOFF_FAILED, "500 usd", "$5.00"),
    ],
)
def test_money_that_went_back_is_shown_as_such(type_: EntryType, detail: str, amount: str) -> None:
    cause = "declined" if type_ is EntryType.TOPOFF_FAILED else "refund"
    assert statement_line(_entry(type_, cause=cause, detail=detail)).amount == amount


def test_a_refund_that_is_worth_no_credit_says_so() -> None:
    refunded = _entry(EntryType.CREDITS_CLAWED_BACK, cause="refund", detail="re_1 1 usd")
    line = statement_line(replace(refunded, purchased_delta=0))
    assert line.detail == "No credits of the payment were taken back"


def test_no_kind_of_line_was_forgotten() -> None:
    of_calls = {"call_debited", "call_released", "call_dropped", "call_settled"}
    told = {entry.type for entry, _, _ in _every_line()}
    assert {type_ for type_ in EntryType if type_ not in of_calls} - told == {
        EntryType.TOPOFF_REQUESTED,
        EntryType.ACCOUNT_CHANGED,
        EntryType.INCIDENT_RESOLVED,
    }


@pytest.mark.parametrize(
    ("entry", "amount", "state"),
    [
        (_entry(EntryType.TOPOFF_SUCCEEDED, cause="pi_1", detail="4000 usd"), "$40.00", "Paid"),
        (_entry(EntryType.TOPOFF_SUCCEEDED, cause="pi_1"), "", "Paid"),
        (_entry(EntryType.TOPOFF_FAILED, cause="declined", detail="50 jpy"), "¥50", "Failed"),
        (_entry(EntryType.CREDITS_ADDED, detail="4000 usd"), "", ""),
    ],
)
def test_amounts_and_states(entry: Entry, amount: str, state: str) -> None:
    line = statement_line(entry)
    assert (line.amount, line.state) == (amount, state)


def test_receipts_are_of_payments() -> None:
    assert payment_intent_of(_entry(EntryType.TOPOFF_SUCCEEDED, cause="pi_1")) == "pi_1"
    assert payment_intent_of(_entry(EntryType.PURCHASE_SUCCEEDED, cause="pi_2")) == "pi_2"
    assert payment_intent_of(_entry(EntryType.CREDITS_ADDED, ref="pi_3", cause="pi_3")) is None
    assert payment_intent_of(_entry(EntryType.TOPOFF_FAILED, cause="pi_1")) is None
