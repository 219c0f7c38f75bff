"""Every key of a ledger is in the table of gatekeeper/ledger/keys.py, and lives as it says."""

from __future__ import annotations

import re

import pytest

from gatekeeper.domain.account import Card
from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.person import Member, Role
from gatekeeper.domain.subscription import SubscriptionStatus
from gatekeeper.ledger import keys
from gatekeeper.ledger.calls import Settlement, Told
from gatekeeper.ledger.checkouts import NewCheckout, SavedCard
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sessions import SESSION_IDLE_S
from gatekeeper.ledger.shard_count import fix_shard_count
from gatekeeper.ledger.sign_ins import LINK_LIFE_S
from gatekeeper.ledger.topoffs import Charge
from tests.conftest import NOON_MS, wait_until
from tests.ledger.desk import NUMBER, Desk, new_call

DAY_S = 24 * 3600
CALL_S = 48 * 3600
#: By the table's patterns; None is for good. The probe, gone in a second, has a test of its own.
LIFETIMES_S = {
    "gk:{s}:account:<id>": None,
    "gk:{s}:profile:<id>": None,
    "gk:{s}:route:<id>": None,
    "gk:{s}:drop:<id>": None,
    "gk:{s}:accounts": None,
    "gk:{s}:numbers:<id>": None,
    "gk:{s}:call:<id>:<AC>:<CA>": CALL_S,
    "gk:{s}:topoff:<id>": 400 * DAY_S,
    "gk:{s}:checkout:<id>": 400 * DAY_S,
    "gk:{s}:payment:<id>:<ref>": 400 * DAY_S,
    "gk:{s}:clawback:<id>:<pi>": 400 * DAY_S,
    "gk:{s}:incident:<id>": None,
    "gk:{s}:dismissed:<inc>": 400 * DAY_S,
    "gk:{s}:notice:<id>": 90 * DAY_S,
    "gk:{s}:told:<notice>": 90 * DAY_S,
    "gk:{s}:members:<id>": None,
    "gk:{s}:sign-in:<link>": LINK_LIFE_S,
    "gk:{s}:log": None,
    "gk:{s}:owed": None,
    "gk:{s}:tries": None,
    "gk:number:<E.164>": None,
    "gk:subscription:<sub>": None,
    "gk:customers:<bucket>": None,
    "gk:person:<e-mail>": None,
    "gk:session:<digest>": SESSION_IDLE_S,
    "gk:sessions:<e-mail>": 14 * DAY_S,
    "gk:sign-ins:<who>": 15 * 60,
    "gk:sso:<digest>": 10 * 60,
    "gk:outages": None,
    "gk:shards": None,
}
PROBE = "gk:probe"
#: A server counts down while a test runs.
SLACK_S = 60


def _patterns_in_the_table() -> set[str]:
    return set(re.findall(r"^\| `(gk:[^`]+)`", keys.__doc__ or "", re.MULTILINE))


def _pattern_of(key: str) -> str:
    """The table's pattern that names this key; fails unless there is exactly one."""
    (pattern,) = (
        pattern
        for pattern in LIFETIMES_S
        if re.fullmatch(re.sub(r"<[^>]+>", "[^:]+", pattern.replace("{s}", r"\{\d+\}")), key)
    )
    return pattern


def _decide_and_end_calls_in_every_way(desk: Desk) -> None:
    desk.open()
    dropped = new_call()
    desk.call(dropped)
    desk.call()
    desk.ledger.accounts.add_credits(desk.id, 9, reference="gift", cause="goodwill")
    answered = new_call()
    desk.call(answered)
    admit_offline = desk.ledger.calls.admit_offline
    assert admit_offline(desk.id, dropped, NUMBER, Decision.ANSWER) is Told.ANSWERED
    assert admit_offline(desk.id, answered, NUMBER, Decision.DROP) is Told.RELEASED
    for decision in Decision:
        assert admit_offline(desk.id, new_call(), NUMBER, decision) is Told.RECORDED
    for end in (CallEnd.COMPLETED, CallEnd.BUSY):
        call = new_call()
        desk.call(call)
        desk.end(call, end)
        desk.end(new_call(), end)
        desk.end(new_call(), end, debit_unknown=False)


def _end_topoffs_in_every_way(desk: Desk) -> str:
    """Let top-offs fail, be canceled and succeed; returns the id of one that is in flight."""
    desk.card().topoff(threshold=50, amount=60)
    declined = desk.failed_topoff(desk.decline)
    desk.ledger.incidents.dismiss_incident(declined, "a@example.com")
    late = desk.card().account.topoff_id
    desk.begin(late)
    desk.break_down(late)
    desk.succeed(late)
    in_time = desk.topoff(threshold=99, amount=100).account.topoff_id
    desk.begin(in_time)
    desk.succeed(in_time)
    desk.correct(in_time, Reversal("re_1", CorrectionCause.REFUND, 1, 100, is_out=True))
    desk.topoff(threshold=300, amount=310)
    canceled = desk.account.topoff_id
    desk.topoff(on=False)
    assert desk.begin(canceled) is Charge.CANCELED
    desk.topoff(threshold=300, amount=310)
    in_flight = desk.account.topoff_id
    desk.begin(in_flight)
    return in_flight


