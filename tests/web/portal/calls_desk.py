"""Able's account before the page of its calls."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

from gatekeeper.domain.call import CallEnd, Direction
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from tests.ledger.desk import new_call
from tests.web.portal.billing_desk import NUMBER, BillingDesk, words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import OWNER

OTHER_NUMBER = "+442079460018"
ROW = re.compile(r"/calls/(CA[0-9a-f]{32})")
OLDER = re.compile(r'rel="next" href="([^"]+)"')


class CallsDesk(BillingDesk):
    """Short words for its calls, and for what their pages say."""

    @property
    def path(self) -> str:
        return f"/a/{self.id}/calls"

    def called(
        self,
        end: CallEnd | None = CallEnd.COMPLETED,
        *,
        duration_s: int | None = 60,
        number: str = NUMBER,
        at_ms: int | None = None,
        direction: Direction = Direction.INBOUND,
    ) -> str:
        """Let one call begin, and end unless `end` is None; returns its CallSid."""
        clock = wall_clock_ms if at_ms is None else lambda: at_ms
        calls = Ledger(self.ledger.client, shards=self.ledger.keys.shards, clock=clock).calls
        call = new_call()
        calls.admit_call(self.id, call, number, direction)
        if end is not None:
            calls.settle_call(
                self.id,
                call,
                number,
                end,
                duration_s=duration_s,
                debit_unknown=True,
                direction=direction,
            )
        return call.call_sid

    def why(self, call_sid: str, browser: Browser | None = None) -> str:
        """What the page of a call says."""
        if browser is None:
            browser = self.scene.browser()
            browser.put_session(self.ledger.sessions.start(OWNER, ""))
        answer = browser.open(f"{self.path}/{call_sid}")
        assert answer.status_code == 200, answer.text
        return words_of(answer.text)

    def listed(self, browser: Browser, **query: str) -> list[str]:
        """The CallSids of a list, page after page."""
        path: str | None = f"{self.path}?{urlencode(query)}"
        found: list[str] = []
        while path is not None:
            answer = browser.open(path)
            assert answer.status_code == 200, answer.text
            found += ROW.findall(answer.text)
            older = OLDER.search(answer.text)
            path = unescape(older[1]) if older else None
        return found
