"""What one can do on the Billing tab: retry a charge, fetch a receipt, take the history along."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator

import pytest

from gatekeeper.domain.entry import EntryType
from gatekeeper.history.export import STATEMENT_HEADER
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments.charging import ChargeOutcome, charge_topoff
from gatekeeper.sandbox.stripe import SandboxControl, SandboxStripe
from tests.ledger.desk import PRICE_MINOR
from tests.payments.till import Till
from tests.web.portal.billing_desk import BillingDesk, words_of
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(webhook_secret="whsec_0") as sandbox:
        yield sandbox


@pytest.fixture
def scene(make_scene: Callable[..., Scene], stripe: SandboxStripe) -> Scene:
    return make_scene(stripe_api_base=stripe.base_url)


@pytest.fixture
def desk(scene: Scene) -> BillingDesk:
    """An account whose top-off was declined."""
    desk = BillingDesk(scene)
    desk.card().topoff(amount=20)
    desk.failed_topoff(desk.decline)
    return desk


def _requests(desk: BillingDesk) -> list[tuple[str, str]]:
    """Why each top-off was requested, and by whom."""
    entries = desk.ledger.log.entries(desk.id)
    return [(one.cause, one.detail) for one in entries if one.type is EntryType.TOPOFF_REQUESTED]


@pytest.mark.parametrize(("person", "by"), [(OWNER, OWNER), (ADMIN, f"{ADMIN} (admin)")])
def test_a_retry_is_asked_for_once_and_says_by_whom(
    desk: BillingDesk, scene: Scene, person: str, by: str
) -> None:
    browser = scene.signed_in(person)
    fields = desk.retry_fields(browser)
    answer = browser.open(f"{desk.path}/retry", "POST", data=fields)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{desk.path}#charge")
    said = desk.says(browser)
    assert "The charge is being tried again." in said
    assert "A charge is on its way" in said
    browser.open(f"{desk.path}/retry", "POST", data=fields)
    assert "A charge is on its way already." in desk.says(browser)
    assert _requests(desk) == [("automatic", ""), ("retry", by)]


def test_a_retry_says_beforehand_what_it_charges(desk: BillingDesk, scene: Scene) -> None:
    desk.ledger.accounts.update_account(desk.id, price_minor=str(PRICE_MINOR))
    said = desk.says(browser := scene.signed_in(OWNER))
    assert "A retry charges $5.00 for 20 credits to your Visa ending in 4242." in said
    desk.topoff(amount=2_000)
    said = desk.says(browser)
    assert "$5.00 for 20 credits" in said, "what failed"
    assert (
        "Your settings or the price have changed since: a retry charges $500.00 for 2,000 credits "
        "to your Visa ending in 4242."
    ) in said
    desk.retry(browser)
    assert desk.ledger.topoffs.topoff(desk.account.topoff_id).credits == 2_000


@pytest.mark.parametrize("change", ["amount", "price", "nothing said"])
def test_a_retry_charges_what_the_page_said_or_nothing(
    desk: BillingDesk, scene: Scene, change: str
) -> None:
    fields = desk.retry_fields(browser := scene.signed_in(OWNER))
    if change == "amount":
        desk.topoff(amount=2_000)
    elif change == "price":
        desk.ledger.accounts.update_account(desk.id, price_minor="35")
    else:
        del fields["credits"], fields["price_minor"]
    browser.open(f"{desk.path}/retry", "POST", data=fields)
    said = desk.says(browser)
    assert "so nothing was charged. Below stands what a retry charges now." in said
    assert desk.account.topoff_id == ""
    desk.retry(browser)
    assert desk.account.topoff_id


def test_a_retry_of_what_is_resolved_charges_nothing(desk: BillingDesk, scene: Scene) -> None:
    browser, incident = scene.signed_in(OWNER), desk.account.incident_id
    desk.topoff(on=False)
    for strange in (incident, "", "acct_000000000000-000000000000"):
        browser.submit(f"{desk.path}/retry", page=desk.path, incident=strange)
        assert "There is nothing to retry any more." in desk.says(browser)
    assert desk.account.topoff_id == ""


def test_who_may_not_retry(desk: BillingDesk, scene: Scene) -> None:
    incident, retry = desk.account.incident_id, f"{desk.path}/retry"
    for person, status in ((VIEWER, 403), (STRANGER, 404)):
        browser = scene.signed_in(person)
        assert browser.submit(retry, page="/", incident=incident).status_code == status
    owner = scene.signed_in(OWNER)
    assert owner.open(retry, "POST", data={"incident": incident}).status_code == 400
    assert owner.open(retry).status_code == 405
    theirs = f"/a/{scene.baker}/settings/billing/retry"
    assert owner.submit(theirs, page="/", incident=incident).status_code == 404
    assert _requests(desk) == [("automatic", "")]


def _paid(desk: BillingDesk, stripe: SandboxStripe) -> None:
    """Let Stripe really charge a top-off."""
    parts = desk.scene.gate.parts
    till = Till(desk.ledger, SandboxControl(stripe.base_url), stripe.base_url)
    desk.ledger.accounts.set_card(desk.id, till.new_card("4242424242424242"))
    charged = charge_topoff(
        desk.account.topoff_id,
        topoffs=desk.ledger.topoffs,
        stripe=parts.stripe,
        price_minor=parts.settings.credit_price,
        currency=parts.settings.currency,
        clock=wall_clock_ms,
    )
    assert charged.outcome is ChargeOutcome.SUCCEEDED


def test_a_receipt_is_fetched_from_stripe(
    desk: BillingDesk, scene: Scene, stripe: SandboxStripe
) -> None:
    _paid(desk, stripe)
    desk.copied()
    browser = scene.signed_in(VIEWER)
    html = desk.get(browser).text
    said = words_of(html)
    assert "Auto top-off" in said
    assert "Paid $4.00 +20" in said
    assert "Your card was declined" in said
    path = html.partition(f'href="{desk.path}/receipt')[2].partition('"')[0]
    answer = browser.open(f"{desk.path}/receipt{path}")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{stripe.base_url}/receipts/")
    stranger = scene.signed_in(STRANGER)
    assert stranger.open(f"{desk.path}/receipt{path}").status_code == 404
    other_tenants = stranger.open(f"/a/{scene.baker}/settings/billing/receipt{path}")
    assert other_tenants.headers["Location"].endswith("#history")


@pytest.mark.parametrize("entry", ["", "1-1", "x", "1-1'--"])
def test_no_receipt_of_what_is_none(desk: BillingDesk, scene: Scene, entry: str) -> None:
    desk.copied()
    browser = scene.signed_in(OWNER)
    answer = browser.open(f"{desk.path}/receipt?entry={entry}")
    assert answer.headers["Location"] == f"{desk.path}#history"
    assert "There is no receipt of that." in desk.says(browser)


def test_a_receipt_while_stripe_is_away(desk: BillingDesk, scene: Scene) -> None:
    desk.card()
    desk.paid_topoff()  # at a Stripe that does not know of it
    desk.copied()
    browser = scene.signed_in(OWNER)
    path = desk.get(browser).text.partition(f'href="{desk.path}/receipt')[2].partition('"')[0]
    answer = browser.open(f"{desk.path}/receipt{path}")
    assert answer.status_code == 503
    assert "The receipt cannot be fetched right now" in answer.text


def test_the_history_as_csv(desk: BillingDesk, scene: Scene) -> None:
    desk.answered(3)
    desk.purchased(7, cause='=1+1, "quoted"')
    desk.copied()
    answer = scene.signed_in(VIEWER).open(f"{desk.path}/history.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["Cache-Control"] == "no-store"
    header, *rows = csv.reader(answer.text.splitlines(), strict=True)
    assert header == list(STATEMENT_HEADER)
    told = [dict(zip(header, row, strict=True)) for row in rows]
    assert [one["type"] for one in told] == ["credits_added", "topoff_failed", "account_opened"]
    assert told[0]["cause"] == '\'=1+1, "quoted"'
    assert all(one["time"].endswith("+00:00") for one in told)
