"""The pages of the product's own people: accounts, incidents open now, calls dropped today."""

from __future__ import annotations

from gatekeeper.bootstrap import Parts
from gatekeeper.web.portal.admin_account import add_account
from gatekeeper.web.portal.admin_accounts import add_accounts
from gatekeeper.web.portal.admin_credits import add_credits_form
from gatekeeper.web.portal.admin_now import add_now
from gatekeeper.web.portal.admin_suspension import add_suspension
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Doorkeeper


def admin_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("admin", doorkeeper)
    add_accounts(pages, parts)
    add_account(pages, parts)
    add_credits_form(pages, parts)
    add_suspension(pages, parts.ledger)
    add_now(pages, parts)
    return pages
