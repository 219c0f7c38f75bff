"""Whatever a person changes in the portal stands in the log with who did it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gatekeeper.domain.change import Change
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.stripe import SandboxStripe
from tests.web.portal.billing_desk import fail
from tests.web.portal.browser import Browser
from tests.web.portal.checkout_desk import CheckoutDesk
from tests.web.portal.conftest import ADMIN, OWNER, Scene


@pytest.fixture(scope="module")
def stripe() -> Iterator[SandboxStripe]:
    with SandboxStripe(webhook_secret="whsec_0") as sandbox:
        yield sandbox


@pytest.fixture
def desk(make_scene: Callable[..., Scene], stripe: SandboxStripe) -> CheckoutDesk:
    return CheckoutDesk(make_scene(stripe_api_base=stripe.base_url))


def save_settings(desk: CheckoutDesk, browser: Browser) -> None:
    path = f"/a/{desk.id}/receptionist/settings"
    for _ in range(2):  # what is saved already is not told again
        browser.submit(path, page=path, threshold="7", amount="30")


def buy(desk: CheckoutDesk, browser: Browser) -> None:
    desk.paid(browser, desk.buy_path, credits="50")
    desk.work()


def set_card(desk: CheckoutDesk, browser: Browser) -> None:
    desk.paid(browser, desk.card_path)
    desk.work()


def remove_card(desk: CheckoutDesk, browser: Browser) -> None:
    desk.card()
    card = desk.account.card
    assert card is not None
    page = f"{desk.card_path}/remove"
    browser.submit(page, page=page, payment_method=card.payment_method)


def retry(desk: CheckoutDesk, browser: Browser) -> None:
    fail(desk, FailureReason.DECLINED)
    desk.retry(browser)


#: What a person does, and the type and cause of the entry that tells of it.
DEEDS = (
    (save_settings, EntryType.ACCOUNT_CHANGED, Change.TOPOFF_SET),
    (buy, EntryType.PURCHASE_SUCCEEDED, None),
    (set_card, EntryType.ACCOUNT_CHANGED, Change.CARD_SAVED),
    (remove_card, EntryType.ACCOUNT_CHANGED, Change.CARD_REMOVED),
    (retry, EntryType.TOPOFF_REQUESTED, "retry"),
)


@pytest.mark.parametrize(("person", "by"), [(OWNER, OWNER), (ADMIN, f"{ADMIN} (admin)")])
@pytest.mark.parametrize(("do", "type_", "cause"), DEEDS)
def test_what_is_done_says_who_did_it(
    desk: CheckoutDesk,
    person: str,
    by: str,
    do: Callable[[CheckoutDesk, Browser], None],
    type_: EntryType,
    cause: str | None,
) -> None:
    do(desk, desk.scene.signed_in(person))
    told = [
        entry.note
        for entry in desk.ledger.log.entries(desk.id)
        if entry.type == type_ and cause in (None, entry.cause)
    ]
    assert told == [by]


def test_the_customer_is_shown_neither_changes_nor_who_made_them(desk: CheckoutDesk) -> None:
    admin = desk.scene.signed_in(ADMIN)
    retry(desk, admin)
    save_settings(desk, admin)
    buy(desk, admin)
    said = desk.copied().says()
    assert "Credits purchased" in said
    assert ADMIN not in said
    for word in (*EntryType, *Change):
        assert word not in said


def test_what_customers_typed_is_escaped_before_admins(desk: CheckoutDesk) -> None:
    name = "<script>alert(1)</script>"
    desk.ledger.accounts.update_account(desk.id, by=f"{name}@x", name=name)
    page = desk.copied().scene.signed_in(ADMIN).open(f"/admin/accounts/{desk.id}").text
    assert "Account changed: name &lt;script&gt;alert(1)" in page
    assert name not in page
