"""An account as the command line shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.panel import Panel

from gatekeeper.cli.output import facts, utc
from gatekeeper.domain.account import Account, Card
from gatekeeper.domain.incident import Incident
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.route import DropMessage, Route, RouteKind
from gatekeeper.ledger.store import wall_clock_ms

Document = dict[str, Any]


def account_document(
    account: Account, incident: Incident | None, numbers: Sequence[str]
) -> Document:
    """Describe an account in full; `incident` is its open one."""
    return {
        **account_summary(account),
        "timezone": account.timezone,
        "created": utc(account.created_at_ms),
        "allotment_size": account.allotment_size,
        "allotment_granted": _granted(account),
        "topoff": topoff_document(account),
        "card": card_document(account.card) if account.card else None,
        "incident": _incident_document(account, incident) if incident else None,
        "cycle": {
            "start": utc(account.cycle_start_ms),
            "end": utc(account.cycle_end_ms) if account.cycle_end_ms else None,
            "anchor": utc(account.anchor_ms),
            "interval": account.interval.value,
        },
        "subscription": {"id": account.subscription, "status": account.subscription_status}
        if account.subscription
        else None,
        "numbers": list(numbers),
        "route": route_text(account.route) or None,
        "drop_message": _drop_message_document(account.drop_message),
        "price": account.price_minor,
    }


def account_summary(account: Account) -> Document:
    """Describe what tells accounts apart."""
    return {
        "id": account.id,
        "name": account.name,
        "email": account.email,
        "suspended": account.suspended,
        "balance": {
            "total": account.balance,
            "allotment": account.allotment,
            "purchased": account.purchased,
        },
    }


def topoff_document(account: Account) -> Document:
    """Describe automatic top-offs; `state` and `id` are those of the one in flight.

    While none is, `state` is "capped" when the spending cap lets none begin.
    """
    return {
        "enabled": account.topoff.enabled,
        "threshold": account.topoff.threshold,
        "amount": account.topoff.amount,
        "overdraft_limit": account.overdraft_limit,
        "spending_cap_minor": account.topoff.spending_cap_minor,
        "spent_minor": account.spent_minor_at(wall_clock_ms()),
        "state": _topoff_state(account),
        "id": account.topoff_id or None,
    }


def _topoff_state(account: Account) -> str | None:
    if account.topoff_state:
        return account.topoff_state.value
    return "capped" if account.topoff_capped else None


def card_document(card: Card) -> Document:
    """Describe a card as its owner knows it."""
    return {"brand": card.brand, "last4": card.last4, "expiry": card.expiry or None}


def route_text(stored: str) -> str:
    """Write a stored route as `--route` takes it; "" for none."""
    if not stored:
        return ""
    route = Route.from_text(stored)
    prefix = f"{route.kind}:" if route.kind is RouteKind.CONVERSATION_RELAY else ""
    return prefix + route.target


def account_panel(
    account: Account,
    incident: Incident | None,
    numbers: Sequence[str],
    *,
    price_minor: int,
    currency: str,
) -> Panel:
    """Draw an account for people. `price_minor` is the default price of a credit."""
    message = DropMessage.from_text(account.drop_message) if account.drop_message else None
    price = account.price_minor or price_minor
    rows = {
        "name": account.name,
        "e-mail": account.email,
        "time zone": account.timezone,
        "state": state_word(account),
        "balance": f"{account.balance} (allotment {account.allotment} of {_granted(account)},"
        f" purchased {account.purchased})",
        "auto top-off": topoff_line(account, currency) + _in_flight_clause(account),
        "card": _card_line(account.card),
        "incident": _incident_line(account, incident),
        "numbers": ", ".join(numbers) or "none",
        "calls go on to": route_text(account.route) or "the default",
        "dropped calls hear": f"{message.text} ({message.language}, {message.voice})"
        if message
        else "the default",
        "price of a credit": format_minor(price, currency)
        + ("" if account.price_minor else " (the default)"),
        "cycle": _cycle_line(account),
        "subscription": f"{account.subscription} ({account.subscription_status})"
        if account.subscription
        else "none",
    }
    return Panel(facts(rows), title=account.id, title_align="left", expand=False)


def _granted(account: Account) -> int:
    """Tell how much allotment there was to use in this period."""
    return account.granted - account.withheld


def _cycle_line(account: Account) -> str:
    since = f"since {utc(account.cycle_start_ms)}"
    if account.cycle_end_ms is None:
        return f"{since}; no allotment"
    return f"{since}; {account.allotment_size} new credits on {utc(account.cycle_end_ms)}"


def balance_line(account: Account) -> str:
    """Tell an account's balance, and a top-off that will change it."""
    return f"balance {account.balance}{_in_flight_clause(account)}"


def _in_flight_clause(account: Account) -> str:
    return f"; top-off {account.topoff_id} is {account.topoff_state}" if account.topoff_id else ""


def topoff_line(account: Account, currency: str) -> str:
    """Tell what automatic top-offs are set to, and what they lack."""
    topoff = account.topoff
    terms = (
        f"{topoff.amount} credits below {topoff.threshold}, overdraft limit"
        f" {account.overdraft_limit}{_cap_clause(account, currency)}"
    )
    if not topoff.enabled:
        return f"off (once on: {terms})"
    if account.card is None:
        return f"on: {terms}; but no card is attached: gatekeeper card set {account.id} --help"
    return f"on: {terms}"


def _cap_clause(account: Account, currency: str) -> str:
    cap_minor = account.topoff.spending_cap_minor
    if cap_minor is None:
        return ""
    spent = format_minor(account.spent_minor_at(wall_clock_ms()), currency)
    cap = format_minor(cap_minor, currency)
    paused = " (reached: none begins in this period)" if account.topoff_capped else ""
    return f", {spent} of a spending cap of {cap} used{paused}"


def state_word(account: Account) -> str:
    """Tell in a word or two what keeps an account from being as it should; `ok` if nothing does."""
    if account.suspended:
        return "suspended"
    if account.blocked_by is not None:
        return account.blocked_by.label
    if account.topoff_state is not None:
        return f"top-off {account.topoff_state}"
    if account.topoff_capped:
        return "spending cap reached"
    return "no card" if account.topoff.enabled and account.card is None else "ok"


def _card_line(card: Card | None) -> str:
    if card is None:
        return "none"
    refused = " (its issuer said never to try it again)" if card.refused_code else ""
    return f"{card.brand} ending in {card.last4}, expires {card.expiry or 'unknown'}{refused}"


def _incident_line(account: Account, incident: Incident | None) -> str:
    if incident is None:
        return "none"
    code = f" ({incident.decline_code})" if incident.decline_code else ""
    again = f"; tried again after {utc(account.retry_at_ms)}" if account.retry_at_ms else ""
    return f"{incident.reason.label}{code}, {utc(incident.at_ms)}, {incident.id}{again}"


def _incident_document(account: Account, incident: Incident) -> Document:
    return {
        "id": incident.id,
        "reason": incident.reason.label,
        "code": incident.reason.value,
        "at": utc(incident.at_ms),
        "topoff": incident.topoff_id,
        "credits": incident.credits,
        "amount_minor": incident.amount_minor,
        "currency": incident.currency or None,
        "decline_code": incident.decline_code or None,
        "retry_at": utc(account.retry_at_ms) if account.retry_at_ms else None,
    }


def _drop_message_document(stored: str) -> Document | None:
    if not stored:
        return None
    message = DropMessage.from_text(stored)
    return {"text": message.text, "language": message.language, "voice": message.voice}
