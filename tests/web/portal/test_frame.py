"""The frame as it is served: where one can go, whose account it is, what stays out of it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Member, Role
from gatekeeper.web import portal
from tests.web.portal.billing_desk import BillingDesk, fail
from tests.web.portal.conftest import ADMIN, OWNER, VIEWER, Scene

TEMPLATES = sorted((Path(portal.__file__).parent / "templates").rglob("*.html"))
INSIDE = ["calls", "receptionist/settings", "calling/calls", "buy"]
OUTSIDE = ["settings/billing", "settings/emails", "settings/card"]
NAME = "Able &lt;b&gt;&amp; Co"


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    """The accounts with their history, which the pages of calls need."""
    scene = make_scene()
    BillingDesk(scene).copied()
    return scene


def page(scene: Scene, name: str, who: str = OWNER) -> str:
    browser = scene.browser()
    browser.put_session(scene.ledger.sessions.start(who, ""))
    answer = browser.open(f"/a/{scene.able}/{name}", follow_redirects=True)
    assert answer.status_code in {200, 403}, answer.text
    return answer.text


def bar_of(html: str) -> str:
    return html.partition('<header class="bar">')[2].partition("</header>")[0]


@pytest.mark.parametrize("name", INSIDE)
def test_buy_credits_is_in_the_top_bar_inside_the_products(scene: Scene, name: str) -> None:
    link = f'href="/a/{scene.able}/buy">Buy Credits</a>'
    assert link in bar_of(page(scene, name))
    assert link in bar_of(page(scene, name, ADMIN))
    assert "Buy Credits" not in bar_of(page(scene, name, VIEWER))


@pytest.mark.parametrize("name", OUTSIDE)
def test_buy_credits_is_nowhere_else(scene: Scene, name: str) -> None:
    assert "Buy Credits" not in bar_of(page(scene, name))


def test_the_navigation_says_where_one_is(scene: Scene) -> None:
    html = page(scene, "calls")
    assert re.search(r'aria-current="true">AI Receptionist<', html)
    assert re.search(r'aria-current="page">Calls<', html)
    assert re.search(r'/receptionist/settings">Settings<', html)
    assert re.search(r'/calling/calls">AI Calling<', html)
    assert re.search(r'aria-current="page">Billing<', page(scene, "settings/billing"))


def test_the_menu_has_the_way_to_settings_and_out(scene: Scene) -> None:
    bar = bar_of(page(scene, "calls"))
    assert NAME in bar
    assert OWNER in bar
    assert re.search(r'<a href="/a/\w+/settings/billing">Settings</a>', bar)
    assert '<form method="post" action="/sign-out">' in bar
    assert "Switch account" not in bar
    scene.ledger.members.set_member(scene.baker, Member(OWNER, Role.VIEWER))
    assert "Switch account" in bar_of(page(scene, "calls"))
    assert "Administration" not in bar
    assert "Administration" in bar_of(page(scene, "calls", ADMIN))


def test_only_an_admin_is_told_of_acting_on_behalf(scene: Scene) -> None:
    words = f"Acting on behalf of <strong>{NAME}</strong>"
    assert words in page(scene, "settings/billing", ADMIN)
    assert words not in page(scene, "settings/billing")


def test_nobody_is_shown_no_account(scene: Scene) -> None:
    html = scene.browser().open("/sign-in").text
    assert "Able" not in html
    assert "Sign out" not in html
    assert 'id="incident"' not in html


@pytest.mark.parametrize("reason", FailureReason)
def test_the_banner_is_word_for_word(scene: Scene, reason: FailureReason) -> None:
    assert "banner-reason" not in page(scene, "calls")
    fail(BillingDesk(scene), reason)
    for name in (*INSIDE, *OUTSIDE):
        html = page(scene, name)
        assert f">{reason.label}</h2>" in html
        assert "Future calls may be dropped until this is resolved." in html
        assert "$5.00 for 20 credits" in html


def test_the_product_is_the_deployments_own(make_scene: Callable[..., Scene]) -> None:
    branded = make_scene(
        product_name="Ring <& Answer",
        logo_url="https://cdn.example.com/logo.svg",
        support_email="help@example.com",
    )
    html = page(branded, "settings/billing")
    assert "<title>Settings · Ring &lt;&amp; Answer</title>" in html
    assert '<img src="https://cdn.example.com/logo.svg" alt=""' in html
    assert 'href="mailto:help@example.com"' in html
    plain = page(make_scene(), "settings/billing")
    assert "mailto:" not in plain
    assert re.search(r'<img src="/portal/static/\w+/icon.svg"', plain)


def test_names_that_customers_chose_are_escaped(scene: Scene) -> None:
    html = scene.signed_in(OWNER).open(f"/a/{scene.able}/").text
    assert "Able &lt;b&gt;&amp; Co" in html
    assert "<b>" not in html


def test_an_admin_sees_the_bar_in_the_portal(scene: Scene) -> None:
    html = scene.signed_in(ADMIN).open(f"/a/{scene.able}/").text
    assert "Acting on behalf of <strong>Able &lt;b&gt;&amp; Co</strong>" in html


def test_pages_are_compressed_for_who_takes_that(scene: Scene) -> None:
    browser = scene.browser()
    plain = browser.open("/sign-in")
    packed = [browser.open("/sign-in", headers={"Accept-Encoding": "gzip, br"}) for _ in range(20)]
    assert "Content-Encoding" not in plain.headers
    assert "<!doctype html>" in plain.text
    assert "Accept-Encoding" in plain.headers["Vary"]
    for answer in packed:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        assert gzip.decompress(answer.data).startswith(b"<!doctype html>")
    # What is secret in a page cannot be told from the length of its answer.
    assert len({len(answer.data) for answer in packed}) > 2


def test_headers_of_a_page(scene: Scene) -> None:
    headers = scene.browser().open("/sign-in").headers
    policy = headers["Content-Security-Policy"]
    for directive in (
        "default-src 'none'",
        "script-src 'self';",
        "style-src 'self';",
        "form-action 'self' https://checkout.stripe.com;",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ):
        assert directive in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_headers_follow_the_settings(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(
        logo_url="https://cdn.example.com/logo.svg",
        frame_ancestors="https://app.example.com, https://www.example.com",
        stripe_api_base="http://127.0.0.1:12111",
    )
    headers = scene.browser().open("/sign-in").headers
    policy = headers["Content-Security-Policy"]
    assert "img-src 'self' data: https://cdn.example.com;" in policy
    assert "frame-ancestors https://app.example.com https://www.example.com" in policy
    assert "form-action 'self' http://127.0.0.1:12111;" in policy
    assert "X-Frame-Options" not in headers


@pytest.mark.parametrize("path", ["/healthz", "/voice/incoming", "/stripe/webhook"])
def test_what_machines_ask_for_is_left_alone(scene: Scene, path: str) -> None:
    answer = scene.browser().open(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Security-Policy" not in answer.headers
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_anything_inline(template: Path) -> None:
    source = template.read_text()
    assert not re.search(r"\sstyle\s*=", source, re.IGNORECASE)
    assert not re.search(r"\son[a-z]+\s*=", source, re.IGNORECASE)
    assert not re.search(
        r"<style|javascript:|hx-on|hx-vals=.js:|\|\s*safe\b", source, re.IGNORECASE
    )
    for script in re.findall(r"<script[^>]*>", source):
        assert " src=" in script
    # Filters of htmx's triggers, such as `click[ctrlKey]`, are evaluated as JavaScript.
    assert not re.search(r'hx-trigger="[^"]*\[', source)
