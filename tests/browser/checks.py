"""What every page of the portal is held to in a browser."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Request

_AXE = Axe()
_WIDER = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .filter((one) => !one.closest(".table-box, .visually-hidden, .skip-link, thead"))
  .map((one) => one.outerHTML.slice(0, 120))"""


def check_accessible(page: Page) -> None:
    """Let axe-core look at the page as it is now, with its rules of best practice too."""
    found = _AXE.run(page)
    assert found.violations_count == 0, found.generate_report()


def check_fits(page: Page) -> None:
    """Check that nothing sticks out sideways, but for tables in boxes that scroll."""
    assert page.evaluate(_WIDER) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def wire_bytes(page: Page, path: str) -> int:
    """Load a page; returns what that took over the wire, with headers and all it is made of."""
    requests: list[Request] = []

    def note(request: Request) -> None:  # Playwright takes no built-in method
        requests.append(request)

    page.on("requestfinished", note)
    page.goto(path)
    sizes = [request.sizes() for request in requests]
    return sum(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes)
