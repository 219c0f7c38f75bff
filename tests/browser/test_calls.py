"""The pages of calls in a browser: every state fits and is accessible, with keyboard or script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import check_accessible, check_fits
from tests.browser.chromium import DESK, PHONE, View
from tests.browser.conftest import OpenPage
from tests.browser.serving import serve
from tests.browser.test_billing_tab import sign_in
from tests.web.gate import Gate
from tests.web.portal.billing_desk import fail, history_gone, put_at_the_end_of_the_log
from tests.web.portal.calls_desk import OTHER_NUMBER, CallsDesk
from tests.web.portal.conftest import KEY, OWNER, Scene

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


@pytest.fixture
def desk(valkey: EmbeddedValkey, tmp_path: Path) -> CallsDesk:
    with connect(valkey.url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    gate = Gate(
        valkey.url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        database_url=f"sqlite:///{tmp_path / 'history.sqlite'}",
    )
    account_id = new_account_id()
    gate.parts.ledger.accounts.open_account(
        NewAccount(account_id, "Bright Smile Dental", OWNER, timezone="America/New_York")
    )
    return CallsDesk(Scene(gate, account_id, "")).copied()


@pytest.fixture
def base_url(desk: CallsDesk) -> Iterator[str]:
    with serve(desk.scene.gate.app) as origin:
        yield origin


@pytest.fixture
def mixed(desk: CallsDesk) -> list[str]:
    """Calls of every outcome; returns their CallSids, newest first."""
    desk.purchased(3)
    made = [desk.called(duration_s=3725), desk.called(duration_s=2, number=OTHER_NUMBER)]
    made.append(desk.called(None))
    fail(desk, FailureReason.DECLINED)
    made.append(desk.called(duration_s=None))
    desk.copied()
    return made[::-1]


def _check(page: Page, path: str, said: str) -> None:
    page.goto(path)
    expect(page.get_by_text(said).first).to_be_visible()
    check_accessible(page)
    check_fits(page)


def test_a_filter_that_fits_nothing_or_is_wrong_is_accessible_and_fits(
    page: Page, desk: CallsDesk, mixed: list[str], base_url: str
) -> None:
    sign_in(page, desk, base_url)
    _check(page, f"{desk.path}?reason=allotment", "No such calls")
    _check(page, f"{desk.path}?day=never&outcome=x", "Enter a day")


def test_history_behind_and_away_is_accessible_and_fits(
    page: Page, desk: CallsDesk, mixed: list[str], base_url: str, tmp_path: Path
) -> None:
    sign_in(page, desk, base_url)
    put_at_the_end_of_the_log(desk, wall_clock_ms() - 10 * 60_000)
    _check(page, desk.path, "Calls are shown up to")
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        _check(page, desk.path, "Calls cannot be shown right now")
        _check(page, f"{desk.path}/{mixed[0]}", "This call cannot be shown right now")


@SCRIPTS
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_calls_are_filtered_and_explained(
    new_page: OpenPage, desk: CallsDesk, mixed: list[str], base_url: str, width: int, scripts: bool
) -> None:
    page = sign_in(new_page(View(width, "light", scripts=scripts)), desk, base_url)
    page.goto(desk.path)
    page.get_by_label("Number").select_option(OTHER_NUMBER)
    page.get_by_label("Outcome").select_option("hung_up")
    page.get_by_role("button", name="Filter").click()
    table = page.get_by_role("table", name="Calls")
    expect(table.get_by_role("row")).to_have_count(2)  # with the header's
    assert "outcome=hung_up" in page.url
    shared = sign_in(new_page(View(width, "light", scripts=scripts)), desk, base_url)
    shared.goto(page.url)
    expect(shared.get_by_label("Outcome")).to_have_value("hung_up")
    page.get_by_role("link", name="See why the call of").click()
    expect(page.get_by_text("The call was answered from purchased credits (2 left")).to_be_visible()
    page.get_by_role("link", name="Back to all calls").click()
    expect(table.get_by_role("row")).to_have_count(1 + len(mixed))


@SCRIPTS
def test_a_wrong_filter_is_put_right(
    new_page: OpenPage, desk: CallsDesk, mixed: list[str], base_url: str, scripts: bool
) -> None:
    page = sign_in(new_page(View(DESK, "light", scripts=scripts)), desk, base_url)
    page.goto(f"{desk.path}?day=2026-02-30")
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("link", name="Enter a day").click()
    expect(page.get_by_label("Day")).to_be_focused()
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_role("table", name="Calls")).to_be_visible()


def test_the_keyboard_reaches_everything(
    new_page: OpenPage, desk: CallsDesk, mixed: list[str], base_url: str
) -> None:
    page = sign_in(new_page(), desk, base_url)
    page.goto(desk.path)
    page.get_by_label("Day").focus()
    _tab_to(page, "field-number")
    page.keyboard.press("End")  # the last of its options
    _tab_to(page, "field-outcome")
    _tab_to(page, "field-reason")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Filter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Show all")).to_be_visible()
    why = page.get_by_role("link", name="See why the call of").first
    page.get_by_role("link", name="Show all").focus()
    page.keyboard.press("Tab")
    expect(why).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Why")).to_be_visible()


def _tab_to(page: Page, field: str) -> None:
    for _ in range(5):  # a field of a date has several stops
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == field:
            return
    raise AssertionError(f"{field} is not reached by Tab")


def test_older_calls_are_a_link_away(new_page: OpenPage, desk: CallsDesk, base_url: str) -> None:
    for _ in range(51):
        desk.called()
    page = sign_in(new_page(View(PHONE, "light", scripts=False)), desk.copied(), base_url)
    page.goto(desk.path)
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("table", name="Calls").get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_role("link", name="Older")).to_be_visible()


def test_calls_are_downloaded(
    new_page: OpenPage, desk: CallsDesk, mixed: list[str], base_url: str
) -> None:
    page = sign_in(new_page(), desk, base_url)
    page.goto(f"{desk.path}?outcome=dropped")
    with page.expect_download() as begun:
        page.get_by_role("link", name="Download these calls as CSV").click()
    assert begun.value.suggested_filename == "calls.csv"
    header, *rows = begun.value.path().read_text().splitlines()
    assert header.startswith("call_sid")
    assert [row.partition(",")[0] for row in rows] == [mixed[0]]
