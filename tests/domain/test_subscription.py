"""What a subscription entitles to, and what cannot drive an account."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatekeeper.domain.account import MAX_CREDITS
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.subscription import (
    Plans,
    Subscription,
    SubscriptionItem,
    SubscriptionStatus,
    SubscriptionUnusable,
    is_subscription_id,
    parse_plans,
    terms_of,
)

PLANS = Plans({"price_small": 100, "price_extra": 20, "price_none": 0})
ITEM = SubscriptionItem("price_small", 1, Interval.MONTHLY, 1000, 2000)
ACTIVE = Subscription("sub_1", SubscriptionStatus.ACTIVE, 500, (ITEM,), False, None)
TURNING = {"trialing", "active", "past_due", "unpaid"}


@pytest.mark.parametrize("status", SubscriptionStatus)
@pytest.mark.parametrize("past_due_keeps", [True, False])
def test_what_each_status_entitles_to(status: SubscriptionStatus, past_due_keeps: bool) -> None:
    plans = Plans(PLANS.allotments, past_due_keeps)
    terms = terms_of(replace(ACTIVE, status=status), plans)
    entitled = status in {"trialing", "active"} or (status == "past_due" and past_due_keeps)
    assert terms.entitled == entitled
    assert (terms.allotment, terms.next_allotment) == ((100, 100) if entitled else (0, 0))
    assert (terms.start_ms, terms.end_ms) == (1000, 2000 if status in TURNING else None)


def test_the_allotment_is_the_sum_of_its_plans_times_their_quantities() -> None:
    other = replace(ITEM, price="price_other", interval=None, end_ms=9999)  # nothing to us
    items = (ITEM, replace(ITEM, price="price_extra", quantity=3), other)
    terms = terms_of(replace(ACTIVE, items=items), PLANS)
    assert (terms.allotment, terms.interval, terms.end_ms) == (160, Interval.MONTHLY, 2000)
    nothing = replace(ACTIVE, items=(replace(ITEM, price="price_none"),))
    assert terms_of(nothing, PLANS).allotment == 0


@pytest.mark.parametrize(
    ("at_period_end", "cancel_at_ms", "following"),
    [(True, None, 0), (False, 2000, 0), (False, 1500, 0), (False, 2001, 100), (True, 2000, 0)],
)
def test_what_ends_with_its_period_leaves_nothing_for_the_next(
    at_period_end: bool, cancel_at_ms: int | None, following: int
) -> None:
    ending = replace(ACTIVE, cancel_at_period_end=at_period_end, cancel_at_ms=cancel_at_ms)
    terms = terms_of(ending, PLANS)
    assert (terms.allotment, terms.next_allotment) == (100, following)


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ((), "no price of it is in PLANS"),
        ((replace(ITEM, price="price_new"),), "no price of it is in PLANS \\(price_new\\)"),
        ((ITEM, replace(ITEM, price="price_extra", start_ms=1)), "different periods"),
        ((replace(ITEM, interval=None),), "not a month or a year"),
        ((replace(ITEM, quantity=MAX_CREDITS),), "its allotment passes 1,000,000"),
    ],
)
def test_what_cannot_drive_an_account(items: tuple[SubscriptionItem, ...], problem: str) -> None:
    with pytest.raises(SubscriptionUnusable, match=f"^sub_1: .*{problem}"):
        terms_of(replace(ACTIVE, items=items), PLANS)


@pytest.mark.parametrize("items", [(), (replace(ITEM, interval=None), replace(ITEM, start_ms=1))])
def test_nothing_hinders_the_end(items: tuple[SubscriptionItem, ...]) -> None:
    ended = replace(ACTIVE, items=items, status=SubscriptionStatus.CANCELED)
    terms = terms_of(ended, PLANS)
    assert (terms.allotment, terms.end_ms, terms.entitled) == (0, None, False)


def test_plans_as_they_are_written() -> None:
    assert parse_plans("") == {}
    assert parse_plans(" price_1 = 500, gold-monthly=0,") == {"price_1": 500, "gold-monthly": 0}


@pytest.mark.parametrize(
    "text",
    [
        "price_1",
        "=5",
        "price_1=",
        "price_1=-5",
        "price_1=5.5",
        "a=1,a=2",
        "a=1000001",
        "a=٣",
        "a=b=1",
    ],
)
def test_plans_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|twice"):
        parse_plans(text)


def test_the_shape_of_an_id() -> None:
    assert is_subscription_id("sub_1MowQVLkdIwHu7ix")
    assert not any(map(is_subscription_id, ["", "sub_", "cus_1", "sub_1\n", "sub_../x", "sub_ü"]))
