"""A browser before the portal, and what people do with it."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from gatekeeper.bootstrap import Parts
from gatekeeper.ledger.owed import OwedTask
from tests.web.gate import PUBLIC_URL

SESSION_COOKIE = "__Host-gatekeeper"
CSRF_FIELD = re.compile(r'name="csrf_token" value="([^"]+)"')


class Browser:
    """Keeps cookies, and fills in forms as they are served."""

    def __init__(self, app: Flask, parts: Parts, *, address: str = "203.0.113.7") -> None:
        self.client = app.test_client()
        self._parts = parts
        self._address = address

    def open(self, path: str, method: str = "GET", **options: Any) -> TestResponse:
        headers = {"X-Forwarded-For": self._address, **options.pop("headers", {})}
        return self.client.open(
            path, method=method, base_url=PUBLIC_URL, headers=headers, **options
        )

    def token(self, page: str = "/") -> str:
        """The CSRF token of a page's first form."""
        found = CSRF_FIELD.search(self.open(page, follow_redirects=True).text)
        assert found is not None, page
        return unescape(found[1])

    def submit(self, path: str, *, page: str = "/", **fields: str) -> TestResponse:
        """Press a button of a page that posts to a path."""
        return self.open(path, "POST", data={"csrf_token": self.token(page), **fields})

    def ask_for_link(self, email: str, next_path: str = "/") -> TestResponse:
        return self.submit("/sign-in", page="/sign-in", email=email, next=next_path)

    def new_link(self, email: str, next_path: str = "/") -> str:
        """Ask for a link; returns its path, as the e-mail has it."""
        answer = self.ask_for_link(email, next_path)
        assert answer.status_code == 303, answer.text
        (link_id,) = owed_links(self._parts)
        return self._parts.sign_in_links.url(link_id).removeprefix(PUBLIC_URL)

    def sign_in(self, email: str, next_path: str = "/") -> TestResponse:
        link = self.new_link(email, next_path)
        return self.submit(link, page=link)

    def put_session(self, token: str) -> None:
        """Keep a session's cookie, wherever it came from."""
        self.client.set_cookie(SESSION_COOKIE, token, domain="gate.example.com", secure=True)

    @property
    def is_signed_in(self) -> bool:
        answer = self.open("/")
        return not answer.headers.get("Location", "").startswith("/sign-in")


def owed_links(parts: Parts) -> list[str]:
    """The ids of the links whose e-mails are owed, which are then no longer."""
    owed, found = parts.ledger.owed, []
    for shard in range(owed.shards):
        tasks: list[OwedTask] = owed.claim_owed(shard, lease_s=60, limit=100)
        for task in (one.task for one in tasks):
            link_id = task.rpartition(":")[2]
            if task.startswith("email:sign_in:") and owed.strike_owed(link_id, task):
                found.append(link_id)
    return found
