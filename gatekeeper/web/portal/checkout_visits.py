"""Going from the portal to Stripe Checkout and coming back, for credits as for a card."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.domain.account import Account
from gatekeeper.domain.checkout import Checkout, CheckoutMode
from gatekeeper.ledger.keys import account_of, is_record_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.payments.checkout import PLACEHOLDER, CheckoutFault, CheckoutUnavailable
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_message
from gatekeeper.web.portal.doorkeeper import Right

#: The field of a form that makes it one of its own.
TOKEN_FIELD: Final = "token"  # noqa: S105 - a field's name
_VISIT: Final = "checkout"

_log = structlog.get_logger()


def new_form_token() -> str:
    """Make what tells one rendering of a form from every other."""
    return secrets.token_urlsafe(16)


def return_url(origin: str, endpoint: str, account_id: str) -> str:
    """Write the address that Stripe sends people back to once they are done there."""
    # By hand, for the braces of the placeholder must not be quoted.
    return f"{origin}{url_for(endpoint, account_id=account_id)}?{_VISIT}={PLACEHOLDER}"


def _visit_id_asked_for() -> str:
    """Read from the address which visit a page is about; "" when it does not say."""
    return request.args.get(_VISIT, "")


def _own_visit(ledger: Ledger, account_id: str, mode: CheckoutMode) -> Checkout | None:
    """Find the visit that the address names.

    None when it is not of this account and mode, came to nothing, or is no longer kept.
    """
    visit_id = _visit_id_asked_for()
    if not is_record_id(visit_id) or account_of(visit_id) != account_id:
        return None
    visit = ledger.checkouts.find(visit_id)
    return visit if visit is not None and visit.mode is mode else None


def add_return(
    pages: PortalBlueprint,
    path: str,
    ledger: Ledger,
    mode: CheckoutMode,
    *,
    page: str,
    update: str,
    words: Callable[[Account], dict[str, object]] = lambda _: {},
) -> None:
    """Add the pages that people come back to from Checkout.

    `page` is the template that says how far the visit is, `update` the part of it that is asked for
    until the visit is done, and `words` what both need besides the visit and the account.
    """

    @pages.get(f"{path}/return", right=Right.PAY)
    def returned(account_id: str) -> ResponseReturnValue:
        """Take in who comes back from Checkout; their page can then be read again and again."""
        visit = _own_visit(ledger, account_id, mode)
        if visit is not None:  # looked into now, not when Stripe's news come
            ledger.checkouts.note_checkout(visit.id, visit.mode)
        return redirect(
            url_for(".done", account_id=account_id, checkout=_visit_id_asked_for()), 303
        )

    @pages.get(f"{path}/done", right=Right.PAY)
    def done(account_id: str) -> ResponseReturnValue:
        return render_template(page, **facts(account_id))

    @pages.get(f"{path}/done/progress", right=Right.PAY)
    def progress(account_id: str) -> ResponseReturnValue:
        """Answer with how far the visit is."""
        return render_template(update, **facts(account_id), is_update=True)

    def facts(account_id: str) -> dict[str, object]:
        # The visit first: an account that is read after it has what came of it.
        visit = _own_visit(ledger, account_id, mode)
        account = ledger.accounts.account(account_id)
        return {"visit": visit, "account": account, **words(account)}


def answer_faults(pages: PortalBlueprint) -> None:
    """Let pages say calmly when nobody can be sent to Checkout.

    Each form stands at the path that it is posted to, where there is a new one.
    """
    pages.register_error_handler(CheckoutFault, _answer_fault)


def _answer_fault(fault: CheckoutFault) -> tuple[str, int, dict[str, str]]:
    if not isinstance(fault, CheckoutUnavailable):
        title, link = "This form was used before", "Open a new form"
        return *answer_message(409, title, str(fault), href=request.path, link=link), {}
    _log.warning("checkout_unavailable", path=request.path, error=fault.detail)
    page, status = answer_message(
        503, "We cannot do this right now", str(fault), href=request.path, link="Try again"
    )
    return page, status, {"Retry-After": "60"}
