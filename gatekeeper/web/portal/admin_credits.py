"""Credits added to an account, or taken from it, by the product's own people."""

from __future__ import annotations

import structlog
from flask import flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.ledger.accounts import Accounts
from gatekeeper.ledger.errors import CreditsRefused
from gatekeeper.web.portal.admin_account import ACCOUNT_PATH, find_account, render_account
from gatekeeper.web.portal.admin_correction import REMOVE, CorrectionForm
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.visitor import acting_for, visitor

_log = structlog.get_logger()


def add_credits_form(pages: PortalBlueprint, parts: Parts) -> None:
    """Add what the form on an account's page is sent to."""

    @pages.post(f"{ACCOUNT_PATH}/credits", right=Right.ADMIN)
    def correct(account_id: str) -> ResponseReturnValue:
        account = find_account(parts.ledger, account_id)
        form = CorrectionForm.read(request.form)
        if problems := form.problems:
            return render_account(parts, account, form, problems), 422
        try:
            is_new = _apply(parts.ledger.accounts, account_id, form)
        except CreditsRefused as refusal:
            why = str(refusal)
            problems = {"credits": f"{why[0].upper()}{why[1:]}."}
            return render_account(parts, account, form.anew(), problems), 422
        _log.info("credits_corrected", account=account_id, reference=form.reference, new=is_new)
        flash(_done(form) if is_new else "This was done before. Nothing was changed again.")
        return redirect(url_for(".account", account_id=account_id), 303)


def _apply(accounts: Accounts, account_id: str, form: CorrectionForm) -> bool:
    """Apply a correction; False when it was applied before. Raises CreditsRefused."""
    change = accounts.remove_credits if form.direction == REMOVE else accounts.add_credits
    by = acting_for(visitor())
    return change(account_id, form.count, reference=form.reference, cause=form.reason, by=by)


def _done(form: CorrectionForm) -> str:
    done = "removed" if form.direction == REMOVE else "added"
    return f"{count_credits(form.count)} {done}."
