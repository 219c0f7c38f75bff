"""A browser for each test process, the portal with its accounts, and a whole Gatekeeper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest
from playwright.sync_api import Browser, Page

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.stack import LocalStack
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.chromium import DESK, VIEWS, View, Watch, chromium, open_page
from tests.browser.customer import Customer
from tests.browser.gallery.portal import Portal
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


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    """The portal over a server of its own, which no test empties."""
    directory = tmp_path_factory.mktemp("portal")
    with EmbeddedValkey(directory / "valkey") as valkey:
        yield Portal(valkey.url, directory)


@pytest.fixture(scope="session")
def portal_url(portal: Portal) -> Iterator[str]:
    with serve(portal.gate.app) as origin:
        yield origin


@pytest.fixture
def base_url(portal_url: str) -> str:
    """Where the pages of a test are served; those that need another server say so."""
    return portal_url


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


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A Gatekeeper whose every process is up, one for all stories of this test process."""
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        stack.start()
        yield stack


@pytest.fixture
def customer(stack: LocalStack) -> Iterator[Customer]:
    """A new customer, with a number and without credits."""
    with closing(connect(stack.valkey.url, timeout_s=5, max_connections=4)) as client:
        customer = Customer(Ledger(client), stack, new_account_id())
        customer.ledger.accounts.open_account(
            NewAccount(customer.id, "Bright Smile Dental", customer.owner)
        )
        customer.ledger.numbers.assign_number(customer.number, customer.id)
        yield customer
    stack.check_running()
