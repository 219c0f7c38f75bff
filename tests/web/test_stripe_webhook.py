"""POST /stripe/webhook: what each kind of request is answered, and what it leaves in the log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from stripe import WebhookSignature
from structlog.testing import capture_logs

from gatekeeper.domain.account import Card, NewAccount, TopoffSettings
from gatekeeper.domain.call import Decision
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.sandbox.valkey import EmbeddedValkey
from gatekeeper.web.journal import Journal
from gatekeeper.web.metrics import metrics_response
from gatekeeper.web.number_book import NumberBook
from gatekeeper.web.outage import Outage
from gatekeeper.web.recorder import Recorder
from gatekeeper.web.stripe_webhook import MAX_BODY_BYTES, stripe_webhook_blueprint
from tests.web.faults import STALLED
from tests.web.gate import Gate

SECRETS = ("whsec_old", "whsec_new")
PATH = "/stripe/webhook"
ACCOUNT = "acct_00000000000b"

Logs = list[MutableMapping[str, Any]]


@pytest.fixture
def client(ledger: Ledger) -> FlaskClient:
    return client_of(ledger)


def client_of(ledger: Ledger) -> FlaskClient:
    app = Flask(__name__)
    recorder = Recorder(ledger, NumberBook(ledger), Decision.ANSWER)
    outage = Outage(ledger, recorder, Journal())
    webhook = stripe_webhook_blueprint(ledger, SECRETS, outage, price_minor=25)
    app.register_blueprint(webhook)
    return app.test_client()


@pytest.fixture
def logs() -> Iterator[Logs]:
    with capture_logs() as captured:
        yield captured


@pytest.fixture
def topoff_id(ledger: Ledger) -> str:
    """A top-off whose PaymentIntent pi_1 is being charged: 200 credits for 50 dollars."""
    ledger.accounts.open_account(NewAccount(ACCOUNT, "Ada", "ada@example.com"))
    ledger.accounts.set_card(ACCOUNT, Card("cus_1", "pm_1", "visa", "4242", "01/2031"))
    settings = TopoffSettings(enabled=True, threshold=50, amount=200)
    topoff_id = ledger.accounts.set_topoff(ACCOUNT, settings)
    ledger.topoffs.begin_charge(topoff_id, price_minor=25, currency="usd")
    ledger.topoffs.record_intent(topoff_id, "pi_1")
    return topoff_id


def succeeded(topoff_id: str, **changes: object) -> bytes:
    intent = {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "amount_received": 5000,
        "currency": "usd",
        "customer": "cus_1",
        "latest_charge": "ch_1",
        "last_payment_error": None,
        "metadata": {"account": ACCOUNT, "topoff": topoff_id},
        "client_secret": "pi_1_secret_of_nobody",
        **changes,
    }
    return event("payment_intent.succeeded", intent)


def event(event_type: str, data: object) -> bytes:
    envelope = {"id": "evt_1", "object": "event", "type": event_type, "data": {"object": data}}
    return json.dumps(envelope).encode()


def signature(payload: bytes, secret: str = SECRETS[0], at_s: float | None = None) -> str:
    when = int(time.time() if at_s is None else at_s)
    return str(WebhookSignature.generate_signature_header(payload.decode("utf-8"), secret, when))


def post(client: FlaskClient, payload: bytes, header: str | None = None) -> int:
    headers = {"Stripe-Signature": signature(payload) if header is None else header}
    return client.post(PATH, data=payload, headers=headers).status_code


def test_a_success_is_credited_and_logged_in_one_line(
    client: FlaskClient, ledger: Ledger, topoff_id: str, logs: Logs
) -> None:
    assert post(client, succeeded(topoff_id)) == 200
    assert ledger.accounts.account(ACCOUNT).balance == 200
    assert logs == [
        {
            "event": "stripe_event",
            "log_level": "info",
            "stripe_event": "evt_1",
            "type": "payment_intent.succeeded",
            "account": ACCOUNT,
            "payment_intent": "pi_1",
            "outcome": "credited",
        }
    ]


def test_the_same_event_again_is_fine_and_changes_nothing(
    client: FlaskClient, ledger: Ledger, topoff_id: str, logs: Logs
) -> None:
    assert [post(client, succeeded(topoff_id)) for _ in range(3)] == [200, 200, 200]
    assert ledger.accounts.account(ACCOUNT).balance == 200
    assert [line["outcome"] for line in logs] == ["credited", "repeated", "repeated"]


def test_a_purchase_is_written_down_to_be_looked_into(
    client: FlaskClient, ledger: Ledger, topoff_id: str, logs: Logs
) -> None:
    purchase = f"{ACCOUNT}-00000000b0b0"
    bought = {"account": ACCOUNT, "purchase": purchase}
    assert post(client, succeeded(topoff_id, metadata=bought)) == 200
    session = {"id": "cs_test_1", "object": "checkout.session", "metadata": bought}
    assert post(client, event("checkout.session.completed", session)) == 200
    assert ledger.owed.is_owed(ACCOUNT, f"checkout:{purchase}")
    assert ledger.accounts.account(ACCOUNT).balance == 0
    assert [line["outcome"] for line in logs] == ["owed", "owed"]
    assert (logs[0]["account"], logs[1]["checkout"]) == (ACCOUNT, purchase)


def test_a_purchase_for_nobody_is_an_error_in_the_log(
    client: FlaskClient, topoff_id: str, logs: Logs
) -> None:
    nobody = "acct_00000000000z"
    bought = {"account": nobody, "purchase": f"{nobody}-00000000b0b0"}
    assert post(client, succeeded(topoff_id, metadata=bought)) == 200
    assert [(line["log_level"], line["outcome"]) for line in logs] == [("error", "unknown_account")]


@pytest.mark.parametrize("secret", SECRETS)
def test_both_secrets_of_a_rotation_are_good(
    client: FlaskClient, topoff_id: str, secret: str
) -> None:
    payload = succeeded(topoff_id)
    assert post(client, payload, signature(payload, secret)) == 200


def test_a_type_that_means_nothing_to_us_is_fine(client: FlaskClient) -> None:
    assert post(client, event("customer.created", {"id": "cus_1"})) == 200


BAD_SIGNATURES = {
    "none": "",
    "nonsense": "nonsense",
    "no time": "v1=abc",
    "not a time": "t=now,v1=abc",
    "not ASCII": "t=1,v1=\xfc",
    "no scheme": "t=1",
    "endless time": f"t={'9' * 5000},v1=abc",
}


@pytest.mark.parametrize("header", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_a_bad_signature_is_refused(
    client: FlaskClient, ledger: Ledger, topoff_id: str, header: str, logs: Logs
) -> None:
    assert post(client, succeeded(topoff_id), header) == 400
    assert ledger.accounts.account(ACCOUNT).balance == 0
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("stripe_event_refused", "warning")


def test_a_signature_by_another_secret_or_of_another_body_or_old_is_refused(
    client: FlaskClient, topoff_id: str
) -> None:
    payload = succeeded(topoff_id)
    assert post(client, payload, signature(payload, "whsec_of_a_stranger")) == 400
    assert post(client, payload, signature(payload + b" ")) == 400
    assert post(client, payload, signature(payload, at_s=time.time() - 301)) == 400


BAD_BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "a number": b"1",
    "not an event": b"{}",
    "a thin event": b'{"object": "v2.core.event", "id": "evt_1", "type": "x", "data": {}}',
    "an event without an object": b'{"object": "event", "id": "evt_1", "type": "x"}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("payload", BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_signed_body_that_is_no_event_is_refused(client: FlaskClient, payload: bytes) -> None:
    assert post(client, payload) == 400


def test_a_body_that_is_not_utf8_is_refused(client: FlaskClient) -> None:
    assert post(client, b"\xff\xfe", "t=1,v1=abc") == 400


def test_a_body_of_absurd_length_is_not_read(client: FlaskClient, logs: Logs) -> None:
    assert post(client, b" " * (MAX_BODY_BYTES + 1), "t=1,v1=abc") == 413
    assert [line["status"] for line in logs] == [413]


def test_only_post_is_served(client: FlaskClient) -> None:
    assert client.get(PATH).status_code == 405


def test_money_that_does_not_fit_is_an_error_until_someone_looks(
    client: FlaskClient, ledger: Ledger, topoff_id: str, logs: Logs
) -> None:
    assert post(client, succeeded(topoff_id, amount_received=1)) == 409
    assert ledger.accounts.account(ACCOUNT).balance == 0
    assert [(line["log_level"], line["outcome"]) for line in logs] == [("error", "mismatch")]


def test_a_top_off_that_is_not_here_is_a_warning(client: FlaskClient, logs: Logs) -> None:
    assert post(client, succeeded(f"{ACCOUNT}-0123456789ab")) == 200
    assert [(line["log_level"], line["outcome"]) for line in logs] == [
        ("warning", "unknown_topoff")
    ]


def test_while_the_ledger_is_gone_stripe_is_asked_to_come_back(topoff_id: str, logs: Logs) -> None:
    nowhere = connect("redis://127.0.0.1:1/0", timeout_s=0.2, max_connections=1)
    client = client_of(Ledger(nowhere))
    assert post(client, succeeded(topoff_id)) == 503
    told = [line for line in logs if line["event"] == "stripe_event"]
    assert [(line["log_level"], line["outcome"]) for line in told] == [
        ("error", "ledger_unreachable")
    ]


def test_a_stalled_ledger_holds_no_thread_that_answers_calls(valkey: EmbeddedValkey) -> None:
    """As the application is wired: an event is answered within the time that a call has."""
    gate = Gate(valkey.url, stripe_webhook_secret=SECRETS[0])
    payload = succeeded(f"{ACCOUNT}-0123456789ab")

    def answer_time_s(_: int) -> float:
        started_s = time.monotonic()
        assert post(gate.app.test_client(), payload) == 503
        return time.monotonic() - started_s

    with STALLED.strikes(valkey), ThreadPoolExecutor(8) as pool:
        assert max(pool.map(answer_time_s, range(16))) < 2


def test_every_event_is_counted(client: FlaskClient, topoff_id: str) -> None:
    def counts() -> dict[str, float]:
        lines = metrics_response().get_data(as_text=True).splitlines()
        counted = (line.rpartition(" ") for line in lines if "stripe_webhooks_total{" in line)
        return {labels: float(value) for labels, _, value in counted}

    before = counts()
    post(client, succeeded(topoff_id))
    post(client, succeeded(topoff_id))
    post(client, succeeded(topoff_id), header="t=1,v1=abc")
    grown = {labels: value - before.get(labels, 0) for labels, value in counts().items()}
    outcomes = {
        outcome: sum(by for labels, by in grown.items() if f'outcome="{outcome}"' in labels)
        for outcome in ("credited", "repeated", "refused")
    }
    assert outcomes == {"credited": 1, "repeated": 1, "refused": 1}


def test_nothing_of_the_payload_is_logged_or_answered(
    client: FlaskClient, topoff_id: str, logs: Logs
) -> None:
    payload = succeeded(topoff_id)
    answers = [
        client.post(PATH, data=payload, headers={"Stripe-Signature": header}).text
        for header in (signature(payload), "t=1,v1=abc")
    ]
    assert "secret_of_nobody" not in f"{logs}{answers}"
