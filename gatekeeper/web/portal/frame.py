"""What stands around every page: navigation, whose account it is, the banner of an open incident.

A page says where it stands by `{% set section = "receptionist" %}` and `{% set tab = "calls" %}`
before it extends `portal/base.html`. Places that no page was registered for are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeVar

import redis
from flask import Flask, current_app, g, url_for

from gatekeeper.domain.account import Account
from gatekeeper.ledger.errors import UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.settings import Settings
from gatekeeper.web.portal.assets import assets_blueprint
from gatekeeper.web.portal.formats import install_formats
from gatekeeper.web.portal.headers import install_headers
from gatekeeper.web.portal.visitor import Visitor

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """A page, or a group of pages with tabs, as navigation names it."""

    key: str
    label: str
    endpoint: str
    tabs: tuple[Place, ...] = ()
    offers_credits: bool = False


SECTIONS: Final = (
    Place(
        "receptionist",
        "AI Receptionist",
        "receptionist.calls",
        tabs=(
            Place("calls", "Calls", "receptionist.calls"),
            Place("settings", "Settings", "receptionist.settings"),
        ),
        offers_credits=True,
    ),
    Place("calling", "AI Calling", "calling.calls", offers_credits=True),
)
#: Reached from the avatar's menu.
SETTINGS: Final = Place(
    "settings",
    "Settings",
    "settings.billing",
    tabs=(
        Place("billing", "Billing", "settings.billing"),
        Place("emails", "E-mails", "settings.emails"),
        Place("access", "People", "settings.access"),
    ),
)


#: The product's own people's, whichever account it is about.
ADMIN: Final = Place(
    "admin",
    "Administration",
    "admin.accounts",
    tabs=(
        Place("accounts", "Accounts", "admin.accounts"),
        Place("incidents", "Incidents", "admin.incidents"),
        Place("dropped", "Dropped calls", "admin.dropped"),
    ),
)


@dataclass(frozen=True, slots=True)
class Banner:
    """A suspension, an open incident, or else a spending cap that is reached, as people are told.

    `reason` is the promised wording, `warning` what may come of it. `at_ms` is when, or, where
    `is_until`, how long; None is not known. `action_href` is where the action's button leads, ""
    where there is none; `dismiss_href` is what a dismissal is posted to, "" where there is none.
    `contact` is an e-mail address to write to. `tone` goes with the words, which say it all.
    """

    reason: str
    meaning: str
    at_ms: int | None = None
    amount: str = ""
    action_label: str = ""
    action_href: str = ""
    dismiss_href: str = ""
    contact: str = ""
    warning: str = "Future calls may be dropped until this is resolved."
    is_until: bool = False
    tone: str = "bad"


FindBanner = Callable[[Account, Visitor], Banner | None]


def install_frame(
    app: Flask, settings: Settings, ledger: Ledger, *, find_banner: FindBanner
) -> None:
    """Give an application's pages `frame`, filters, headers, and the files for browsers.

    `find_banner` says what this visitor is to be told of an account now.
    """
    app.register_blueprint(assets_blueprint(settings.accent_color))
    install_formats(app)
    install_headers(app, settings)
    app.context_processor(lambda: {"frame": Frame(settings, ledger, find_banner)})


class Frame:
    """The frame of one page.

    Reads the ledger where it must, and does without when that cannot be reached: the page that
    says so has a frame as well.
    """

    def __init__(self, settings: Settings, ledger: Ledger, find_banner: FindBanner) -> None:
        self.product_name: Final = settings.product_name
        self.logo_url: Final = settings.logo_url
        self.support_email: Final = settings.support_email
        self._ledger = ledger
        self._find_banner = find_banner

    @property
    def visitor(self) -> Visitor | None:
        """Who is signed in, if the page asked for that."""
        found = g.get("visitor")
        return found if isinstance(found, Visitor) else None

    @cached_property
    def account(self) -> Account | None:
        """The account that the page is about."""
        if self.visitor is None or not self.visitor.account_id:
            return None
        account_id = self.visitor.account_id
        return self._read(lambda: self._ledger.accounts.account(account_id))

    @cached_property
    def has_several_accounts(self) -> bool:
        """Whether there is something to choose from."""
        if self.visitor is None:
            return False
        email = self.visitor.email
        return len(self._read(lambda: self._ledger.members.accounts_of(email)) or ()) > 1

    @cached_property
    def banner(self) -> Banner | None:
        """What this person is to be told of the account."""
        if self.visitor is None or self.account is None:
            return None
        visitor, account = self.visitor, self.account
        return self._read(lambda: self._find_banner(account, visitor))

    @property
    def sections(self) -> tuple[Place, ...]:
        """The top navigation, for pages that are about an account."""
        return () if self.account is None else _served(SECTIONS)

    def tabs(self, section: str) -> tuple[Place, ...]:
        """List the tabs of a section's pages."""
        if section == ADMIN.key:
            return _served(ADMIN.tabs)
        found = next((one for one in (*SECTIONS, SETTINGS) if one.key == section), None)
        return () if found is None or self.account is None else _served(found.tabs)

    def offers_credits(self, section: str) -> bool:
        """Whether Buy Credits stands in the top bar: inside the products, for who may pay."""
        return (
            any(one.offers_credits for one in self.sections if one.key == section)
            and self.visitor is not None
            and self.visitor.may_pay
        )

    def url(self, endpoint: str) -> str:
        """Return the path of a page, of this account if it is of one; "" when there is no such."""
        if endpoint not in current_app.view_functions:
            return ""
        if not current_app.url_map.is_endpoint_expecting(endpoint, "account_id"):
            return url_for(endpoint)
        return "" if self.account is None else url_for(endpoint, account_id=self.account.id)

    @staticmethod
    def _read(read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except (redis.RedisError, UnknownAccount):
            return None


def _served(places: tuple[Place, ...]) -> tuple[Place, ...]:
    return tuple(one for one in places if one.endpoint in current_app.view_functions)
