"""The banner of a failed top-off: what it says, to whom, and how it is dismissed (R8, R9).

Where there is none to show, the spending cap has its place while it is reached. That cannot be
dismissed: it says what becomes of calls until a day that it names, and the people who chose the cap
end it by choosing another. While an account is suspended that has the place of both: nothing else
that one could do would have a call answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from gatekeeper.domain.account import Account
from gatekeeper.domain.incident import FailureReason, Incident
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.keys import account_of, is_record_id
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.mail.wording import FAILURE_ADVICE, outlook
from gatekeeper.web.portal.billing_words import cap_use
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.frame import Banner, FindBanner
from gatekeeper.web.portal.paths import local_path
from gatekeeper.web.portal.visitor import Visitor, visitor

_BILLING: Final = "settings.billing"


@dataclass(frozen=True, slots=True)
class _Action:
    """A button. Where nothing serves its endpoint, a part of the Billing tab stands in."""

    label: str
    endpoint: str
    anchor: str


_ACTIONS: Final[dict[FailureReason, _Action]] = {
    FailureReason.NO_PAYMENT_METHOD: _Action("Set Up Auto Top-Off", "card.change", "card"),
    FailureReason.DECLINED: _Action("Update Payment Method", "card.change", "card"),
    FailureReason.INTERNAL_ERROR: _Action("Go to Billing", _BILLING, "charge"),
}
_CHANGE_CAP: Final = _Action("Change the Cap", "receptionist.settings", "charge")
#: For those who cannot change anything.
_LOOK: Final = _Action("Go to Billing", _BILLING, "charge")


def banner_finder(ledger: Ledger, currency: str, support_email: str | None) -> FindBanner:
    """Make what finds the banner of an account for a visitor. It raises redis.RedisError."""

    def find(account: Account, who: Visitor) -> Banner | None:
        if account.suspended:
            return _suspended_banner(support_email)
        if account.incident_id:
            incident = ledger.incidents.unseen_incident(account.id, who.email)
            if incident is not None:
                return _banner(incident, account, who)
        return _cap_banner(account, who, currency) if account.topoff_capped else None

    return find


def incident_pages(doorkeeper: Doorkeeper, ledger: Ledger) -> PortalBlueprint:
    """Make the banner's own addresses: the banner alone, and its dismissal."""
    pages = PortalBlueprint("incident", doorkeeper)

    @pages.get("/a/<account_id>/incident", right=Right.SEE)
    def banner(account_id: str) -> ResponseReturnValue:  # noqa: ARG001 - the frame knows it
        """Answer with the banner, or nothing; the frame asks for it again and again."""
        return render_template("portal/_banner.html")

    @pages.post("/incident/dismiss", right=Right.SIGNED_IN)
    def dismiss() -> ResponseReturnValue:
        """Let a person see no more of an incident: their own matter, a viewer's too."""
        incident_id = request.args.get("incident", "")
        if is_record_id(incident_id):
            _check_member(ledger, account_of(incident_id), visitor())
            ledger.incidents.dismiss_incident(incident_id, visitor().email)
        return redirect(_page_before(), 303)

    return pages


def _check_member(ledger: Ledger, account_id: str, who: Visitor) -> None:
    """Raise NotFound unless an account is this person's to see."""
    try:
        members = ledger.members.of_account(account_id)
    except UnknownAccount:
        raise NotFound from None
    if not who.is_admin and who.email not in {member.email for member in members}:
        raise NotFound


def _page_before() -> str:
    """Find the page on which the button was pressed; the front door if it is not told."""
    parts = urlsplit(request.referrer or "")
    return local_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def _banner(incident: Incident, account: Account, who: Visitor) -> Banner:
    action = _ACTIONS[incident.reason] if who.may_pay else _LOOK
    return Banner(
        reason=incident.reason.label,
        meaning=" ".join(_sentences(incident, account, who)),
        at_ms=incident.at_ms,
        amount=amount_of(incident),
        action_label=action.label,
        action_href=_href(action, account.id),
        dismiss_href=url_for("incident.dismiss", incident=incident.id),
    )


def _suspended_banner(support_email: str | None) -> Banner:
    return Banner(
        reason="This account is suspended",
        meaning="Incoming calls are dropped.",
        warning="",
        contact=support_email or "",
    )


def _cap_banner(account: Account, who: Visitor, currency: str) -> Banner:
    action = _CHANGE_CAP if who.may_pay else _LOOK
    return Banner(
        reason="Your spending cap is reached",
        meaning="There are no more automatic top-offs in this billing cycle.",
        warning=outlook(account.balance),
        at_ms=account.cycle_end_ms or 0,
        amount=cap_use(account.spent_minor, account.topoff.spending_cap_minor or 0, currency),
        action_label=action.label,
        action_href=_href(action, account.id),
        dismiss_href="",
        is_until=True,
        tone="warning" if account.balance > 0 else "bad",
    )


def _sentences(incident: Incident, account: Account, who: Visitor) -> Iterator[str]:
    """Say what it means and, to whom can, what to do."""
    advice = FAILURE_ADVICE[incident.reason]
    yield advice.meaning
    if account.topoff_id:
        yield "The charge is being tried again now."
    elif who.may_pay:
        # In the banner itself, "in the banner" would point nowhere.
        yield advice.remedy.replace(" in the banner", "").replace("**", "")


def amount_of(incident: Incident) -> str:
    """Say what should have been charged: "$40.00 for 200 credits"."""
    credits = count_credits(incident.credits)
    if incident.amount_minor is None:
        return credits
    return f"{format_minor(incident.amount_minor, incident.currency)} for {credits}"


def _href(action: _Action, account_id: str) -> str:
    """Find where an action leads; "" on the very page that it leads to."""
    if action.endpoint != _BILLING and action.endpoint in current_app.view_functions:
        return url_for(action.endpoint, account_id=account_id)
    is_asked_for = request.endpoint == "incident.banner"  # by a page that stays open
    here = local_path(urlsplit(request.referrer or "").path) if is_asked_for else request.path
    if here == url_for(_BILLING, account_id=account_id):
        return ""
    return url_for(_BILLING, account_id=account_id, _anchor=action.anchor)
