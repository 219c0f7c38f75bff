"""AI Receptionist → Settings in a browser: the price as one types, the question before a charge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.ledger.client import connect
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import check_accessible, check_in_every_view
from tests.browser.chromium import DESK, PHONE, View
from tests.browser.conftest import OpenPage
from tests.browser.serving import serve
from tests.web.gate import Gate
from tests.web.portal.conftest import KEY, OWNER, Scene
from tests.web.portal.settings_desk import SettingsDesk, settings_desk, use_up

SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])


@pytest.fixture
def desk(valkey: EmbeddedValkey, tmp_path: Path) -> SettingsDesk:
    """An account with a card and ten credits; auto top-off is off."""
    with connect(valkey.url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    gate = Gate(
        valkey.url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        database_url=f"sqlite:///{tmp_path / 'history.sqlite'}",
    )
    account_id = new_account_id()
    gate.parts.ledger.accounts.open_account(NewAccount(account_id, "Bright Smile Dental", OWNER))
    desk = settings_desk(Scene(gate, account_id, ""))
    desk.copied()
    return desk


@pytest.fixture
def base_url(desk: SettingsDesk) -> Iterator[str]:
    with serve(desk.scene.gate.app) as origin:
        yield origin


@pytest.fixture
def settings_page(new_page: OpenPage, desk: SettingsDesk, base_url: str) -> Callable[[View], Page]:
    """Open the page as the account's owner."""

    def make(view: View) -> Page:
        page = new_page(view)
        token = desk.ledger.sessions.start(OWNER, "browser")
        page.context.add_cookies([{"name": "gatekeeper", "value": token, "url": base_url}])
        page.goto(desk.path)
        return page

    return make


def _in_flight(desk: SettingsDesk) -> None:
    desk.topoff(threshold=15, amount=20)
    use_up(desk)


def _no_card(desk: SettingsDesk) -> None:
    desk.ledger.accounts.remove_card(desk.id)


STATES: dict[str, Callable[[SettingsDesk], object]] = {
    "off": lambda desk: desk.topoff(on=False, threshold=5, amount=20),
    "off and below": lambda desk: desk.topoff(on=False, threshold=15, amount=20),
    "in flight, suggestion": _in_flight,
    "no card": _no_card,
}


def test_every_state_fits_and_is_accessible(
    settings_page: Callable[[View], Page], desk: SettingsDesk
) -> None:
    page = settings_page(View(DESK, "light"))
    for prepare in STATES.values():
        prepare(desk)
        page.goto(desk.path)
        expect(page.get_by_role("heading", name="Auto Top-Off", exact=True)).to_be_visible()
        check_in_every_view(page)


def test_a_refused_form_and_the_question_too(
    settings_page: Callable[[View], Page], desk: SettingsDesk
) -> None:
    page = settings_page(View(DESK, "light"))
    _fill(page, "5o", "0")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Low-balance threshold")).to_have_value("5o")
    check_in_every_view(page)
    _fill(page, "15", "20")
    page.get_by_label("Enable Auto Top-Off").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Save, and charge $4.00 now?")).to_be_visible()
    check_in_every_view(page)
    assert desk.requests == []


def _fill(page: Page, threshold: str, amount: str) -> None:
    page.get_by_label("Low-balance threshold").fill(threshold)
    page.get_by_label("Top-up amount").fill(amount)


def test_the_price_follows_what_is_typed(
    settings_page: Callable[[View], Page], desk: SettingsDesk
) -> None:
    page = settings_page(View(DESK, "light"))
    expect(page.get_by_text("$40.00 for each top-off of 200 credits")).to_be_visible()
    amount = page.get_by_label("Top-up amount")
    amount.fill("")
    amount.press_sequentially("300")
    expect(page.get_by_text("$60.00 for each top-off of 300 credits")).to_be_visible()
    expect(page.get_by_text("you agree that $60.00 is charged")).to_be_visible()
    expect(amount).to_be_focused()
    page.get_by_label("Low-balance threshold").fill("300")
    expect(page.get_by_text("must be lower than the top-up amount.")).to_be_visible()
    expect(page.get_by_text("you agree")).to_have_count(0)
    page.get_by_label("Low-balance threshold").fill("9")
    expect(page.get_by_text("each time your balance drops below 9 credits")).to_be_visible()
    expect(page.get_by_text("at once")).to_have_count(0)
    page.get_by_label("Low-balance threshold").fill("11")
    expect(page.get_by_text("charges $60.00 at once")).to_be_visible()
    check_accessible(page)
    assert not desk.account.topoff.enabled


