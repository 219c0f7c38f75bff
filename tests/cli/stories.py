"""What happens to accounts, told to the ledger by its verbs."""

from __future__ import annotations

import secrets

from sqlalchemy import Engine

from gatekeeper.domain.account import Card, TopoffSettings
from gatekeeper.domain.call import CallEnd, CallId
from gatekeeper.domain.incident import FailureReason
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.relay.history import HistoryCopy
from tests.cli.conftest import ACCOUNT_SID

NUMBER = "+15550001111"
CARD = Card("cus_1", "pm_1", "visa", "4242", "12/2030")
PRICE_MINOR = 25


def call(
    ledger: Ledger,
    account_id: str,
    end: CallEnd | None = CallEnd.COMPLETED,
    sid: str = ACCOUNT_SID,
    *,
    number: str = NUMBER,
    duration_s: int = 10,
) -> str:
    """Let a call come in, and end if told how; returns its CallSid."""
    call_id = CallId(sid, f"CA{secrets.token_hex(16)}")
    ledger.calls.admit_call(account_id, call_id, number)
    if end is not None:
        ledger.calls.settle_call(
            account_id, call_id, number, end, duration_s=duration_s, debit_unknown=True
        )
    return call_id.call_sid


def forget(ledger: Ledger, call_sid: str) -> None:
    """Let the time pass for which the ledger keeps a call."""
    for found in ledger.calls.find(call_sid):
        ledger.client.delete(ledger.keys.of_account(found.account_id).call(found.call))


def switch_on(ledger: Ledger, account_id: str, *, threshold: int, amount: int) -> str:
    """Switch automatic top-offs on; returns the top-off in flight, or ""."""
    return ledger.accounts.set_topoff(account_id, TopoffSettings(True, threshold, amount))


def begin_charge(ledger: Ledger, topoff_id: str) -> str:
    """Begin the charge of a top-off; returns its PaymentIntent."""
    ledger.topoffs.begin_charge(topoff_id, price_minor=PRICE_MINOR, currency="usd")
    return ledger.topoffs.record_intent(topoff_id, f"pi_{secrets.token_hex(8)}")


def succeed(ledger: Ledger, topoff_id: str) -> None:
    """Charge a top-off."""
    intent = begin_charge(ledger, topoff_id)
    credits = ledger.topoffs.topoff(topoff_id).credits
    payment = Payment(intent, credits * PRICE_MINOR, "usd", CARD.customer, CARD.last4)
    ledger.topoffs.settle_topoff(topoff_id, payment, price_minor=PRICE_MINOR)


def decline(ledger: Ledger, topoff_id: str) -> None:
    """Let the charge of a top-off be declined."""
    intent = begin_charge(ledger, topoff_id)
    ledger.topoffs.fail_topoff(
        topoff_id,
        payment_intent=intent,
        reason=FailureReason.DECLINED,
        decline_code="insufficient_funds",
    )


def copy(ledger: Ledger, history: Engine) -> None:
    """Copy the log into history, as the relay does within a second."""
    HistoryCopy(ledger, history).copy_all()