def _visit_checkout_in_every_way(desk: Desk) -> None:
    checkouts = desk.ledger.checkouts
    visits = [f"{desk.id}-{n:012x}" for n in range(3)]
    checkouts.open_checkout(NewCheckout(visits[0], "cs_1", "cus_1", 5, 125, "usd"), look_at_ms=0)
    checkouts.open_checkout(NewCheckout(visits[1], "cs_2", "cus_1"), look_at_ms=0)
    checkouts.note_checkout(visits[2], CheckoutMode.PAYMENT, payment_intent="pi_1")
    card = Card("cus_1", "pm_1", "visa", "4242", "12/2031")
    desk.ledger.customers.keep(desk.id, "cus_0")
    desk.ledger.customers.forget(desk.id, desk.ledger.customers.of_account(desk.id))
    checkouts.save_card(visits[1], SavedCard(card, NOON_MS))
    desk.buy()


def _let_people_in(desk: Desk) -> None:
    ledger, email = desk.ledger, "b@example.com"
    ledger.members.set_member(desk.id, Member(email, Role.VIEWER))
    ledger.members.note_told(f"{desk.id}-0123456789ab", email)
    ledger.sign_ins.count_request(email)
    ledger.sign_ins.request_link(email, "/")
    ledger.sign_ins.use_token("token")
    ledger.sessions.use(ledger.sessions.start(email, "Firefox"))


def _play_a_whole_story(desk: Desk) -> str:
    """Bring every key of the table about; returns the id of the top-off that is in flight."""
    _decide_and_end_calls_in_every_way(desk)
    _let_people_in(desk)
    ledger = desk.ledger
    ledger.cycles.set_cycle(desk.id, allotment=9, anchor_ms=NOON_MS, interval=Interval.MONTHLY)
    ledger.accounts.remove_credits(desk.id, 1, reference="slip", cause="mistake")
    fix_shard_count(ledger)
    ledger.outages.note(NOON_MS, NOON_MS + 1)
    ledger.accounts.update_account(desk.id, route="sip:bob@example.com", drop_message="Closed.")
    ledger.numbers.assign_number(NUMBER, desk.id)
    in_flight = _end_topoffs_in_every_way(desk)
    _visit_checkout_in_every_way(desk)
    desk.subscribed(SubscriptionStatus.UNPAID)
    return in_flight


def test_every_key_lives_as_long_as_the_table_says(desk: Desk) -> None:
    in_flight = _play_a_whole_story(desk)
    client, own = desk.ledger.client, desk.ledger.keys.of_account(desk.id)
    lived_s = {str(key): client.ttl(key) for key in client.scan_iter()}
    assert lived_s.pop(own.topoff(in_flight)) == -1
    assert {_pattern_of(key) for key in lived_s} == set(LIFETIMES_S)
    for key, ttl_s in lived_s.items():
        expected_s = LIFETIMES_S[_pattern_of(key)]
        if expected_s is None:
            assert ttl_s == -1, key
        else:
            assert expected_s - SLACK_S < ttl_s <= expected_s, key


def test_the_table_names_these_keys_and_no_other() -> None:
    assert _patterns_in_the_table() == {*LIFETIMES_S, PROBE}


def test_every_field_of_a_hash_is_described(desk: Desk) -> None:
    _play_a_whole_story(desk)
    client = desk.ledger.client
    fields = {
        str(field)
        for pattern in ("gk:{*}:*:acct_*", "gk:{*}:sign-in:*", "gk:session:*", "gk:number:*")
        for key in client.scan_iter(pattern, _type="HASH")
        if ":members:" not in key  # whose fields are people
        for field in client.hkeys(key)
    }
    assert fields <= set(re.findall(r"`(\w+)`", keys.__doc__ or ""))


def test_a_topoff_outlives_the_dispute_of_its_payment(desk: Desk) -> None:
    desk.open().card().topoff(amount=20)
    topoff_id = desk.paid_topoff()
    client, own = desk.ledger.client, desk.ledger.keys.of_account(desk.id)
    client.expire(own.topoff(topoff_id), DAY_S)
    desk.correct(topoff_id, Reversal("du_1", CorrectionCause.DISPUTE, 1, 500, is_out=True))
    assert client.ttl(own.topoff(topoff_id)) > 399 * DAY_S


def test_a_probe_leaves_nothing_behind(ledger: Ledger) -> None:
    def is_short_lived() -> bool:
        ledger.probe()
        return 0 < ledger.client.pttl(PROBE) <= 1000

    wait_until(is_short_lived)


@pytest.mark.parametrize("end", CallEnd)
def test_a_call_is_kept_from_its_decision_on_whenever_it_ends(desk: Desk, end: CallEnd) -> None:
    desk.open(allotment=1)
    call = new_call()
    desk.call(call)
    assert _ttl_s_after_a_day(desk, call) <= CALL_S - DAY_S
    assert desk.end(call, end) in (Settlement.KEPT, Settlement.RELEASED)
    assert 0 < _ttl_s(desk, call) <= CALL_S - DAY_S


def _ttl_s(desk: Desk, call: CallId) -> int:
    return int(desk.ledger.client.ttl(desk.ledger.keys.of_account(desk.id).call(call)))


def _ttl_s_after_a_day(desk: Desk, call: CallId) -> int:
    """Shorten what is left of a record as a day does."""
    key = desk.ledger.keys.of_account(desk.id).call(call)
    desk.ledger.client.expire(key, CALL_S - DAY_S)
    return _ttl_s(desk, call)
