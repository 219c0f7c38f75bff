"""R7, R8, R11 and R15 for what is bought by hand, in the ledger alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gatekeeper.domain.account import MAX_CREDITS, Card
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.domain.entry import charged_of
from gatekeeper.domain.incident import Resolution
from gatekeeper.domain.notice import NoticeKind, PurchaseSucceeded
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.checkouts import CardSaved, Credited, NewCheckout, Noted, SavedCard
from gatekeeper.ledger.errors import PaymentMismatch, UnknownAccount
from tests.conftest import MovableClock
from tests.ledger.desk import PRICE_MINOR, Desk

BOUGHT = 40


def test_r7_a_purchase_is_credited_once_however_many_report_it(desk: Desk) -> None:
    desk.open()
    with ThreadPoolExecutor(8) as pool:
        told = [run.result() for run in [pool.submit(desk.buy) for _ in range(64)]]
    assert sorted(told) == [Credited.CREDITED, *[Credited.REPEATED] * 63]
    assert desk.account.purchased == BOUGHT
    (entry,) = (e for e in desk.ledger.log.entries(desk.id) if e.purchased_delta)
    assert (entry.ref, entry.cause) == (desk.purchase_id, "pi_bought")
    assert charged_of(entry) == (BOUGHT * PRICE_MINOR, "usd")
    (notice,) = desk.notices
    assert isinstance(notice, PurchaseSucceeded)
    assert (notice.credits, notice.card_last4, notice.balance) == (BOUGHT, "1881", BOUGHT)


def test_r7_a_second_payment_for_one_purchase_is_not_credited(desk: Desk) -> None:
    desk.open().buy("pi_one")
    with pytest.raises(PaymentMismatch):
        desk.buy("pi_two")
    assert desk.account.purchased == BOUGHT


def test_r7_a_payment_for_nobody_is_refused(desk: Desk) -> None:
    with pytest.raises(UnknownAccount):
        desk.buy()


def test_money_that_has_arrived_is_credited_beyond_what_can_be_bought(desk: Desk) -> None:
    desk.open(purchased=MAX_CREDITS - 1)
    assert desk.buy() is Credited.CREDITED
    assert desk.account.purchased == MAX_CREDITS - 1 + BOUGHT


def test_a_person_who_comes_back_is_not_kept_waiting_for_news(desk: Desk) -> None:
    ledger, visit = desk.open().ledger, desk.purchase_id
    note = ledger.checkouts.note_checkout
    assert note(visit, CheckoutMode.PAYMENT) is Noted.UNKNOWN
    new = NewCheckout(visit, "cs_1", "cus_1", BOUGHT, BOUGHT * PRICE_MINOR, "usd")
    ledger.checkouts.open_checkout(new, look_at_ms=desk.account.created_at_ms + 600_000)
    assert note(visit, CheckoutMode.PAYMENT) is Noted.OWED
    shard = ledger.keys.shard_of(desk.id)
    assert ledger.owed.tasks(shard) == [(f"checkout:{visit}", desk.account.created_at_ms)]
    desk.buy()
    assert note(visit, CheckoutMode.PAYMENT) is Noted.FINISHED


def test_a_visit_that_begins_after_it_was_paid_changes_nothing(desk: Desk) -> None:
    desk.open().buy()
    new = NewCheckout(desk.purchase_id, "cs_1", "cus_1", 9, 225, "usd")
    assert not desk.ledger.checkouts.open_checkout(new, look_at_ms=0)
    visit = desk.ledger.checkouts.find(desk.purchase_id)
    assert visit is not None
    assert (visit.credits, visit.payment_intent) == (BOUGHT, "pi_bought")


@pytest.mark.parametrize("card", ["pm_1", "pm_other"])
def test_r8_a_purchase_with_the_accounts_card_unblocks(desk: Desk, card: str) -> None:
    desk.open().card("pm_1").topoff()
    failed = desk.failed_topoff(lambda topoff_id: desk.decline(topoff_id, never_again=True))
    desk.buy(card=card)
    account, incident = desk.account, desk.ledger.accounts.incident(desk.id)
    assert account.card is not None
    assert incident is not None
    assert account.topoff_id == ""
    if card == "pm_1":
        assert (account.blocked_by, account.card.refused_code) == (None, "")
        assert incident.resolution is Resolution.PURCHASE_SUCCEEDED
    else:
        assert (account.incident_id, account.card.refused_code) == (failed, "generic_decline")
        assert incident.resolution is None


def test_r8_a_card_saved_with_a_purchase_unblocks_and_looks_again(desk: Desk) -> None:
    desk.open().card("pm_1").topoff(threshold=50, amount=60)
    desk.failed_topoff(desk.decline)
    desk.buy(card="pm_2", saved_ms=desk.account.created_at_ms)
    account, incident = desk.account, desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    assert incident.resolution is Resolution.CARD_ATTACHED
    assert account.card is not None
    assert (account.card.payment_method, account.card.last4) == ("pm_2", "1881")
    assert account.topoff_id != ""  # 40 are below 50


@pytest.mark.parametrize("taken_away", [False, True])
def test_a_card_saved_before_the_accounts_own_is_not_attached(
    desk: Desk, clock: MovableClock, taken_away: bool
) -> None:
    desk.open()
    saved_ms = clock()
    clock.advance(s=1)
    desk.card("pm_newer")
    if taken_away:
        assert not desk.ledger.accounts.remove_card(desk.id, "pm_another")
        assert desk.ledger.accounts.remove_card(desk.id, "pm_newer")
    desk.buy(card="pm_older", saved_ms=saved_ms)
    older = SavedCard(Card("cus_1", "pm_older", "visa", "1881", ""), saved_ms)
    visit = f"{desk.id}-00000000c0c0"
    save_card = desk.ledger.checkouts.save_card
    assert [save_card(visit, older) for _ in range(2)] == [CardSaved.SUPERSEDED, CardSaved.REPEATED]
    card = desk.account.card
    assert (card.payment_method if card else "") == ("" if taken_away else "pm_newer")


@pytest.mark.parametrize("how", ["card", "purchase"])
@pytest.mark.parametrize(
    ("by", "is_attached"),
    [
        ("a@example.com", True),
        ("owner@example.com", True),
        ("", True),  # a visit whose record was lost
        ("staff@example.com (admin)", True),
        ("viewer@example.com", False),
        ("gone@example.com", False),
    ],
)
def test_a_card_is_attached_only_by_who_may_still_pay(
    desk: Desk, by: str, how: str, *, is_attached: bool
) -> None:
    desk.open().card("pm_1")
    members, checkouts = desk.ledger.members, desk.ledger.checkouts
    chosen = frozenset({NoticeKind.BALANCE_LOW})
    members.set_member(desk.id, Member("owner@example.com", Role.OWNER, chosen))
    members.set_member(desk.id, Member("viewer@example.com", Role.VIEWER, chosen))
    saved_ms = desk.account.created_at_ms
    if how == "purchase":
        price_minor = BOUGHT * PRICE_MINOR
        new = NewCheckout(desk.purchase_id, "cs_1", "cus_1", BOUGHT, price_minor, "usd", by)
        checkouts.open_checkout(new, look_at_ms=saved_ms)
        assert desk.buy(card="pm_2", saved_ms=saved_ms) is Credited.CREDITED
        assert desk.account.purchased == BOUGHT  # what was paid is given in any case
    else:
        visit = f"{desk.id}-00000000c0c0"
        checkouts.open_checkout(NewCheckout(visit, "cs_1", "cus_1", by=by), look_at_ms=saved_ms)
        saved = SavedCard(Card("cus_1", "pm_2", "visa", "1881", ""), saved_ms)
        expected = CardSaved.ATTACHED if is_attached else CardSaved.SUPERSEDED
        assert checkouts.save_card(visit, saved) is expected
    card = desk.account.card
    assert card is not None
    assert card.payment_method == ("pm_2" if is_attached else "pm_1")


def test_another_customers_card_is_not_saved(desk: Desk, clock: MovableClock) -> None:
    desk.open().card()
    stranger = SavedCard(Card("cus_2", "pm_2", "visa", "1881", ""), clock())
    with pytest.raises(PaymentMismatch):
        desk.ledger.checkouts.save_card(f"{desk.id}-00000000c0c0", stranger)


def test_r11_credits_that_were_bought_begin_a_new_spell(desk: Desk) -> None:
    desk.open().call()
    desk.buy()
    for _ in range(BOUGHT + 1):
        desk.call()
    assert desk.mail.count("calls_dropped") == 2
