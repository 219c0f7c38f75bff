"""Every component of the portal in every state, in the portal's own frame.

An application for tests and for looking at. Its pages stand where the portal's do, so that the
navigation is real; they are served to whoever `?as=` says: owner, viewer, admin, nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Flask, flash, g, render_template, request
from flask_wtf.csrf import CSRFProtect

from gatekeeper.domain.account import Account, NewAccount
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Role
from gatekeeper.ledger.client import connect
from gatekeeper.mail.wording import FAILURE_ADVICE
from gatekeeper.web.portal.charts import bar_chart
from gatekeeper.web.portal.frame import Banner, install_frame
from gatekeeper.web.portal.headers import finish_page
from gatekeeper.web.portal.visitor import Visitor
from tests.browser.gallery import facts
from tests.web.gate import Gate

ACCOUNT_ID = "acct_000000000001"
OTHER_ID = "acct_000000000002"
EMAIL = "dana@example.com"

#: Page → its path, with what a person would call it.
PAGES = {
    "billing": f"/a/{ACCOUNT_ID}/settings/billing",
    "calls": f"/a/{ACCOUNT_ID}/calls",
    "topoff-form": f"/a/{ACCOUNT_ID}/receptionist/settings",
    "topoff-form-refused": f"/a/{ACCOUNT_ID}/receptionist/settings?problems=1",
    "buy-credits": f"/a/{ACCOUNT_ID}/buy",
    "confirm": f"/a/{ACCOUNT_ID}/settings/remove-card",
    "no-calls": f"/a/{ACCOUNT_ID}/calling/",
    "notices": f"/a/{ACCOUNT_ID}/notices",
    "sign-in": "/sign-in?as=nobody",
}

_VISITORS = {
    "owner": Visitor(EMAIL, is_admin=False, account_id=ACCOUNT_ID, role=Role.OWNER),
    "viewer": Visitor(EMAIL, is_admin=False, account_id=ACCOUNT_ID, role=Role.VIEWER),
    "admin": Visitor("admin@example.com", is_admin=True, account_id=ACCOUNT_ID),
}


@dataclass
class Gallery:
    """The application, and what its pages say about the account's open incident."""

    app: Flask
    incident: FailureReason | None = None

    def banner(self, account: Account, visitor: Visitor) -> Banner | None:
        if self.incident is None:
            return None
        return Banner(
            reason=self.incident.label,
            meaning=FAILURE_ADVICE[self.incident].meaning,
            at_ms=facts.NOW_MS,
            amount="$50.00 for 200 credits",
            action_label=_ACTIONS[self.incident],
            action_href=PAGES["billing"],
            dismiss_href=PAGES["notices"] if visitor.may_pay else "",
        )


_ACTIONS = {
    FailureReason.NO_PAYMENT_METHOD: "Set Up Auto Top-Off",
    FailureReason.DECLINED: "Update Payment Method",
    FailureReason.INTERNAL_ERROR: "Go to Billing",
}


def make_gallery(redis_url: str, **settings: str) -> Gallery:
    """Put the application together, over a ledger with an account of two members."""
    with connect(redis_url, timeout_s=5, max_connections=1) as client:
        client.flushall()
    parts = Gate(redis_url, public_url="http://127.0.0.1", **settings).parts
    for account_id, name in ((ACCOUNT_ID, "Bright Smile Dental"), (OTHER_ID, "Bright Smile West")):
        opened = NewAccount(account_id, name, EMAIL, allotment=500, timezone="America/New_York")
        parts.ledger.accounts.open_account(opened)
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "k" * 32
    CSRFProtect(app)
    gallery = Gallery(app)
    install_frame(app, parts.settings, parts.ledger, find_banner=gallery.banner)
    _send_as_the_portal_does(app)
    _register_pages(app)
    return gallery


def _send_as_the_portal_does(app: Flask) -> None:
    @app.before_request
    def welcome() -> None:
        g.visitor = _VISITORS.get(request.args.get("as", "owner"))

    app.after_request(finish_page)


def _register_pages(app: Flask) -> None:
    pages = {
        "front.front": ("/", "choose"),
        "front.admin": ("/admin/", "choose"),
        "sign_in.ask": ("/sign-in", "sign_in"),
        "receptionist.calls": ("/a/<account_id>/calls", "calls"),
        "receptionist.settings": ("/a/<account_id>/receptionist/settings", "settings"),
        "calling.calls": ("/a/<account_id>/calling/", "empty"),
        "settings.billing": ("/a/<account_id>/settings/billing", "billing"),
        "settings.emails": ("/a/<account_id>/settings/emails", "empty"),
        "settings.remove_card": ("/a/<account_id>/settings/remove-card", "confirm"),
        "purchase.choose": ("/a/<account_id>/buy", "buy"),
        "notices.all": ("/a/<account_id>/notices", "notices"),
    }
    blueprints: dict[str, Blueprint] = {}
    for endpoint, (path, template) in pages.items():
        room, _, name = endpoint.partition(".")
        blueprint = blueprints.setdefault(room, Blueprint(room, __name__))
        blueprint.add_url_rule(path, name, _view(template), methods=["GET", "POST"])
    incident = blueprints.setdefault("incident", Blueprint("incident", __name__))

    @incident.get("/a/<account_id>/incident")
    def banner(account_id: str) -> str:
        return render_template("gallery/banner.html")

    sign_out = blueprints["sign_in"]
    sign_out.add_url_rule("/sign-out", "sign_out", _view("sign_in"), methods=["POST"])
    for blueprint in blueprints.values():
        app.register_blueprint(blueprint)


def _view(template: str) -> Callable[..., str]:
    def show(account_id: str = "") -> str:
        if template == "notices":
            flash("Your settings are saved.")
            flash("Auto top-off stays off until a card is attached.", "warning")
        return render_template(
            f"gallery/{template}.html",
            facts=facts,
            chart=bar_chart(facts.USED_BY_DAY),
            problems=facts.PROBLEMS if "problems" in request.args else {},
        )

    return show
