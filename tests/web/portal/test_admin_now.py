"""What may need somebody now: open incidents, and calls dropped since midnight UTC."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.phrasing import local_moment
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from tests.ledger.desk import new_call
from tests.web.portal import admin_desk
from tests.web.portal.admin_desk import AdminDesk
from tests.web.portal.billing_desk import fail, history_gone
from tests.web.portal.conftest import Scene

NUMBER = "+15550001111"
DAY_MS = 86_400_000


@pytest.fixture
def desk(scene: Scene) -> AdminDesk:
    return AdminDesk(scene)


def test_open_incidents_are_listed_newest_first(desk: AdminDesk) -> None:
    able, baker = desk.scene.able, desk.scene.baker
    fail(desk.desk(able), FailureReason.NO_PAYMENT_METHOD)
    fail(desk.desk(baker), FailureReason.DECLINED)
    html = desk.copied().get("/admin/incidents").text
    assert admin_desk.ROW.findall(html) == [baker, able]
    said = desk.says("/admin/incidents")
    assert "Baker Your card was declined generic_decline" in said
    assert "$5.00 for 20 credits Visa ending in 4242" in said
    assert "No payment method set for automatic top-offs" in said


def test_incidents_that_are_over_are_not(desk: AdminDesk) -> None:
    able, baker = desk.desk(desk.scene.able), desk.desk(desk.scene.baker)
    fail(able, FailureReason.NO_PAYMENT_METHOD)
    fail(baker, FailureReason.DECLINED)
    desk.copied()
    able.topoff(on=False)  # the directory does not know of it yet
    assert admin_desk.ROW.findall(desk.get("/admin/incidents").text) == [baker.id]
    baker.card("pm_2")
    desk.copied()
    assert "No open incidents" in desk.says("/admin/incidents")


def test_incidents_go_on_page_after_page(desk: AdminDesk) -> None:
    """Also where the newest candidates are all over."""
    opened = [desk.open_account(f"Customer {number}") for number in range(105)]
    for account_id in opened:
        fail(desk.desk(account_id), FailureReason.NO_PAYMENT_METHOD)
    desk.copied()
    settings = TopoffSettings(enabled=False, threshold=5, amount=20)
    for account_id in opened[52:]:
        desk.ledger.accounts.set_topoff(account_id, settings)
    html = desk.get("/admin/incidents").text
    found = admin_desk.ROW.findall(html)
    older = admin_desk.NEXT.search(html)
    assert older is not None
    found += admin_desk.ROW.findall(desk.browser.open(older[1]).text)
    assert sorted(found) == sorted(opened[:52])
    assert desk.get("/admin/incidents?after=x").status_code == 400


def test_dropped_calls_are_counted_by_reason_and_account(desk: AdminDesk) -> None:
    began_ms = wall_clock_ms()
    able, baker = desk.desk(desk.scene.able), desk.desk(desk.scene.baker)
    desk.ledger.accounts.update_account(baker.id, suspended="1")
    for _ in range(3):
        able.call()
    baker.call()
    desk.ledger.accounts.add_credits(able.id, 5, reference="gift", cause="test")
    able.call()
    yesterday_ms = began_ms - began_ms % DAY_MS - 1  # the day is that of UTC, not the last 24 h
    yesterday = Ledger(desk.ledger.client, clock=lambda: yesterday_ms)
    yesterday.calls.admit_call(baker.id, new_call(), NUMBER)
    said = desk.copied().says("/admin/dropped")
    assert "Balance empty, auto top-off off 3 Account suspended 1 All reasons 4" in said
    assert "Able <b>& Co 3 AI Receptionist: dropped calls of Able <b>& Co · AI Calling" in said
    assert "Baker 1 AI Receptionist" in said
    html = desk.get("/admin/dropped").text
    for path in ("calls", "calling/calls"):
        links = re.findall(rf'href="(/a/{able.id}/{path}\?[^"]+)"', html)
        [asked] = [parse_qs(urlsplit(unescape(link)).query) for link in links]
        days = {
            local_moment(at_ms, "UTC").date().isoformat() for at_ms in (began_ms, wall_clock_ms())
        }
        assert asked["outcome"] == ["dropped"]
        assert asked["day"][0] in days
    assert "<b>" not in html


def test_a_day_without_drops(desk: AdminDesk) -> None:
    assert "No calls dropped today" in desk.copied().says("/admin/dropped")


def test_without_history_the_pages_say_so(desk: AdminDesk, tmp_path: Path) -> None:
    desk.copied()
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        for path, said in (
            ("/admin/incidents", "The list cannot be shown right now"),
            ("/admin/dropped", "Dropped calls cannot be counted right now"),
        ):
            answer = desk.get(path)
            assert (answer.status_code, said in answer.text) == (503, True)
            assert answer.headers["Retry-After"] == "60"