def test_nothing_but_the_numbers_is_sent_while_one_types(
    settings_page: Callable[[View], Page],
) -> None:
    page = settings_page(View(DESK, "light"))
    with page.expect_request("**/terms?*") as asked:
        page.get_by_label("Top-up amount").fill("300")
    assert asked.value.url.partition("?")[2] == "threshold=50&amount=300&spending_cap="


def test_everything_by_keyboard(settings_page: Callable[[View], Page], desk: SettingsDesk) -> None:
    page = settings_page(View(DESK, "light"))
    page.get_by_label("Enable Auto Top-Off").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("15")
    page.keyboard.press("Tab")
    page.keyboard.type("20")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Save, and charge $4.00 now?")).to_be_visible()
    button = page.get_by_role("button", name="Save and charge $4.00")
    for _ in range(30):
        page.keyboard.press("Tab")
        if button.evaluate("one => one === document.activeElement"):
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("A charge of $4.00 is on its way.")).to_be_visible()
    assert desk.requests == ["automatic"]


@SCRIPTS
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_switching_it_on_below_the_threshold(
    settings_page: Callable[[View], Page], desk: SettingsDesk, width: int, scripts: bool
) -> None:
    desk.topoff(on=False, threshold=15, amount=20)
    page = settings_page(View(width, "light", scripts=scripts))
    expect(page.get_by_text("charges $4.00 at once")).to_be_visible()
    page.get_by_label("Enable Auto Top-Off").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_label("Enable Auto Top-Off")).to_be_checked()
    assert desk.requests == []
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Save and charge $4.00").click()
    expect(page.get_by_text("A charge of $4.00 is on its way.")).to_be_visible()
    expect(page.get_by_label("Enable Auto Top-Off")).to_be_checked()
    page.reload()
    assert desk.requests == ["automatic"]
    assert desk.account.topoff.enabled


def test_what_was_shown_while_one_typed_is_saved_without_a_question(
    settings_page: Callable[[View], Page], desk: SettingsDesk
) -> None:
    desk.topoff(threshold=5, amount=20)
    page = settings_page(View(DESK, "light"))
    page.get_by_label("Top-up amount").fill("300")
    expect(page.get_by_text("you agree that $60.00 is charged")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    assert desk.account.topoff.amount == 300


@SCRIPTS
def test_a_price_that_was_not_shown_is_asked_about(
    settings_page: Callable[[View], Page], desk: SettingsDesk, scripts: bool
) -> None:
    """Without scripts, and with them where the price that was typed does not come."""
    desk.topoff(threshold=5, amount=20)
    page = settings_page(View(PHONE, "light", scripts=scripts))
    page.route("**/terms?*", lambda route: route.abort())
    page.get_by_label("Top-up amount").fill("300")
    page.get_by_label("Top-up amount").press("Enter")
    expect(page.get_by_role("heading", name="Save, with $60.00 for each top-off?")).to_be_visible()
    assert desk.account.topoff.amount == 20
    if scripts:
        check_in_every_view(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    assert desk.account.topoff.amount == 300


@SCRIPTS
def test_a_suggestion_fills_the_form(
    settings_page: Callable[[View], Page], desk: SettingsDesk, scripts: bool
) -> None:
    use_up(desk)
    page = settings_page(View(PHONE, "light", scripts=scripts))
    page.get_by_label("Enable Auto Top-Off").check()
    page.get_by_role("button", name="Use these numbers").click()
    expect(page.get_by_text("Nothing is saved yet.")).to_be_visible()
    expect(page.get_by_label("Enable Auto Top-Off")).to_be_checked()
    expect(page.get_by_label("Low-balance threshold")).to_have_value("10")
    expect(page.get_by_label("Top-up amount")).to_have_value("70")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your settings are saved.")).to_be_visible()
    assert (desk.account.topoff.threshold, desk.account.topoff.amount) == (10, 70)
