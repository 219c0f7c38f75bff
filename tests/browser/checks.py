"""What every page of the portal is held to in a browser."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page, Request

from tests.browser.chromium import VIEWS, View

#: The first load of any page, all included, compressed.
PAGE_BYTES_MAX = 60_000

_HAS_AXE = "'axe' in window"
_RUN_AXE = "(rules) => axe.run({resultTypes: ['violations'], ...(rules && {runOnly: rules})})"
#: The rules whose findings depend on the scheme.
_OF_COLORS = ["color-contrast", "link-in-text-block"]
_MAKE_UP = "[...document.querySelectorAll('*')].map((one) => one.tagName + one.className).join()"
_NEEDS_SCRIPTS = """() => [...document.forms]
  .filter((one) => !one.getAttribute("action") && one.method !== "post"
    || ![...one.elements].some((field) => field.type === "submit"))
  .map((one) => one.outerHTML.slice(0, 200))"""
_OPEN_EVERYTHING = "document.querySelectorAll('main details').forEach((one) => { one.open = true })"
_WIDER = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .filter((one) => !one.closest(".table-box, .visually-hidden, .skip-link, thead"))
  .map((one) => one.outerHTML.slice(0, 120))"""


def look(page: Page, view: View) -> None:
    """Look at the page that is open at another width and in another scheme."""
    page.set_viewport_size({"width": view.width, "height": 800})
    page.emulate_media(color_scheme="dark" if view.scheme == "dark" else "light")


def open_everything(page: Page) -> None:
    """Unfold what the page's content keeps folded."""
    page.evaluate(_OPEN_EVERYTHING)


def make_up(page: Page) -> str:
    """Name what the page is made of, whatever its words and figures are."""
    made_of: str = page.evaluate(_MAKE_UP)
    return made_of


def check_accessible(page: Page, *, colors_only: bool = False) -> None:
    """Let axe-core look at the page as it is now, with its rules of best practice too.

    With `colors_only` it looks for what another scheme can make different.
    """
    if not page.evaluate(_HAS_AXE):
        page.evaluate(AXE_SCRIPT)
    found = AxeResults(page.evaluate(_RUN_AXE, _OF_COLORS if colors_only else None))
    assert found.violations_count == 0, found.generate_report()


def check_in_every_view(page: Page) -> None:
    """Check both at each width and in each scheme."""
    for view in VIEWS:
        look(page, view)
        check_fits(page)
        check_accessible(page, colors_only=view.scheme == "dark")


def check_works_without_scripts(page: Page) -> None:
    """Check that each form can be sent by a button of its own."""
    assert page.evaluate(_NEEDS_SCRIPTS) == []


def check_fits(page: Page) -> None:
    """Check that nothing sticks out sideways, but for tables in boxes that scroll."""
    assert page.evaluate(_WIDER) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


class Scales:
    """Weighs pages: what a first load takes over the wire, with headers and all it is made of.

    Of a file that the browser has kept from a page before, the weight then counts.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._requests: list[Request] = []
        self._heaviest: dict[str, int] = {}
        page.on("requestfinished", self._note)

    def weigh(self, path: str) -> int:
        """Load a page; returns its bytes."""
        self._requests.clear()
        self._page.goto(path)
        seen = {request.url: _bytes(request) for request in tuple(self._requests)}
        for url, weight in seen.items():
            self._heaviest[url] = max(weight, self._heaviest.get(url, 0))
        return sum(self._heaviest[url] for url in seen)

    def _note(self, request: Request) -> None:  # Playwright takes no built-in method
        self._requests.append(request)


def _bytes(request: Request) -> int:
    sizes = request.sizes()
    return sizes["responseHeadersSize"] + sizes["responseBodySize"]


def wire_bytes(page: Page, path: str) -> int:
    """Load a page; returns what that took over the wire."""
    return Scales(page).weigh(path)
