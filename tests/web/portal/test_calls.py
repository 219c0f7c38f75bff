"""The page of calls: complete, filtered, paged, taken along, and its account's alone."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gatekeeper.domain.call import CallEnd, CallId, Reason
from gatekeeper.history.call import REASONS_OF, Outcome
from gatekeeper.history.export import CALL_HEADER
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.web.portal.call_words import REASON_LABELS, length_words
from tests.ledger.desk import ACCOUNT_SID
from tests.web.portal.billing_desk import (
    NUMBER,
    history_gone,
    put_at_the_end_of_the_log,
    words_of,
)
from tests.web.portal.calls_desk import OLDER, OTHER_NUMBER, ROW, CallsDesk
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene
from tests.web.portal.test_billing_states import SEED_OUTCOMES

#: Half past midnight of March 10 in New York.
HALF_PAST_MIDNIGHT_MS = int(datetime(2026, 3, 10, 4, 30, tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def desk(scene: Scene) -> CallsDesk:
    return CallsDesk(scene)


def _row(html: str, call_sid: str) -> str:
    """What the row of a call says."""
    rows = [row for row in html.split('<tr role="row">') if call_sid in row]
    assert len(rows) == 1
    return words_of(rows[0])


def test_no_calls_yet(desk: CallsDesk) -> None:
    said = desk.copied().says()
    assert "No calls yet" in said
    assert "CSV" not in said


def test_a_call_of_each_outcome_is_worded_as_promised(desk: CallsDesk, scene: Scene) -> None:
    desk.purchased(2)
    full = desk.called(duration_s=3725)
    hung_up = desk.called(duration_s=1)
    dropped = desk.called(duration_s=None)
    browser = scene.signed_in(VIEWER)
    html = desk.copied().get(browser).text
    conversation, hang_up, drop = SEED_OUTCOMES
    used = "From purchased credits"
    assert f"{NUMBER} {conversation} {used} 1 1 h 2 min 5 s See why the call of" in _row(html, full)
    assert f"{NUMBER} {hang_up} {used} 1 1 s See why the call of" in _row(html, hung_up)
    off = "Balance empty, auto top-off off"
    assert f"{NUMBER} {drop} {off} 0 — See why the call of" in _row(html, dropped)
    assert "Credits Used" in words_of(html)
    assert ROW.findall(html) == [dropped, hung_up, full]


def test_a_call_that_did_not_go_through_uses_no_credit(desk: CallsDesk) -> None:
    desk.purchased(1)
    busy = desk.called(CallEnd.BUSY, duration_s=0)
    html = desk.copied().get().text
    assert f"{Outcome.NOT_ANSWERED.label} From purchased credits 0 0 s" in _row(html, busy)
    said = desk.why(busy)
    assert "It did not go through, so its credit was given back." in said
    assert "Credits Used 0" in said


def test_a_call_dropped_for_another_reason_is_not_said_to_be_empty(desk: CallsDesk) -> None:
    desk.purchased(5)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    call_sid = desk.called()
    row = _row(desk.copied().get().text, call_sid)
    assert f"{NUMBER} Call dropped Account suspended 0" in row
    assert "The call was dropped because the account was suspended." in desk.why(call_sid)
    assert "Account suspended Yes" in desk.why(call_sid)


def test_times_are_the_accounts_own(desk: CallsDesk, scene: Scene) -> None:
    desk.ledger.accounts.update_account(desk.id, timezone="America/New_York")
    desk.purchased(2)
    before = desk.called(at_ms=HALF_PAST_MIDNIGHT_MS - 3_600_000)
    after = desk.called(at_ms=HALF_PAST_MIDNIGHT_MS)
    browser = scene.signed_in(OWNER)
    html = desk.copied().get(browser).text
    assert "Mar 10, 2026, 00:30" in _row(html, after)
    assert "Mar 9, 2026, 23:30" in _row(html, before)
    assert "America/New_York" in words_of(html)
    assert "Call of Mar 10, 2026, 00:30" in desk.why(after, browser)
    assert desk.listed(browser, day="2026-03-10") == [after]
    assert desk.listed(browser, day="2026-03-09") == [before]
    assert desk.listed(browser, day="2026-03-08") == []


@pytest.fixture
def mixed(desk: CallsDesk) -> CallsDesk:
    """Calls of two numbers, some answered, some hung up, some dropped."""
    desk.purchased(4)
    for number in (NUMBER, OTHER_NUMBER):
        desk.called(number=number)
        desk.called(number=number, duration_s=1)
    for number in (NUMBER, OTHER_NUMBER):
        desk.called(number=number)
    return desk.copied()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 6),
        ({"number": OTHER_NUMBER}, 3),
        ({"outcome": "hung_up"}, 2),
        ({"outcome": "dropped", "number": NUMBER}, 1),
        ({"reason": "empty_topoff_off"}, 2),
        ({"reason": "purchased", "outcome": "conversation"}, 2),
        ({"reason": "allotment"}, 0),
        ({"reason": "purchased", "outcome": "dropped"}, 0),
        ({"number": "+15550009999"}, 0),
        ({"day": "", "number": "", "outcome": "", "reason": ""}, 6),
        ({"day": "1999-12-31"}, 0),
    ],
    ids=str,
)
def test_calls_are_filtered(mixed: CallsDesk, query: dict[str, str], count: int) -> None:
    browser = mixed.scene.signed_in(OWNER)
    found = mixed.listed(browser, **query)
    assert (len(found), len(set(found))) == (count, count)
    html = mixed.get(browser, f"?{urlencode(query)}").text
    assert ("No such calls" in html) == (count == 0)
    for name, value in query.items():
        if value and name != "day":
            assert re.search(rf'<option value="{re.escape(value)}" selected>', html), name
    export = browser.open(f"{mixed.path}.csv?{urlencode(query)}")
    assert [row[0] for row in csv.reader(export.text.splitlines())][1:] == found


def test_the_day_of_today_is_kept_in_the_form(mixed: CallsDesk) -> None:
    today = datetime.now(UTC).date()
    browser = mixed.scene.signed_in(OWNER)
    days = [(today + timedelta(days=days)).isoformat() for days in (-1, 0, 1)]
    # Midnight may pass while this test runs.
    assert sum(len(mixed.listed(browser, day=day)) for day in days) == 6
    assert f'value="{days[1]}"' in mixed.get(browser, f"?day={days[1]}").text


def test_a_plus_sign_that_nobody_escaped_is_one(mixed: CallsDesk) -> None:
    browser = mixed.scene.signed_in(OWNER)
    for text in (OTHER_NUMBER, OTHER_NUMBER.removeprefix("+")):
        assert len(ROW.findall(mixed.get(browser, f"?number={text}").text)) == 3


def test_numbers_to_choose_are_todays_and_those_that_had_calls(mixed: CallsDesk) -> None:
    mixed.ledger.numbers.assign_number("+15550007777", mixed.id)
    options = re.findall(r'<option value="(\+\d+)"', mixed.get().text)
    assert options == sorted([NUMBER, OTHER_NUMBER, "+15550007777"])


def test_every_outcome_and_reason_can_be_chosen(mixed: CallsDesk) -> None:
    html = mixed.get().text
    reasons = {reason for reasons in REASONS_OF.values() for reason in reasons}
    assert set(REASON_LABELS) == reasons == set(Reason) - {Reason.UNKNOWN_NUMBER}
    for value in (*Outcome, *reasons):
        assert f'<option value="{value}"' in html


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("day=yesterday", "day"),
        ("day=2026-02-30", "day"),
        ("day=9999-12-31", "day"),
        ("day=-1", "day"),
        ("day=%00", "day"),
        ("day=%D9%A3", "day"),
        ("number=%3Cscript%3E", "number"),
        ("number=12", "number"),
        ("number=' OR 1=1", "number"),
        ("outcome=answered", "outcome"),
        ("outcome=CONVERSATION", "outcome"),
        ("reason=unknown_number", "reason"),
        ("reason=x&after=y", "reason"),
    ],
)
def test_a_filter_that_is_none_is_said_beside_its_field(
    mixed: CallsDesk, query: str, field: str
) -> None:
    browser = mixed.scene.signed_in(OWNER)
    answer = mixed.get(browser, f"?{query}")
    assert answer.status_code == 400
    assert f'id="problem-{field}"' in answer.text
    assert f'href="#field-{field}"' in answer.text
    assert "<script>" not in answer.text
    assert not ROW.findall(answer.text)
    export = browser.open(f"{mixed.path}.csv?{query}")
    assert (export.status_code, export.mimetype) == (400, "text/html")


@pytest.mark.parametrize("day", ["0001-01-01", "1900-01-01", "9999-12-30"])
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Apia"])
def test_days_at_the_end_of_time_have_no_calls(mixed: CallsDesk, zone: str, day: str) -> None:
    mixed.ledger.accounts.update_account(mixed.id, timezone=zone)
    assert mixed.get(query=f"?day={day}").status_code in {200, 400}


@pytest.mark.parametrize("cursor", ["", "x", "1-CA1", f"{10**20}-CA{0:032x}", "%00", "1-2&after=3"])
def test_a_cursor_that_no_page_made_is_refused(mixed: CallsDesk, cursor: str) -> None:
    browser = mixed.scene.signed_in(OWNER)
    answer = mixed.get(browser, f"?outcome=hung_up&after={cursor}")
    assert answer.status_code == 400
    assert "There is no such page of calls" in words_of(answer.text)
    assert f'href="{mixed.path}?outcome=hung_up"' in answer.text


def test_pages_have_no_gaps_and_no_repeats(desk: CallsDesk, scene: Scene) -> None:
    desk.purchased(200)
    now_ms = wall_clock_ms()
    # Three at a time begin in the same millisecond.
    made = [desk.called(duration_s=None, at_ms=now_ms - place // 3 * 1000) for place in range(119)]
    browser = scene.signed_in(OWNER)
    first = desk.copied().get(browser).text
    assert len(ROW.findall(first)) == 50
    older = OLDER.search(first)
    assert older is not None
    desk.called()
    desk.copied()
    second = browser.open(unescape(older[1])).text
    assert 'rel="prev"' in second
    found = [*ROW.findall(first), *ROW.findall(second), *desk.listed(browser)]
    assert len(found) == 50 + 50 + 120
    assert sorted(set(found[:100])) == sorted(found[:100])
    assert set(found[:100]) < set(made)
    assert set(found[100:]) > set(made)
    chosen = desk.listed(browser, number=NUMBER, outcome="conversation", reason="purchased")
    assert chosen == found[100:]


def test_the_calls_as_csv(mixed: CallsDesk) -> None:
    mixed.ledger.accounts.update_account(mixed.id, timezone="Asia/Kolkata")
    browser = mixed.scene.signed_in(VIEWER)
    answer = browser.open(f"{mixed.path}.csv?outcome=hung_up")
    assert answer.mimetype == "text/csv"
    assert 'filename="calls.csv"' in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_length == len(answer.data)  # whole: whoever reads slowly holds no thread
    header, *rows = csv.reader(answer.text.splitlines(), strict=True)
    assert header == list(CALL_HEADER)
    told = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(one["outcome"], one["credits"]) for one in told] == [("hung_up", "1")] * 2
    assert all(one["started"].endswith("+05:30") for one in told)
    link = f'href="{mixed.path}.csv?outcome=hung_up"'
    assert link in mixed.get(browser, "?outcome=hung_up").text


def test_a_call_is_its_accounts_alone(desk: CallsDesk, scene: Scene) -> None:
    mine = desk.called()
    shared = CallId(ACCOUNT_SID, "CA" + "5" * 32)
    for account_id in (scene.baker, desk.id):  # its number changed hands while it went on
        scene.ledger.calls.admit_call(account_id, shared, NUMBER)
    desk.copied()
    owner, stranger = scene.signed_in(OWNER), scene.signed_in(STRANGER)
    assert shared.call_sid in desk.why(shared.call_sid, owner)
    assert stranger.open(f"/a/{scene.baker}/calls/{shared.call_sid}").status_code == 200
    for path in (f"/a/{scene.baker}/calls/{mine}", f"{desk.path}/{mine}"):
        assert stranger.open(path).status_code == 404
    assert ROW.findall(stranger.open(f"/a/{scene.baker}/calls").text) == [shared.call_sid]
    assert mine not in stranger.open(f"/a/{scene.baker}/calls.csv").text


@pytest.mark.parametrize("call_sid", ["CA" + "0" * 32, "CA1", "x", "%00", "CA" + "z" * 32, "..%2f"])
def test_there_is_no_such_call(desk: CallsDesk, call_sid: str) -> None:
    desk.copied()
    assert desk.scene.signed_in(OWNER).open(f"{desk.path}/{call_sid}").status_code == 404


def test_who_may_look(desk: CallsDesk, scene: Scene) -> None:
    call_sid = desk.called()
    desk.copied()
    for path in (desk.path, f"{desk.path}/{call_sid}", f"{desk.path}.csv"):
        for person, status in ((OWNER, 200), (VIEWER, 200), (ADMIN, 200), (STRANGER, 404)):
            assert scene.signed_in(person).open(path).status_code == status
        assert scene.browser().open(path).status_code == 303


def test_history_down(desk: CallsDesk, scene: Scene, tmp_path: Path) -> None:
    call_sid = desk.called()
    desk.copied()
    browser = scene.signed_in(OWNER)
    scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        for path in (desk.path, f"{desk.path}/{call_sid}", f"{desk.path}.csv"):
            answer = browser.open(path)
            assert (answer.status_code, answer.mimetype) == (503, "text/html")
            assert answer.headers["Retry-After"] == "60"
            assert "right now" in words_of(answer.text)
            assert "AI Receptionist" in answer.text
    assert call_sid in browser.open(desk.path).text


def test_history_that_lags_says_up_to_when(desk: CallsDesk, scene: Scene) -> None:
    desk.copied()
    browser = scene.signed_in(OWNER)
    desk.called()
    assert "up to" not in desk.says(browser)
    put_at_the_end_of_the_log(desk, wall_clock_ms() - 10 * 60_000)
    assert "Calls are shown up to" in desk.says(browser)


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(None, "—"), (0, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3600, "1 h 0 min 0 s")],
)
def test_lengths_are_written_in_full(duration_s: int | None, words: str) -> None:
    assert length_words(duration_s) == words
