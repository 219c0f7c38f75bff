"""Able's account before the Billing tab: short words for what happens to it, and for its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Self

from werkzeug.test import TestResponse

from gatekeeper.domain.account import Account, Card, TopoffSettings
from gatekeeper.domain.call import CallEnd
from gatekeeper.domain.cycle import Interval
from gatekeeper.domain.incident import INTERNAL_ERROR_COOL_DOWNS_S, FailureReason
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import Clock, wall_clock_ms
from gatekeeper.relay.history import HistoryCopy
from tests.history.written import ms
from tests.ledger.desk import Desk, new_call
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import OWNER, Scene

DAY_MS = 86_400_000
NUMBER = "+15550001111"
NOV_1_MS = ms("2026-11-01T00:00")
CARD = Card("cus_1", "pm_1", "visa", "4242", "12/2031")
_BLOCK = re.compile(r"<(?:/?(?:p|div|li|h[1-6]|br|t[dhr]|dt|dd|section|form)\b)[^>]*>")
_RETRY = re.compile(r'<form[^>]* action="[^"]*/retry">.*?</form>', re.DOTALL)
_HIDDEN = re.compile(r'type="hidden" name="(\w+)" value="([^"]*)"')
_TAG = re.compile(r"<[^>]+>")


def words_of(html: str) -> str:
    """What a page says, without its tags and in single spaces."""
    return " ".join(unescape(_TAG.sub("", _BLOCK.sub(" ", html))).split())


class BillingDesk(Desk):
    """An account that a scene has opened, and its Billing tab."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.ledger)
        self.id = scene.able
        self.scene = scene

    @property
    def path(self) -> str:
        return f"/a/{self.id}/settings/billing"

    def allotment(self, size: int) -> BillingDesk:
        anchor_ms = self.account.anchor_ms
        self.ledger.cycles.set_cycle(
            self.id, allotment=size, anchor_ms=anchor_ms, interval=Interval.MONTHLY
        )
        return self

    def purchased(self, credits: int, reference: str = "gift", cause: str = "goodwill") -> None:
        self.ledger.accounts.add_credits(self.id, credits, reference=reference, cause=cause)

    def answered(self, count: int, duration_s: int = 60, clock: Clock = wall_clock_ms) -> None:
        """Calls that come in and end, as the clock has it."""
        calls = Ledger(self.ledger.client, shards=self.ledger.keys.shards, clock=clock).calls
        for _ in range(count):
            call = new_call()
            calls.admit_call(self.id, call, NUMBER)
            calls.settle_call(
                self.id,
                call,
                NUMBER,
                CallEnd.COMPLETED,
                duration_s=duration_s,
                debit_unknown=True,
            )

    def copied(self) -> Self:
        """Let the relay copy the log into history."""
        HistoryCopy(self.ledger, self.scene.gate.parts.history).copy_all()
        return self

    def get(self, browser: Browser | None = None, query: str = "") -> TestResponse:
        browser = browser or self.scene.signed_in(OWNER)
        return browser.open(f"{self.path}{query}")

    def says(self, browser: Browser | None = None, query: str = "") -> str:
        """What the tab says; fails unless it is served."""
        answer = self.get(browser, query)
        assert answer.status_code == 200, answer.text
        return words_of(answer.text)

    def retry_fields(self, browser: Browser) -> dict[str, str]:
        """What the button of the retry sends, as the tab is now."""
        return retry_fields(self.get(browser).text)

    def retry(self, browser: Browser, **changed: str) -> TestResponse:
        """Press it."""
        fields = self.retry_fields(browser) | changed
        return browser.open(f"{self.path}/retry", "POST", data=fields)


def retry_fields(html: str) -> dict[str, str]:
    """What a page's button of the retry sends."""
    form = _RETRY.search(html)
    assert form is not None
    return dict(_HIDDEN.findall(form[0]))


def fail(desk: Desk, reason: FailureReason) -> str:
    """Let a top-off of 20 credits fail for a reason; returns the incident."""
    if reason is not FailureReason.NO_PAYMENT_METHOD:
        desk.card()
    topoff_id = desk.topoff(amount=20).account.topoff_id
    desk.begin(topoff_id)
    desk.ledger.topoffs.fail_topoff(
        topoff_id,
        payment_intent="" if reason is FailureReason.NO_PAYMENT_METHOD else f"pi_{topoff_id}",
        reason=reason,
        decline_code="generic_decline" if reason is FailureReason.DECLINED else "",
        cool_downs_s=INTERNAL_ERROR_COOL_DOWNS_S if reason is FailureReason.INTERNAL_ERROR else (),
    )
    return topoff_id


def age_desk(desk: BillingDesk, *, days: int) -> None:
    """Let the account have been opened so many days ago."""
    opened_ms = wall_clock_ms() - days * DAY_MS
    own = desk.ledger.keys.of_account(desk.id)
    desk.ledger.client.hset(own.account, "created_at_ms", opened_ms)
    desk.ledger.client.hset(own.profile, "anchor_ms", opened_ms)
    desk.purchased(500, reference="start")


@contextmanager
def history_gone(path: Path) -> Iterator[None]:
    """Put the database where nobody finds it."""
    away = path.with_suffix(".away")
    path.rename(away)
    path.mkdir()
    yield
    path.rmdir()
    away.rename(path)


def put_at_the_end_of_the_log(desk: BillingDesk, written_ms: int) -> None:
    """Let the log hold one entry alone, which has been waiting since then."""
    log = desk.ledger.keys.of_account(desk.id).log
    desk.ledger.client.delete(log)
    desk.ledger.client.xadd(log, {"type": "any"}, id=f"{written_ms}-0")


def an_account(**changes: object) -> Account:
    """A healthy account, but for the changes."""
    account = Account(
        id="acct_000000000001",
        name="Able",
        email="able@example.com",
        timezone="UTC",
        suspended=False,
        created_at_ms=ms("2026-01-15T09:30"),
        allotment=80,
        purchased=20,
        allotment_size=100,
        granted=100,
        withheld=0,
        cycle_no=1,
        cycle_start_ms=NOV_1_MS,
        cycle_end_ms=ms("2026-12-01T00:00"),
        anchor_ms=NOV_1_MS,
        interval=Interval.MONTHLY,
        subscription="",
        subscription_status="",
        topoff=TopoffSettings(enabled=True, threshold=50, amount=200),
        price_minor=None,
        topoff_id="",
        topoff_state=None,
        card=CARD,
        incident_id="",
        blocked_by=None,
        retry_at_ms=None,
        route="",
        drop_message="",
    )
    return replace(account, **changes)  # type: ignore[arg-type]
