"""Every page in every state: accessible, fitting and small; light and dark, at both widths."""

from __future__ import annotations

import pytest

from tests.browser.checks import (
    PAGE_BYTES_MAX,
    Scales,
    check_in_every_view,
    check_works_without_scripts,
    make_up,
    open_everything,
)
from tests.browser.chromium import PHONE, View
from tests.browser.conftest import OpenPage
from tests.browser.gallery.portal import Portal
from tests.browser.gallery.states import STATES

MAIN_PAGES = {
    "card.change",
    "purchase.choose",
    "receptionist.calls",
    "receptionist.settings",
    "settings.billing",
}


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """The make-up of each page that was looked at: no two alike need to be."""
    return set()


@pytest.mark.parametrize("state", STATES)
def test_every_page_in_every_state(
    portal: Portal, new_page: OpenPage, base_url: str, seen: set[str], state: str
) -> None:
    life = portal.account(state)
    page = portal.sign_in(new_page(), life.owner, base_url)
    scales = Scales(page)
    pages = portal.pages(life)
    assert pages.keys() >= MAIN_PAGES
    for name, path in pages.items():
        assert scales.weigh(path) < PAGE_BYTES_MAX, name
        check_works_without_scripts(page)
        open_everything(page)
        made_of = make_up(page)
        if made_of not in seen:
            check_in_every_view(page)
            seen.add(made_of)


def test_a_stacked_table_stays_a_table(portal: Portal, new_page: OpenPage, base_url: str) -> None:
    life = portal.account("declined")
    page = portal.sign_in(new_page(View(PHONE, "light")), life.owner, base_url)
    page.goto(life.calls_path)
    table = page.get_by_role("table", name="Calls")
    rows = table.get_by_role("row").count()
    assert rows > 2
    assert table.get_by_role("rowheader").count() == rows - 1
    dropped = table.get_by_role("row", name="Call dropped because balance was empty").first
    assert dropped.get_by_role("cell", name="See why").is_visible()
