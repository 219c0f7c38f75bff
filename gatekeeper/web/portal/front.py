"""The front doors: of the portal, and of one account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog
from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.queries import calls_page
from gatekeeper.web.portal.account_state import account_state
from gatekeeper.web.portal.billing_words import (
    allotment_label,
    allotment_note,
    balance_words,
    topoff_words,
)
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.calls_view import CallLine, call_line
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.visitor import visitor

#: How many calls an account's front page shows.
_CALLS: Final = 5

_log = structlog.get_logger()


def front_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("front", doorkeeper)
    ledger = parts.ledger

    @pages.get("/", right=Right.SIGNED_IN)
    def front() -> ResponseReturnValue:
        ids = ledger.members.accounts_of(visitor().email)
        if len(ids) == 1 and not visitor().is_admin:
            return redirect(url_for("front.account", account_id=ids[0]), 303)
        if not ids and visitor().is_admin:
            return redirect(url_for("admin.accounts"), 303)
        found = [ledger.accounts.account(account_id) for account_id in ids]
        accounts = [(one, account_state(one)) for one in found]
        return render_template("portal/choose.html", accounts=accounts, visitor=visitor())

    @pages.get("/a/<account_id>/", right=Right.SEE)
    def account(account_id: str) -> ResponseReturnValue:
        """Tell what a customer opens the portal for: whether there is enough, and calls go on."""
        found = ledger.accounts.account(account_id)
        return render_template(
            "portal/account.html",
            account=found,
            state=account_state(found),
            balance_words=balance_words(found),
            allotment_label=allotment_label(found),
            allotment_note=allotment_note(found),
            topoff_words=topoff_words(found),
            lines=_last_calls(parts.history, account_id),
        )

    _add_shortcuts(pages)
    return pages


def _add_shortcuts(pages: PortalBlueprint) -> None:
    """Lead on from addresses that people make up by cutting off the end of another."""

    @pages.get("/a/<account_id>/settings", right=Right.SEE)
    def settings(account_id: str) -> ResponseReturnValue:
        return redirect(url_for("settings.billing", account_id=account_id), 303)

    @pages.get("/a/<account_id>/receptionist", right=Right.SEE)
    def receptionist(account_id: str) -> ResponseReturnValue:
        return redirect(url_for("receptionist.calls", account_id=account_id), 303)

    @pages.get("/a/<account_id>/calling", right=Right.SEE)
    def calling(account_id: str) -> ResponseReturnValue:
        return redirect(url_for("calling.calls", account_id=account_id), 303)


def _last_calls(engine: Engine, account_id: str) -> Sequence[CallLine] | None:
    """Read an account's newest calls; None when history cannot be asked now."""
    try:
        return [call_line(one) for one in calls_page(engine, account_id, limit=_CALLS).items]
    except SQLAlchemyError as error:
        _log.warning("portal_without_history", error=describe_sql_error(error))
        return None
