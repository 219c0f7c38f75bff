"""Able's account before AI Receptionist → Settings."""

from __future__ import annotations

import re
from html import unescape

from werkzeug.test import TestResponse

from gatekeeper.domain.entry import EntryType
from gatekeeper.ledger.store import wall_clock_ms
from tests.web.portal.billing_desk import DAY_MS, BillingDesk, age_desk
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import Scene

CONSENT = (
    "By saving with Auto Top-Off enabled, you agree that $4.00 is charged to your Visa ending in "
    "4242 each time your balance drops below 5 credits, until you switch it off."
)
_SHOWN = re.compile(r'name="shown" value="([^"]*)"')
NOW = "charges $4.00 at once"


class SettingsDesk(BillingDesk):
    """An account, and its page of settings."""

    @property
    def path(self) -> str:
        return f"/a/{self.id}/receptionist/settings"

    def save(self, browser: Browser, *, page: str = "", **fields: str) -> TestResponse:
        """Send the form; a box that is not ticked is not sent.

        Unless told, what was shown is what scripts show once all is typed.
        """
        fields = {"shown": self.shown(browser, **fields)} | fields
        return browser.submit(self.path, page=page or self.path, **fields)

    def shown(self, browser: Browser, **typed: str) -> str:
        """The consent that the page shows: as it is opened, or once something is typed."""
        path = f"{self.path}/terms" if typed else self.path
        found = _SHOWN.search(browser.open(path, query_string=typed).text)
        return unescape(found[1]) if found else ""

    @property
    def requests(self) -> list[str]:
        """Why each top-off was requested."""
        entries = self.ledger.log.entries(self.id)
        return [one.cause for one in entries if one.type is EntryType.TOPOFF_REQUESTED]


def settings_desk(scene: Scene) -> SettingsDesk:
    """Give the account a card and ten credits; auto top-off is off."""
    desk = SettingsDesk(scene)
    desk.purchased(10)
    desk.card()
    return desk


def is_saved(answer: TestResponse, desk: SettingsDesk) -> bool:
    return (answer.status_code, answer.headers.get("Location")) == (303, desk.path)


def use_up(desk: BillingDesk) -> None:
    """Let two weeks have passed in which five calls a day were answered."""
    age_desk(desk, days=40)
    for day in range(1, 15):
        at_ms = wall_clock_ms() - day * DAY_MS
        desk.answered(5, clock=lambda at_ms=at_ms: at_ms)  # type: ignore[misc]
    desk.copied()
