"""Where the e-mails lead: the page of the portal that each is about, and who gets which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatekeeper.domain.notice import NoticeKind

#: A page's path below its account's, and what it is called.
_BILLING: Final = ("settings/billing", "your Billing page")
_CHARGE: Final = ("settings/billing#charge", "your Billing page")
_HISTORY: Final = ("settings/billing#history", "your Billing page")
_TOPOFF: Final = ("receptionist/settings", "your settings of Auto Top-Off")
_CHOICE: Final = "settings/emails"
_BUY: Final = "buy"

#: Those that are not here are about the balance: the Billing tab begins with it.
_PAGES: Final = {
    NoticeKind.TOPOFF_SUCCEEDED: _HISTORY,
    NoticeKind.TOPOFF_FAILED: _CHARGE,
    NoticeKind.BALANCE_LOW: _TOPOFF,
    NoticeKind.SPENDING_CAP_REACHED: _TOPOFF,
    NoticeKind.CREDITS_CLAWED_BACK: _HISTORY,
    NoticeKind.PURCHASE_SUCCEEDED: _HISTORY,
}
#: Those that say that one can buy credits now.
_OFFERS: Final = {
    NoticeKind.CALLS_DROPPED,
    NoticeKind.BALANCE_LOW,
    NoticeKind.SPENDING_CAP_REACHED,
    NoticeKind.CREDITS_CLAWED_BACK,
}


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses in an e-mail: the page that it is about, and where its readers are chosen.

    `buy` is where credits are bought, "" in one that does not offer them.
    """

    page: str
    page_name: str
    choice: str
    buy: str = ""


def links_of(kind: NoticeKind, account_id: str, portal_url: str) -> Links:
    """Find where an e-mail about an account leads. `portal_url` has no slash at its end."""
    path, name = _PAGES.get(kind, _BILLING)
    root = f"{portal_url}/a/{account_id}"
    buy = f"{root}/{_BUY}" if kind in _OFFERS else ""
    return Links(f"{root}/{path}", name, f"{root}/{_CHOICE}", buy)
