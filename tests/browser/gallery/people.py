"""The pages about people, signed in and not, in every state: real pages of a real portal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page

from gatekeeper.domain.account import NewAccount, TopoffSettings
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.client import connect
from gatekeeper.relay.history import HistoryCopy
from tests.ledger.desk import NUMBER, new_call
from tests.web.gate import Gate
from tests.web.portal.conftest import KEY

ACCOUNT_ID, EMPTY_ID = "acct_000000000001", "acct_000000000002"
DANA, LEE, EVE = "dana@brightsmile.example", "lee@accounting.example", "eve@example.com"
#: As long as an address may be.
LONG = f"{'very-long-name-' * 4}@{'a-department-of-' * 3}clinic.example"

_ACCESS = f"/a/{ACCOUNT_ID}/settings/access"
_EMAILS = f"/a/{ACCOUNT_ID}/settings/emails"


@dataclass(frozen=True)
class State:
    """A page as it is opened by somebody, if by anybody, and what they do on it then."""

    path: str
    email: str = ""
    act: Callable[[Page], object] = lambda _: None


def _refuse_address(page: Page) -> None:
    page.get_by_label("E-mail address").fill("no address")
    page.get_by_role("button", name="Send me a link").click()


def _refuse_invitation(page: Page) -> None:
    page.get_by_label("E-mail address").fill("no address")
    page.get_by_role("button", name="Invite").click()


def _ask_to_remove(page: Page) -> None:
    page.get_by_role("button", name=f"Remove {LEE}").click()


def _save_too_late(page: Page) -> None:
    """Choose something for a member who seems to have been changed since the page was opened."""
    page.locator("input[name=made_from]").last.evaluate("it => { it.value = 'otherwise' }")
    page.get_by_role("checkbox").last.click()
    page.get_by_role("button", name="Save").click()


def people_gate(redis_url: str, folder: Path) -> Gate:
    """A portal with two accounts and three members: an owner, a viewer, one with a long address."""
    with connect(redis_url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    gate = Gate(
        redis_url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        support_email="help@example.com",
        database_url=f"sqlite:///{folder / 'history.sqlite'}",
    )
    ledger = gate.parts.ledger
    zone = "America/New_York"
    for account_id, name, allotment in (
        (ACCOUNT_ID, "Bright Smile Dental", 500),
        (EMPTY_ID, "Bright Smile West", 0),
    ):
        ledger.accounts.open_account(NewAccount(account_id, name, DANA, allotment, zone))
    ledger.accounts.set_topoff(ACCOUNT_ID, TopoffSettings(enabled=True, threshold=50, amount=200))
    urgent = frozenset({NoticeKind.TOPOFF_FAILED, NoticeKind.CALLS_DROPPED})
    ledger.members.set_member(ACCOUNT_ID, Member(DANA, Role.OWNER, frozenset(NoticeKind) - urgent))
    ledger.members.set_member(ACCOUNT_ID, Member(LEE, Role.VIEWER))
    ledger.members.set_member(ACCOUNT_ID, Member(LONG, Role.OWNER, frozenset()))
    for _ in range(6):
        ledger.calls.admit_call(ACCOUNT_ID, new_call(), NUMBER)
    HistoryCopy(ledger, gate.parts.history).copy_all()
    return gate


def people_states(gate: Gate) -> dict[str, State]:
    """Each state by what a person would call it."""
    sign_ins, links = gate.parts.ledger.sign_ins, gate.parts.sign_in_links
    link, to_known, to_nobody = (
        links.url(link_id).removeprefix("http://127.0.0.1")
        for link_id in (
            sign_ins.new_link(DANA),
            sign_ins.invite(DANA, EMPTY_ID),
            sign_ins.invite(EVE, ACCOUNT_ID),
        )
    )
    return {
        "sign-in": State("/sign-in"),
        "sign-in-refused": State("/sign-in", act=_refuse_address),
        "sign-in-sent": State("/sign-in/sent"),
        "link": State(link),
        "link-dead": State("/sign-in/link/none"),
        "invited-known": State(to_known),
        "invited-taken-back": State(to_nobody),
        "no-account": State("/", EVE),
        "choose": State("/", DANA),
        "home": State(f"/a/{ACCOUNT_ID}/", DANA),
        "home-empty": State(f"/a/{EMPTY_ID}/", DANA),
        "not-found": State("/a/acct_00000000000x/", DANA),
        "access": State(_ACCESS, DANA),
        "access-of-one": State(f"/a/{EMPTY_ID}/settings/access", DANA),
        "access-refused": State(_ACCESS, DANA, _refuse_invitation),
        "access-remove": State(_ACCESS, DANA, _ask_to_remove),
        "access-viewer": State(_ACCESS, LEE),
        "emails": State(_EMAILS, DANA),
        "emails-changed": State(_EMAILS, DANA, _save_too_late),
        "emails-viewer": State(_EMAILS, LEE),
    }


def open_state(page: Page, gate: Gate, base_url: str, state: State) -> None:
    """Open a page in a state."""
    page.context.clear_cookies()
    if state.email:
        agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
        token = gate.parts.ledger.sessions.start(state.email, agent)
        page.context.add_cookies([{"name": "gatekeeper", "value": token, "url": base_url}])
    page.goto(state.path)
    state.act(page)
