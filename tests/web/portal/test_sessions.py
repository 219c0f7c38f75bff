"""Who is signed in, for how long, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie
from pathlib import Path

import pytest
from flask import url_for
from werkzeug.test import TestResponse

from gatekeeper.domain.person import Member, Role
from gatekeeper.web import portal
from gatekeeper.web.portal.cookies import are_secure
from tests.web.gate import days_ago
from tests.web.portal.browser import SESSION_COOKIE
from tests.web.portal.conftest import ADMIN, OWNER, VIEWER, Scene


def _set_cookie(answer: TestResponse, name: str) -> Morsel[str]:
    cookies = SimpleCookie()
    for header in answer.headers.getlist("Set-Cookie"):
        cookies.load(header)
    found: Morsel[str] = cookies[name]
    return found


def test_the_cookie_is_for_this_host_and_no_script(scene: Scene) -> None:
    cookie = _set_cookie(scene.browser().sign_in(OWNER), SESSION_COOKIE)
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", "1209600")


def test_the_cookie_of_forms_is_kept_alike(scene: Scene) -> None:
    cookie = _set_cookie(scene.browser().open("/sign-in"), "__Host-gatekeeper-forms")
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", "")


@pytest.mark.parametrize(
    ("origin", "secure"),
    [
        ("https://gate.example.com", True),
        ("https://127.0.0.1:8000", True),
        ("http://gate.example.com", True),
        ("http://127.0.0.1.example.com", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("http://[::1]:8000", False),
    ],
)
def test_cookies_need_tls_but_on_this_machine(origin: str, *, secure: bool) -> None:
    assert are_secure(origin) is secure


def test_without_tls_the_names_promise_nothing(make_scene: Callable[..., Scene]) -> None:
    browser = make_scene(public_url="http://127.0.0.1:8000").browser()
    names = {
        header.partition("=")[0]
        for header in browser.open("/sign-in").headers.getlist("Set-Cookie")
    }
    assert names == {"gatekeeper-forms"}


def test_the_ledger_holds_no_token(scene: Scene) -> None:
    answer = scene.browser().sign_in(OWNER)
    token = _set_cookie(answer, SESSION_COOKIE).value
    client = scene.ledger.client
    assert not [key for key in client.scan_iter() if token in str(key)]
    dumped = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert token.encode() not in dumped


def test_a_session_that_was_there_before_is_not_taken_over(scene: Scene) -> None:
    """Whoever puts a cookie into somebody's browser is not signed in with them (fixation)."""
    planted = scene.browser()
    planted.put_session("planted-word")
    planted.sign_in(OWNER)
    attacker = scene.browser()
    attacker.put_session("planted-word")
    assert not attacker.is_signed_in
    assert planted.is_signed_in


def test_signing_in_as_another_ends_what_was_before(scene: Scene) -> None:
    browser = scene.browser()
    first = _set_cookie(browser.sign_in(OWNER), SESSION_COOKIE).value
    browser.sign_in(VIEWER)
    assert VIEWER in browser.open("/", follow_redirects=True).text
    old = scene.browser()
    old.put_session(first)
    assert not old.is_signed_in


def test_signing_out_ends_it_here_and_not_elsewhere(scene: Scene) -> None:
    here, elsewhere = scene.signed_in(OWNER), scene.signed_in(OWNER)
    cookie = here.client.get_cookie(SESSION_COOKIE, "gate.example.com")
    assert cookie is not None
    answer = here.submit("/sign-out")
    assert answer.headers["Location"] == "/sign-in"
    assert _set_cookie(answer, SESSION_COOKIE)["max-age"] == "0"
    assert "You are signed out." in here.open("/sign-in").text
    here.put_session(cookie.value)
    assert not here.is_signed_in
    assert elsewhere.is_signed_in


def test_signing_out_everywhere(scene: Scene) -> None:
    browsers = [scene.signed_in(OWNER) for _ in range(3)]
    other = scene.signed_in(VIEWER)
    browsers[0].submit("/sign-out/everywhere")
    assert [browser.is_signed_in for browser in browsers] == [False] * 3
    assert other.is_signed_in
    assert scene.signed_in(OWNER).is_signed_in


@pytest.mark.parametrize("value", ["", "x", "x" * 4000, "é", "../../etc"])
def test_an_odd_cookie_is_nobody(scene: Scene, value: str) -> None:
    browser = scene.browser()
    browser.put_session(value)
    assert not browser.is_signed_in


def test_a_session_ends_when_it_is_not_used(scene: Scene) -> None:
    browser = scene.signed_in(OWNER)
    (key,) = scene.ledger.client.scan_iter("gk:session:*")
    scene.ledger.client.expire(key, 1000)
    browser.open("/")
    assert 12 * 3600 - 60 < scene.ledger.client.ttl(key) <= 12 * 3600
    scene.ledger.client.pexpire(key, 0)
    assert not browser.is_signed_in


