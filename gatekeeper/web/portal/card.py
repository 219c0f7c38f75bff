"""The card that automatic top-offs are charged to: set, replaced or removed."""

from __future__ import annotations

from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments.checkout import remove_card, start_card_setup
from gatekeeper.web.portal.billing_words import card_words
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.card_view import CardTerms
from gatekeeper.web.portal.checkout_visits import (
    TOKEN_FIELD,
    add_return,
    answer_faults,
    new_form_token,
    return_url,
)
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.visitor import acting_for, visitor

_PATH: Final = "/a/<account_id>/settings/card"

_log = structlog.get_logger()


def card_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("card", doorkeeper)
    answer_faults(pages)
    _add_form(pages, parts)
    add_return(
        pages,
        _PATH,
        parts.ledger,
        CheckoutMode.SETUP,
        page="portal/card_done.html",
        update="portal/_card_progress.html",
        words=lambda account: {"card": card_words(account)},
    )
    _add_removal(pages, parts)
    return pages


def _add_form(pages: PortalBlueprint, parts: Parts) -> None:
    settings, ledger = parts.settings, parts.ledger

    @pages.get(_PATH, right=Right.PAY)
    def change(account_id: str) -> ResponseReturnValue:
        account = ledger.accounts.account(account_id)
        price_minor = account.price_minor or settings.credit_price
        return render_template(
            "portal/card.html",
            account=account,
            terms=CardTerms(account, price_minor, settings.currency, wall_clock_ms()),
            token=new_form_token(),
            was_canceled="canceled" in request.args,
        )

    @pages.post(_PATH, right=Right.PAY)
    def start(account_id: str) -> ResponseReturnValue:
        """Send the person to Checkout to save a card."""
        token = request.form.get(TOKEN_FIELD)
        if not token:  # no form of ours
            return redirect(url_for(".change", account_id=account_id), 303)
        cancel = url_for(".change", account_id=account_id, canceled=1)
        url = start_card_setup(
            account_id,
            token=token,
            success_url=return_url(settings.public_origin, ".returned", account_id),
            cancel_url=f"{settings.public_origin}{cancel}",
            ledger=ledger,
            stripe=parts.stripe_for_pages,
            clock=wall_clock_ms,
            by=acting_for(visitor()),
        )
        _log.info("card_setup_started", account=account_id)
        return redirect(url, 303)


def _add_removal(pages: PortalBlueprint, parts: Parts) -> None:
    ledger = parts.ledger

    @pages.get(f"{_PATH}/remove", right=Right.PAY)
    def confirm_removal(account_id: str) -> ResponseReturnValue:
        account = ledger.accounts.account(account_id)
        if account.card is None:
            return redirect(url_for(".change", account_id=account_id), 303)
        return render_template("portal/card_remove.html", account=account, card=card_words(account))

    @pages.post(f"{_PATH}/remove", right=Right.PAY)
    def remove(account_id: str) -> ResponseReturnValue:
        """Remove the card that the person was asked about, and no other."""
        meant, by = request.form.get("payment_method", ""), acting_for(visitor())
        if remove_card(account_id, meant, ledger=ledger, stripe=parts.stripe_for_pages, by=by):
            _log.info("card_removed", account=account_id)
            flash("Your card is removed.")
        elif ledger.accounts.account(account_id).card is None:
            flash("There is no card to remove.")
        else:
            flash("Your card was replaced meanwhile. Nothing was removed.", "warning")
        return redirect(url_for(".change", account_id=account_id), 303)
