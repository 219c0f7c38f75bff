"""What may need somebody now, over all accounts: open incidents, and calls dropped today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.incident import Incident
from gatekeeper.domain.phrasing import local_moment
from gatekeeper.history.directory import incident_candidates
from gatekeeper.history.drops import Drops, drops_since
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.history.queries import BadCursor
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.overview import open_incidents, read_accounts
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.web.portal.banner import amount_of
from gatekeeper.web.portal.billing_words import card_words
from gatekeeper.web.portal.blueprint import RETRY_SOON, PortalBlueprint, answer_message
from gatekeeper.web.portal.call_words import REASON_LABELS
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.freshness import read_up_to_ms

_DAY_MS: Final = 86_400_000
_INCIDENTS: Final = 50
#: So many candidates without an open incident are passed over for one page.
_PAGES_MAX: Final = 10

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """An open incident, and the account that it is of."""

    incident: Incident
    account: Account

    @property
    def amount(self) -> str:
        """What should have been charged."""
        return amount_of(self.incident)

    @property
    def card_words(self) -> str:
        """The card that is attached now."""
        return card_words(self.account)


@dataclass(frozen=True, slots=True)
class IncidentList:
    """A page of open incidents, newest first. `older` is where the next one begins."""

    lines: Sequence[IncidentLine]
    older: str | None


def add_now(pages: PortalBlueprint, parts: Parts) -> None:
    """Add the pages."""
    _add_incidents(pages, parts)
    _add_dropped(pages, parts)


def _add_incidents(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get("/admin/incidents", right=Right.ADMIN)
    def incidents() -> ResponseReturnValue:
        after, up_to_ms = request.args.get("after"), read_up_to_ms(parts.ledger, wall_clock_ms())
        shown: IncidentList | None = None
        try:
            shown = _read_incidents(parts.history, parts.ledger, after)
        except BadCursor:
            return answer_message(
                400,
                "There is no such page of incidents",
                "Something in the address is not right. It may have been cut short.",
                href=url_for(".incidents"),
                link="To the incidents",
            )
        except SQLAlchemyError as error:
            _note_unavailable(error)
        page = render_template(
            "portal/admin_incidents.html", shown=shown, after=after, up_to_ms=up_to_ms
        )
        return (page, 503, RETRY_SOON) if shown is None else page


def _read_incidents(engine: Engine, ledger: Ledger, after: str | None) -> IncidentList:
    """Find candidates in the directory, and keep those whose incident is open in the ledger."""
    lines: list[IncidentLine] = []
    for _ in range(_PAGES_MAX):
        page = incident_candidates(engine, after=after, limit=_INCIDENTS)
        lines += _open_ones(ledger, [one.account_id for one in page.items])
        after = page.next
        if lines or after is None:
            break
    return IncidentList(lines, after)


def _open_ones(ledger: Ledger, account_ids: Sequence[str]) -> Iterator[IncidentLine]:
    incidents = open_incidents(ledger, account_ids)
    accounts = read_accounts(ledger, list(incidents))
    for account_id in account_ids:
        if account_id in incidents and account_id in accounts:
            yield IncidentLine(incidents[account_id], accounts[account_id])


def _add_dropped(pages: PortalBlueprint, parts: Parts) -> None:
    @pages.get("/admin/dropped", right=Right.ADMIN)
    def dropped() -> ResponseReturnValue:
        now_ms = wall_clock_ms()
        since_ms, up_to_ms = now_ms - now_ms % _DAY_MS, read_up_to_ms(parts.ledger, now_ms)
        drops: Drops | None = None
        try:
            drops = drops_since(parts.history, since_ms)
        except SQLAlchemyError as error:
            _note_unavailable(error)
        ids = [account_id for account_id, _ in drops.by_account] if drops else []
        accounts = read_accounts(parts.ledger, ids)
        page = render_template(
            "portal/admin_dropped.html",
            drops=drops,
            accounts=accounts,
            reasons=REASON_LABELS,
            since_ms=since_ms,
            days={one.id: _day_of(one, now_ms) for one in accounts.values()},
            up_to_ms=up_to_ms,
        )
        return (page, 503, RETRY_SOON) if drops is None else page


def _day_of(account: Account, now_ms: int) -> str:
    """Write the day that it is where an account is, as its lists of calls are asked for one."""
    return local_moment(now_ms, account.timezone).date().isoformat()


def _note_unavailable(error: SQLAlchemyError) -> None:
    _log.warning("portal_without_history", error=describe_sql_error(error))