#: Every address that pages ask for by themselves.
POLLS = (
    "incident",
    "settings/billing/now",
    "settings/billing",
    "settings/card/done/progress",
    "buy/done/progress",
    "buy/price",
    "receptionist/settings/terms",
)
BY_HTMX = {"HX-Request": "true"}
_ASKED_BY_PAGES = re.compile(r'hx-get="\{\{ (?:frame\.url|url_for)\(\'([a-z_.]+)\'')


def test_the_list_of_what_pages_ask_for_is_whole(scene: Scene) -> None:
    templates = Path(portal.__file__).parent / "templates"
    asked = {
        endpoint
        for template in templates.rglob("*.html")
        for endpoint in _ASKED_BY_PAGES.findall(template.read_text())
    }
    with scene.gate.app.test_request_context():
        paths = {url_for(one, account_id=scene.able).partition("?")[0] for one in asked}
    assert paths == {f"/a/{scene.able}/{path}" for path in POLLS}


@pytest.mark.parametrize("path", POLLS)
def test_a_page_that_asks_by_itself_keeps_no_session_alive(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    (key,) = scene.ledger.client.scan_iter("gk:session:*")
    scene.ledger.client.expire(key, 1000)
    seen = scene.ledger.client.hget(key, "seen_at_ms")
    answer = browser.open(f"/a/{scene.able}/{path}", headers=BY_HTMX)
    assert answer.status_code == 200
    assert scene.ledger.client.ttl(key) <= 1000
    assert scene.ledger.client.hget(key, "seen_at_ms") == seen
    browser.open(f"/a/{scene.able}/settings/access")
    assert scene.ledger.client.ttl(key) > 1000


def test_nor_does_the_dashboard(scene: Scene) -> None:
    browser = scene.signed_in(ADMIN)
    (key,) = scene.ledger.client.scan_iter("gk:session:*")
    scene.ledger.client.expire(key, 1000)
    browser.open("/admin/", headers={"X-Requested-With": "XMLHttpRequest"})
    assert scene.ledger.client.ttl(key) <= 1000


def test_a_form_is_a_use_whatever_sends_it(scene: Scene) -> None:
    browser = scene.signed_in(OWNER)
    (key,) = scene.ledger.client.scan_iter("gk:session:*")
    path = f"/a/{scene.able}/settings/access"
    token = browser.token(path)
    scene.ledger.client.expire(key, 1000)
    browser.open(f"{path}/role", "POST", data={"csrf_token": token}, headers=BY_HTMX)
    assert scene.ledger.client.ttl(key) > 1000


def test_a_page_whose_session_is_over_is_told_to_ask_anew(scene: Scene) -> None:
    """Else the form to sign in by would be put into the middle of it."""
    browser = scene.signed_in(OWNER)
    scene.ledger.sessions.end_all(OWNER)
    path = f"/a/{scene.able}/incident"
    answer = browser.open(path, headers=BY_HTMX)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["HX-Refresh"] == "true"
    assert browser.open(path).headers["Location"].startswith("/sign-in?")


@pytest.mark.parametrize(("age_days", "lives"), [(13.99, True), (14.01, False)])
def test_no_session_lives_longer_than_a_fortnight(
    scene: Scene, age_days: float, *, lives: bool
) -> None:
    token = scene.gate.ledger(days_ago(age_days)).sessions.start(OWNER, "Firefox")
    browser = scene.browser()
    browser.put_session(token)
    assert browser.is_signed_in is lives
    if lives:
        (key,) = scene.ledger.client.scan_iter("gk:session:*")
        assert scene.ledger.client.ttl(key) <= 0.01 * 86_400


def test_who_is_removed_has_no_page_any_more(scene: Scene) -> None:
    browser = scene.signed_in(VIEWER)
    assert browser.open(f"/a/{scene.able}/").status_code == 200
    scene.ledger.members.remove_member(scene.able, VIEWER)
    assert browser.open(f"/a/{scene.able}/").status_code == 404
    assert "not a member of any account" in browser.open("/").text


def test_a_new_address_hands_the_account_over(scene: Scene) -> None:
    browser = scene.signed_in(OWNER)
    scene.ledger.accounts.update_account(scene.able, email="New@example.com")
    assert browser.open(f"/a/{scene.able}/").status_code == 404
    assert scene.signed_in("new@example.com").open(f"/a/{scene.able}/").status_code == 200


def test_who_has_several_accounts_chooses(scene: Scene) -> None:
    scene.ledger.members.set_member(scene.baker, Member(VIEWER, Role.OWNER))
    page = scene.signed_in(VIEWER).open("/")
    assert page.status_code == 200
    assert f'href="/a/{scene.able}/"' in page.text
    assert f'href="/a/{scene.baker}/"' in page.text


def test_a_signed_in_person_is_not_asked_again(scene: Scene) -> None:
    browser = scene.signed_in(OWNER)
    answer = browser.open("/sign-in?next=/a/x/")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/a/x/")
