"""AI Receptionist → Settings where saving charges the card at once: asked about, and made once."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.account import DEFAULT_TOPOFF, TopoffSettings
from gatekeeper.domain.incident import FailureReason
from tests.web.portal.billing_desk import words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import OWNER, Scene
from tests.web.portal.settings_desk import CONSENT, NOW, SettingsDesk, is_saved, settings_desk

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@pytest.fixture
def desk(scene: Scene) -> SettingsDesk:
    return settings_desk(scene)


@pytest.fixture
def owner(scene: Scene) -> Browser:
    return scene.signed_in(OWNER)


def _ask(desk: SettingsDesk, owner: Browser) -> dict[str, str]:
    """Send settings that charge at once; returns the fields that the question has."""
    answer = desk.save(owner, enabled="1", threshold="15", amount="20")
    assert answer.status_code == 200
    return {name: unescape(text) for name, text in _HIDDEN.findall(answer.text)}


def test_the_form_says_beforehand_that_saving_charges(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(on=False, threshold=15, amount=20)
    said = desk.says(owner)
    assert "Your balance is 10 credits, which is below this threshold" in said
    assert f"saving with Auto Top-Off enabled {NOW}" in said


def test_a_charge_at_once_is_asked_about_and_then_made_once(
    desk: SettingsDesk, owner: Browser
) -> None:
    answer = desk.save(owner, enabled="1", threshold="15", amount="20")
    assert answer.status_code == 200
    said = words_of(answer.text)
    assert "Save, and charge $4.00 now?" in said
    assert (
        "Your balance is 10 credits, which is below the threshold of 15 credits. Saving charges "
        "$4.00 to your Visa ending in 4242 at once, for 20 credits."
    ) in said
    assert CONSENT.replace("below 5", "below 15") in said
    assert desk.account.topoff == DEFAULT_TOPOFF
    assert desk.requests == []
    fields = {name: unescape(text) for name, text in _HIDDEN.findall(answer.text)}
    assert is_saved(owner.open(desk.path, "POST", data=fields), desk)
    assert desk.account.topoff == TopoffSettings(enabled=True, threshold=15, amount=20)
    said = desk.says(owner)
    assert "Your settings are saved. A charge of $4.00 is on its way." in said
    assert "A charge is on its way already." in said
    assert desk.requests == ["automatic"]
    assert desk.paid_topoff()
    assert desk.account.balance == 30


def test_the_button_pressed_twice(desk: SettingsDesk, owner: Browser) -> None:
    """Even where the first charge has come through and left the balance below the threshold."""
    desk.topoff(threshold=5, amount=20, limit=30)
    desk.answered(40)
    desk.paid_topoff()
    desk.topoff(on=False, limit=30)
    assert desk.account.balance == -10
    fields = _ask(desk, owner)
    before = desk.requests
    for _ in range(2):
        assert is_saved(owner.open(desk.path, "POST", data=fields), desk)
    assert desk.requests == [*before, "automatic"]
    desk.paid_topoff()
    assert desk.account.balance == 10
    assert "at once" not in desk.says(owner)
    assert is_saved(owner.open(desk.path, "POST", data=fields | {"agreed": ""}), desk)
    assert is_saved(owner.open(desk.path, "POST", data=fields), desk)
    assert desk.requests == [*before, "automatic"]


def test_pressed_by_many_at_the_same_time(desk: SettingsDesk, owner: Browser) -> None:
    fields = _ask(desk, owner)
    browsers = [desk.scene.browser() for _ in range(8)]
    for browser in browsers:
        browser.put_session(desk.ledger.sessions.start(OWNER, ""))
    forms = [fields | {"csrf_token": browser.token(desk.path)} for browser in browsers]
    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = list(
            pool.map(
                lambda pair: pair[0].open(desk.path, "POST", data=pair[1]),
                zip(browsers, forms, strict=True),
            )
        )
    assert all(is_saved(answer, desk) for answer in answers)
    assert desk.requests == ["automatic"]


@pytest.mark.parametrize("change", ["price", "card", "words"])
def test_what_was_agreed_to_is_what_is_charged(
    desk: SettingsDesk, owner: Browser, change: str
) -> None:
    fields = _ask(desk, owner)
    if change == "price":
        desk.ledger.accounts.update_account(desk.id, price_minor="35")
    elif change == "card":
        card = desk.account.card
        assert card is not None
        desk.ledger.accounts.set_card(desk.id, type(card)("cus_1", "pm_2", "visa", "1881", ""))
    else:
        fields["agreed"] = "yes"
    answer = owner.open(desk.path, "POST", data=fields)
    assert answer.status_code == 200
    assert "now?" in words_of(answer.text)
    assert desk.requests == []
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_at_the_threshold_nothing_is_charged(desk: SettingsDesk, owner: Browser) -> None:
    assert is_saved(desk.save(owner, enabled="1", threshold="10", amount="20"), desk)
    assert desk.requests == []


def test_switching_off_below_the_threshold_asks_nothing(desk: SettingsDesk, owner: Browser) -> None:
    assert is_saved(desk.save(owner, threshold="15", amount="20"), desk)
    assert desk.requests == []


def test_no_second_charge_while_one_is_in_flight(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=15, amount=20)
    said = desk.says(owner)
    assert "A charge is on its way already. New numbers count from the next top-off on." in said
    assert "at once" not in said
    assert is_saved(desk.save(owner, enabled="1", threshold="16", amount="40"), desk)
    said = desk.says(owner)
    assert "Your settings are saved." in said
    assert "A charge of" not in said
    assert desk.requests == ["automatic"]


def test_while_a_failed_charge_blocks_top_offs(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=15, amount=20)
    desk.failed_topoff(desk.decline)
    assert is_saved(desk.save(owner, enabled="1", threshold="16", amount="40"), desk)
    assert desk.requests == ["automatic"]
    assert desk.account.blocked_by is FailureReason.DECLINED
    assert is_saved(desk.save(owner, threshold="16", amount="40"), desk)
    assert desk.account.incident_id == "", "switching it off resolves the incident"


def test_a_suspended_account_is_not_charged(desk: SettingsDesk, owner: Browser) -> None:
    desk.ledger.accounts.update_account(desk.id, suspended="1")
    assert is_saved(desk.save(owner, enabled="1", threshold="15", amount="20"), desk)
    assert desk.requests == []


# A price that the form did not show


def _send_unseen(desk: SettingsDesk, owner: Browser, **fields: str) -> TestResponse:
    """Send other numbers than the page was opened with, and see nothing of what they cost."""
    return desk.save(owner, shown=desk.shown(owner), **fields)


def test_a_price_that_was_not_shown_is_asked_about(desk: SettingsDesk, owner: Browser) -> None:
    """As without scripts, or by the enter key within the moment in which the price is fetched."""
    saved = desk.topoff(threshold=5, amount=20).account.topoff
    asked = _send_unseen(desk, owner, enabled="1", threshold="5", amount="2000")
    assert asked.status_code == 200
    said = words_of(asked.text)
    assert "Save, with $400.00 for each top-off?" in said
    assert (
        "$400.00 is the price of 2,000 credits, at $0.20 a credit. Nothing is charged now." in said
    )
    assert CONSENT.replace("$4.00", "$400.00") in said
    assert desk.account.topoff == saved
    fields = {name: unescape(text) for name, text in _HIDDEN.findall(asked.text)}
    assert is_saved(owner.open(desk.path, "POST", data=fields), desk)
    assert desk.account.topoff == TopoffSettings(enabled=True, threshold=5, amount=2_000)
    assert desk.requests == []


@pytest.mark.parametrize(
    "fields",
    [
        {"enabled": "1", "threshold": "6", "amount": "20"},
        {"enabled": "1", "threshold": "5", "amount": "20", "spending_cap": "100"},
    ],
    ids=["threshold", "cap"],
)
def test_whatever_one_agrees_to_is_shown_first(
    desk: SettingsDesk, owner: Browser, fields: dict[str, str]
) -> None:
    desk.topoff(threshold=5, amount=20)
    assert _send_unseen(desk, owner, **fields).status_code == 200
    assert is_saved(desk.save(owner, **fields), desk), "with scripts it is shown while one types"


def test_nothing_is_asked_where_nothing_new_is_agreed_to(
    desk: SettingsDesk, owner: Browser
) -> None:
    desk.topoff(threshold=5, amount=20)
    same = {"threshold": "5", "amount": "20"}
    assert is_saved(desk.save(owner, shown="", enabled="1", **same), desk), "as it is saved"
    assert is_saved(_send_unseen(desk, owner, threshold="6", amount="40"), desk), "switched off"
    assert is_saved(desk.save(owner, shown="", **same), desk), "left off"
    assert is_saved(_send_unseen(desk, owner, enabled="1", **same), desk), "shown as it opened"
    desk.ledger.accounts.remove_card(desk.id)
    answer = _send_unseen(desk, owner, enabled="1", threshold="6", amount="40")
    assert is_saved(answer, desk), "without a card nothing can be charged"


def test_a_price_raised_while_the_form_stood_open(desk: SettingsDesk, owner: Browser) -> None:
    fields = {"enabled": "1", "threshold": "5", "amount": "20"}
    shown = desk.shown(owner, **fields)
    desk.ledger.accounts.update_account(desk.id, price_minor="35")
    asked = desk.save(owner, shown=shown, **fields)
    assert "Save, with $7.00 for each top-off?" in words_of(asked.text)
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_what_charges_by_now_is_asked_about_once_more(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=5, amount=20)
    asked = _send_unseen(desk, owner, enabled="1", threshold="9", amount="40")
    assert "Nothing is charged now." in words_of(asked.text)
    fields = {name: unescape(text) for name, text in _HIDDEN.findall(asked.text)}
    desk.answered(2)
    answer = owner.open(desk.path, "POST", data=fields)
    assert "Save, and charge $8.00 now?" in words_of(answer.text)
    assert desk.requests == []
