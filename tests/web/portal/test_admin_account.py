"""One account before the product's own people: its log, corrections, suspension, retry."""

from __future__ import annotations

import pytest

from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.accounts import Accounts
from tests.ledger.desk import Desk, new_call
from tests.web.portal.admin_desk import BY, AdminDesk
from tests.web.portal.billing_desk import fail, retry_fields, words_of
from tests.web.portal.conftest import OWNER, VIEWER, Scene

NUMBER = "+15550001111"
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def desk(scene: Scene) -> AdminDesk:
    return AdminDesk(scene)


@pytest.fixture
def able(desk: AdminDesk) -> Desk:
    return desk.desk(desk.scene.able)


def test_the_page_tells_who_and_what_the_account_is(desk: AdminDesk, able: Desk) -> None:
    able.card()
    desk.ledger.numbers.assign_number(NUMBER, able.id)
    path = desk.account_path(able.id)
    said = desk.says(path)
    for fact in (able.id, OWNER, f"{OWNER}, owner", f"{VIEWER}, viewer", NUMBER, "No allotment"):
        assert fact in said
    assert "Visa ending in 4242, until 12/2031" in said
    html = desk.get(path).text
    assert f'href="/a/{able.id}/"' in html
    assert "Able <b>" not in html
    assert "cus_1" not in html
    for nobodys in ("acct_000000000000", "acct_*", "%2e%2e"):
        assert desk.get(desk.account_path(nobodys)).status_code == 404
        assert desk.get(f"{desk.account_path(nobodys)}/suspension").status_code == 404


def test_the_log_tells_what_happened_and_who_did_it(desk: AdminDesk, able: Desk) -> None:
    by = "<i>ada</i>@example.com"
    accounts = desk.ledger.accounts
    failed = fail(able, FailureReason.DECLINED)
    accounts.add_credits(able.id, 40, reference="gift", cause="=goodwill <b>", by=by)
    accounts.update_account(able.id, by=by, timezone="Europe/Berlin")
    call = new_call()
    able.call(call)
    desk.copied()
    path = desk.account_path(able.id)
    html = desk.get(path).text
    assert "<i>ada" not in html
    assert "<b>" not in html
    said = words_of(html)
    for told in (
        "Account opened",
        f"Credits added =goodwill <b> {by} +40 40",
        f"Account changed: time zone Europe/Berlin {by} — 40",
        f"Call answered From purchased credits — {MINUS}1 39",
        f"Top-off requested {failed}",
        "Auto top-off Failed, $5.00, Your card was declined",
    ):
        assert told in said, told
    assert f'href="/admin/calls/{call.call_sid}"' in html


def test_the_log_goes_on_page_after_page(desk: AdminDesk, able: Desk) -> None:
    for number in range(60):
        desk.ledger.accounts.add_credits(able.id, 1, reference=f"gift-{number}", cause="test")
    desk.copied()
    first = desk.get(desk.account_path(able.id)).text
    assert first.count(">Credits added") == 50
    older = first.partition('rel="next" href="')[2].partition("#")[0]
    rest = desk.get(older).text
    assert (rest.count(">Credits added"), rest.count(">Account opened")) == (10, 1)
    assert desk.get(f"{desk.account_path(able.id)}?after=nonsense").status_code == 200


def test_credits_are_added_with_who_and_why(desk: AdminDesk, able: Desk) -> None:
    answer = desk.correct(able.id, direction="add", credits="50", reason=" an outage ")
    said = desk.after(answer)
    assert "50 credits added." in said
    assert "Balance 50 credits" in said
    entry = desk.last_entry(able.id)
    assert (entry.type, entry.cause, entry.detail) == (EntryType.CREDITS_ADDED, "an outage", BY)
    taken = desk.correct(able.id, direction="remove", credits="20", reason="too many")
    assert "20 credits removed." in desk.after(taken)
    entry = desk.last_entry(able.id)
    assert (entry.type, entry.purchased) == (EntryType.CREDITS_REMOVED, 30)


def test_a_form_sent_twice_adds_once(desk: AdminDesk, able: Desk) -> None:
    token = desk.form_token(able.id)
    fields = {"token": token, "direction": "add", "credits": "50", "reason": "gift"}
    assert "50 credits added." in desk.after(desk.correct(able.id, **fields))
    assert "This was done before" in desk.after(desk.correct(able.id, **fields))
    assert able.account.balance == 50
    changed = desk.correct(able.id, **fields | {"credits": "60"})
    assert changed.status_code == 422
    assert "was used before for another change" in changed.text
    assert f'value="{token}"' not in changed.text
    assert able.account.balance == 50
    assert "50 credits added." in desk.after(desk.correct(able.id, **fields | {"token": ""}))
    assert able.account.balance == 100


