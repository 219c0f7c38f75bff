"""The pages of the product's own people in a browser: every state, and corrections by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import check_accessible, check_fits, wire_bytes
from tests.browser.chromium import DESK, PHONE, View
from tests.browser.conftest import OpenPage
from tests.browser.gallery.admin import CEDAR, SMILE, admin_gate, admin_states
from tests.browser.gallery.people import State, open_state
from tests.browser.serving import serve
from tests.web.gate import Gate
from tests.web.portal.conftest import ADMIN

PAGE_BYTES_MAX = 60_000


@pytest.fixture
def gate(valkey: EmbeddedValkey, tmp_path: Path) -> Gate:
    return admin_gate(valkey.url, tmp_path)


@pytest.fixture
def base_url(gate: Gate) -> Iterator[str]:
    with serve(gate.app) as origin:
        yield origin


@pytest.mark.parametrize("view", [View(PHONE, "dark"), View(DESK, "light")], ids=str)
def test_every_state_is_accessible_and_fits(
    new_page: OpenPage, gate: Gate, base_url: str, view: View
) -> None:
    page = new_page(view)
    for state in admin_states().values():
        open_state(page, gate, base_url, state)
        check_accessible(page)
        check_fits(page)


def test_pages_are_small(new_page: OpenPage, gate: Gate, base_url: str) -> None:
    page = new_page()
    open_state(page, gate, base_url, State("/admin/", ADMIN))
    for path in ("/admin/", f"/admin/accounts/{SMILE}"):
        assert wire_bytes(page, path) < PAGE_BYTES_MAX, path


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_an_account_is_found_and_put_right(
    new_page: OpenPage, gate: Gate, base_url: str, *, scripts: bool
) -> None:
    page = new_page(View(DESK, "light", scripts=scripts))
    open_state(page, gate, base_url, State("/admin/", ADMIN))
    page.get_by_label("Find").fill("cedar")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Cedar & Sons Plumbing").click()
    page.get_by_label("How many").fill("25")
    page.get_by_label("Reason").fill("An apology")
    page.get_by_role("button", name="Correct").click()
    expect(page.get_by_role("status")).to_contain_text("25 credits added.")
    assert gate.parts.ledger.accounts.account(CEDAR).balance == 25
    page.get_by_role("link", name="Suspend").click()
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_role("status")).to_contain_text("The account is suspended")
    page.get_by_role("link", name="See it as its owner does").click()
    expect(page.get_by_text("Acting on behalf of")).to_be_visible()
