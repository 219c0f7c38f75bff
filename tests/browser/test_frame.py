"""The frame in a browser: the avatar's menu, the banner that comes and goes, no scripts at all."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Member, Role
from tests.browser.chromium import DESK, PHONE, View, Watch
from tests.browser.conftest import OpenPage
from tests.browser.gallery.portal import Portal
from tests.browser.gallery.states import Life
from tests.web.portal.billing_desk import fail

DECLINED = FailureReason.DECLINED


@pytest.fixture
def life(portal: Portal) -> Life:
    """An account of this test's own."""
    return portal.new_account("empty")


@pytest.fixture
def owner_page(
    new_page: OpenPage, portal: Portal, life: Life, base_url: str
) -> Callable[..., Page]:
    """Open pages as the account's owner."""
    return lambda *view: portal.sign_in(new_page(*view), life.owner, base_url)


def test_the_menu_is_reached_and_left_by_keyboard(
    owner_page: Callable[..., Page], life: Life
) -> None:
    page = owner_page()
    page.goto(life.billing_path)
    summary = page.locator("#menu > summary")
    _tab_to(page, f"Your account: {life.owner}")
    page.keyboard.press("Enter")
    for name in ("Settings", "Sign out"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_have_text(name)
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_the_menu_closes_when_one_looks_elsewhere(
    owner_page: Callable[..., Page], life: Life
) -> None:
    page = owner_page()
    page.goto(life.billing_path)
    page.locator("#menu > summary").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("heading", name="History").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_billing_is_behind_the_avatar(
    owner_page: Callable[..., Page], life: Life, width: int, scripts: bool
) -> None:
    page = owner_page(View(width, "light", scripts=scripts))
    page.goto(life.calls_path)
    page.locator("#menu > summary").click()
    page.locator("#menu").get_by_role("link", name="Settings").click()
    current = page.get_by_role("navigation", name="Settings").locator("[aria-current=page]")
    expect(current).to_have_text("Billing")


def test_the_first_tab_stop_skips_the_navigation(
    owner_page: Callable[..., Page], life: Life
) -> None:
    page = owner_page()
    page.goto(life.billing_path)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_banner_comes_and_goes_without_a_reload(
    owner_page: Callable[..., Page], life: Life
) -> None:
    page = owner_page()
    page.clock.install()
    page.goto(life.calls_path)
    banner = page.get_by_role("region", name=DECLINED.label)
    page.evaluate("window.loaded = 'once'")
    expect(banner).to_be_hidden()
    fail(life, DECLINED)
    page.clock.run_for(21_000)
    expect(banner).to_be_visible()
    assert banner.get_by_role("link").inner_text() == "Update Payment Method"
    life.card("pm_2")
    page.clock.run_for(21_000)
    expect(banner).to_be_hidden()
    assert page.evaluate("window.loaded") == "once"


def test_the_focus_stays_in_a_banner_that_is_asked_for_again(
    owner_page: Callable[..., Page], life: Life
) -> None:
    fail(life, DECLINED)
    page = owner_page()
    page.clock.install()
    page.goto(life.calls_path)
    page.get_by_role("button", name="Dismiss").focus()
    with page.expect_response("**/incident"):
        page.clock.run_for(21_000)
    page.clock.run_for(1_000)
    expect(page.get_by_role("button", name="Dismiss")).to_be_focused()


@pytest.mark.parametrize("stays", [True, False], ids=["server-in-trouble", "signed-out"])
def test_a_page_left_open_survives_other_answers(
    owner_page: Callable[..., Page], new_page: OpenPage, life: Life, watch: Watch, stays: bool
) -> None:
    fail(life, DECLINED)
    page = owner_page()
    page.clock.install()
    page.goto(life.calls_path)
    if stays:
        page.route("**/incident", lambda route: route.fulfill(status=503, body="<h1>503</h1>"))
    else:  # as a redirect to sign in ends
        sign_in = new_page().request.get("/sign-in").text()
        page.route("**/incident", lambda route: route.fulfill(body=sign_in))
    with page.expect_response("**/incident"):
        page.clock.run_for(21_000)
    page.clock.run_for(1_000)
    banner = page.get_by_role("region", name=DECLINED.label)
    expect(banner).to_be_visible(visible=stays)
    expect(page).to_have_title(re.compile("^AI Receptionist"))
    expect(page.get_by_role("heading", level=1)).to_have_text("AI Receptionist")
    watch.problems.clear()  # the 503


def test_the_banner_needs_no_scripts(owner_page: Callable[..., Page], life: Life) -> None:
    fail(life, FailureReason.NO_PAYMENT_METHOD)
    page = owner_page(View(PHONE, "light", scripts=False))
    page.goto(life.calls_path)
    expect(page.get_by_role("link", name="Set Up Auto Top-Off")).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(page).to_have_url(re.compile(f"{life.calls_path}$"))
    expect(page.locator(".banner")).to_have_count(0)


def test_a_viewer_sees_the_banner_and_cannot_buy(
    new_page: OpenPage, portal: Portal, life: Life, base_url: str
) -> None:
    fail(life, FailureReason.INTERNAL_ERROR)
    viewer = f"viewer-{life.owner}"
    life.ledger.members.set_member(life.id, Member(viewer, Role.VIEWER))
    page = portal.sign_in(new_page(), viewer, base_url)
    page.goto(life.calls_path)
    banner = page.get_by_role("region", name=FailureReason.INTERNAL_ERROR.label)
    expect(banner.get_by_role("link")).to_have_text("Go to Billing")
    expect(page.get_by_role("link", name="Buy Credits")).to_have_count(0)


def test_a_refused_form_leads_to_what_is_wrong(owner_page: Callable[..., Page], life: Life) -> None:
    page = owner_page()
    page.goto(life.settings_path)
    page.get_by_label("Low-balance threshold").fill("5o")
    page.get_by_role("button", name="Save").click()
    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    summary.get_by_role("link").first.click()
    field = page.get_by_label("Low-balance threshold")
    expect(field).to_be_focused()
    expect(field).to_have_value("5o")
    described = field.get_attribute("aria-describedby") or ""
    assert "whole number" in page.locator(f"#{described.split()[0]}").inner_text()


def _tab_to(page: Page, label: str) -> None:
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.locator(":focus").get_attribute("aria-label") == label:
            return
    raise AssertionError(f"{label} is not reached by Tab")
