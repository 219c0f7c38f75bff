"""AI Receptionist → Settings: what the page says, what can be saved, and by whom."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from gatekeeper.domain.account import DEFAULT_TOPOFF, TopoffSettings
from tests.web.portal.billing_desk import history_gone, words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene
from tests.web.portal.settings_desk import (
    CONSENT,
    NOW,
    SettingsDesk,
    is_saved,
    settings_desk,
    use_up,
)


@pytest.fixture
def desk(scene: Scene) -> SettingsDesk:
    return settings_desk(scene)


@pytest.fixture
def owner(scene: Scene) -> Browser:
    return scene.signed_in(OWNER)


def test_the_page_says_what_is_saved_and_what_it_costs(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=5, amount=20)
    html, said = desk.get(owner).text, desk.says(owner)
    for label in ("Enable Auto Top-Off", "Low-balance threshold", "Top-up amount"):
        assert label in said
    assert re.search(r'name="enabled"[^>]* checked', html)
    assert re.search(r'name="threshold"[^>]* value="5"', html)
    assert re.search(r'name="amount"[^>]* value="20"', html)
    assert "$4.00 for each top-off of 20 credits, at $0.20 a credit." in said
    assert CONSENT in said
    assert "at once" not in said
    assert "on its way" not in said


def test_it_is_off_until_switched_on(desk: SettingsDesk, owner: Browser) -> None:
    html = desk.get(owner).text
    assert desk.account.topoff == DEFAULT_TOPOFF
    assert re.search(r'name="enabled"[^>]* checked', html) is None
    assert re.search(r'name="threshold"[^>]* value="50"', html)
    assert re.search(r'name="amount"[^>]* value="200"', html)


def test_saving(desk: SettingsDesk, owner: Browser) -> None:
    answer = desk.save(owner, enabled="1", threshold=" 5 ", amount="20")
    assert is_saved(answer, desk)
    assert desk.account.topoff == TopoffSettings(enabled=True, threshold=5, amount=20)
    assert "Your settings are saved." in desk.says(owner)
    assert is_saved(desk.save(owner, threshold="6", amount="21"), desk)
    assert desk.account.topoff == TopoffSettings(enabled=False, threshold=6, amount=21)
    assert desk.requests == []


def test_the_overdraft_limit_is_kept(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(on=False, limit=7)
    desk.save(owner, enabled="1", threshold="5", amount="30", overdraft_limit="1000")
    assert desk.account.topoff == TopoffSettings(True, 5, 30, overdraft_limit=7)


def test_the_accounts_own_price_counts(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=5, amount=20)
    desk.ledger.accounts.update_account(desk.id, price_minor="35")
    assert "$7.00 for each top-off of 20 credits, at $0.35 a credit." in desk.says(owner)


@pytest.mark.parametrize(
    ("threshold", "amount", "problems"),
    [
        ("5o", "20", ["The low-balance threshold must be a whole number from 0 to 1,000,000."]),
        ("5", "2.5", ["The top-up amount must be a whole number from 1 to 1,000,000."]),
        ("-1", "20", ["The low-balance threshold must be a whole number from 0 to 1,000,000."]),
        ("5", "0", ["The top-up amount must be a whole number from 1 to 1,000,000."]),
        ("5", "-20", ["The top-up amount must be a whole number from 1 to 1,000,000."]),
        ("1000001", "20", ["The low-balance threshold must be a whole number"]),
        ("5", "9" * 5000, ["The top-up amount must be a whole number from 1 to 1,000,000."]),
        ("5", "1e3", ["The top-up amount must be a whole number"]),
        ("5", "\N{ARABIC-INDIC DIGIT FIVE}0", ["The top-up amount must be a whole number"]),
        ("5", "0x14", ["The top-up amount must be a whole number"]),
        ("", "", ["The low-balance threshold must be", "The top-up amount must be"]),
        ("20", "20", ["The low-balance threshold must be lower than the top-up amount."]),
        ("0", "2", ["The top-up amount costs less or more than a card can be charged"]),
        ("0", "1000000", ["The top-up amount costs less or more than a card can be charged"]),
        ('"><b>', "x", ["The low-balance threshold must be", "The top-up amount must be"]),
    ],
)
def test_what_cannot_beis_saved(
    desk: SettingsDesk, owner: Browser, threshold: str, amount: str, problems: list[str]
) -> None:
    desk.topoff(threshold=5, amount=20, limit=9)
    before = desk.account
    if "costs less" in problems[0] and amount == "1000000":
        desk.ledger.accounts.update_account(desk.id, price_minor="200")
        before = desk.account
    answer = desk.save(owner, enabled="1", threshold=threshold, amount=amount)
    assert answer.status_code == 422
    html = answer.text
    summary = words_of(html.partition('<div class="summary"')[2].partition("</div>")[0])
    assert "Please look at" in summary
    for problem in problems:
        assert problem in summary
        assert words_of(html).count(problem) == 2, "in the summary and beside the field"
    assert html.count('aria-invalid="true"') == len(problems)
    typed = dict(re.findall(r'name="(threshold|amount)" type="text" value="([^"]*)"', html))
    assert {name: unescape(text) for name, text in typed.items()} == {
        "threshold": threshold,
        "amount": amount,
    }
    assert "<b>" not in html.partition("<main")[2]
    assert desk.account == before
    assert desk.requests == []


def test_a_form_that_lacks_everything(desk: SettingsDesk, owner: Browser) -> None:
    assert desk.save(owner).status_code == 422
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_without_a_card(desk: SettingsDesk, owner: Browser) -> None:
    desk.ledger.accounts.remove_card(desk.id)
    html, said = desk.get(owner).text, desk.says(owner)
    assert "No card is attached as the payment method for automatic top-offs." in said
    assert "By saving" not in said
    # Behind the other: Enter presses the first.
    assert re.search(r'>Save</button>\s*<button[^>]* name="card" value="1">Set Up Auto T', html)
    assert is_saved(desk.save(owner, enabled="1", threshold="15", amount="20"), desk)
    said = desk.says(owner)
    assert "Your settings are saved." in said
    assert "A charge of" not in said


def test_what_was_typed_is_there_again_after_cancel(desk: SettingsDesk, owner: Browser) -> None:
    typed = {"enabled": "1", "threshold": "15", "amount": "33", "spending_cap": "$10"}
    asked = desk.save(owner, **typed)
    assert "Save, and charge $6.60 now?" in words_of(asked.text)
    fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    assert {name: fields[name] for name in typed} == typed
    assert re.search(r'<button[^>]* name="edit" value="1">Cancel</button>', asked.text)
    answer = owner.open(desk.path, "POST", data={**fields, "edit": "1"})
    assert answer.status_code == 200
    assert re.search(r'name="enabled"[^>]* checked', answer.text)
    for name in ("threshold", "amount", "spending_cap"):
        assert f'value="{typed[name]}"' in answer.text
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_setting_it_up_without_a_card_saves_and_goes_on_to_the_card(
    desk: SettingsDesk, owner: Browser
) -> None:
    desk.ledger.accounts.remove_card(desk.id)
    wrong = desk.save(owner, enabled="1", threshold="7", amount="x", card="1")
    assert wrong.status_code == 422
    answer = desk.save(owner, enabled="1", threshold="7", amount="21", card="1")
    assert answer.headers["Location"] == f"/a/{desk.id}/settings/card"
    assert desk.account.topoff == TopoffSettings(enabled=True, threshold=7, amount=21)
    said = words_of(owner.open(answer.headers["Location"]).text)
    assert "Your settings are saved." in said
    assert "Auto Top-Off is on." in said
    assert "Set Up Auto Top-Off" not in said.partition("Card for automatic top-offs")[2]


def test_a_card_that_must_not_be_tried_again(desk: SettingsDesk, owner: Browser) -> None:
    desk.topoff(threshold=15, amount=20)
    desk.failed_topoff(lambda topoff_id: desk.decline(topoff_id, never_again=True))
    said = desk.says(owner)
    assert "The issuer of your card said not to try it again." in said
    assert "Update Payment Method" in said
    assert "By saving" not in said


def test_the_terms_of_what_is_typed(desk: SettingsDesk, owner: Browser) -> None:
    def terms(query: str, browser: Browser = owner) -> str:
        answer = browser.open(f"{desk.path}/terms?{query}")
        assert answer.status_code == 200
        assert "<html" not in answer.text
        return words_of(answer.text)

    assert terms("threshold=5&amount=20") == (
        f"$4.00 for each top-off of 20 credits, at $0.20 a credit. {CONSENT}"
    )
    assert NOW in terms("threshold=15&amount=20")
    assert terms("threshold=20&amount=20") == (
        "$4.00 for each top-off of 20 credits, at $0.20 a credit. "
        "The low-balance threshold must be lower than the top-up amount."
    )
    assert terms("threshold=5&amount=x") == (
        "The top-up amount must be a whole number from 1 to 1,000,000."
    )
    assert "must be a whole number" in terms("")
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_a_suggestion_from_ones_own_usage(desk: SettingsDesk, owner: Browser) -> None:
    assert "A suggestion" not in desk.copied().says(owner)
    use_up(desk)
    said = desk.says(owner)
    assert (
        "A suggestion from your own usage We suggest a low-balance threshold of 10 credits and a "
        "top-up amount of 70 credits. Your two busiest days in a row used 10 credits, and two "
        "weeks use about 70 credits."
    ) in said
    answer = desk.save(owner, enabled="1", threshold="x", amount="y", suggestion="1")
    assert answer.status_code == 200
    assert "The suggested numbers are filled in. Nothing is saved yet." in words_of(answer.text)
    assert re.search(r'name="enabled"[^>]* checked', answer.text), "as it was typed"
    assert re.search(r'name="threshold"[^>]* value="10"', answer.text)
    assert re.search(r'name="amount"[^>]* value="70"', answer.text)
    assert "Use these numbers" not in answer.text
    assert "$14.00 for each top-off of 70 credits" in words_of(answer.text)
    assert desk.account.topoff == DEFAULT_TOPOFF
    assert desk.requests == []
    assert is_saved(desk.save(owner, enabled="1", threshold="10", amount="70"), desk)


def test_a_suggestion_that_there_is_not(desk: SettingsDesk, owner: Browser) -> None:
    desk.copied()
    answer = desk.save(owner, enabled="1", threshold="7", amount="y", suggestion="1")
    assert answer.status_code == 200
    assert re.search(r'name="threshold"[^>]* value="7"', answer.text)
    assert "are filled in" not in words_of(answer.text)
    assert desk.account.topoff == DEFAULT_TOPOFF


def test_history_down(desk: SettingsDesk, owner: Browser, tmp_path: Path) -> None:
    use_up(desk)
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        assert "A suggestion" not in desk.says(owner)
        assert is_saved(desk.save(owner, enabled="1", threshold="5", amount="20"), desk)
    desk.scene.gate.parts.history.dispose()
    assert desk.account.topoff.enabled


def test_a_viewer_reads_and_changes_nothing(desk: SettingsDesk, scene: Scene) -> None:
    use_up(desk)
    desk.topoff(threshold=5, amount=20)
    viewer = scene.signed_in(VIEWER)
    said = desk.says(viewer)
    assert "Auto Top-Off On" in said
    assert "Low-balance threshold 5 credits" in said
    assert "Top-up amount 20 credits for $4.00" in said
    assert "An owner of the account can change this." in said
    main = desk.get(viewer).text.partition("<main")[2]
    assert "<form" not in main
    assert "<button" not in main
    before = desk.account
    answer = desk.save(viewer, page="/", threshold="6", amount="60")
    assert answer.status_code == 403
    assert desk.account == before


def test_who_else_may_and_may_not(desk: SettingsDesk, scene: Scene, owner: Browser) -> None:
    stranger = scene.signed_in(STRANGER)
    assert desk.get(stranger).status_code == 404
    assert desk.save(stranger, page="/", threshold="6", amount="60").status_code == 404
    nobody = scene.browser()
    assert nobody.open(desk.path).headers["Location"].startswith("/sign-in?")
    data = {"threshold": "6", "amount": "60"}
    assert owner.open(desk.path, "POST", data=data).status_code == 400
    assert desk.account.topoff == DEFAULT_TOPOFF
    assert is_saved(desk.save(scene.signed_in(ADMIN), threshold="6", amount="60"), desk)
    assert desk.account.topoff.threshold == 6


def test_the_page_is_a_tab_of_ai_receptionist(desk: SettingsDesk, owner: Browser) -> None:
    html = desk.get(owner).text
    tabs = html.partition('<nav class="tabs"')[2].partition("</nav>")[0]
    assert 'aria-current="page">Settings</a>' in tabs
    billing = owner.open(f"/a/{desk.id}/settings/billing").text
    assert f'<a href="{desk.path}">Set Up Auto Top-Off</a>' in billing
