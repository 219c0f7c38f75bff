"""The system's Chromium, driven by Playwright: one browser, and pages that are watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS = 10_000
#: No name is looked up and no proxy asked: only 127.0.0.1 can be reached.
_FLAGS = (
    "--disable-gpu",
    "--disable-background-networking",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-proxy-server",
)


@dataclass(frozen=True)
class View:
    """How somebody looks at a page."""

    width: int
    scheme: str
    scripts: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}" + ("" if self.scripts else "-without-scripts")


PHONE, DESK = 360, 1280
VIEWS = tuple(View(width, scheme) for width in (PHONE, DESK) for scheme in ("light", "dark"))


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser. Its processes end with the block, or with this process."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        raise RuntimeError("the browser's tests need Chromium: install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=_FLAGS, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, view: View, base_url: str) -> Page:
    """Open an empty page in a profile of its own; close `page.context` afterwards."""
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": view.width, "height": 800},
        color_scheme="dark" if view.scheme == "dark" else "light",
        reduced_motion="reduce",
        java_script_enabled=view.scripts,
        locale="en-US",
    )
    context.set_default_timeout(_TIMEOUT_MS)
    return context.new_page()


@dataclass
class Watch:
    """What a page did that none should: errors, warnings, refused content, failed requests."""

    problems: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        page.on("requestfailed", self._miss)
        page.on("response", self._see)

    def _hear(self, message: ConsoleMessage) -> None:
        # A response that is an error is counted once, where its status is known.
        if message.type in {"error", "warning"} and "the server responded" not in message.text:
            self.problems.append(f"console: {message.text}")

    def _miss(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # gone on to another page meanwhile
            self.problems.append(f"request: {request.url} {request.failure}")

    def _see(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type != "document":
            self.problems.append(f"response: {response.status} {response.url}")
