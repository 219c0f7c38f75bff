"""A portal with two accounts: Able's, which most tests are about, and Baker's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.web.gate import Gate
from tests.web.portal.browser import Browser

KEY = "k" * 32
SSO_SECRET = "s" * 32
OWNER, VIEWER, STRANGER, ADMIN = (
    f"{name}@example.com" for name in ("owner", "viewer", "stranger", "admin")
)


@dataclass(frozen=True)
class Scene:
    """The gate, and the ids of Able's account and of Baker's."""

    gate: Gate
    able: str
    baker: str

    @property
    def ledger(self) -> Ledger:
        return self.gate.parts.ledger

    def browser(self, *, address: str = "203.0.113.7") -> Browser:
        return Browser(self.gate.app, self.gate.parts, address=address)

    def signed_in(self, email: str) -> Browser:
        browser = self.browser()
        assert browser.sign_in(email).status_code == 303
        assert browser.is_signed_in
        return browser


@pytest.fixture
def make_scene(valkey: EmbeddedValkey, tmp_path: Path) -> Callable[..., Scene]:
    def make(url: str = valkey.url, **settings: str | None) -> Scene:
        with connect(url, timeout_s=5, max_connections=1) as client:
            client.flushall()
        choices: dict[str, str | None] = {
            "secret_key": KEY,
            "admin_emails": ADMIN,
            "sso_secret": SSO_SECRET,
            "database_url": f"sqlite:///{tmp_path / 'history.sqlite'}",
        }
        gate = Gate(url, **(choices | settings))
        ledger, able, baker = gate.parts.ledger, new_account_id(), new_account_id()
        ledger.accounts.open_account(NewAccount(able, "Able <b>& Co", OWNER))
        ledger.accounts.open_account(NewAccount(baker, "Baker", STRANGER))
        ledger.members.set_member(able, Member(VIEWER, Role.VIEWER))
        return Scene(gate, able, baker)

    return make


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()
