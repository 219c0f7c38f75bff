"""The spending cap of automatic top-offs as a person sets it, and sees it reached."""

from __future__ import annotations

import re
from html import unescape

import pytest

from gatekeeper.domain.account import TopoffSettings
from gatekeeper.domain.cycle import Interval
from gatekeeper.web.portal.billing_words import cap_use
from gatekeeper.web.portal.formats import write_day
from tests.web.portal.billing_desk import words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import OWNER, VIEWER, Scene
from tests.web.portal.settings_desk import SettingsDesk, is_saved, settings_desk

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_BANNER = re.compile(r'<section class="banner\b.*?</section>', re.DOTALL)
REACHED = "Your spending cap is reached"


@pytest.fixture
def desk(scene: Scene) -> SettingsDesk:
    return settings_desk(scene)


@pytest.fixture
def owner(scene: Scene) -> Browser:
    return scene.signed_in(OWNER)


def capped(desk: SettingsDesk) -> str:
    """Let a top-off of $5.00 reach a cap of $6.00; returns the day of the next period."""
    desk.topoff(threshold=15, amount=20, cap=600)
    desk.paid_topoff()
    account = desk.account
    assert account.topoff_capped
    assert account.cycle_end_ms is not None
    return write_day(account.cycle_end_ms, account.timezone)


def hidden(html: str) -> dict[str, str]:
    """The fields that a form sends without being filled in."""
    main = html.partition('id="topoff-form"')[2] or html.partition('class="card confirm"')[2]
    return {name: unescape(value) for name, value in _HIDDEN.findall(main)}


def banner_of(html: str) -> str:
    found = _BANNER.search(html)
    return words_of(found[0]) if found else ""


@pytest.mark.parametrize(
    ("typed", "cap_minor", "shown"),
    [
        ("100", 10_000, "100.00"),
        (" 100.50 ", 10_050, "100.50"),
        ("1,000", 100_000, "1000.00"),
        ("4.00", 400, "4.00"),
        ("", None, ""),
        ("  ", None, ""),
    ],
)
def test_saving(
    desk: SettingsDesk, owner: Browser, typed: str, cap_minor: int | None, shown: str
) -> None:
    fields = {"enabled": "1", "threshold": "5", "amount": "20"}
    assert is_saved(desk.save(owner, **fields, spending_cap=typed), desk)
    assert desk.account.topoff == TopoffSettings(True, 5, 20, None, cap_minor)
    html = desk.get(owner).text
    assert f'name="spending_cap" type="text" value="{shown}"' in html
    assert "Monthly spending cap (optional)" in words_of(html)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("x", "must be an amount of money, such as 100, or be left out."),
        ("-5", "must be an amount of money"),
        ("0", "must be an amount of money"),
        ("1.005", "must be an amount of money"),
        ("100,50", "must be an amount of money"),
        ("1e3", "must be an amount of money"),
        ('"><b>', "must be an amount of money"),
        ("3.99", "must be at least the price of one top-off, $4.00."),
        ("999999999999", "must be a smaller amount."),
    ],
)
def test_what_cannot_be_saved(desk: SettingsDesk, owner: Browser, typed: str, problem: str) -> None:
    before = desk.account
    answer = desk.save(owner, enabled="1", threshold="5", amount="20", spending_cap=typed)
    assert answer.status_code == 422
    assert words_of(answer.text).count(f"The spending cap {problem}") == 2
    found = re.search(r'name="spending_cap" type="text" value="([^"]*)"', answer.text)
    assert found is not None
    assert unescape(found[1]) == typed
    assert desk.account == before


def test_what_one_agrees_to_names_it(desk: SettingsDesk, owner: Browser) -> None:
    query = "terms?threshold=5&amount=20&spending_cap=100"
    assert (
        "each time your balance drops below 5 credits, but no more than $100.00 in a billing "
        "cycle, until you switch it off."
    ) in words_of(owner.open(f"{desk.path}/{query}").text)


@pytest.mark.parametrize("typed", ["$6", "6 USD", "usd 6.00"])
def test_it_may_name_its_currency(desk: SettingsDesk, owner: Browser, typed: str) -> None:
    desk.save(owner, threshold="5", amount="20", spending_cap=typed)
    assert desk.account.topoff.spending_cap_minor == 600


def test_a_cap_below_what_was_charged_says_both() -> None:
    assert cap_use(1500, 400, "usd") == "$15.00 charged, cap $4.00"
    assert cap_use(400, 400, "usd") == "$4.00 of $4.00 used"


def test_the_cap_of_a_year_is_called_one(desk: SettingsDesk, owner: Browser) -> None:
    anchor_ms = desk.account.anchor_ms
    desk.ledger.cycles.set_cycle(
        desk.id, allotment=0, anchor_ms=anchor_ms, interval=Interval.YEARLY
    )
    desk.topoff(threshold=5, amount=20, cap=600)
    said = desk.says(owner)
    assert "Yearly spending cap (optional)" in said
    assert "no more than $6.00 in a billing cycle" in said


def test_a_cap_that_is_reached_charges_nothing_at_once(desk: SettingsDesk, owner: Browser) -> None:
    day = capped(desk)
    for _ in range(20):
        desk.call()
    fields = {"enabled": "1", "threshold": "15", "amount": "20"}
    terms = owner.open(f"{desk.path}/terms?threshold=15&amount=20&spending_cap=7").text
    note = (
        "Top-offs have charged $5.00 in this billing cycle. One more would pass this spending cap"
    )
    assert f"{note}, so there is none until {day}." in words_of(terms)
    assert "at once" not in words_of(terms)
    assert is_saved(desk.save(owner, **fields, spending_cap="7"), desk)
    assert f"The spending cap is reached, so there is no top-off until {day}." in desk.says(owner)
    assert desk.account.topoff_id == ""


