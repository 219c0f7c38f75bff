"""The Billing tab in every state that an account can be in, and in the words of the promise."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatekeeper.domain.account import Card
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.incident import FailureReason
from gatekeeper.history.call import Outcome
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.mail.wording import FAILURE_ADVICE
from gatekeeper.web.portal.billing import PROMISED_OUTCOMES
from tests.web.portal.billing_desk import (
    DAY_MS,
    BillingDesk,
    age_desk,
    fail,
    history_gone,
    put_at_the_end_of_the_log,
    words_of,
)
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

#: "Credits & Billing": its table of outcomes with what each costs, and its three reasons.
SEED_OUTCOMES = {
    "Caller answered, full conversation": 1,
    "Caller answered, hung up immediately": 1,
    "Call dropped because balance was empty + auto top-off unavailable": 0,
}
SEED_REASONS = {
    "No payment method set for automatic top-offs",
    "Your card was declined",
    "An internal error occurred",
}
#: Nothing about a charge's refusal but its reason is the customer's to see.
NEVER_SAID = ("generic_decline", "cus_1", "pm_1", "owner@example.com (admin)")


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene(support_email="help@example.com")


@pytest.fixture
def desk(scene: Scene) -> BillingDesk:
    return BillingDesk(scene)


def test_an_empty_account(desk: BillingDesk) -> None:
    said = desk.copied().says()
    assert "Balance 0 credits Incoming calls are dropped" in said
    assert "Monthly allotment 0 credits None: calls use purchased credits" in said
    assert "No card is attached." in said
    assert "Auto top-off is off: when your balance reaches zero, incoming calls are dropped" in said
    assert "There were no calls on" in said
    assert "Account opened" in said
    assert "At the rate" not in said
    assert "Retry" not in said


def test_a_healthy_account(desk: BillingDesk) -> None:
    desk.allotment(100).card().topoff(threshold=50, amount=200)
    desk.purchased(30, cause="<b>goodwill</b>")
    desk.answered(3)
    desk.answered(2, duration_s=1)
    said = desk.copied().says()
    assert "Balance 125 credits One credit per answered call" in said
    assert "Monthly allotment 95 credits" in said
    assert "Purchased 30 credits" in said
    assert "5 of 100 credits used (5%) 95 left. It resets in" in said
    assert "Card Visa ending in 4242 Expires 12/2031" in said
    assert (
        "Auto top-off is on: when your balance drops below 50 credits, $40.00 is charged to your "
        "Visa ending in 4242 and 200 credits are added."
    ) in said
    assert "Credits added <b>goodwill</b>" in said
    assert "+30" in said
    assert "By number" in said
    assert "+15550001111 5 5" in said


def test_usage_by_outcome_is_worded_as_promised(desk: BillingDesk) -> None:
    desk.purchased(3)
    desk.answered(2)
    desk.answered(1, duration_s=1)
    desk.answered(4)  # dropped
    html = desk.copied().get().text
    table = html[html.index("By outcome") :]
    cells = re.findall(r"<(?:td|th)[^>]*><span>(.*?)</span>", table)[: 3 * len(SEED_OUTCOMES)]
    rows = [[words_of(cell) for cell in cells[place : place + 3]] for place in (0, 3, 6)]
    assert rows == [
        [label, str(count), str(count * cost)]
        for (label, cost), count in zip(SEED_OUTCOMES.items(), (2, 1, 4), strict=True)
    ]
    assert [outcome.label for outcome in PROMISED_OUTCOMES] == list(SEED_OUTCOMES)
    assert "Credits Used" in table
    assert set(Outcome) - set(PROMISED_OUTCOMES) == {Outcome.NOT_ANSWERED}


def test_calls_dropped_for_other_reasons_stand_apart(desk: BillingDesk) -> None:
    desk.topoff(on=False)
    desk.answered(2)  # dropped
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    desk.answered(3)
    said = desk.copied().says()
    assert f"{Outcome.DROPPED.label} 2 0" in said
    assert "3 more calls were dropped for other reasons, and used no credits." in said


def test_a_period_that_is_over_but_not_turned_yet(desk: BillingDesk) -> None:
    age_desk(desk, days=40)
    desk.allotment(100)
    for day in range(1, 15):
        at_ms = wall_clock_ms() - day * DAY_MS
        desk.answered(2, clock=lambda at_ms=at_ms: at_ms)  # type: ignore[misc]
    assert "At the rate" in desk.copied().says()
    own = desk.ledger.keys.of_account(desk.id)
    desk.ledger.client.hset(own.account, "cycle_end_ms", wall_clock_ms() - 1)
    said = desk.says()
    assert "It resets with the next call." in said
    assert "It resets in" not in said
    assert "At the rate" not in said


def test_no_forecast_while_suspended(desk: BillingDesk) -> None:
    age_desk(desk, days=40)
    for day in range(1, 15):
        at_ms = wall_clock_ms() - day * DAY_MS
        desk.answered(2, clock=lambda at_ms=at_ms: at_ms)  # type: ignore[misc]
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    assert "At the rate" not in desk.copied().says()


def test_a_years_allotment_is_called_so(desk: BillingDesk) -> None:
    desk.ledger.cycles.set_cycle(
        desk.id, allotment=100, anchor_ms=desk.account.anchor_ms, interval=Interval.YEARLY
    )
    said = desk.says()
    assert "Yearly allotment 100 credits" in said
    assert "Monthly" not in said


def test_a_low_balance(desk: BillingDesk) -> None:
    desk.allotment(40).topoff(on=False, threshold=50, amount=200)
    assert "Balance 40 credits Below your threshold of 50 credits" in desk.copied().says()


def test_overdraft_is_shown_plainly(desk: BillingDesk) -> None:
    desk.card().topoff(threshold=5, amount=20)
    desk.answered(3)
    said = desk.copied().says()
    assert (
        "Balance \N{MINUS SIGN}3 credits Overdraft: 3 calls were answered ahead of the next top-off"
        in said
    )
    assert (
        "Purchased \N{MINUS SIGN}3 credits Overdrawn: the next credits make up for 3 credits first"
        in said
    )


def test_a_charge_in_flight_says_so_and_asks_for_itself(desk: BillingDesk, scene: Scene) -> None:
    desk.card().topoff(threshold=5, amount=20)
    browser = scene.signed_in(OWNER)
    said = desk.says(browser)
    assert "A charge is on its way In progress $4.00 for 20 credits" in said
    assert "Refresh" in said
    assert "Retry" not in said
    page = desk.get(browser).text
    assert f'hx-get="{desk.path}/now" hx-trigger="every 2s"' in page
    update = browser.open(f"{desk.path}/now").text
    assert f'hx-get="{desk.path}/now"' in update
    assert "<html" not in update
    desk.paid_topoff()
    done = browser.open(f"{desk.path}/now").text
    assert f'hx-get="{desk.path}/now"' not in done
    assert 'hx-select="#billing-past"' in done
    assert "Balance 20 credits" in words_of(done)
    # What was said of its beginning is not said any more.
    assert '<div id="messages" hx-swap-oob="delete"></div>' in done
    assert 'id="messages"' not in update


@pytest.mark.parametrize("reason", FailureReason)
def test_each_of_the_three_incidents(
    desk: BillingDesk, scene: Scene, reason: FailureReason
) -> None:
    fail(desk, reason)
    said = desk.says()
    assert reason.label in SEED_REASONS
    # In the banner, and where the charge can be retried.
    assert said.count(reason.label) == 2
    assert said.count(FAILURE_ADVICE[reason].meaning) == 2
    assert "20 credits" in said
    can_retry = reason is not FailureReason.NO_PAYMENT_METHOD
    assert ("Retry the charge" in said) == can_retry
    assert ("Attach a card first" in said) != can_retry
    assert ("We try again by ourselves after" in said) == (reason is FailureReason.INTERNAL_ERROR)
    html = desk.get().text
    assert not [secret for secret in NEVER_SAID if secret in html]
    viewers = desk.says(scene.signed_in(VIEWER))
    assert "An owner of the account can put this right." in viewers
    assert "Retry the charge" not in viewers


def test_a_card_that_must_not_be_tried_again_offers_no_retry(desk: BillingDesk) -> None:
    desk.card().topoff(amount=20)
    desk.failed_topoff(lambda topoff_id: desk.decline(topoff_id, never_again=True))
    said = desk.says()
    assert "Refused by its issuer" in said
    assert "Attach another card first" in said
    assert "Retry the charge" not in said


def test_a_suspended_account(desk: BillingDesk) -> None:
    desk.allotment(5)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    said = desk.says()
    assert "Add a card" in said
    assert "This account is suspended Incoming calls are dropped." in said
    assert "help@example.com" in said


@pytest.mark.parametrize(
    ("days", "badge"), [(-40, "Expired"), (20, "Expires soon"), (150, "")], ids=str
)
def test_a_card_near_its_end_says_so(desk: BillingDesk, days: int, badge: str) -> None:
    end = datetime.fromtimestamp((wall_clock_ms() + days * DAY_MS) / 1000, UTC)
    card = Card("cus_1", "pm_1", "visa", "4242", f"{end:%m/%Y}")
    desk.ledger.accounts.set_card(desk.id, card)
    said = desk.says()
    assert [one for one in ("Expired", "Expires soon") if one in said] == [badge] * bool(badge)


def test_a_year_of_history(desk: BillingDesk, scene: Scene) -> None:
    """Months of use, a forecast, earlier cycles to choose from, and a long statement."""
    now_ms = wall_clock_ms()
    age_desk(desk, days=370)
    for day in range(1, 15):
        at_ms = now_ms - day * DAY_MS
        desk.answered(2, clock=lambda at_ms=at_ms: at_ms)  # type: ignore[misc]
    desk.answered(1, clock=lambda: now_ms - 45 * DAY_MS)
    for number in range(50):
        desk.purchased(1, reference=f"gift-{number}")
    browser = scene.signed_in(OWNER)
    said = desk.copied().says(browser)
    assert "At the rate of your last 14 days, 2 credits a day, your credits last for" in said
    html = desk.get(browser).text
    cycles = re.findall(r'<option value="(\d{13})"', html)
    assert len(cycles) == 13
    assert "This cycle: " in html
    counted = [_calls_in(desk.get(browser, f"?cycle={key}").text) for key in cycles]
    assert sum(counted) == 29
    lines, pages = 0, 0
    query: str | None = ""
    while query is not None:
        page = desk.get(browser, query).text
        lines += page.count("Credits added")
        pages += 1
        older = re.search(r'rel="next" href="[^"]*(\?[^"#]*)', page)
        query = older[1].replace("&amp;", "&") if older else None
    assert (lines, pages) == (51, 3)
    assert desk.get(browser, "?after=nonsense&cycle=nonsense").status_code == 200
    balance = desk.account.balance
    desk.ledger.accounts.remove_credits(desk.id, balance, reference="all", cause="test")
    assert "At the rate of" not in desk.copied().says(browser)  # nothing is left to last


def _calls_in(html: str) -> int:
    """Count the calls of the table by outcome."""
    if "By outcome" not in html:
        return 0
    table = html[html.index("By outcome") : html.index("By number")]
    cells = re.findall(r"<td[^>]*><span>([\d,]+)</span>", table)
    return sum(int(cell) for cell in cells[::2])


def test_history_down(desk: BillingDesk, scene: Scene, tmp_path: Path) -> None:
    desk.allotment(10)
    desk.copied()
    browser = scene.signed_in(OWNER)
    scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        said = desk.says(browser)
        assert "Figures of the past are not available right now." in said
        assert "Balance 10 credits" in said
        assert "History" not in said
        for path in (f"{desk.path}/history.csv", f"{desk.path}/receipt?entry=1-1"):
            answer = browser.open(path)
            assert answer.status_code == 503
            assert "right now" in words_of(answer.text)
    assert "Figures of the past" not in desk.says(browser)


def test_history_that_lags_says_up_to_when(desk: BillingDesk, scene: Scene) -> None:
    desk.copied()
    browser = scene.signed_in(OWNER)
    desk.purchased(1)
    assert "up to" not in desk.says(browser)
    put_at_the_end_of_the_log(desk, wall_clock_ms() - 10 * 60_000)
    assert "Usage and history are shown up to" in desk.says(browser)


def test_others_do_not_see_it(desk: BillingDesk, scene: Scene) -> None:
    assert desk.get(scene.signed_in(STRANGER)).status_code == 404
    for person in (OWNER, VIEWER, ADMIN):
        assert desk.get(scene.signed_in(person)).status_code == 200
    assert desk.get(scene.browser()).status_code == 303
