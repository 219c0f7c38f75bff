"""R15: what caused each entry, and why."""

from __future__ import annotations

from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.ledger.records import read_call
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.desk import NUMBER, Desk, new_call

#: Type, ref, cause, number.
Story = list[tuple[EntryType, str, str, str]]


def _entries(desk: Desk) -> list[Entry]:
    return list(desk.ledger.log.entries(desk.id))


def _told(desk: Desk) -> Story:
    return [(entry.type, entry.ref, entry.cause, entry.number) for entry in _entries(desk)]


def _play_calls(desk: Desk) -> Story:
    """Answer and drop calls, with and without the ledger; leaves a balance of zero."""
    own, lost, offline, given_back = (new_call() for _ in range(4))
    accounts, calls = desk.open(allotment=1).ledger.accounts, desk.ledger.calls
    desk.call(own)
    desk.call(lost)
    desk.end(own, CallEnd.COMPLETED)
    desk.end(lost, CallEnd.COMPLETED)
    accounts.add_credits(desk.id, 3, reference="gift", cause="goodwill")
    accounts.remove_credits(desk.id, 1, reference="slip", cause="mistake")
    desk.call(given_back)
    desk.end(given_back, CallEnd.NO_ANSWER)
    desk.end(offline, CallEnd.COMPLETED)
    told_off = new_call()
    desk.call(told_off)
    calls.admit_offline(desk.id, told_off, NUMBER, Decision.DROP)
    accounts.remove_credits(desk.id, 1, reference="rest", cause="mistake")
    return [
        (EntryType.ACCOUNT_OPENED, desk.id, "opened", ""),
        (EntryType.CALL_DEBITED, own.call_sid, "allotment", NUMBER),
        (EntryType.CALL_DROPPED, lost.call_sid, "empty_topoff_off", NUMBER),
        (EntryType.CALL_SETTLED, own.call_sid, "completed", NUMBER),
        (EntryType.CALL_SETTLED, lost.call_sid, "completed", NUMBER),
        (EntryType.CREDITS_ADDED, "gift", "goodwill", ""),
        (EntryType.CREDITS_REMOVED, "slip", "mistake", ""),
        (EntryType.CALL_DEBITED, given_back.call_sid, "purchased", NUMBER),
        (EntryType.CALL_RELEASED, given_back.call_sid, "no-answer", NUMBER),
        (EntryType.CALL_DEBITED, offline.call_sid, "ledger_unreachable", NUMBER),
        (EntryType.CALL_SETTLED, offline.call_sid, "completed", NUMBER),
        (EntryType.CALL_DEBITED, told_off.call_sid, "purchased", NUMBER),
        (EntryType.CALL_RELEASED, told_off.call_sid, "drop", NUMBER),
        (EntryType.CREDITS_REMOVED, "rest", "mistake", ""),
    ]


def _play_topoffs(desk: Desk) -> Story:
    """Top off by itself, in vain, and by hand; drop for every reason there is."""
    overdraft, blocked, used_up, suspended = (new_call() for _ in range(4))
    desk.card().topoff(threshold=1, amount=20, limit=1)
    automatic = desk.account.topoff_id
    desk.call(overdraft)
    desk.call(used_up)
    desk.failed_topoff(desk.decline)
    desk.call(blocked)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    desk.call(suspended)
    desk.ledger.accounts.update_account(desk.id, suspended="")
    desk.ledger.topoffs.request_topoff(desk.id, automatic)
    retry = desk.account.topoff_id
    desk.begin(retry)
    desk.succeed(retry)
    return [
        (EntryType.TOPOFF_REQUESTED, automatic, "automatic", ""),
        (EntryType.CALL_DEBITED, overdraft.call_sid, "overdraft", NUMBER),
        (EntryType.CALL_DROPPED, used_up.call_sid, "empty_overdraft_used", NUMBER),
        (EntryType.TOPOFF_FAILED, automatic, "declined", ""),
        (EntryType.CALL_DROPPED, blocked.call_sid, "empty_topoff_failed", NUMBER),
        (EntryType.CALL_DROPPED, suspended.call_sid, "account_suspended", NUMBER),
        (EntryType.TOPOFF_REQUESTED, retry, "retry", ""),
        (EntryType.TOPOFF_SUCCEEDED, retry, f"pi_{retry}", ""),
    ]


