"""The front doors: an account's own page, and the choice between several."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Member, Role
from gatekeeper.web.portal.account_state import account_state
from tests.ledger.desk import Desk
from tests.web.portal.billing_desk import BillingDesk, fail, history_gone, words_of
from tests.web.portal.calls_desk import CallsDesk
from tests.web.portal.conftest import ADMIN, OWNER, VIEWER, Scene


@pytest.fixture
def desk(scene: Scene) -> CallsDesk:
    return CallsDesk(scene).copied()


def front(desk: BillingDesk, email: str = OWNER) -> str:
    return desk.scene.signed_in(email).open("/", follow_redirects=True).text


@pytest.mark.parametrize("email", [OWNER, VIEWER])
def test_an_accounts_page_says_how_it_stands(desk: CallsDesk, email: str) -> None:
    desk.allotment(100).card().topoff(threshold=50, amount=200)
    call_sid = desk.called()
    desk.copied()
    page = front(desk, email)
    said = words_of(page)
    for words in ("In order", "99 credits", "left of 100", "Adds 200 credits below 50 credits"):
        assert words in said
    assert f'href="/a/{desk.id}/calls/{call_sid}"' in page
    assert f'href="/a/{desk.id}/calls"' in page
    assert "Able &lt;b&gt;&amp; Co" in page


def test_it_shows_the_last_five_calls(desk: CallsDesk) -> None:
    desk.allotment(10)
    made = [desk.called(at_ms=at_ms) for at_ms in range(1_700_000_000_000, 1_700_000_007_000, 1000)]
    desk.copied()
    shown = re.findall(r"/calls/(CA[0-9a-f]{32})", front(desk))
    assert shown == made[:-6:-1]


def test_an_account_without_calls_says_so(desk: CallsDesk) -> None:
    said = words_of(front(desk))
    assert "No calls yet" in said
    assert "Nothing is charged by itself" in said


def test_without_history_the_rest_is_shown(desk: CallsDesk, tmp_path: Path) -> None:
    desk.allotment(3)
    desk.scene.gate.parts.history.dispose()
    with history_gone(tmp_path / "history.sqlite"):
        said = words_of(front(desk))
    assert "3 credits" in said
    assert "Calls cannot be shown right now." in said


def _suspend(desk: Desk) -> None:
    desk.ledger.accounts.update_account(desk.id, suspended="1")


def _overdraw(desk: BillingDesk) -> None:
    desk.card().topoff(threshold=5, amount=20)
    desk.answered(1)


def _fail_with_credits_left(desk: BillingDesk) -> None:
    desk.allotment(3)
    fail(desk, FailureReason.DECLINED)


STATES: dict[str, Callable[[BillingDesk], object]] = {
    "In order": lambda desk: desk.allotment(60).topoff(on=False, threshold=50, amount=200),
    "Low balance": lambda desk: desk.allotment(40).topoff(on=False, threshold=50, amount=200),
    "Top-off failed": _fail_with_credits_left,
    "Overdraft": _overdraw,
    "Calls are dropped": lambda desk: desk.topoff(on=False, threshold=5, amount=20),
    "Suspended": _suspend,
}


@pytest.mark.parametrize("words", STATES)
def test_the_choice_says_how_each_account_stands(desk: CallsDesk, words: str) -> None:
    STATES[words](desk)
    desk.ledger.members.set_member(desk.scene.baker, Member(OWNER, Role.VIEWER))
    page = desk.scene.signed_in(OWNER).open("/").text
    first = page.partition(f'href="/a/{desk.id}/"')[2].partition("</a>")[0]
    assert "Able &lt;b&gt;&amp; Co" in first
    assert words in first
    assert re.search(r"-?[\d,]+ credits?", first)
    assert account_state(desk.account).words == words


def test_an_admin_who_is_a_member_chooses_too(desk: CallsDesk) -> None:
    desk.ledger.members.set_member(desk.id, Member(ADMIN, Role.OWNER))
    page = desk.scene.signed_in(ADMIN).open("/").text
    assert f'href="/a/{desk.id}/"' in page
    assert 'href="/admin/">All accounts</a>' in page


def test_who_has_no_account_is_told_what_to_do(scene: Scene) -> None:
    browser = scene.browser()
    browser.put_session(scene.ledger.sessions.start("nobody@example.com", ""))
    said = words_of(browser.open("/").text)
    assert "You are not a member of any account" in said
    assert "nobody@example.com" in said
    assert "Sign out" in said


# Auto top-off, in Billing's words, and the button that buys


TOPOFFS: dict[str, Callable[[CallsDesk], object]] = {
    "Off Nothing is charged by itself": lambda desk: desk.topoff(on=False, threshold=5, amount=20),
    "On A charge is on its way": lambda desk: desk.card().topoff(threshold=5, amount=20),
    "On The last charge failed": lambda desk: fail(desk, FailureReason.DECLINED),
    "On Adds 20 credits below 5 credits": lambda desk: (
        desk.allotment(9).card().topoff(threshold=5, amount=20)
    ),
    "On No card is attached": lambda desk: desk.allotment(9).topoff(threshold=5, amount=20),
    "On Nothing is charged while the account is suspended": lambda desk: _suspend(
        desk.allotment(9).card().topoff(threshold=5, amount=20)
    ),
}


@pytest.mark.parametrize("words", TOPOFFS)
def test_it_says_how_auto_topoff_stands(desk: CallsDesk, words: str) -> None:
    TOPOFFS[words](desk)
    assert f"Auto Top-Off {words} Billing" in words_of(front(desk))


@pytest.mark.parametrize("page", ["", "settings/billing"])
def test_credits_are_bought_beside_the_balance_by_whoever_may_pay(
    desk: CallsDesk, page: str
) -> None:
    path = f"/a/{desk.id}/{page}"
    button = f'<a class="button small" href="/a/{desk.id}/buy">Buy Credits</a>'
    assert button in desk.scene.signed_in(OWNER).open(path).text
    viewers = desk.scene.signed_in(VIEWER).open(path).text
    assert "Buy Credits" not in viewers
    assert "See Auto Top-Off" in viewers