@pytest.mark.parametrize("credits", ["", "0", "-5", "1.5", "x<b>", "1000001", "9" * 40])
def test_what_is_no_number_of_credits(desk: AdminDesk, able: Desk, credits: str) -> None:
    answer = desk.correct(able.id, direction="remove", credits=credits, reason="<i>kept</i>")
    assert answer.status_code == 422
    assert "Enter a whole number of credits from 1 to 1,000,000." in answer.text
    assert 'value="&lt;i&gt;kept&lt;/i&gt;"' in answer.text
    assert '<option value="remove" selected>' in answer.text
    assert able.account.balance == 0


@pytest.mark.parametrize("reason", ["", "   ", "a\nb", "\x00", "x" * 201])
def test_a_correction_needs_a_reason(desk: AdminDesk, able: Desk, reason: str) -> None:
    answer = desk.correct(able.id, direction="add", credits="5", reason=reason)
    assert (answer.status_code, able.account.balance) == (422, 0)
    assert "Say why, in 1 to 200 characters." in answer.text
    assert 'value="5"' in answer.text


def test_no_more_is_removed_than_there_is(desk: AdminDesk, able: Desk) -> None:
    desk.ledger.accounts.add_credits(able.id, 1200, reference="gift", cause="test")
    answer = desk.correct(able.id, direction="remove", credits="1201", reason="too many")
    assert (answer.status_code, able.account.balance) == (422, 1200)
    assert "Only 1,200 purchased credits can be removed." in answer.text


def test_a_form_of_nobodys_changes_nothing(desk: AdminDesk, able: Desk) -> None:
    path = desk.account_path(able.id)
    for token in ({}, {"token": "x"}, {"token": "x" * 65}, {"token": "a:b" * 10}):
        fields = {"credits": "5", "reason": "gift", **token}
        assert desk.browser.submit(f"{path}/credits", page=path, **fields).status_code == 422
    unknown = desk.browser.submit("/admin/accounts/acct_000000000000/credits", page=path)
    assert (unknown.status_code, able.account.balance) == (404, 0)


def _set_suspension(desk: AdminDesk, account_id: str, wanted: str) -> str:
    path = f"{desk.account_path(account_id)}/suspension"
    return desk.after(desk.browser.submit(path, page=path, wanted=wanted))


def test_an_account_is_suspended_and_resumed_after_a_question(desk: AdminDesk, able: Desk) -> None:
    path = f"{desk.account_path(able.id)}/suspension"
    assert "Suspend this account?" in desk.says(path)
    assert not able.account.suspended
    assert "The account is suspended" in _set_suspension(desk, able.id, "suspend")
    assert able.account.suspended
    entry = desk.last_entry(able.id)
    assert (entry.type, entry.cause, entry.note) == (EntryType.ACCOUNT_CHANGED, "suspended", BY)
    entries = len(list(desk.ledger.log.entries(able.id)))
    _set_suspension(desk, able.id, "suspend")
    assert len(list(desk.ledger.log.entries(able.id))) == entries
    assert "Lift the suspension?" in desk.says(path)
    assert "The suspension is lifted" in _set_suspension(desk, able.id, "lift")
    assert not able.account.suspended
    assert desk.browser.submit(path, page=path, wanted="else").status_code == 422


def test_a_failed_charge_is_retried_as_from_the_billing_page(desk: AdminDesk, able: Desk) -> None:
    fail(able, FailureReason.DECLINED)
    path = desk.account_path(able.id)
    html = desk.get(path).text
    assert "generic_decline" in html
    assert "a retry charges $4.00 for 20 credits to your Visa ending in 4242." in html
    retry = f"/a/{able.id}/settings/billing/retry"
    assert f'action="{retry}"' in html
    answer = desk.browser.open(retry, "POST", data=retry_fields(html))
    assert "The charge is being tried again." in desk.after(answer)
    assert desk.last_entry(able.id).detail == BY
    assert "A charge of $4.00 for 20 credits is on its way" in desk.says(path)


def test_without_a_card_there_is_nothing_to_retry(desk: AdminDesk, able: Desk) -> None:
    fail(able, FailureReason.NO_PAYMENT_METHOD)
    html = desk.get(desk.account_path(able.id)).text
    assert "/retry" not in html
    assert "Its owner has to attach a card first." in html


def test_two_admins_correct_as_themselves(desk: AdminDesk) -> None:
    """An admin who owns an account acts on these pages as an admin all the same."""
    mine = desk.open_account("Mine", BY.partition(" ")[0])
    desk.correct(mine, direction="add", credits="5", reason="gift")
    assert desk.last_entry(mine).detail == BY


def test_the_reference_is_of_the_form(desk: AdminDesk, able: Desk) -> None:
    token = desk.form_token(able.id)
    desk.correct(able.id, token=token, direction="add", credits="5", reason="gift")
    accounts: Accounts = desk.ledger.accounts
    assert not accounts.add_credits(able.id, 5, reference=f"portal-{token}", cause="gift")
