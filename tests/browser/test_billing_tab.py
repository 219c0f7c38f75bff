"""The Billing tab in a browser: a charge is watched, retried, and its failure dismissed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.client import connect
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import check_accessible, check_fits
from tests.browser.chromium import DESK, View
from tests.browser.conftest import OpenPage
from tests.browser.serving import serve
from tests.web.gate import Gate
from tests.web.portal.billing_desk import BillingDesk, fail, history_gone
from tests.web.portal.conftest import KEY, OWNER, Scene


@pytest.fixture
def desk(valkey: EmbeddedValkey, tmp_path: Path) -> BillingDesk:
    with connect(valkey.url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    gate = Gate(
        valkey.url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        support_email="help@example.com",
        database_url=f"sqlite:///{tmp_path / 'history.sqlite'}",
    )
    account_id = new_account_id()
    gate.parts.ledger.accounts.open_account(
        NewAccount(account_id, "Bright Smile Dental", OWNER, timezone="America/New_York")
    )
    return BillingDesk(Scene(gate, account_id, "")).copied()


@pytest.fixture
def base_url(desk: BillingDesk) -> Iterator[str]:
    with serve(desk.scene.gate.app) as origin:
        yield origin


def sign_in(page: Page, desk: BillingDesk, base_url: str) -> Page:
    token = desk.ledger.sessions.start(OWNER, "browser")
    page.context.add_cookies([{"name": "gatekeeper", "value": token, "url": base_url}])
    return page


def _overdrawn(desk: BillingDesk) -> None:
    desk.card().topoff(threshold=5, amount=20)
    desk.answered(3)


def test_without_history_too(
    new_page: OpenPage, desk: BillingDesk, base_url: str, tmp_path: Path
) -> None:
    page = sign_in(new_page(), desk, base_url)
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        page.goto(desk.path)
        expect(page.get_by_text("Figures of the past are not available")).to_be_visible()
        check_fits(page)
        check_accessible(page)
    desk.scene.gate.parts.history.dispose()


def test_a_charge_is_watched_until_it_is_done(
    new_page: OpenPage, desk: BillingDesk, base_url: str
) -> None:
    _overdrawn(desk)
    page = sign_in(new_page(), desk.copied(), base_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install()
    page.goto(desk.path)
    page.evaluate("window.loaded = 'once'")
    charge = page.get_by_role("heading", name="A charge is on its way")
    expect(charge).to_be_visible()
    expect(page.get_by_role("link", name="Receipt")).to_have_count(0)
    desk.paid_topoff()
    desk.copied()
    page.clock.run_for(2_100)
    expect(charge).to_be_hidden()
    expect(page.get_by_text("17 credits", exact=True).first).to_be_visible()
    page.clock.run_for(2_100)
    expect(page.get_by_role("link", name="Receipt")).to_have_count(1)
    questions = [url for url in asked if url.endswith("/now")]
    assert questions
    page.clock.run_for(10_000)
    assert [url for url in asked if url.endswith("/now")] == questions
    assert page.evaluate("window.loaded") == "once"


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_failed_charge_is_retried(
    new_page: OpenPage, desk: BillingDesk, base_url: str, scripts: bool
) -> None:
    fail(desk, FailureReason.DECLINED)
    page = sign_in(new_page(View(DESK, "light", scripts=scripts)), desk, base_url)
    page.goto(f"{desk.path}")
    page.get_by_role("button", name="Retry the charge").click()
    expect(page.get_by_text("The charge is being tried again.", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="A charge is on its way")).to_be_visible()
    desk.paid_topoff()
    page.get_by_role("link", name="Refresh").click()
    expect(page.get_by_role("heading", name="A charge is on its way")).to_be_hidden()
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)


def test_a_dismissed_banner_stays_away(
    new_page: OpenPage, desk: BillingDesk, base_url: str
) -> None:
    fail(desk, FailureReason.DECLINED)
    page = sign_in(new_page(View(DESK, "light", scripts=False)), desk, base_url)
    page.goto(desk.path)
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("button", name="Retry the charge")).to_be_visible()
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
