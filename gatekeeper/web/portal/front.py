"""The front doors: of the portal, of one account, of the product's own people."""

from __future__ import annotations

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.visitor import visitor


def front_pages(doorkeeper: Doorkeeper, ledger: Ledger) -> PortalBlueprint:
    """Make the pages."""
    pages = PortalBlueprint("front", doorkeeper)

    @pages.get("/", right=Right.SIGNED_IN)
    def front() -> ResponseReturnValue:
        ids = ledger.members.accounts_of(visitor().email)
        if len(ids) == 1 and not visitor().is_admin:
            return redirect(url_for("front.account", account_id=ids[0]), 303)
        if not ids and visitor().is_admin:
            return redirect(url_for("front.admin"), 303)
        accounts = [ledger.accounts.account(account_id) for account_id in ids]
        return render_template("portal/choose.html", accounts=accounts, visitor=visitor())

    @pages.get("/a/<account_id>/", right=Right.SEE)
    def account(account_id: str) -> ResponseReturnValue:
        found = ledger.accounts.account(account_id)
        return render_template("portal/account.html", account=found, visitor=visitor())

    @pages.get("/admin/", right=Right.ADMIN)
    def admin() -> ResponseReturnValue:
        return render_template("portal/admin.html", visitor=visitor())

    return pages