def test_a_higher_cap_charges_at_once_and_says_so_first(desk: SettingsDesk, owner: Browser) -> None:
    capped(desk)
    for _ in range(20):
        desk.call()
    fields = {"enabled": "1", "threshold": "15", "amount": "20"}
    asked = desk.save(owner, **fields, spending_cap="9")
    assert "Save, and charge $4.00 now?" in words_of(asked.text)
    sent = hidden(asked.text)
    assert sent["spending_cap"] == "9"
    assert is_saved(desk.save(owner, **(fields | sent)), desk)
    assert desk.account.topoff.spending_cap_minor == 900
    assert desk.account.topoff_id


def test_saving_what_is_saved_goes_by_the_price_of_now(desk: SettingsDesk, owner: Browser) -> None:
    """It was reached at 25 cents a credit; now one more fits, at 20."""
    desk.topoff(threshold=15, amount=20, cap=900)
    desk.paid_topoff()
    assert desk.account.topoff_capped
    for _ in range(20):
        desk.call()
    fields = {"enabled": "1", "threshold": "15", "amount": "20", "spending_cap": "9"}
    asked = desk.save(owner, **fields)
    assert "Save, and charge $4.00 now?" in words_of(asked.text)
    assert desk.account.topoff_id == ""
    assert is_saved(desk.save(owner, **(fields | hidden(asked.text))), desk)
    assert not desk.account.topoff_capped
    assert desk.account.topoff_id


def test_a_change_made_meanwhile_is_not_undone(desk: SettingsDesk, owner: Browser) -> None:
    mine = hidden(desk.get(owner).text)
    desk.topoff(on=False, threshold=7, amount=30, cap=2500)
    fields = {"threshold": "5", "amount": "20", "spending_cap": "50"}
    answer = desk.save(owner, **fields, made_from=mine["made_from"])
    assert answer.status_code == 409
    said = words_of(answer.text)
    assert "these settings were changed while you had this page open" in said
    assert "threshold 7 credits, top-up amount 30 credits, spending cap $25.00." in said
    assert 'name="spending_cap" type="text" value="50"' in answer.text
    assert desk.account.topoff == TopoffSettings(False, 7, 30, None, 2500)
    assert is_saved(desk.save(owner, **fields, made_from=hidden(answer.text)["made_from"]), desk)
    assert desk.account.topoff == TopoffSettings(False, 5, 20, None, 5000)


def test_what_is_saved_already_is_no_conflict(desk: SettingsDesk, owner: Browser) -> None:
    mine = hidden(desk.get(owner).text)
    fields = {"threshold": "5", "amount": "20", "spending_cap": "50"}
    for _ in range(2):  # the same form, sent twice
        assert is_saved(desk.save(owner, **fields, made_from=mine["made_from"]), desk)


def test_the_banners_place_says_so(desk: SettingsDesk, scene: Scene, owner: Browser) -> None:
    assert banner_of(desk.get(owner).text) == ""
    day = capped(desk)
    said = banner_of(desk.get(owner).text)
    assert said.startswith(REACHED)
    assert "There are no more automatic top-offs in this billing cycle." in said
    assert "When your balance reaches zero, incoming calls are dropped" in said
    assert f"Until {day}" in said
    assert "$5.00 of $6.00 used" in said
    assert "Change the Cap" in said
    assert "Dismiss" not in said
    assert "Go to Billing" in banner_of(desk.get(scene.signed_in(VIEWER)).text)
    for _ in range(30):
        desk.call()
    assert "incoming calls are dropped instead of being answered" in banner_of(
        owner.open(f"/a/{desk.id}/incident").text
    )
    desk.topoff(threshold=15, amount=20)
    assert banner_of(desk.get(owner).text) == ""


def test_an_incident_comes_first(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=15, amount=20, cap=600)
    desk.failed_topoff(desk.decline)
    desk.topoff(threshold=15, amount=20, cap=499)
    assert desk.account.topoff_capped
    assert banner_of(desk.get(owner).text).startswith("Your card was declined")


def test_the_billing_tab(desk: SettingsDesk, owner: Browser) -> None:
    day = capped(desk)
    billing = f"/a/{desk.id}/settings/billing"
    said = words_of(owner.open(billing).text)
    assert "Paused: spending cap reached" in said
    assert (
        "Spending cap: $5.00 of $6.00 used in this billing cycle. One more top-off would "
        f"pass it, so there is none until {day}"
    ) in said
    desk.topoff(threshold=15, amount=20, cap=5000)
    said = words_of(owner.open(billing).text)
    assert "Spending cap: $5.00 of $50.00 used in this billing cycle." in said
    assert "Paused" not in said


def test_a_retry_by_hand_is_refused(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=15, amount=20, cap=600)
    incident = desk.failed_topoff(desk.decline)
    desk.topoff(threshold=15, amount=20, cap=499)
    billing = f"/a/{desk.id}/settings/billing"
    html = owner.open(billing).text
    assert "Retry the charge" not in html
    assert "is not tried again before the next billing cycle, unless you raise the cap" in words_of(
        html
    )
    owner.submit(f"{billing}/retry", page=desk.path, incident=incident)
    assert "The spending cap of automatic top-offs is reached" in words_of(owner.open(billing).text)
    assert desk.account.topoff_id == ""


def test_a_viewer_reads_it(desk: SettingsDesk, scene: Scene) -> None:
    desk.topoff(threshold=5, amount=20, cap=10_000)
    said = desk.says(scene.signed_in(VIEWER))
    assert "Monthly spending cap $100.00" in said
