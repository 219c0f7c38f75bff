"""A browser for each test process, and the gallery of the portal's components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.chromium import DESK, VIEWS, View, Watch, chromium, open_page
from tests.browser.gallery import Gallery, make_gallery
from tests.browser.serving import serve

OpenPage = Callable[..., Page]

_DESK = View(DESK, "light")


@pytest.fixture(scope="session")
def living_browser() -> Iterator[Callable[[], Browser]]:
    """Give this process's browser. One that has ended fails its test, and not all that follow."""
    with ExitStack() as run:
        browsers = [run.enter_context(chromium())]

        def give() -> Browser:
            if not browsers[-1].is_connected():
                run.close()
                browsers.append(run.enter_context(chromium()))
            return browsers[-1]

        yield give


@pytest.fixture
def browser(living_browser: Callable[[], Browser]) -> Browser:
    return living_browser()


@pytest.fixture
def gallery(valkey: EmbeddedValkey) -> Gallery:
    return make_gallery(valkey.url)


@pytest.fixture
def base_url(gallery: Gallery) -> Iterator[str]:
    with serve(gallery.app) as origin:
        yield origin


@pytest.fixture
def watch() -> Watch:
    """What went wrong in the pages of this test; at its end it must be nothing."""
    return Watch()


@pytest.fixture
def new_page(browser: Browser, base_url: str, watch: Watch) -> Iterator[OpenPage]:
    """Open pages in views of the test's choice, a desk's and light unless it says otherwise."""
    pages: list[Page] = []

    def make(view: View = _DESK) -> Page:
        page = open_page(browser, view, base_url)
        watch.on(page)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.context.close()
    assert watch.problems == []


@pytest.fixture(params=VIEWS, ids=str)
def page(request: pytest.FixtureRequest, new_page: OpenPage) -> Page:
    """A page in each of the views: a phone's and a desk's, light and dark."""
    return new_page(request.param)