def _play_a_purchase(desk: Desk) -> Story:
    desk.buy("pi_bought")
    return [(EntryType.PURCHASE_SUCCEEDED, desk.purchase_id, "pi_bought", "")]


def _play_corrections(desk: Desk) -> Story:
    """Refund the newest top-off in part; the refund fails, and then its payment is disputed."""
    topoff_id = next(e.ref for e in _entries(desk) if e.type is EntryType.TOPOFF_SUCCEEDED)
    for rank in (1, 2):
        refund = Reversal("re_1", CorrectionCause.REFUND, rank, 100, is_out=rank == 1)
        desk.correct(topoff_id, refund)
    desk.correct(topoff_id, Reversal("du_1", CorrectionCause.DISPUTE, 1, 100, is_out=True))
    return [
        (EntryType.CREDITS_CLAWED_BACK, topoff_id, "refund", ""),
        (EntryType.CREDITS_RETURNED, topoff_id, "refund", ""),
        (EntryType.CREDITS_CLAWED_BACK, topoff_id, "dispute", ""),
    ]


def _play_a_new_period(desk: Desk, clock: MovableClock) -> Story:
    start_ms = desk.account.cycle_start_ms
    desk.ledger.cycles.set_cycle(desk.id, allotment=3, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
    next_ms = desk.account.cycle_end_ms
    assert next_ms is not None
    clock.now_ms = next_ms
    desk.ledger.cycles.turn(desk.account)
    return [
        (EntryType.ALLOTMENT_RAISED, str(start_ms), "allotment_raised", ""),
        (EntryType.ALLOTMENT_LAPSED, str(start_ms), "cycle_ended", ""),
        (EntryType.CYCLE_STARTED, str(next_ms), "cycle_started", ""),
    ]


def _play_a_subscription(desk: Desk) -> Story:
    """Let a subscription drive the account that is not paid, and then is."""
    desk.subscribed(SubscriptionStatus.UNPAID).subscribed(SubscriptionStatus.ACTIVE)
    return [
        (EntryType.ALLOTMENT_WITHHELD, "sub_1", "unpaid", ""),
        (EntryType.ALLOTMENT_RESTORED, "sub_1", "active", ""),
    ]


def test_r15_every_entry_names_what_caused_it_and_why(desk: Desk, clock: MovableClock) -> None:
    story = _play_calls(desk) + _play_topoffs(desk) + _play_corrections(desk)
    story += _play_a_purchase(desk) + _play_a_new_period(desk, clock) + _play_a_subscription(desk)
    assert _told(desk) == story
    assert {entry_type for entry_type, *_ in story} == set(EntryType)


def test_r15_a_calls_entries_carry_its_explanation_and_its_duration(desk: Desk) -> None:
    desk.open(allotment=1)
    answered, dropped = new_call(), new_call()
    for call in (answered, dropped):
        desk.call(call)
        desk.end(call, CallEnd.COMPLETED)
    detail = {(entry.type, entry.ref): entry.detail for entry in _entries(desk)}
    for call, entry_type in (
        (answered, EntryType.CALL_DEBITED),
        (dropped, EntryType.CALL_DROPPED),
    ):
        assert read_call(detail[entry_type, call.call_sid]).verdict == _verdict(desk, call)
        assert detail[EntryType.CALL_SETTLED, call.call_sid] == "7"
    assert detail[EntryType.ACCOUNT_OPENED, desk.id] == ""


def test_r15_a_correction_says_who_made_it_or_by_what_money_went_back(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.paid_topoff()
    accounts = desk.ledger.accounts
    accounts.add_credits(desk.id, 2, reference="gift", cause="goodwill", by="ada")
    accounts.remove_credits(desk.id, 1, reference="slip", cause="mistake", by="bob")
    accounts.add_credits(desk.id, 2, reference="bought", cause="purchase")
    desk.correct(topoff_id, Reversal("re_1", CorrectionCause.REFUND, 1, 100, is_out=True))
    assert {entry.ref: entry.detail for entry in _entries(desk)} == {
        desk.id: "",
        "gift": "ada",
        "slip": "bob",
        "bought": "",
        topoff_id: "re_1",
    }


def _verdict(desk: Desk, call: CallId) -> object:
    (found,) = desk.ledger.calls.find(call.call_sid)
    return found.record.verdict
