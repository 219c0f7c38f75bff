"""The product's own people before the pages about all accounts."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

from werkzeug.test import TestResponse

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.entry import Entry
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.relay.history import HistoryCopy
from tests.ledger.desk import Desk
from tests.web.portal.billing_desk import words_of
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import ADMIN, Scene

BY = f"{ADMIN} (admin)"
TOKEN = re.compile(r'name="token" value="([^"]+)"')
ROW = re.compile(r'href="/admin/accounts/(acct_[0-9a-z]{12})"')
NEXT = re.compile(r'rel="next" href="([^"]+)"')


class AdminDesk:
    """An admin's browser, and what happens to accounts meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.browser: Browser = scene.browser()
        self.browser.put_session(scene.ledger.sessions.start(ADMIN, ""))

    @property
    def ledger(self) -> Ledger:
        return self.scene.ledger

    def open_account(self, name: str, email: str = "a@example.com", credits: int = 0) -> str:
        account_id = new_account_id()
        self.ledger.accounts.open_account(NewAccount(account_id, name, email, credits))
        return account_id

    def desk(self, account_id: str) -> Desk:
        """Short words for what happens to an account."""
        desk = Desk(self.ledger)
        desk.id = account_id
        return desk

    def copied(self) -> AdminDesk:
        """Let the relay copy the log into history."""
        HistoryCopy(self.ledger, self.scene.gate.parts.history).copy_all()
        return self

    def get(self, path: str = "/admin/", **query: str) -> TestResponse:
        return self.browser.open(f"{path}?{urlencode(query)}" if query else path)

    def says(self, path: str = "/admin/", **query: str) -> str:
        """What a page says; fails unless it is served."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return words_of(answer.text)

    def listed(self, **query: str) -> list[str]:
        """The ids of the accounts listed, page after page."""
        path: str | None = f"/admin/?{urlencode(query)}"
        found: list[str] = []
        while path is not None:
            answer = self.browser.open(path)
            assert answer.status_code == 200, answer.text
            found += ROW.findall(answer.text)
            behind = NEXT.search(answer.text)
            path = unescape(behind[1]) if behind else None
        return found

    def account_path(self, account_id: str) -> str:
        return f"/admin/accounts/{account_id}"

    def form_token(self, account_id: str) -> str:
        """What makes a rendering of the form of credits one of its own."""
        found = TOKEN.search(self.get(self.account_path(account_id)).text)
        assert found is not None
        return found[1]

    def correct(self, account_id: str, **fields: str) -> TestResponse:
        """Send the form of credits, as it was just served unless a token is given."""
        path = self.account_path(account_id)
        token = fields.pop("token", "") or self.form_token(account_id)
        return self.browser.submit(f"{path}/credits", page=path, token=token, **fields)

    def after(self, answer: TestResponse) -> str:
        """What the page says that an answer leads to."""
        assert answer.status_code == 303, answer.text
        return self.says(answer.headers["Location"])

    def last_entry(self, account_id: str) -> Entry:
        return list(self.ledger.log.entries(account_id))[-1]
