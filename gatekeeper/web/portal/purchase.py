"""Buy Credits: what they cost, the way to Stripe Checkout, and the page that one comes back to.

That page grants nothing. It watches for the credits, which come when Stripe says that they were
paid for.
"""

from __future__ import annotations

from typing import Final

import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.payments.checkout import start_purchase
from gatekeeper.web.portal.billing_words import purchased_note
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
from gatekeeper.web.portal.purchase_view import Quote, packs_for, smallest_purchase
from gatekeeper.web.portal.visitor import acting_for, visitor

_PATH: Final = "/a/<account_id>/buy"

_log = structlog.get_logger()


def purchase_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("purchase", doorkeeper)
    answer_faults(pages)
    _add_form(pages, _Desk(parts))
    add_return(
        pages,
        _PATH,
        parts.ledger,
        CheckoutMode.PAYMENT,
        page="portal/purchase_done.html",
        update="portal/_purchase_progress.html",
    )
    return pages


def _add_form(pages: PortalBlueprint, desk: _Desk) -> None:
    @pages.get(_PATH, right=Right.PAY)
    def choose(account_id: str) -> ResponseReturnValue:
        return desk.page(desk.quote(account_id, request.args.get("credits", "")))

    @pages.get(f"{_PATH}/price", right=Right.PAY)
    def price(account_id: str) -> ResponseReturnValue:
        """Answer with what the number typed costs; asked for while somebody types."""
        quote = desk.quote(account_id, request.args.get("credits", ""))
        terms = desk.card_terms(quote.account)
        return render_template("portal/_purchase_price.html", quote=quote, terms=terms)

    @pages.post(_PATH, right=Right.PAY)
    def buy(account_id: str) -> ResponseReturnValue:
        """Send the person to Checkout with what they chose."""
        quote = desk.quote(account_id, request.form.get("credits", ""))
        if quote.problems:
            return desk.page(quote, problems=quote.problems), 422
        return redirect(desk.start(quote, request.form.get(TOKEN_FIELD, "")), 303)


class _Desk:
    """Reads for the form, and starts what it asks for."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._settings = parts.settings

    def quote(self, account_id: str, typed: str) -> Quote:
        account = self._parts.ledger.accounts.account(account_id)
        return Quote(account, typed, self._settings.credit_price, self._settings.currency)

    def card_terms(self, account: Account) -> CardTerms:
        """Tell what it means to save the card that is paid with."""
        price_minor = account.price_minor or self._settings.credit_price
        return CardTerms(account, price_minor, self._settings.currency, wall_clock_ms())

    def start(self, quote: Quote, token: str) -> str:
        account_id, origin = quote.account.id, self._settings.public_origin
        cancel = url_for(".choose", account_id=account_id, credits=quote.credits, canceled=1)
        url = start_purchase(
            account_id,
            quote.credits,
            token=token,
            success_url=return_url(origin, ".returned", account_id),
            cancel_url=f"{origin}{cancel}",
            ledger=self._parts.ledger,
            stripe=self._parts.stripe_for_pages,
            price_minor=self._settings.credit_price,
            currency=self._settings.currency,
            clock=wall_clock_ms,
            by=acting_for(visitor()),
        )
        _log.info("purchase_started", account=account_id, credits=quote.credits)
        return url

    def page(self, quote: Quote, *, problems: dict[str, str] | None = None) -> str:
        account, terms = quote.account, self.card_terms(quote.account)
        return render_template(
            "portal/purchase.html",
            account=account,
            quote=quote,
            terms=terms,
            may_charge_more=terms.charges_at(
                account.balance + smallest_purchase(terms.price_minor)
            ),
            packs=packs_for(account, self._settings.credit_price, self._settings.currency),
            purchased_note=purchased_note(account),
            problems=problems or {},
            token=new_form_token(),
            was_canceled="canceled" in request.args,
        )
