"""One account as the product's own people look at it: facts, what is wrong now, and its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account, is_account_id
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.queries import BadCursor, entries_page
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.mail.wording import FAILURE_ADVICE
from gatekeeper.web.portal.admin_correction import CorrectionForm
from gatekeeper.web.portal.admin_words import LogLine, admin_states, log_line
from gatekeeper.web.portal.banner import amount_of
from gatekeeper.web.portal.billing_view import read_standing
from gatekeeper.web.portal.billing_words import card_words
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.freshness import read_up_to_ms

ACCOUNT_PATH: Final = "/admin/accounts/<account_id>"
_LINES: Final = 50

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of an account's log. `up_to_ms` is until when, if that is noticeably behind."""

    lines: Sequence[LogLine]
    older: str | None
    up_to_ms: int | None


def add_account(pages: PortalBlueprint, parts: Parts) -> None:
    """Add the page of an account."""

    @pages.get(ACCOUNT_PATH, right=Right.ADMIN)
    def account(account_id: str) -> ResponseReturnValue:
        found = find_account(parts.ledger, account_id)
        return render_account(parts, found, CorrectionForm.empty(), {})


def find_account(ledger: Ledger, account_id: str) -> Account:
    """Read an account. Raises NotFound, redis.RedisError."""
    if not is_account_id(account_id):
        raise NotFound
    try:
        return ledger.accounts.account(account_id)
    except UnknownAccount:
        raise NotFound from None


def render_account(
    parts: Parts, account: Account, form: CorrectionForm, problems: dict[str, str]
) -> str:
    """Render the page of an account, with the form of a correction as it stands."""
    ledger, settings = parts.ledger, parts.settings
    now = read_standing(
        ledger,
        account,
        standard_price=settings.credit_price,
        currency=settings.currency,
        now_ms=wall_clock_ms(),
    )
    after = request.args.get("after")
    return render_template(
        "portal/admin_account.html",
        account=account,
        now=now,
        states=admin_states(account),
        incident_meaning=FAILURE_ADVICE[now.incident.reason].meaning if now.incident else "",
        incident_amount=amount_of(now.incident) if now.incident else "",
        card_words=card_words(account),
        members=ledger.members.of_account(account.id),
        numbers=list(ledger.numbers.of_account(account.id)),
        currency=settings.currency,
        log=_read_log(parts, account.id, after),
        after=after,
        form=form,
        problems=problems,
    )


def _read_log(parts: Parts, account_id: str, after: str | None) -> LogPage | None:
    """Read a page of the log; None when history cannot be asked now."""
    up_to_ms = read_up_to_ms(parts.ledger, wall_clock_ms())
    try:
        try:
            page = entries_page(parts.history, account_id, after=after, limit=_LINES)
        except BadCursor:  # an address that somebody typed
            page = entries_page(parts.history, account_id, limit=_LINES)
    except SQLAlchemyError as error:
        _log.warning("portal_without_history", error=describe_sql_error(error))
        return None
    lines = [log_line(entry, parts.settings.currency) for entry in page.items]
    return LogPage(lines, page.next, up_to_ms)
