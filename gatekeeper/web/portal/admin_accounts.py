"""The list of accounts: searched in the directory, and shown as the ledger has them now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.history.directory import Listed, Order, accounts_page, search_accounts
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.queries import BadCursor, Page, find_calls
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.overview import read_accounts
from gatekeeper.web.ops import PREFIX as QUEUES_PATH
from gatekeeper.web.portal.account_state import AccountState
from gatekeeper.web.portal.admin_search import (
    CALL_SID,
    find_by_digits,
    find_exactly,
    names_exactly,
    read_text,
)
from gatekeeper.web.portal.admin_words import admin_states
from gatekeeper.web.portal.blueprint import (
    RETRY_SOON,
    PortalBlueprint,
    answer_message,
    answer_unavailable,
)
from gatekeeper.web.portal.doorkeeper import Right

ORDER_LABELS: Final = {
    Order.NAME: "Name",
    Order.LAST_CALL: "Newest call",
    Order.BALANCE: "Lowest balance",
    Order.OPENED: "Newest account",
}
_NOT_IN_LEDGER: Final = AccountState("Not in the ledger", "bad")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account: as the ledger has it now, or what the directory tells if it has none."""

    account_id: str
    name: str
    email: str
    balance: int
    states: Sequence[AccountState]
    last_call_at_ms: int


def add_accounts(pages: PortalBlueprint, parts: Parts) -> None:
    """Add the list, and what leads from what was typed to where it belongs."""
    _add_list(pages, parts)
    _add_call(pages, parts)


def _add_list(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get("/admin/", right=Right.ADMIN)
    def accounts() -> ResponseReturnValue:
        text = read_text(request.args.get("q", ""))
        order = _chosen_order()
        if CALL_SID.fullmatch(text):
            return redirect(url_for(".call", call_sid=text), 303)
        find = find_exactly if names_exactly(text) else find_by_digits
        if text and (account_id := find(parts.ledger, text)):
            return redirect(url_for(".account", account_id=account_id), 303)
        after = request.args.get("after")
        try:
            page = _read_page(parts, text, order, after)
        except BadCursor:
            return answer_message(
                400,
                "There is no such page of accounts",
                "Something in the address is not right. It may have been cut short.",
                href=url_for(".accounts"),
                link="To the accounts",
            )
        html = render_template(
            "portal/admin_accounts.html",
            text=text,
            order=order,
            orders=[(one.value, label) for one, label in ORDER_LABELS.items()],
            lines=None if page is None else _lines(parts.ledger, page.items),
            older=None if page is None else page.next,
            after=after,
            queues_path=f"{QUEUES_PATH}/",
        )
        return (html, 503, RETRY_SOON) if page is None else html


def _chosen_order() -> Order:
    typed = request.args.get("sort", "")
    return Order(typed) if typed in set(Order) else Order.NAME


def _read_page(parts: Parts, text: str, order: Order, after: str | None) -> Page[Listed] | None:
    """Read a page of the directory; None when it cannot be asked now. Raises BadCursor."""
    if names_exactly(text):
        return Page([], None)
    try:
        if text:
            return search_accounts(parts.history, text, after=after)
        return accounts_page(parts.history, order, after=after)
    except SQLAlchemyError as error:
        _note_unavailable(error)
        return None


def _lines(ledger: Ledger, listed: Sequence[Listed]) -> list[AccountLine]:
    found = read_accounts(ledger, [one.account_id for one in listed])
    return [_line(one, found.get(one.account_id)) for one in listed]


def _line(listed: Listed, account: Account | None) -> AccountLine:
    common: dict[str, Any] = {
        "account_id": listed.account_id,
        "last_call_at_ms": listed.last_call_at_ms,
    }
    if account is None:
        return AccountLine(
            name=listed.name,
            email=listed.email,
            balance=listed.balance,
            states=[_NOT_IN_LEDGER],
            **common,
        )
    return AccountLine(
        name=account.name,
        email=account.email,
        balance=account.balance,
        states=admin_states(account),
        **common,
    )


def _add_call(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get("/admin/calls/<call_sid>", right=Right.ADMIN)
    def call(call_sid: str) -> ResponseReturnValue:
        """Lead on to why a call went as it did, whichever account it is of."""
        try:
            found = find_calls(parts.history, call_sid) if CALL_SID.fullmatch(call_sid) else []
        except SQLAlchemyError as error:
            _note_unavailable(error)
            return answer_unavailable(
                "Calls cannot be looked up right now",
                "They are taken care of meanwhile. Please try again in a few minutes.",
                href=url_for(".accounts"),
                link="To the accounts",
            )
        if not found:
            flash("There is no such call. A new one can be found after some seconds.", "warning")
            return redirect(url_for(".accounts"), 303)
        address: dict[str, Any] = {"account_id": found[0].account_id, "call_sid": call_sid}
        return redirect(url_for("receptionist.why", **address), 303)


def _note_unavailable(error: SQLAlchemyError) -> None:
    _log.warning("portal_without_history", error=describe_sql_error(error))
