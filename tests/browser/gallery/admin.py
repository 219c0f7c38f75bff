"""The pages of the product's own people in every state, of a portal with accounts of all kinds."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from gatekeeper.domain.account import NewAccount
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.client import connect
from gatekeeper.relay.history import HistoryCopy
from tests.browser.gallery.people import State
from tests.ledger.desk import Desk
from tests.web.gate import Gate
from tests.web.portal.billing_desk import fail
from tests.web.portal.conftest import ADMIN, KEY

_NAMES = (
    "Bright Smile Dental",
    "Cedar & Sons Plumbing",
    "Donaudampfschifffahrtsgesellschaftskapitän GmbH",
    "Evergreen Veterinary Clinic of the Greater Northern Valley and Hills",
    "Fifth Avenue Law",
)
IDS = SMILE, CEDAR, DANUBE, EVERGREEN, FIFTH = tuple(f"acct_{n:012d}" for n in range(1, 6))


def admin_gate(redis_url: str, folder: Path) -> Gate:
    """A portal with a healthy account and four that have to be looked at."""
    with connect(redis_url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    gate = Gate(
        redis_url,
        public_url="http://127.0.0.1",
        secret_key=KEY,
        admin_emails=ADMIN,
        ops_username="oncall",
        ops_password="secret",
        database_url=f"sqlite:///{folder / 'history.sqlite'}",
    )
    ledger = gate.parts.ledger
    for account_id, name in zip(IDS, _NAMES, strict=True):
        email = f"office-of-the-owner@{'clinic-' * int(account_id[-1])}x.example"
        allotment = 500 if account_id == SMILE else 0
        ledger.accounts.open_account(NewAccount(account_id, name, email, allotment))
    _live(gate)
    HistoryCopy(ledger, gate.parts.history).copy_all()
    return gate


def _live(gate: Gate) -> None:
    ledger = gate.parts.ledger
    smile, cedar, danube, evergreen, fifth = (_desk(gate, account_id) for account_id in IDS)
    smile.card().topoff(threshold=50, amount=200)
    ledger.numbers.assign_number("+12125550134", smile.id)
    ledger.accounts.add_credits(
        smile.id,
        40,
        reference="gift",
        cause="Sorry for the outage of Monday",
        by=f"{ADMIN} (admin)",
    )
    ledger.accounts.update_account(smile.id, by=ADMIN, timezone="America/New_York")
    for desk in (smile, cedar, danube, fifth):
        for _ in range(3):
            desk.call()
    fail(cedar, FailureReason.DECLINED)
    fail(danube, FailureReason.NO_PAYMENT_METHOD)
    evergreen.card().topoff(threshold=20, amount=100)
    ledger.accounts.update_account(fifth.id, suspended="1", by=f"{ADMIN} (admin)")
    fifth.call()


def _desk(gate: Gate, account_id: str) -> Desk:
    desk = Desk(gate.parts.ledger)
    desk.id = account_id
    return desk


def _refuse_correction(page: Page) -> None:
    page.get_by_label("How many").fill("many")
    page.get_by_role("button", name="Correct").click()


def admin_states() -> dict[str, State]:
    """Each state by what a person would call it."""
    pages = {
        "accounts": "/admin/",
        "accounts-found": "/admin/?q=smile",
        "accounts-not-found": "/admin/?q=nobody",
        "account": f"/admin/accounts/{SMILE}",
        "account-failed": f"/admin/accounts/{CEDAR}",
        "account-without-card": f"/admin/accounts/{DANUBE}",
        "account-charged": f"/admin/accounts/{EVERGREEN}",
        "account-suspended": f"/admin/accounts/{FIFTH}",
        "suspend": f"/admin/accounts/{SMILE}/suspension",
        "resume": f"/admin/accounts/{FIFTH}/suspension",
        "incidents": "/admin/incidents",
        "dropped": "/admin/dropped",
        "on-behalf": f"/a/{SMILE}/",
    }
    return {name: State(path, ADMIN) for name, path in pages.items()} | {
        "account-refused": State(f"/admin/accounts/{SMILE}", ADMIN, _refuse_correction),
    }
