"""R15: what caused each entry, and why."""

from __future__ import annotations

from gatekeeper.domain.call import CallEnd, CallId, Decision, Direction
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.history.call import CALL_ENTRIES
from gatekeeper.ledger.records import read_call, read_entry
from tests.conftest import NOON_MS, MovableClock
from tests.ledger.desk import NUMBER, PRICE_MINOR, Desk, new_call

#: Type, ref, cause, number.
Story = list[tuple[str, str, str, str]]


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
        (EntryType.ACCOUNT_CHANGED, desk.id, "card_saved", ""),
        (EntryType.ACCOUNT_CHANGED, desk.id, "topoff_set", ""),
        (EntryType.TOPOFF_REQUESTED, automatic, "automatic", ""),
        (EntryType.CALL_DEBITED, overdraft.call_sid, "overdraft", NUMBER),
        (EntryType.CALL_DROPPED, used_up.call_sid, "empty_overdraft_used", NUMBER),
        (EntryType.TOPOFF_FAILED, automatic, "declined", ""),
        (EntryType.CALL_DROPPED, blocked.call_sid, "empty_topoff_failed", NUMBER),
        (EntryType.ACCOUNT_CHANGED, desk.id, "suspended", ""),
        (EntryType.CALL_DROPPED, suspended.call_sid, "account_suspended", NUMBER),
        (EntryType.ACCOUNT_CHANGED, desk.id, "unsuspended", ""),
        (EntryType.TOPOFF_REQUESTED, retry, "retry", ""),
        (EntryType.TOPOFF_SUCCEEDED, retry, f"pi_{retry}", ""),
        (EntryType.INCIDENT_RESOLVED, automatic, "topoff_succeeded", ""),
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
        (EntryType.ACCOUNT_CHANGED, desk.id, "topoff_set", ""),
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
        (EntryType.ACCOUNT_CHANGED, desk.id, "cycle_set", ""),
        (EntryType.ALLOTMENT_RAISED, str(start_ms), "allotment_raised", ""),
        (EntryType.ALLOTMENT_LAPSED, str(start_ms), "cycle_ended", ""),
        (EntryType.CYCLE_STARTED, str(next_ms), "cycle_started", ""),
    ]


def _play_a_subscription(desk: Desk) -> Story:
    """Let a subscription drive the account that is not paid, and then is."""
    desk.subscribed(SubscriptionStatus.UNPAID).subscribed(SubscriptionStatus.ACTIVE)
    return [
        (EntryType.ACCOUNT_CHANGED, desk.id, "subscription_linked", ""),
        (EntryType.ALLOTMENT_WITHHELD, "sub_1", "unpaid", ""),
        (EntryType.ALLOTMENT_RESTORED, "sub_1", "active", ""),
    ]


def _play_a_spending_cap(desk: Desk) -> Story:
    """Request a top-off, and lower the cap until it does not fit any more."""
    most = 600 * PRICE_MINOR
    requested = desk.topoff(threshold=500, amount=600, cap=most).account.topoff_id
    desk.topoff(threshold=500, amount=600, cap=most - 1)
    desk.begin(requested)
    return [
        (EntryType.ACCOUNT_CHANGED, desk.id, "topoff_set", ""),
        (EntryType.TOPOFF_REQUESTED, requested, "automatic", ""),
        (EntryType.ACCOUNT_CHANGED, desk.id, "topoff_set", ""),
        (EntryType.TOPOFF_CAPPED, desk.id, "spending_cap", ""),
        (EntryType.TOPOFF_CANCELED, requested, "spending_cap", ""),
    ]


def test_r15_every_entry_names_what_caused_it_and_why(desk: Desk, clock: MovableClock) -> None:
    story = _play_calls(desk) + _play_topoffs(desk) + _play_corrections(desk)
    story += _play_a_purchase(desk) + _play_a_new_period(desk, clock) + _play_a_subscription(desk)
    story += _play_a_spending_cap(desk)
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


def test_every_entry_of_an_outbound_call_says_so(desk: Desk) -> None:
    """Also of one that was let through, or dropped, without the ledger (R12)."""
    desk.open(allotment=4)
    calls, out = desk.ledger.calls, {"direction": Direction.OUTBOUND}
    kept, released, late, told_off, let_through = (new_call() for _ in range(5))

    def end(call: CallId, end: CallEnd) -> None:
        calls.settle_call(desk.id, call, NUMBER, end, duration_s=7, debit_unknown=True, **out)

    for call in (kept, released, told_off):
        calls.admit_call(desk.id, call, NUMBER, **out)
    end(kept, CallEnd.COMPLETED)
    end(released, CallEnd.BUSY)
    end(late, CallEnd.COMPLETED)
    calls.admit_offline(desk.id, told_off, NUMBER, Decision.DROP, **out)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    calls.admit_call(desk.id, let_through, NUMBER, **out)
    calls.admit_offline(desk.id, let_through, NUMBER, Decision.ANSWER, **out)
    end(let_through, CallEnd.COMPLETED)
    told = [entry for entry in _entries(desk) if entry.type in CALL_ENTRIES]
    assert len(told) == 2 * 5 + 1
    assert {entry.direction for entry in told} == {Direction.OUTBOUND}


def test_an_entry_of_a_version_that_did_not_tell_calls_apart_is_inbound(desk: Desk) -> None:
    desk.open(allotment=1).call()
    [page] = desk.ledger.log.pages(desk.ledger.keys.shard_of(desk.id))
    entry_id, fields = page.entries[-1]
    del fields["direction"]
    assert read_entry(entry_id, fields) == _entries(desk)[-1]


def test_r15_a_correction_says_who_made_it_or_by_what_money_went_back(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.paid_topoff()
    accounts = desk.ledger.accounts
    accounts.add_credits(desk.id, 2, reference="gift", cause="goodwill", by="ada")
    accounts.remove_credits(desk.id, 1, reference="slip", cause="mistake", by="bob")
    accounts.add_credits(desk.id, 2, reference="bought", cause="purchase")
    desk.correct(topoff_id, Reversal("re_1", CorrectionCause.REFUND, 1, 100, is_out=True))
    told = {entry.ref: entry.detail for entry in _entries(desk) if entry.ref != desk.id}
    assert told == {
        "gift": "ada",
        "slip": "bob",
        "bought": "",
        topoff_id: "re_1 100 usd",
    }


def _verdict(desk: Desk, call: CallId) -> object:
    (found,) = desk.ledger.calls.find(call.call_sid)
    return found.record.verdict
