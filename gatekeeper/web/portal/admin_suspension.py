"""An account is suspended, or its suspension lifted, after a question."""

from __future__ import annotations

from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.admin_account import ACCOUNT_PATH, find_account
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.visitor import acting_for, visitor

_PATH: Final = f"{ACCOUNT_PATH}/suspension"
#: What the button asks for, and what the ledger is told.
_FLAGS: Final = {"suspend": "1", "lift": ""}
_SAID: Final = {
    "suspend": "The account is suspended: its calls are dropped.",
    "lift": "The suspension is lifted: calls are answered again.",
}

_log = structlog.get_logger()


def add_suspension(pages: PortalBlueprint, ledger: Ledger) -> None:
    """Add the question and what its button is sent to."""

    @pages.get(_PATH, right=Right.ADMIN)
    def ask_suspension(account_id: str) -> ResponseReturnValue:
        account = find_account(ledger, account_id)
        return render_template("portal/admin_suspension.html", account=account)

    @pages.post(_PATH, right=Right.ADMIN, provide_automatic_options=False)
    def set_suspension(account_id: str) -> ResponseReturnValue:
        account = find_account(ledger, account_id)
        wanted = request.form.get("wanted", "")
        if wanted not in _FLAGS:  # no form of ours: it is shown, and sent again
            return render_template("portal/admin_suspension.html", account=account), 422
        by = acting_for(visitor())
        ledger.accounts.update_account(account_id, by=by, suspended=_FLAGS[wanted])
        _log.info("suspension_set", account=account_id, wanted=wanted)
        flash(_SAID[wanted])
        return redirect(url_for(".account", account_id=account_id), 303)
