"""The list of accounts: everybody is in it, and found by whatever one has of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.history.engine import writing
from gatekeeper.history.tables import accounts as directory
from gatekeeper.web.portal.admin_words import admin_states
from tests.ledger.desk import new_call
from tests.web.portal.admin_desk import AdminDesk
from tests.web.portal.billing_desk import CARD, an_account, fail, history_gone
from tests.web.portal.conftest import OWNER, Scene

NUMBER = "+15550001111"


@pytest.fixture
def desk(scene: Scene) -> AdminDesk:
    return AdminDesk(scene)


def test_everybody_is_listed_and_led_to(desk: AdminDesk) -> None:
    html = desk.copied().get().text
    assert "Able &lt;b&gt;&amp; Co" in html
    assert "<b>&" not in html
    assert desk.listed() == [desk.scene.able, desk.scene.baker]
    assert "Able <b>& Co" in desk.says(desk.account_path(desk.scene.able))
    assert 'href="/ops/queues/"' in html
    assert ">Metrics<" not in html


def test_metrics_are_linked_where_they_are_served(make_scene: Callable[..., Scene]) -> None:
    desk = AdminDesk(make_scene(ops_username="oncall", ops_password="secret"))
    assert 'href="/metrics"' in desk.copied().get().text


def test_admins_find_these_pages_and_nobody_else(scene: Scene) -> None:
    desk = AdminDesk(scene)
    html = desk.copied().get().text
    assert '<a href="/admin/">Administration</a>' in html
    for path in ("/admin/", "/admin/incidents", "/admin/dropped"):
        assert f'<a href="{path}"' in html
    owner = scene.signed_in(OWNER)
    assert "/admin/" not in owner.open(f"/a/{scene.able}/").text
    for path in ("/admin/", desk.account_path(scene.able), "/admin/incidents", "/admin/dropped"):
        assert owner.open(path).status_code == 404


@pytest.mark.parametrize(
    "text", ["able", "ABLE <B>", "owner@", "OWNER@example.com", " b>& ", "ble"]
)
def test_an_account_is_found_by_part_of_name_or_address(desk: AdminDesk, text: str) -> None:
    assert desk.copied().listed(q=text) == [desk.scene.able]


@pytest.mark.parametrize("text", ["nobody", "%", "_", "able%", "\x00", "acct_000000000000"])
def test_what_is_in_no_name_finds_nothing(desk: AdminDesk, text: str) -> None:
    said = desk.copied().says(q=text)
    assert "Nothing found" in said or text == "\x00"


def test_a_name_that_changed_is_found_by_the_new_one_alone(desk: AdminDesk) -> None:
    desk.copied()
    desk.ledger.accounts.update_account(desk.scene.baker, name="Straße & Söhne")
    desk.copied()
    assert desk.listed(q="STRASSE") == desk.listed(q="söhne") == [desk.scene.baker]
    assert desk.listed(q="Baker") == []


@pytest.mark.parametrize("written", [NUMBER, "+1 555 000-1111", "+1 (555) 000.1111"])
def test_an_account_is_found_by_its_number(desk: AdminDesk, written: str) -> None:
    desk.ledger.numbers.assign_number(NUMBER, desk.scene.able)
    answer = desk.get(q=written)
    assert answer.headers["Location"] == desk.account_path(desk.scene.able)


@pytest.mark.parametrize("written", ["12125550134", "(212) 555-0134", "1 212.555.0134"])
def test_a_number_is_found_without_its_plus_or_its_country(desk: AdminDesk, written: str) -> None:
    desk.ledger.numbers.assign_number("+12125550134", desk.scene.able)
    answer = desk.get(q=written)
    assert answer.headers["Location"] == desk.account_path(desk.scene.able)


def test_digits_that_may_be_two_numbers_lead_to_neither(desk: AdminDesk) -> None:
    desk.ledger.numbers.assign_number("+12125550134", desk.scene.able)
    desk.ledger.numbers.assign_number("+2125550134", desk.scene.baker)
    assert "Nothing found" in desk.copied().says(q="(212) 555-0134")


def test_ids_lead_to_their_account(desk: AdminDesk) -> None:
    able = desk.scene.able
    for text in (able, f" {able} ", f"{able}-0123456789ab"):
        assert desk.get(q=text).headers["Location"] == desk.account_path(able)
    for nobodys in ("+15559999999", "acct_000000000000-0123456789ab"):
        assert "Nothing found" in desk.says(q=nobodys)


def test_a_call_leads_to_why_it_went_so(desk: AdminDesk) -> None:
    able = desk.desk(desk.scene.able)
    call = new_call()
    able.call(call)
    desk.copied()
    to_call = desk.get(q=call.call_sid)
    assert to_call.headers["Location"] == f"/admin/calls/{call.call_sid}"
    why = desk.get(to_call.headers["Location"])
    assert why.headers["Location"] == f"/a/{able.id}/calls/{call.call_sid}"
    said = desk.says(why.headers["Location"])
    assert "Acting on behalf of Able" in said
    assert "The call was dropped because the balance was 0" in said
    assert "There is no such call" in desk.after(desk.get(f"/admin/calls/CA{'f' * 32}"))
    assert "There is no such call" in desk.after(desk.get("/admin/calls/x"))


def test_lists_go_on_page_after_page(desk: AdminDesk) -> None:
    opened = [desk.open_account(f"Customer {number:03d}") for number in range(110)]
    desk.copied()
    assert desk.listed(q="customer") == opened
    everybody = [desk.scene.able, desk.scene.baker, *opened]
    assert desk.listed() == everybody
    for order in ("last-call", "balance", "opened"):
        assert sorted(desk.listed(sort=order)) == sorted(everybody)
    assert desk.get(after="x").status_code == 400
    assert desk.get(after="1:acct_000000000000", sort="name").status_code == 200
    assert desk.get(after="one:acct_000000000000", sort="balance").status_code == 400
    assert desk.get(after=f"\x00:{opened[0]}").status_code == 400


def test_orders(desk: AdminDesk) -> None:
    rich = desk.open_account("Aaron", credits=50)
    desk.desk(rich).call()
    able, baker = desk.scene.able, desk.scene.baker
    desk.desk(able).call()
    desk.ledger.accounts.add_credits(able, 3, reference="gift", cause="test")
    desk.copied()
    assert desk.listed(sort="name") == desk.listed(sort="nonsense") == [rich, able, baker]
    assert desk.listed(sort="balance") == [baker, able, rich]
    assert desk.listed(sort="last-call")[2] == baker
    assert desk.says(q="baker").count("Never") == 1


def test_state_and_balance_are_those_of_this_moment(desk: AdminDesk) -> None:
    desk.copied()
    able = desk.desk(desk.scene.able)
    fail(able, FailureReason.DECLINED)
    desk.ledger.accounts.add_credits(able.id, 1234, reference="gift", cause="test")
    desk.ledger.accounts.update_account(desk.scene.baker, suspended="1")
    said = desk.says()
    assert "Your card was declined" in said
    assert "1,234" in said
    assert "Suspended" in said


def test_an_account_that_the_ledger_lacks_is_listed_all_the_same(desk: AdminDesk) -> None:
    desk.copied()
    own = desk.ledger.keys.of_account(desk.scene.baker)
    desk.ledger.client.delete(own.account, own.profile)
    assert "Baker" in desk.says()
    assert "Not in the ledger" in desk.says()
    assert desk.get(desk.account_path(desk.scene.baker)).status_code == 404


def test_an_account_that_was_never_copied_is_listed(desk: AdminDesk) -> None:
    """Entries of a version before told no names, and were copied before there was a directory."""
    desk.copied()
    with writing(desk.scene.gate.parts.history) as connection:
        connection.execute(directory.delete())
    assert desk.listed() == []
    assert "No accounts yet" in desk.says()
    assert desk.copied().listed() == [desk.scene.able, desk.scene.baker]


def test_without_history_ids_and_numbers_still_lead_on(desk: AdminDesk, tmp_path: Path) -> None:
    desk.ledger.numbers.assign_number(NUMBER, desk.scene.able)
    desk.copied()
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        answer = desk.get(q="able")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert "The list cannot be shown right now" in answer.text
        assert desk.get(f"/admin/calls/CA{'0' * 32}").status_code == 503
        for text in (desk.scene.able, NUMBER):
            path = desk.get(q=text).headers["Location"]
            assert "The log cannot be shown right now" in desk.says(path)
    assert desk.listed(q="able") == [desk.scene.able]


def test_states_say_all_that_may_need_a_look() -> None:
    def words(**changes: object) -> list[str]:
        return [state.words for state in admin_states(an_account(**changes))]

    topoff_off = an_account().topoff.__class__(enabled=False, threshold=5, amount=20)
    assert words() == ["In order"]
    assert words(card=CARD, topoff_id="acct_000000000001-1") == ["Charge in flight"]
    assert words(topoff_capped=True) == ["Spending cap reached"]
    assert words(allotment=0, purchased=-3, topoff=topoff_off, suspended=True) == [
        *("Suspended", "Overdraft", "Auto top-off off"),
    ]
    assert words(allotment=0, purchased=0, blocked_by=FailureReason.NO_PAYMENT_METHOD) == [
        "Calls are dropped",
        "No payment method set for automatic top-offs",
    ]
