"""The frame as it is served: where one can go, whose account it is, what stays out of it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.valkey import EmbeddedValkey
from gatekeeper.web import portal
from tests.browser.gallery import ACCOUNT_ID, EMAIL, PAGES, Gallery, make_gallery
from tests.web.portal.conftest import ADMIN, OWNER, Scene

TEMPLATES = sorted((Path(portal.__file__).parent / "templates").rglob("*.html"))
INSIDE = ["calls", "no-calls", "topoff-form", "buy-credits"]
OUTSIDE = ["billing", "confirm", "notices"]


@pytest.fixture
def gallery(valkey: EmbeddedValkey) -> Gallery:
    return make_gallery(valkey.url)


def page(gallery: Gallery, name: str, who: str = "owner") -> str:
    path = PAGES[name].partition("?")[0]
    answer = gallery.app.test_client().get(f"{path}?as={who}")
    assert answer.status_code == 200
    return answer.text


def bar_of(html: str) -> str:
    return html.partition('<header class="bar">')[2].partition("</header>")[0]


@pytest.mark.parametrize("name", INSIDE)
def test_buy_credits_is_in_the_top_bar_inside_the_products(gallery: Gallery, name: str) -> None:
    link = f'href="/a/{ACCOUNT_ID}/buy">Buy Credits</a>'
    assert link in bar_of(page(gallery, name))
    assert link in bar_of(page(gallery, name, "admin"))
    assert "Buy Credits" not in bar_of(page(gallery, name, "viewer"))


@pytest.mark.parametrize("name", OUTSIDE)
def test_buy_credits_is_nowhere_else(gallery: Gallery, name: str) -> None:
    assert "Buy Credits" not in bar_of(page(gallery, name))


def test_the_navigation_says_where_one_is(gallery: Gallery) -> None:
    html = page(gallery, "calls")
    assert re.search(r'aria-current="true">AI Receptionist<', html)
    assert re.search(r'aria-current="page">Calls<', html)
    assert re.search(r'/receptionist/settings">Settings<', html)
    assert re.search(r'/calling/">AI Calling<', html)
    assert re.search(r'aria-current="page">Billing<', page(gallery, "billing"))


def test_places_without_a_page_are_left_out(gallery: Gallery) -> None:
    assert ">E-mails</a>" in page(gallery, "billing")
    assert ">Sign-in</a>" not in page(gallery, "billing")


def test_the_menu_has_the_way_to_settings_and_out(gallery: Gallery) -> None:
    bar = bar_of(page(gallery, "calls"))
    assert "Bright Smile Dental" in bar
    assert EMAIL in bar
    assert re.search(r'<a href="/a/\w+/settings/billing">Settings</a>', bar)
    assert '<form method="post" action="/sign-out">' in bar
    assert "Switch account" in bar
    assert "Administration" not in bar
    assert "Administration" in bar_of(page(gallery, "calls", "admin"))


def test_only_an_admin_is_told_of_acting_on_behalf(gallery: Gallery) -> None:
    words = "Acting on behalf of <strong>Bright Smile Dental</strong>"
    assert words in page(gallery, "billing", "admin")
    assert words not in page(gallery, "billing", "owner")


def test_nobody_is_shown_no_account(gallery: Gallery) -> None:
    html = page(gallery, "sign-in", "nobody")
    assert "Bright Smile" not in html
    assert "Sign out" not in html
    assert 'id="incident"' not in html


@pytest.mark.parametrize("reason", FailureReason)
def test_the_banner_is_word_for_word(gallery: Gallery, reason: FailureReason) -> None:
    gallery.incident = reason
    for name in (*INSIDE, *OUTSIDE):
        html = page(gallery, name)
        assert f">{reason.label}</h2>" in html
        assert "Future calls may be dropped until this is resolved." in html
        assert "$50.00 for 200 credits" in html
    gallery.incident = None
    assert "banner-reason" not in page(gallery, "calls")


def test_the_product_is_the_deployments_own(valkey: EmbeddedValkey) -> None:
    branded = make_gallery(
        valkey.url,
        product_name="Ring <& Answer",
        logo_url="https://cdn.example.com/logo.svg",
        support_email="help@example.com",
    )
    html = page(branded, "billing")
    assert "<title>Settings · Ring &lt;&amp; Answer</title>" in html
    assert '<img src="https://cdn.example.com/logo.svg" alt=""' in html
    assert 'href="mailto:help@example.com"' in html
    plain = page(make_gallery(valkey.url), "billing")
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
