"""The pages of an account's calls, their export, and why each went as it did.

AI Receptionist has those that came in, AI Calling those that went out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import structlog
from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import NotFound

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.call import Direction
from gatekeeper.domain.phrasing import zone_of
from gatekeeper.history.call import Outcome
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.export import export_calls
from gatekeeper.history.queries import BadCursor, find_call
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.web.portal.blueprint import (
    RETRY_SOON,
    PortalBlueprint,
    answer_message,
    answer_unavailable,
)
from gatekeeper.web.portal.call_choice import CallChoice, read_choice
from gatekeeper.web.portal.call_words import REASON_LABELS
from gatekeeper.web.portal.calls_view import CallList, read_calls, why_call
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.downloads import csv_download
from gatekeeper.web.portal.formats import write_minute

_CALL_SID: Final = re.compile(r"CA[0-9a-fA-F]{32}")

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CallPages:
    """The calls of one direction: where their pages are, and what those say differently.

    `number_label` says which of a call's two numbers is the account's own.
    """

    direction: Direction
    path: str
    title: str
    number_label: str
    none_yet: str
    when_listed: str
    file_name: str


#: Where one call of each direction is shown.
_WHY: Final = {Direction.INBOUND: "receptionist.why", Direction.OUTBOUND: "calling.why"}


def add_calls(pages: PortalBlueprint, parts: Parts, kind: CallPages) -> None:
    """Add the pages of the calls of one direction."""
    _add_list(pages, parts, kind)
    _add_why(pages, parts, kind)
    _add_export(pages, parts, kind)


def _add_list(pages: PortalBlueprint, parts: Parts, kind: CallPages) -> None:
    @pages.get(kind.path, right=Right.SEE)
    def calls(account_id: str) -> ResponseReturnValue:
        account, after = parts.ledger.accounts.account(account_id), request.args.get("after")
        choice = read_choice(request.args, zone_of(account.timezone), kind.direction)
        try:
            shown = _read_if_possible(parts, account, choice, after)
        except BadCursor:
            return _refuse("There is no such page of calls", account_id, choice)
        facts = _list_facts(account, choice, shown, after)
        page = render_template("portal/calls.html", section=pages.name, kind=kind, **facts)
        if shown is None:
            return page, 503, RETRY_SOON
        return page, 400 if choice.problems else 200


def _read_if_possible(
    parts: Parts, account: Account, choice: CallChoice, after: str | None
) -> CallList | None:
    """Read a page of calls; None when history cannot be asked now. Raises BadCursor."""
    try:
        return read_calls(
            parts.history, parts.ledger, account, choice, after=after, now_ms=wall_clock_ms()
        )
    except SQLAlchemyError as error:
        _note_unavailable(error)
        return None


def _list_facts(
    account: Account, choice: CallChoice, shown: CallList | None, after: str | None
) -> dict[str, object]:
    numbers = [] if shown is None else shown.numbers
    return {
        "account": account,
        "choice": choice,
        "shown": shown,
        "after": after,
        "number_options": [("", "All numbers"), *((number, number) for number in numbers)],
        "outcome_options": [("", "All outcomes"), *((one.value, one.label) for one in Outcome)],
        "reason_options": [
            ("", "All reasons"),
            *((reason.value, label) for reason, label in REASON_LABELS.items()),
        ],
    }


def _add_why(pages: PortalBlueprint, parts: Parts, kind: CallPages) -> None:
    @pages.get(f"{kind.path}/<call_sid>", right=Right.SEE)
    def why(account_id: str, call_sid: str) -> ResponseReturnValue:
        if not _CALL_SID.fullmatch(call_sid):
            raise NotFound
        account = parts.ledger.accounts.account(account_id)
        try:
            call = find_call(parts.history, account_id, call_sid)
        except SQLAlchemyError as error:
            return _unavailable("This call cannot be shown right now", account_id, error)
        if call is None:
            raise NotFound
        if call.direction is not kind.direction:
            there = _WHY[call.direction]
            return redirect(url_for(there, account_id=account_id, call_sid=call.call_sid))
        title = f"Call of {write_minute(call.started_at_ms, account.timezone)}"
        facts = {"account": account, "told": why_call(call), "title": title}
        return render_template("portal/call.html", section=pages.name, kind=kind, **facts)


def _add_export(pages: PortalBlueprint, parts: Parts, kind: CallPages) -> None:
    @pages.get(f"{kind.path}.csv", right=Right.SEE)
    def calls_csv(account_id: str) -> ResponseReturnValue:
        zone = zone_of(parts.ledger.accounts.account(account_id).timezone)
        choice = read_choice(request.args, zone, kind.direction)
        if choice.problems:
            return _refuse("There is no such choice of calls", account_id, choice)
        lines = export_calls(parts.history, account_id, zone, chosen=choice.chosen)
        try:
            return csv_download(lines, kind.file_name)
        except SQLAlchemyError as error:
            return _unavailable("Calls cannot be exported right now", account_id, error)


def _refuse(title: str, account_id: str, choice: CallChoice) -> ResponseReturnValue:
    address: dict[str, Any] = {"account_id": account_id, **choice.values}
    return answer_message(
        400,
        title,
        "Something in the address is not right. It may have been cut short.",
        href=url_for(".calls", **address),
        link="To the calls",
    )


def _unavailable(title: str, account_id: str, error: SQLAlchemyError) -> ResponseReturnValue:
    _note_unavailable(error)
    return answer_unavailable(
        title,
        "Your balance and your calls are not affected. Please try again in a few minutes.",
        href=url_for(".calls", account_id=account_id),
        link="To the calls",
    )


def _note_unavailable(error: SQLAlchemyError) -> None:
    _log.warning("portal_without_history", error=describe_sql_error(error))
