"""`python -m tests.browser.screenshots [FOLDER]`: every page in every state, at once.

Writes pictures in every view and an index.html that shows them beside each other. With `--readme`
it renews the two of README.md in docs/images instead.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, FloatRect, Page

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import look
from tests.browser.chromium import DESK, VIEWS, View, chromium, open_page
from tests.browser.gallery.admin import admin_gate, admin_states
from tests.browser.gallery.people import State, open_state, people_gate, people_states
from tests.browser.gallery.portal import Portal
from tests.browser.gallery.states import STATES
from tests.browser.serving import serve
from tests.web.gate import Gate

_INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The portal</title>
<style>body{{font:14px system-ui;margin:1rem}}nav{{columns:5}}nav a{{display:block}}
div{{display:flex;gap:1rem;align-items:start}}figure{{margin:0;flex:360 1 0}}
figure.wide{{flex-grow:1280}}img{{width:100%;border:1px solid #999}}</style>
<nav>{links}</nav>
{sections}
</html>
"""


@contextmanager
def _served() -> Iterator[tuple[Portal, Browser, str]]:
    """Serve the portal; yields it with a browser and where it is."""
    with TemporaryDirectory() as data, EmbeddedValkey(data) as valkey, chromium() as browser:
        portal = Portal(valkey.url, Path(data))
        with serve(portal.gate.app) as origin:
            yield portal, browser, origin


def take(folder: Path) -> Path:
    """Take every picture; returns the page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    with _served() as (portal, browser, origin):
        names = list(_take_all(folder, portal, browser, origin))
        for room in (_people, _admin):
            names += _take_room(folder, browser, room)
    index = folder / "index.html"
    links = "".join(f'<a href="#{name}">{name}</a>' for name in map(escape, names))
    index.write_text(_INDEX.format(links=links, sections="\n".join(map(_section, names))))
    return index


def take_for_readme(folder: Path) -> Path:
    """Take the two of the README: a month of a year's use, and calls under a banner."""
    folder.mkdir(parents=True, exist_ok=True)
    with _served() as (portal, browser, origin):
        page = open_page(browser, View(DESK, "light"), origin)
        life = portal.account("a year")
        portal.sign_in(page, life.owner, origin).goto(life.billing_path)
        page.get_by_label("Billing cycle").select_option(index=1)
        page.get_by_role("button", name="Show").click()
        page.evaluate("scrollTo(0, 0)")
        _take_part(page, folder / "billing.png", height=1180)
        life = portal.account("declined")
        portal.sign_in(page, life.owner, origin).goto(life.calls_path)
        _take_part(page, folder / "calls.png", height=740)
    return folder


def _take_part(page: Page, path: Path, *, height: int) -> None:
    clip = FloatRect(x=0, y=0, width=DESK, height=height)
    page.screenshot(path=path, full_page=True, clip=clip)


def _take_all(folder: Path, portal: Portal, browser: Browser, origin: str) -> Iterator[str]:
    for state in STATES:
        life = portal.account(state)
        page = open_page(browser, VIEWS[0], origin)
        portal.sign_in(page, life.owner, origin)
        for name, path in portal.pages(life).items():
            page.goto(path)
            yield _take(folder, page, f"{state} {name}".replace(" ", "-"))
        page.context.close()


def _people(redis_url: str, data: Path) -> tuple[Gate, dict[str, State]]:
    gate = people_gate(redis_url, data)
    return gate, people_states(gate)


def _admin(redis_url: str, data: Path) -> tuple[Gate, dict[str, State]]:
    return admin_gate(redis_url, data), admin_states()


def _take_room(
    folder: Path, browser: Browser, room: Callable[[str, Path], tuple[Gate, dict[str, State]]]
) -> Iterator[str]:
    """Take the pages that are of no account, or of several."""
    with TemporaryDirectory() as data, EmbeddedValkey(data) as valkey:
        gate, states = room(valkey.url, Path(data))
        with serve(gate.app) as origin:
            for name, state in states.items():
                page = open_page(browser, VIEWS[0], origin)
                open_state(page, gate, origin, state)
                yield _take(folder, page, name)
                page.context.close()


def _take(folder: Path, page: Page, name: str) -> str:
    for view in VIEWS:
        look(page, view)
        page.screenshot(path=folder / f"{name}-{view}.png", full_page=True)
    return name


def _section(name: str) -> str:
    figures = "".join(
        f'<figure class="{"wide" if view.width > 600 else ""}"><figcaption>{view}</figcaption>'
        f'<img loading="lazy" src="{escape(name)}-{view}.png" alt=""></figure>'
        for view in VIEWS
    )
    return f'<h2 id="{escape(name)}">{escape(name)}</h2><div>{figures}</div>'


if __name__ == "__main__":
    if sys.argv[1:] == ["--readme"]:
        print(take_for_readme(Path("docs/images")))
    else:
        print(take(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")))
