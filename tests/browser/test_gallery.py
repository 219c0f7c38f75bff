"""Every component in every state: accessible, fitting, and nothing that the policy refuses."""

from __future__ import annotations

from playwright.sync_api import Page

from gatekeeper.domain.incident import FailureReason
from tests.browser.checks import check_accessible, check_fits, wire_bytes
from tests.browser.conftest import OpenPage
from tests.browser.gallery import PAGES, Gallery

#: The first load of any page, all included, compressed.
BUDGET_BYTES = 60_000


def test_every_page_is_accessible_and_fits(page: Page) -> None:
    for path in PAGES.values():
        page.goto(path)
        check_accessible(page)
        check_fits(page)


def test_every_banner_is_accessible_and_fits(page: Page, gallery: Gallery) -> None:
    for gallery.incident in FailureReason:
        page.goto(f"{PAGES['billing']}?as=admin")
        assert page.get_by_role("heading", name=gallery.incident.label).is_visible()
        page.locator("#menu > summary").click()
        check_accessible(page)
        check_fits(page)


def test_tables_behind_charts_are_accessible(page: Page) -> None:
    page.goto(PAGES["billing"])
    page.get_by_text("Show as a table: Credits used by day").click()
    assert page.get_by_role("rowheader", name="Nov 16").is_visible()
    check_accessible(page)


def test_a_stacked_table_stays_a_table(page: Page) -> None:
    page.goto(PAGES["calls"])
    table = page.get_by_role("table", name="Calls")
    assert table.get_by_role("row").count() == 6
    assert table.get_by_role("rowheader").count() == 5
    row = table.get_by_role("row", name="+1 718 555 0123")
    assert row.get_by_role("cell", name="Dropped").is_visible()


def test_pages_are_small(new_page: OpenPage, gallery: Gallery) -> None:
    gallery.incident = FailureReason.DECLINED
    for path in PAGES.values():
        assert wire_bytes(new_page(), path) < BUDGET_BYTES, path
