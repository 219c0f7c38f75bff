"""The Billing tab: balance, usage, card, statement, and the retry of a failed charge."""

from __future__ import annotations

from typing import Final

import stripe
import structlog
from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.phrasing import zone_of
from gatekeeper.history.call import Outcome
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.export import export_statement
from gatekeeper.history.queries import find_entry
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.ledger.topoffs import AgreedCharge, RetryAnswer
from gatekeeper.mail.wording import FAILURE_ADVICE
from gatekeeper.payments.receipts import fetch_receipt_url
from gatekeeper.payments.stripe_errors import describe
from gatekeeper.web.portal.banner import amount_of
from gatekeeper.web.portal.billing_view import Standing, read_past, read_standing
from gatekeeper.web.portal.billing_words import card_expiry, card_words
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_unavailable
from gatekeeper.web.portal.cycles import Cycle, cycles_of
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.downloads import csv_download
from gatekeeper.web.portal.formats import write_day
from gatekeeper.web.portal.statement import exported_words, payment_intent_of
from gatekeeper.web.portal.visitor import acting_for, visitor
from gatekeeper.web.portal.whole_number import read_whole_number

#: The seed's three rows, in its order; see Outcome.label.
PROMISED_OUTCOMES: Final = (Outcome.CONVERSATION, Outcome.HUNG_UP, Outcome.DROPPED)

#: As write_day ends: ", 2026".
_YEAR_LENGTH: Final = 6
_PATH: Final = "/a/<account_id>/settings/billing"
_SAID: Final = {
    RetryAnswer.REQUESTED: ("The charge is being tried again.", "good"),
    RetryAnswer.IN_FLIGHT: ("A charge is on its way already.", "good"),
    RetryAnswer.NO_SUCH_INCIDENT: ("There is nothing to retry any more.", "good"),
    RetryAnswer.CAPPED: (
        "The spending cap of automatic top-offs is reached, so the charge is not tried again.",
        "warning",
    ),
    RetryAnswer.CHANGED: (
        "The top-up amount or the price has changed, so nothing was charged. Below stands what a "
        "retry charges now.",
        "warning",
    ),
}

_log = structlog.get_logger()


def add_billing(pages: PortalBlueprint, parts: Parts) -> None:
    """Add the tab to the pages of Settings."""
    _add_views(pages, parts)
    _add_retry(pages, parts)
    _add_receipts(pages, parts)
    _add_export(pages, parts)


def _read(parts: Parts, account_id: str) -> Standing:
    return read_standing(
        parts.ledger,
        parts.ledger.accounts.account(account_id),
        standard_price=parts.settings.credit_price,
        currency=parts.settings.currency,
        now_ms=wall_clock_ms(),
    )


def _add_views(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get(_PATH, right=Right.SEE)
    def billing(account_id: str) -> ResponseReturnValue:
        now = _read(parts, account_id)
        cycles = cycles_of(now.account, now.now_ms)
        cycle = _chosen(cycles)
        after = request.args.get("after")
        past = read_past(parts.history, parts.ledger, now, cycle, after)
        return render_template(
            "portal/billing.html",
            **_standing_facts(now),
            past=past,
            cycles=cycles,
            cycle=cycle,
            cycle_options=[(one.key, _cycle_name(one, now)) for one in cycles],
            after=after,
            outcomes=PROMISED_OUTCOMES,
            not_answered=Outcome.NOT_ANSWERED,
        )

    @pages.get(f"{_PATH}/now", right=Right.SEE)
    def billing_now(account_id: str) -> ResponseReturnValue:
        """Answer with what the ledger knows alone; asked for while a charge is in flight."""
        facts = _standing_facts(_read(parts, account_id))
        return render_template("portal/_billing_now.html", **facts, is_update=True)


def _standing_facts(now: Standing) -> dict[str, object]:
    return {
        "now": now,
        "account": now.account,
        "visitor": visitor(),
        "card_words": card_words(now.account),
        "card_expiry": card_expiry(now.account, now.now_ms),
        "incident_meaning": FAILURE_ADVICE[now.incident.reason].meaning if now.incident else "",
        "incident_amount": amount_of(now.incident) if now.incident else "",
    }


def _cycle_name(cycle: Cycle, now: Standing) -> str:
    """Name a cycle by its first and last day: "This cycle: Nov 1 to Nov 30, 2026"."""
    timezone = now.account.timezone
    first, last = write_day(cycle.start_ms, timezone), write_day(cycle.end_ms - 1, timezone)
    if first[-_YEAR_LENGTH:] == last[-_YEAR_LENGTH:]:
        first = first[:-_YEAR_LENGTH]
    span = f"{first} to {last}"
    return f"This cycle: {span}" if cycle == now.cycle else span


def _chosen(cycles: list[Cycle]) -> Cycle:
    """Pick the cycle that the address names, else the current one."""
    key = request.args.get("cycle")
    return next((cycle for cycle in cycles if cycle.key == key), cycles[0])


def _back(account_id: str, anchor: str = "") -> Response:
    href = url_for(".billing", account_id=account_id, _anchor=anchor or None)
    answer: Response = redirect(href, 303)  # type: ignore[assignment]  # Flask's own class, as configured
    return answer


def _add_retry(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.post(f"{_PATH}/retry", right=Right.PAY)
    def retry_charge(account_id: str) -> ResponseReturnValue:
        incident_id = request.form.get("incident", "")
        # A form that does not say what it would charge agrees with nothing.
        agreed = AgreedCharge(
            credits=read_whole_number(request.form.get("credits", "")),
            price_minor=read_whole_number(request.form.get("price_minor", "")),
            standard_price_minor=parts.settings.credit_price,
        )
        answer = parts.ledger.topoffs.request_topoff(
            account_id, incident_id, by=acting_for(visitor()), agreed=agreed
        )
        _log.info("topoff_retried", account=account_id, answer=answer.value)
        flash(*_SAID[answer])
        return _back(account_id, "charge")


def _add_receipts(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get(f"{_PATH}/receipt", right=Right.SEE)
    def receipt(account_id: str) -> ResponseReturnValue:
        """Lead on to the receipt of a line of this account's statement."""
        try:
            entry = find_entry(parts.history, account_id, request.args.get("entry", ""))
            payment = payment_intent_of(entry) if entry else None
            url = fetch_receipt_url(parts.stripe_for_pages, payment) if payment else None
        except (SQLAlchemyError, stripe.StripeError) as error:
            _log.warning("receipt_unavailable", error=_described(error))
            return _unavailable("The receipt cannot be fetched right now", account_id)
        if url is None:
            flash("There is no receipt of that.", "warning")
            return _back(account_id, "history")
        return redirect(url, 303)


def _add_export(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get(f"{_PATH}/history.csv", right=Right.SEE)
    def statement_csv(account_id: str) -> ResponseReturnValue:
        zone = zone_of(parts.ledger.accounts.account(account_id).timezone)
        lines = export_statement(parts.history, account_id, zone, words=exported_words)
        try:
            return csv_download(lines, "billing-history.csv")
        except SQLAlchemyError as error:
            _log.warning("portal_without_history", error=describe_sql_error(error))
            return _unavailable("The history cannot be exported right now", account_id)


def _described(error: Exception) -> str:
    return describe(error) if isinstance(error, stripe.StripeError) else type(error).__name__


def _unavailable(title: str, account_id: str) -> ResponseReturnValue:
    return answer_unavailable(
        title,
        "Your balance and your calls are not affected. Please try again in a few minutes.",
        href=url_for(".billing", account_id=account_id),
        link="Back to Billing",
    )
