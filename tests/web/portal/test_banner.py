"""The banner: on every page, word for word, until it is dismissed or resolved."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.keys import account_of
from tests.web.gate import PUBLIC_URL
from tests.web.portal.billing_desk import BillingDesk, fail, words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

#: "Credits & Billing", "Failed Payments": reason, what it means, what to do.
SEED = {
    FailureReason.NO_PAYMENT_METHOD: (
        "No payment method set for automatic top-offs",
        "Auto top-off is enabled but no card is attached as the payment method for it",
        "Set Up Auto Top-Off",
    ),
    FailureReason.DECLINED: (
        "Your card was declined",
        "The most recent charge attempt was rejected by the issuer",
        "Update Payment Method",
    ),
    FailureReason.INTERNAL_ERROR: (
        "An internal error occurred",
        "The charge attempt hit a transient system error",
        "Go to Billing",
    ),
}
SUSPENDED = (
    "This account is suspended Incoming calls are dropped. Write to help@example.com to find out "
    "more."
)
_BANNER = re.compile(r'<section class="banner".*?</section>', re.DOTALL)
_DISMISS = re.compile(r'action="([^"]*/incident/dismiss[^"]*)"')


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene(support_email="help@example.com")


@pytest.fixture
def desk(scene: Scene) -> BillingDesk:
    return BillingDesk(scene)


def banner_on(browser: Browser, path: str) -> str:
    """The banner's words on a page; "" where there is none."""
    answer = browser.open(path)
    assert answer.status_code == 200, path
    found = _BANNER.search(answer.text)
    return words_of(found[0]) if found else ""


@pytest.mark.parametrize("reason", FailureReason)
def test_it_says_what_was_promised_on_every_page(
    desk: BillingDesk, scene: Scene, reason: FailureReason
) -> None:
    browser = scene.signed_in(OWNER)
    assert banner_on(browser, f"/a/{desk.id}/") == ""
    fail(desk, reason)
    label, meaning, action = SEED[reason]
    for path in (f"/a/{desk.id}/", desk.path, f"/a/{desk.id}/incident"):
        said = banner_on(browser, path)
        assert said.startswith(f"{label} {meaning}."), path
        assert "$5.00 for 20 credits" in said
        assert "Future calls may be dropped until this is resolved." in said
        # On the very page that the button leads to there is none.
        is_there = reason is FailureReason.INTERNAL_ERROR and path == desk.path
        assert said.endswith("Dismiss" if is_there else f"{action} Dismiss")
        assert not (is_there and action in said)
    if reason is FailureReason.INTERNAL_ERROR:
        remedy = "Retry the charge from the billing page; if it keeps failing, contact support."
        assert remedy in said
    assert banner_on(scene.signed_in(STRANGER), f"/a/{scene.baker}/") == ""


@pytest.mark.parametrize("email", [OWNER, VIEWER])
def test_a_suspension_has_its_place_on_every_page(
    desk: BillingDesk, scene: Scene, email: str
) -> None:
    fail(desk, FailureReason.DECLINED)
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    browser = scene.signed_in(email)
    for path in ("", "receptionist/settings", "settings/emails", "incident"):
        assert banner_on(browser, f"/a/{desk.id}/{path}") == SUSPENDED, path


def test_the_banner_on_billing_that_is_asked_for_again_leads_nowhere_else(
    desk: BillingDesk, scene: Scene
) -> None:
    fail(desk, FailureReason.INTERNAL_ERROR)
    browser, path = scene.signed_in(OWNER), f"/a/{desk.id}/incident"
    for page, offered in ((desk.path, False), (f"/a/{desk.id}/calls", True)):
        answer = browser.open(path, headers={"Referer": f"{PUBLIC_URL}{page}"})
        assert ("Go to Billing" in answer.text) is offered


def test_the_banner_alone_is_no_page(desk: BillingDesk, scene: Scene) -> None:
    browser, path = scene.signed_in(OWNER), f"/a/{desk.id}/incident"
    assert browser.open(path).text.strip() == ""
    fail(desk, FailureReason.DECLINED)
    assert "<html" not in browser.open(path).text
    desk.topoff(on=False)
    assert browser.open(path).text.strip() == ""


def test_who_cannot_change_anything_is_led_to_look(desk: BillingDesk, scene: Scene) -> None:
    fail(desk, FailureReason.DECLINED)
    said = banner_on(scene.signed_in(VIEWER), f"/a/{desk.id}/")
    assert said.endswith("Go to Billing Dismiss")
    assert "Update Payment Method" not in said


def press_dismiss(browser: Browser, page: str) -> str:
    """Press the banner's button on a page; returns where that leads."""
    found = _DISMISS.search(browser.open(page).text)
    assert found is not None
    answer = browser.open(
        unescape(found[1]),
        "POST",
        data={"csrf_token": browser.token(page)},
        headers={"Referer": f"https://gate.example.com{page}"},
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_r9_each_person_dismisses_it_for_themselves(desk: BillingDesk, scene: Scene) -> None:
    fail(desk, FailureReason.DECLINED)
    page = f"{desk.path}?cycle=2026-01-01"
    viewer, owner, admin = (scene.signed_in(person) for person in (VIEWER, OWNER, ADMIN))
    assert press_dismiss(viewer, page) == page
    assert banner_on(viewer, page) == ""
    assert banner_on(scene.signed_in(VIEWER), page) == ""
    assert banner_on(owner, page).startswith("Your card was declined")
    press_dismiss(owner, page)
    assert banner_on(owner, page) == ""
    assert banner_on(admin, page) != ""
    # It is still open, and the tab says so.
    assert "Retry the charge" in desk.says(owner)


def test_r9_a_fresh_failure_shows_it_again(desk: BillingDesk, scene: Scene) -> None:
    first = fail(desk, FailureReason.DECLINED)
    browser = scene.signed_in(OWNER)
    press_dismiss(browser, desk.path)
    desk.ledger.topoffs.request_topoff(desk.id, first)
    assert banner_on(browser, desk.path) == ""
    desk.failed_topoff(desk.decline)
    assert banner_on(browser, desk.path).startswith("Your card was declined")


def test_who_is_no_member_dismisses_nothing(desk: BillingDesk, scene: Scene) -> None:
    incident = fail(desk, FailureReason.DECLINED)
    stranger, owner = scene.signed_in(STRANGER), scene.signed_in(OWNER)
    path = f"/incident/dismiss?incident={incident}"
    unknown = f"/incident/dismiss?incident=acct_000000000000-{incident.rpartition('-')[2]}"
    assert [stranger.submit(each).status_code for each in (path, unknown)] == [404, 404]
    dismissed = desk.ledger.keys.of_account(account_of(incident)).dismissed(incident)
    assert not desk.ledger.client.exists(dismissed)
    assert owner.open(path, "POST").status_code == 400
    assert owner.submit("/incident/dismiss?incident=x").headers["Location"] == "/"
    elsewhere = {"Referer": "https://evil.example.com//evil.example.com/"}
    answer = owner.open(path, "POST", data={"csrf_token": owner.token()}, headers=elsewhere)
    assert answer.headers["Location"] == "/"


def test_it_says_when_the_charge_is_being_tried_again(desk: BillingDesk, scene: Scene) -> None:
    incident = fail(desk, FailureReason.DECLINED)
    desk.ledger.topoffs.request_topoff(desk.id, incident)
    said = banner_on(scene.signed_in(OWNER), desk.path)
    assert "The charge is being tried again now." in said
    desk.paid_topoff()
    assert banner_on(scene.signed_in(OWNER), desk.path) == ""
