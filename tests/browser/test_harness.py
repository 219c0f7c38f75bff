"""The checks of this room can fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.browser.checks import check_accessible, check_fits
from tests.browser.chromium import PHONE, View, Watch, open_page
from tests.browser.conftest import OpenPage

PAGE = "/sign-in"
_MAIN = "document.querySelector('main')"


@pytest.mark.parametrize(
    "harm",
    [
        "document.querySelector('h1').style.color = '#bbb'",
        f"{_MAIN}.append(document.createElement('input'))",
        "document.documentElement.removeAttribute('lang')",
    ],
    ids=["pale", "nameless", "no-language"],
)
def test_axe_finds_what_is_wrong(new_page: OpenPage, harm: str) -> None:
    page = new_page()
    page.goto(PAGE)
    check_accessible(page)
    page.evaluate(harm)
    with pytest.raises(AssertionError, match="Found 1 accessibility violations"):
        check_accessible(page)


def test_what_is_too_wide_is_found(new_page: OpenPage) -> None:
    page = new_page(View(PHONE, "light"))
    page.goto(PAGE)
    check_fits(page)
    page.evaluate("document.querySelector('h1').style.minWidth = '400px'")
    with pytest.raises(AssertionError):
        check_fits(page)


@pytest.mark.parametrize(
    "content",
    [
        "<p style='color:red'>",
        "<style>p{color:red}</style>",
        "<img src='http://127.0.0.1:9/x.png'>",
        "<button onclick='alert(1)'>",
        "<iframe src='/'></iframe>",
    ],
)
def test_what_the_policy_refuses_is_heard(browser: Browser, base_url: str, content: str) -> None:
    watch, page = Watch(), open_page(browser, View(PHONE, "light"), base_url)
    watch.on(page)
    page.goto(PAGE)
    assert watch.problems == []
    with page.expect_console_message():
        page.evaluate(f"{_MAIN}.innerHTML = {content!r}")
    page.context.close()
    assert any("Content Security Policy" in problem for problem in watch.problems)


def test_a_browser_that_ended_is_replaced(living_browser: Callable[[], Browser]) -> None:
    ended = living_browser()
    ended.close()
    assert not ended.is_connected()
    replaced = living_browser()
    assert replaced.is_connected()
    assert living_browser() is replaced
