"""Who is signed in, for how long, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import Morsel, SimpleCookie

import pytest
from werkzeug.test import TestResponse

from gatekeeper.domain.person import Member, Role
from gatekeeper.web.portal.cookies import are_secure
from tests.web.gate import days_ago
from tests.web.portal.browser import SESSION_COOKIE
from tests.web.portal.conftest import OWNER, VIEWER, Scene


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
