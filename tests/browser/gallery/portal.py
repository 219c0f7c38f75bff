"""The portal itself, with an account in each state, and a list of its pages that makes itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from gatekeeper.domain.account import new_account_id
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from tests.browser.gallery.states import STATES, Life
from tests.ledger.desk import PRICE_MINOR
from tests.web.gate import Gate
from tests.web.portal.conftest import ADMIN, KEY, Scene

ORIGIN: Final = "http://127.0.0.1"
_SESSION_COOKIE: Final = "gatekeeper"
_OF_AN_ACCOUNT: Final = {Right.SEE, Right.PAY}


class Portal:
    """The web application over a ledger and a history of its own."""

    def __init__(self, redis_url: str, directory: Path, **settings: Any) -> None:
        self.gate = Gate(
            redis_url,
            public_url=ORIGIN,
            secret_key=KEY,
            admin_emails=ADMIN,
            support_email="help@example.com",
            credit_price=PRICE_MINOR,
            database_url=f"sqlite:///{directory / 'history.sqlite'}",
            **settings,
        )
        self._lives: dict[str, Life] = {}

    def new_account(self, state: str) -> Life:
        """Bring a new account into a state."""
        life = Life(Scene(self.gate, new_account_id(), ""))
        STATES[state](life)
        return life.copied()

    def account(self, state: str) -> Life:
        """Return the account in a state, which nobody changes."""
        if state not in self._lives:
            self._lives[state] = self.new_account(state)
        return self._lives[state]

    def sign_in(self, page: Page, email: str, origin: str) -> Page:
        """Sign somebody in."""
        cookie = {"name": _SESSION_COOKIE, "value": self._token(email), "url": origin}
        page.context.add_cookies([cookie])  # type: ignore[list-item]  # a TypedDict
        return page

    def _token(self, email: str) -> str:
        return self.gate.parts.ledger.sessions.start(email, "browser")

    def pages(self, life: Life) -> dict[str, str]:
        """Map the name of each page of an account to its path, as the application has them."""
        return dict(sorted(self._pages(life)))

    def _pages(self, life: Life) -> Iterator[tuple[str, str]]:
        client = self.gate.app.test_client()
        client.set_cookie(_SESSION_COOKIE, self._token(life.owner), domain="127.0.0.1")
        values = {"account_id": life.id, "call_sid": life.newest_call}
        for rule in self.gate.app.url_map.iter_rules():
            blueprint = self.gate.app.blueprints.get(rule.endpoint.partition(".")[0])
            if (
                not isinstance(blueprint, PortalBlueprint)
                or "GET" not in (rule.methods or ())
                or not {"account_id"} <= rule.arguments <= values.keys()
            ):
                continue
            built = rule.build({name: values[name] for name in rule.arguments})
            assert built is not None
            answer = client.get(built[1], base_url=ORIGIN)
            assert answer.status_code < 500, built[1]
            if answer.status_code == 200 and answer.text.lstrip().startswith("<!doctype html>"):
                yield rule.endpoint, built[1]
