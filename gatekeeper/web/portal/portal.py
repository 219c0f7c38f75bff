"""The portal, put together and set into the web application."""

from __future__ import annotations

from flask import Blueprint, Flask, Response
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from gatekeeper.bootstrap import Parts
from gatekeeper.settings import Settings
from gatekeeper.web.portal.access import add_access
from gatekeeper.web.portal.admin import admin_pages
from gatekeeper.web.portal.banner import banner_finder, incident_pages
from gatekeeper.web.portal.billing import add_billing
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_message
from gatekeeper.web.portal.calling import calling_pages
from gatekeeper.web.portal.card import card_pages
from gatekeeper.web.portal.cookies import SessionCookie, are_secure, cookie_name
from gatekeeper.web.portal.doorkeeper import Doorkeeper
from gatekeeper.web.portal.emails import add_emails
from gatekeeper.web.portal.frame import install_frame
from gatekeeper.web.portal.front import front_pages
from gatekeeper.web.portal.headers import finish_page
from gatekeeper.web.portal.no_page import install_no_page
from gatekeeper.web.portal.purchase import purchase_pages
from gatekeeper.web.portal.receptionist import receptionist_pages
from gatekeeper.web.portal.sign_in import sign_in_pages
from gatekeeper.web.portal.sso import sso_pages


def install_portal(app: Flask, parts: Parts, *, for_machines: Blueprint) -> Doorkeeper:
    """Serve the portal in an application. Needs a SECRET_KEY in the settings.

    Whatever is posted then needs a CSRF token, but for what machines post, who sign in a way of
    their own. Returns who knows everybody, for further pages.
    """
    settings, ledger = parts.settings, parts.ledger
    _never_redirect_to_tidy(app)
    secure = are_secure(settings.public_origin)
    _guard_forms(app, settings, secure=secure).exempt(for_machines)
    doorkeeper = Doorkeeper(ledger, settings.admins, SessionCookie(secure=secure))
    app.register_blueprint(front_pages(doorkeeper, parts))
    app.register_blueprint(sign_in_pages(doorkeeper, ledger, parts.sign_in_links))
    if settings.sso_secrets:
        app.register_blueprint(
            sso_pages(doorkeeper, ledger, settings.sso_secrets, settings.public_origin)
        )
    app.register_blueprint(incident_pages(doorkeeper, ledger))
    app.register_blueprint(admin_pages(doorkeeper, parts))
    app.register_blueprint(receptionist_pages(doorkeeper, parts))
    app.register_blueprint(calling_pages(doorkeeper, parts))
    app.register_blueprint(_settings_pages(doorkeeper, parts))
    app.register_blueprint(purchase_pages(doorkeeper, parts))
    app.register_blueprint(card_pages(doorkeeper, parts))
    find_banner = banner_finder(ledger, settings.currency, settings.support_email)
    install_frame(app, settings, ledger, find_banner=find_banner)
    install_no_page(app, doorkeeper)
    # Links are asked for by clients, and counted by client.
    proxies = settings.trusted_proxies
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0)  # type: ignore[method-assign]  # as Flask has it
    return doorkeeper


def busy_page(app: Flask) -> Response:
    """Write, once, the page that is sent while there is no thread to make one."""
    with app.test_request_context():
        page, status = answer_message(
            503,
            "We are busy right now",
            "Your calls are taken care of meanwhile. Please go back and try again in a moment.",
        )
        return finish_page(Response(page, status, {"Retry-After": "5"}))


def _settings_pages(doorkeeper: Doorkeeper, parts: Parts) -> PortalBlueprint:
    pages = PortalBlueprint("settings", doorkeeper)
    add_billing(pages, parts)
    add_emails(pages, parts.ledger)
    add_access(pages, parts.ledger)
    return pages


def _never_redirect_to_tidy(app: Flask) -> None:
    # Such a redirect names the host that was asked for, and the scheme that this server sees.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False


def _guard_forms(app: Flask, settings: Settings, *, secure: bool) -> CSRFProtect:
    """Keep what forms are checked against in Flask's own cookie, signed."""
    *older_keys, key = settings.secret_keys
    app.config |= {
        "SECRET_KEY": key,
        "SECRET_KEY_FALLBACKS": older_keys,
        "SESSION_COOKIE_NAME": cookie_name("gatekeeper-forms", secure=secure),
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_SECRET_KEY": settings.secret_keys,
        # As long as the browser keeps the cookie: a page may be open for days.
        "WTF_CSRF_TIME_LIMIT": None,
        # By the token alone, as behind a proxy every request seems to come without TLS.
        "WTF_CSRF_SSL_STRICT": False,
    }
    return CSRFProtect(app)
