"""A gate as Twilio sees it: signed requests in, TwiML out, a real ledger behind it."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # no types
from werkzeug.test import Client, TestResponse, run_wsgi_app

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.entry import Entry
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import Clock, wall_clock_ms
from gatekeeper.settings import Settings
from gatekeeper.web.app import create_app

PUBLIC_URL = "https://gate.example.com"
ACCOUNT_SID = "AC" + "1" * 32
SUBACCOUNT_SID = "AC" + "2" * 32
TOKEN = "a1" * 16
SUBACCOUNT_TOKEN = "b2" * 16
TOKENS = {ACCOUNT_SID: TOKEN, SUBACCOUNT_SID: SUBACCOUNT_TOKEN}

NUMBER = "+15550001111"
CALLER = "+15557654321"
DEFAULT_URL = "https://receptionist.example.com/answer"

Fields = dict[str, str]


def new_call() -> str:
    return "CA" + secrets.token_hex(16)


def sign(url: str, fields: Fields, token: str = TOKEN) -> str:
    """Sign as Twilio does, by Twilio's own library."""
    return str(RequestValidator(token).compute_signature(url, fields))


def days_ago(days: float) -> Clock:
    """A clock that is late, for what was set up long before the calls of a test."""
    return lambda: wall_clock_ms() - int(days * 86_400_000)


class Gate:
    """One server process with its application, and a ledger client to prepare and look with."""

    def __init__(self, redis_url: str, **settings: Any) -> None:
        choices: dict[str, Any] = {
            "public_url": PUBLIC_URL,
            "redis_url": redis_url,
            "twilio_account_sid": ACCOUNT_SID,
            "twilio_auth_token": f"{TOKEN},{SUBACCOUNT_SID}:{SUBACCOUNT_TOKEN}",
            "stripe_secret_key": "sk_test_0",
            "stripe_webhook_secret": "whsec_0",
            "smtp_url": "smtp://127.0.0.1:25",
            "mail_from": "gate@example.com",
            "credit_price": 20,
            "answer_url": DEFAULT_URL,
        }
        self.parts = Parts(Settings.model_validate(choices | settings))
        self.app = create_app(self.parts)
        self.client: Client = self.app.test_client()
        self.redis_url = redis_url

    def ledger(self, clock: Clock = wall_clock_ms) -> Ledger:
        client = connect(self.redis_url, timeout_s=5, max_connections=8)
        return Ledger(client, shards=self.parts.settings.shards, clock=clock)

    def open_account(self, credits: int, *numbers: str, topoff: bool = False) -> str:
        """An account that has had its numbers for a day."""
        ledger = self.ledger(days_ago(1))
        account_id = new_account_id()
        ledger.accounts.open_account(
            NewAccount(account_id, "Able", "able@example.com", allotment=credits)
        )
        if topoff:
            settings = TopoffSettings(enabled=True, threshold=0, amount=10)
            ledger.accounts.set_topoff(account_id, settings)
        for number in numbers or (NUMBER,):
            ledger.numbers.assign_number(number, account_id)
        return account_id

    def account(self, account_id: str) -> Account:
        return self.ledger().accounts.account(account_id)

    def balance(self, account_id: str) -> int:
        return self.account(account_id).balance

    def entries(self, account_id: str) -> list[Entry]:
        return list(self.ledger().log.entries(account_id))

    def fields(self, call_sid: str, **changes: str | None) -> Fields:
        """The fields of a voice request; a change to None leaves one out."""
        fields: dict[str, str | None] = {
            "CallSid": call_sid,
            "AccountSid": ACCOUNT_SID,
            "From": CALLER,
            "To": NUMBER,
            "CallStatus": "ringing",
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
            "CallerName": "Zoë O'Brien & Söhne + 50%",
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def signed(
        self, target: str, fields: Fields, *, headers: Fields | None = None, token: str = ""
    ) -> dict[str, Any]:
        """A request of these form fields, signed with the account's token."""
        token = token or TOKENS.get(fields.get("AccountSid", ""), TOKEN)
        signature = {"X-Twilio-Signature": sign(PUBLIC_URL + target, fields, token)}
        return {
            "path": target,
            "data": urlencode(fields).encode(),
            "content_type": "application/x-www-form-urlencoded",
            "headers": signature | (headers or {}),
        }

    def post(
        self, target: str, fields: Fields, *, headers: Fields | None = None, token: str = ""
    ) -> TestResponse:
        """Post form fields. Any thread may: each request has a client of its own."""
        request = self.signed(target, fields, headers=headers, token=token)
        return self.app.test_client().post(**request)

    def run(self, environ: dict[str, Any]) -> int:
        """Give the application an environment exactly as it is; returns the status."""
        _, status, _ = run_wsgi_app(self.app, environ, buffered=True)
        return int(status.split()[0])

    def incoming(self, call_sid: str, **changes: str | None) -> Twiml:
        return Twiml(self.post("/voice/incoming", self.fields(call_sid, **changes)))

    def fallback(self, call_sid: str, **changes: str | None) -> Twiml:
        return Twiml(self.post("/voice/fallback", self.fields(call_sid, **changes)))

    def status(
        self, call_sid: str, status: str = "completed", duration: str | None = "30", **changes: str
    ) -> TestResponse:
        fields = self.fields(call_sid, CallStatus=status, CallDuration=duration, **changes)
        return self.post("/voice/status", fields)


class Twiml:
    """An answer to a voice request, taken apart; fails when it isn't one."""

    def __init__(self, response: TestResponse) -> None:
        assert response.status_code == 200, response.get_data(as_text=True)
        assert response.mimetype == "text/xml"
        self.text = response.get_data(as_text=True)
        root = ElementTree.fromstring(self.text)
        assert root.tag == "Response"
        self.verbs = [verb.tag for verb in root]
        self.redirect = (root.findtext("Redirect") or "").strip()
        self.said = root.findtext("Say") or ""

    @property
    def answered(self) -> bool:
        return self.verbs == ["Redirect"]

    @property
    def dropped(self) -> bool:
        return self.verbs == ["Say", "Hangup"]
