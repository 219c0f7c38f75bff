"""Every page by keyboard: Tab comes to all there is to use, in its order, and one sees where."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.checks import open_everything
from tests.browser.conftest import OpenPage
from tests.browser.gallery.portal import Portal

#: What can be used, marked with its place. A date has several stops, a group of radios one.
_MARK = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled)
  .filter((one) => one.type !== "radio" || one.checked)
  .map((one, place) => { one.dataset.place = place; return one.outerHTML.slice(0, 90) })"""
_FOCUSED = """() => {
  const one = document.activeElement
  if (one === document.body || one.dataset.place === undefined) return null
  const marks = [one, one.closest(".choice") ?? one].map((each) => getComputedStyle(each))
  return [Number(one.dataset.place), marks.some((style) =>
    style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1)]
}"""


def test_tab_comes_to_everything_in_order(
    portal: Portal, new_page: OpenPage, base_url: str
) -> None:
    life = portal.account("declined")
    page = portal.sign_in(new_page(), life.owner, base_url)
    for name, path in portal.pages(life).items():
        page.goto(path)
        open_everything(page)
        usable = page.evaluate(_MARK)
        walked = _walk(page, len(usable))
        assert [place for place, _ in walked] == list(range(len(usable))), (name, usable)
        unseen = [usable[place] for place, is_seen in walked if not is_seen]
        assert not unseen, name


def _walk(page: Page, count: int) -> list[tuple[int, bool]]:
    """Press Tab until everything was come to; returns the places in order, and what showed."""
    walked: list[tuple[int, bool]] = []
    for _ in range(count + 10):
        page.keyboard.press("Tab")
        found = page.evaluate(_FOCUSED)
        if found is not None and (not walked or walked[-1][0] != found[0]):
            walked.append((found[0], found[1]))
        if len(walked) == count:
            break
    return walked
