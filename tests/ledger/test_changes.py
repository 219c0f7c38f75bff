"""Every change that a person makes by hand leaves an entry of who did what, once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from gatekeeper.domain.account import Card, NewAccount, TopoffSettings
from gatekeeper.domain.change import Change, read_detail
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.incident import Resolution
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.ledger.checkouts import NewCheckout, PaidPurchase, SavedCard
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import NOON_MS
from tests.ledger.desk import PRICE, Desk

ADA: Final = "ada@example.com (admin)"
NUMBER: Final = "+15550001111"
MEMBER: Final = "b@example.com"
CARD: Final = Card("cus_1", "pm_1", "visa", "4242", "12/2031")
SETTINGS: Final = TopoffSettings(False, 5, 20, 3, 9_000)


def changes(desk: Desk) -> list[Entry]:
    found = desk.ledger.log.entries(desk.id)
    return [entry for entry in found if entry.type == EntryType.ACCOUNT_CHANGED]


def newest_incident(desk: Desk) -> str:
    incident = desk.ledger.accounts.incident(desk.id)
    assert incident is not None
    return incident.id


def describe(**fields: str) -> Callable[[Desk], object]:
    return lambda desk: desk.ledger.accounts.update_account(desk.id, by=ADA, price=PRICE, **fields)


def set_card(desk: Desk) -> None:
    desk.ledger.accounts.set_card(desk.id, CARD, by=ADA)


def set_cycle(desk: Desk) -> None:
    desk.ledger.cycles.set_cycle(
        desk.id, allotment=3, anchor_ms=NOON_MS, interval=Interval.YEARLY, by=ADA
    )


def set_member(desk: Desk, *chosen: NoticeKind) -> None:
    member = Member(MEMBER, Role.VIEWER, frozenset(chosen) if chosen else None)
    desk.ledger.members.set_member(desk.id, member, by=ADA)


def save_card_at_checkout(desk: Desk) -> None:
    visit = f"{desk.id}-0000000000aa"
    new = NewCheckout(visit, "cs_1", CARD.customer, by=ADA)
    desk.ledger.checkouts.open_checkout(new, look_at_ms=NOON_MS)
    desk.ledger.checkouts.save_card(visit, SavedCard(CARD, NOON_MS))


def link(desk: Desk) -> None:
    desk.subscribed(SubscriptionStatus.ACTIVE, by=ADA)


def link_after_cycle(desk: Desk) -> None:
    set_cycle(desk)
    link(desk)


@dataclass(frozen=True)
class Case:
    """A change by Ada, and what the log must say besides `by`; `ref` None is the account."""

    change: Change
    make: Callable[[Desk], object]
    values: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[Desk], object] = lambda _: None
    ref: str | None = None


CASES: Final = (
    Case(Change.DESCRIBED, describe(name="Baker & Söhne"), {"name": "Baker & Söhne"}),
    Case(Change.DESCRIBED, describe(email="C@example.com"), {"email": "c@example.com"}),
    Case(Change.DESCRIBED, describe(timezone="Asia/Tokyo"), {"timezone": "Asia/Tokyo"}),
    Case(
        Change.DESCRIBED, describe(name="Able", timezone="Asia/Tokyo"), {"timezone": "Asia/Tokyo"}
    ),
    Case(Change.DESCRIBED, describe(price_minor="30"), {"price_minor": 30}),
    Case(
        Change.DESCRIBED,
        describe(price_minor=""),
        {"price_minor": None},
        before=describe(price_minor="30"),
    ),
    Case(Change.DESCRIBED, describe(route="https://u:secret@x.test/"), {"route": True}),
    Case(Change.DESCRIBED, describe(drop_message="Later."), {"drop_message": True}),
    Case(Change.SUSPENDED, describe(suspended="1")),
    Case(Change.UNSUSPENDED, describe(suspended=""), before=describe(suspended="1")),
    Case(
        Change.TOPOFF_SET,
        lambda desk: desk.ledger.accounts.set_topoff(desk.id, SETTINGS, price=PRICE, by=ADA),
        {
            "enabled": False,
            "threshold": 5,
            "amount": 20,
            "overdraft_limit": 3,
            "spending_cap_minor": 9_000,
        },
    ),
    Case(Change.CARD_SAVED, set_card, {"brand": "visa", "last4": "4242"}),
    Case(Change.CARD_SAVED, save_card_at_checkout, {"brand": "visa", "last4": "4242"}),
    Case(
        Change.CARD_REMOVED,
        lambda desk: desk.ledger.accounts.remove_card(desk.id, by=ADA),
        {"brand": "visa", "last4": "4242"},
        before=set_card,
    ),
    Case(
        Change.CYCLE_SET,
        set_cycle,
        {"allotment": 3, "anchor_ms": NOON_MS, "interval": "yearly"},
    ),
    Case(Change.SUBSCRIPTION_LINKED, link, before=set_cycle),
    Case(
        Change.SUBSCRIPTION_UNLINKED,
        lambda desk: desk.ledger.subscriptions.unlink_subscription(desk.id, "sub_1", by=ADA),
        before=link_after_cycle,
    ),
    Case(
        Change.NUMBER_ASSIGNED,
        lambda desk: desk.ledger.numbers.assign_number(NUMBER, desk.id, by=ADA),
        {"route": False},
        ref=NUMBER,
    ),
    Case(
        Change.NUMBER_ASSIGNED,
        lambda desk: desk.ledger.numbers.assign_number(NUMBER, desk.id, "a route", by=ADA),
        {"route": True},
        before=lambda desk: desk.ledger.numbers.assign_number(NUMBER, desk.id),
        ref=NUMBER,
    ),
    Case(
        Change.NUMBER_RELEASED,
        lambda desk: desk.ledger.numbers.release_number(NUMBER, desk.id, by=ADA),
        before=lambda desk: desk.ledger.numbers.assign_number(NUMBER, desk.id),
        ref=NUMBER,
    ),
    Case(Change.MEMBER_SET, set_member, {"role": "viewer", "notices": None}, ref=MEMBER),
    Case(
        Change.MEMBER_SET,
        lambda desk: set_member(desk, NoticeKind.TOPOFF_FAILED, NoticeKind.BALANCE_LOW),
        {"role": "viewer", "notices": "balance_low,topoff_failed"},
        before=set_member,
        ref=MEMBER,
    ),
    Case(
        Change.MEMBER_REMOVED,
        lambda desk: desk.ledger.members.remove_member(desk.id, MEMBER, by=ADA),
        before=set_member,
        ref=MEMBER,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.change}-{','.join(case.values)}")
def test_a_change_is_an_entry_of_who_did_what_and_repeating_it_is_none(
    desk: Desk, case: Case
) -> None:
    case.before(desk.open(purchased=50))
    before = len(changes(desk))
    case.make(desk)
    with contextlib.suppress(LedgerRefusal):  # as removing what is gone
        case.make(desk)
    (entry,) = changes(desk)[before:]
    detail = read_detail(entry.detail)
    assert (entry.cause, entry.ref) == (case.change, case.ref or desk.id)
    assert (detail.by, detail.values) == (ADA, dict(case.values))
    assert (entry.allotment_delta, entry.purchased_delta) == (0, 0)
    assert (entry.number, entry.note) == ("", ADA)
    for secret in ("secret", CARD.customer, CARD.payment_method, "sub_", "cs_1"):
        assert secret not in entry.detail


def test_no_kind_of_change_is_left_out() -> None:
    by_hand = set(Change) - {Change.CARD_UPDATED}  # only its issuer renews a card
    assert {case.change for case in CASES} == by_hand


def test_an_account_says_who_opened_it(ledger: Ledger) -> None:
    desk = Desk(ledger)
    new = NewAccount(desk.id, "Able", "A@Example.com", timezone="Asia/Tokyo")
    assert ledger.accounts.open_account(new, by=ADA)
    assert not ledger.accounts.open_account(new, by="bob")
    (entry,) = ledger.log.entries(desk.id)
    detail = read_detail(entry.detail)
    assert (entry.type, detail.by) == (EntryType.ACCOUNT_OPENED, ADA)
    assert detail.values == {"name": "Able", "email": "a@example.com", "timezone": "Asia/Tokyo"}


def test_what_the_system_changes_is_nobodys(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    paid = desk.paid_topoff()
    desk.correct(paid, Reversal("re_1", CorrectionCause.REFUND, 1, 100, is_out=True))
    desk.ledger.customers.forget(desk.id, "cus_1")
    off, removed = changes(desk)[-2:]
    assert (off.cause, off.detail) == (Change.TOPOFF_SET, '{"by":"","enabled":false}')
    assert removed.cause == Change.CARD_REMOVED
    assert read_detail(removed.detail).by == ""


def test_a_purchase_says_who_bought_and_whose_card_was_saved(desk: Desk) -> None:
    visit = f"{desk.open().id}-0000000000bb"
    new = NewCheckout(visit, "cs_1", "cus_1", 40, 1_000, "usd", ADA)
    desk.ledger.checkouts.open_checkout(new, look_at_ms=NOON_MS)
    payment = Payment("pi_1", 1_000, "usd", "cus_1", "4242")
    paid = PaidPurchase(visit, 40, payment, "pm_1", "", SavedCard(CARD, NOON_MS))
    for _ in range(2):
        desk.ledger.checkouts.credit_purchase(paid)
    _, bought, saved = desk.ledger.log.entries(desk.id)
    assert (bought.type, bought.note) == (EntryType.PURCHASE_SUCCEEDED, ADA)
    assert (saved.cause, saved.note) == (Change.CARD_SAVED, ADA)


@pytest.mark.parametrize(
    ("end", "resolution"),
    [
        (lambda desk: desk.card("pm_2"), Resolution.CARD_ATTACHED),
        (lambda desk: desk.topoff(on=False), Resolution.SWITCHED_OFF),
        (lambda desk: desk.succeed(newest_incident(desk)), Resolution.TOPOFF_SUCCEEDED),
        (lambda desk: desk.buy(card="pm_1"), Resolution.PURCHASE_SUCCEEDED),
    ],
)
def test_the_end_of_an_incident_is_an_entry(
    desk: Desk, end: Callable[[Desk], object], resolution: Resolution
) -> None:
    desk.open().card().topoff(amount=20)
    incident = desk.failed_topoff(desk.decline)
    end(desk)
    end(desk)
    found = [
        (entry.ref, entry.cause, entry.allotment_delta, entry.purchased_delta)
        for entry in desk.ledger.log.entries(desk.id)
        if entry.type == EntryType.INCIDENT_RESOLVED
    ]
    assert found == [(incident, resolution, 0, 0)]


def test_a_number_whose_change_was_not_told_is_told_once_it_is_made_again(desk: Desk) -> None:
    numbers, keys = desk.open().ledger.numbers, desk.ledger.keys
    for make, change in (
        (numbers.assign_number, Change.NUMBER_ASSIGNED),
        (numbers.release_number, Change.NUMBER_RELEASED),
    ):
        make(NUMBER, desk.id, by="bob")
        desk.ledger.client.hset(keys.number(NUMBER), "untold", "1")  # as if it had died there
        make(NUMBER, desk.id, by=ADA)
        told = [(entry.cause, entry.note) for entry in changes(desk)[-2:]]
        assert told == [(change, "bob"), (change, ADA)]
        assert not desk.ledger.client.hexists(keys.number(NUMBER), "untold")


def test_what_a_killed_server_has_changed_it_has_told(tmp_path: Path) -> None:
    """The last settings that were told are those that stand, wherever it was killed."""
    with EmbeddedValkey(tmp_path) as server:
        desk = Desk(Ledger(connect(server.url, timeout_s=10, max_connections=4)))
        desk.open()
        some_were_made = threading.Event()

        def change_for_ever() -> None:
            with contextlib.suppress(Exception):  # the server is gone
                for amount in range(100, 1_000_000):
                    desk.topoff(on=False, amount=amount)
                    if amount > 150:
                        some_were_made.set()

        changing = threading.Thread(target=change_for_ever)
        changing.start()
        some_were_made.wait(30)
        server.kill()
        changing.join(30)
        server.start()
        last = read_detail(changes(desk)[-1].detail)
        assert last.values["amount"] == desk.account.topoff.amount > 100
