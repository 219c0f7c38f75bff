"""Links, tokens and sessions as the ledger keeps them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sessions import SESSION_IDLE_S, SESSION_MAX_S, Began, Session
from gatekeeper.ledger.sign_ins import (
    INVITATION_LIFE_S,
    LINK_LIFE_S,
    SignIn,
    is_link_id,
    sign_in_task,
)
from tests.conftest import NOON_MS, MovableClock

EMAIL = "a@example.com"


def test_a_link_is_asked_for_and_its_mail_owed_in_one_step(ledger: Ledger) -> None:
    link_id = ledger.sign_ins.request_link(EMAIL, "/a/")
    assert is_link_id(link_id)
    assert ledger.sign_ins.find(link_id) == SignIn(EMAIL, "/a/", NOON_MS)
    (task,) = ledger.owed.claim_owed(ledger.keys.shard_of(link_id), lease_s=1, limit=9)
    assert (task.task, task.due_ms, task.tries) == (sign_in_task(link_id), NOON_MS, 0)
    assert ledger.owed.mark(link_id, task.task) == NOON_MS
    assert ledger.owed.strike_owed(link_id, task.task)


def test_an_invitation_is_a_link_that_lives_longer(ledger: Ledger) -> None:
    account_id = "acct_00000000000b"
    link_id = ledger.sign_ins.invite(EMAIL, account_id, by="b@example.com")
    found = SignIn(EMAIL, f"/a/{account_id}/", NOON_MS, account_id, "b@example.com")
    assert ledger.sign_ins.find(link_id) == found
    assert ledger.owed.is_owed(link_id, sign_in_task(link_id))
    ttl_s = ledger.client.ttl(ledger.keys.sign_in(link_id))
    assert INVITATION_LIFE_S - 60 < ttl_s <= INVITATION_LIFE_S
    assert ledger.sign_ins.use_link(link_id) == found
    assert ledger.sign_ins.use_link(link_id) is None


def test_of_all_who_use_a_link_one_gets_it(ledger: Ledger) -> None:
    link_id = ledger.sign_ins.request_link(EMAIL, "/")
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: ledger.sign_ins.use_link(link_id), range(20)))
    assert [one for one in found if one] == [SignIn(EMAIL, "/", NOON_MS)]
    assert ledger.sign_ins.find(link_id) is None


def test_of_all_who_use_a_token_one_gets_it(ledger: Ledger) -> None:
    with ThreadPoolExecutor(20) as threads:
        taken = list(threads.map(lambda _: ledger.sign_ins.use_token("jti"), range(20)))
    assert taken.count(True) == 1
    assert ledger.sign_ins.use_token("another")


def test_requests_are_counted_apart_and_forgotten(ledger: Ledger) -> None:
    assert [ledger.sign_ins.count_request(EMAIL) for _ in range(3)] == [1, 2, 3]
    assert ledger.sign_ins.count_request("203.0.113.7") == 1
    key = ledger.keys.sign_ins(EMAIL)
    ttl_s = ledger.client.ttl(key)
    assert 0 < ttl_s <= LINK_LIFE_S
    ledger.client.expire(key, 60)
    ledger.sign_ins.count_request(EMAIL)
    assert ledger.client.ttl(key) <= 60  # asking on does not put the end off


def test_a_session_lives_while_it_is_used_but_not_for_ever(
    ledger: Ledger, clock: MovableClock
) -> None:
    token = ledger.sessions.start(EMAIL, "Firefox" * 100)
    (key,) = ledger.client.scan_iter("gk:session:*")
    user_agent = ("Firefox" * 100)[:120]
    while clock.now_ms - NOON_MS < SESSION_MAX_S * 1000:
        session = Session(EMAIL, NOON_MS, user_agent, clock.now_ms)
        assert ledger.sessions.use(token) == session
        left_s = SESSION_MAX_S - (clock.now_ms - NOON_MS) // 1000
        assert ledger.client.ttl(key) <= min(SESSION_IDLE_S, left_s)
        clock.advance(s=6 * 3600)
    assert ledger.sessions.use(token) is None
    assert not ledger.client.exists(key)


def test_looking_at_a_session_is_no_use_of_it(ledger: Ledger, clock: MovableClock) -> None:
    token = ledger.sessions.start(EMAIL, "Firefox")
    (key,) = ledger.client.scan_iter("gk:session:*")
    ledger.client.expire(key, 1000)
    clock.advance(s=60)
    assert ledger.sessions.look(token) == Session(EMAIL, NOON_MS, "Firefox", NOON_MS)
    assert ledger.client.ttl(key) <= 1000
    clock.advance(s=SESSION_MAX_S)
    assert ledger.sessions.look(token) is None


def test_a_persons_sessions_are_listed_while_they_live(ledger: Ledger, clock: MovableClock) -> None:
    ledger.sessions.start("b@example.com", "Lynx")
    first = ledger.sessions.start(EMAIL, "Firefox")
    clock.advance(s=60)
    second = ledger.sessions.start(EMAIL, "Safari")
    clock.advance(s=60)
    ledger.sessions.use(first)
    firefox = Session(EMAIL, NOON_MS, "Firefox", NOON_MS + 120_000)
    safari = Session(EMAIL, NOON_MS + 60_000, "Safari", NOON_MS + 60_000)
    assert ledger.sessions.of_person(EMAIL) == [firefox, safari]
    ledger.sessions.end(second)
    assert ledger.sessions.of_person(EMAIL) == [firefox]
    assert ledger.client.scard(ledger.keys.sessions(EMAIL)) == 1
    clock.advance(s=SESSION_MAX_S - 60)
    assert ledger.sessions.of_person(EMAIL) == []


def test_a_session_that_was_ended_is_not_made_anew_by_its_last_use(ledger: Ledger) -> None:
    token = ledger.sessions.start(EMAIL, "")
    ledger.sessions.end(token)
    assert ledger.sessions.use(token) is None
    assert not list(ledger.client.scan_iter("gk:session:*"))


def test_the_list_of_a_persons_sessions_does_not_grow_with_time(ledger: Ledger) -> None:
    index = ledger.keys.sessions(EMAIL)
    for _ in range(3):
        ledger.sessions.end(ledger.sessions.start(EMAIL, ""))
    assert not ledger.client.exists(index)
    for _ in range(3):
        ledger.sessions.start(EMAIL, "")
        (key,) = ledger.client.scan_iter("gk:session:*")
        ledger.client.delete(key)  # as at the end of its life
    kept = ledger.sessions.start(EMAIL, "")
    assert ledger.client.scard(index) == 1
    assert ledger.sessions.use(kept) is not None


def test_a_session_says_how_it_began(ledger: Ledger) -> None:
    token = ledger.sessions.start(EMAIL, "", Began.SSO)
    session = Session(EMAIL, NOON_MS, "", NOON_MS, Began.SSO)
    assert ledger.sessions.use(token) == session
    assert ledger.sessions.of_person(EMAIL) == [session]
    (key,) = ledger.client.scan_iter("gk:session:*")
    ledger.client.hdel(key, "began_by")  # one of an earlier version is taken for the lesser
    assert ledger.sessions.use(token) == session


def test_all_of_a_persons_sessions_end_and_nobody_elses(ledger: Ledger) -> None:
    own = [ledger.sessions.start(EMAIL, "") for _ in range(3)]
    other = ledger.sessions.start("b@example.com", "")
    ledger.sessions.end_all(EMAIL)
    assert [ledger.sessions.use(token) for token in own] == [None] * 3
    assert ledger.sessions.use(other) is not None
    assert ledger.sessions.use(ledger.sessions.start(EMAIL, "")) is not None
