"""Links to sign in by: one e-mail, one button, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from structlog.typing import EventDict

from gatekeeper.ledger.sign_ins import LINK_LIFE_S
from gatekeeper.web.portal.link_limits import (
    REQUESTS_PER_ADDRESS,
    REQUESTS_PER_CLIENT,
    client_network,
)
from tests.web.portal.browser import Browser, owed_links
from tests.web.portal.conftest import ADMIN, KEY, OWNER, VIEWER, Scene

LINK = "/sign-in/link"


def test_a_member_comes_in_by_a_link(scene: Scene) -> None:
    browser = scene.browser()
    assert browser.open("/").headers["Location"] == "/sign-in"
    answer = browser.sign_in(VIEWER)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = browser.open("/", follow_redirects=True)
    assert page.status_code == 200
    assert "Able &lt;b&gt;&amp; Co" in page.text
    assert VIEWER in page.text


def test_an_address_is_known_however_it_is_written(scene: Scene) -> None:
    browser = scene.browser()
    browser.sign_in("  Owner@EXAMPLE.com ")
    assert browser.open(f"/a/{scene.able}/").status_code == 200


def test_an_admin_comes_in_without_being_a_member(scene: Scene) -> None:
    browser = scene.signed_in(ADMIN)
    assert browser.open("/").headers["Location"] == "/admin/"
    assert browser.open("/admin/").status_code not in {403, 404}


def test_nothing_tells_who_is_known(scene: Scene) -> None:
    known, unknown = scene.browser(), scene.browser()
    answers = [known.ask_for_link(OWNER), unknown.ask_for_link("nobody@example.com")]
    first, second = ((answer.status_code, answer.data) for answer in answers)
    assert first == second
    assert [answer.headers["Location"] for answer in answers] == ["/sign-in/sent"] * 2
    assert known.open("/sign-in/sent").data == unknown.open("/sign-in/sent").data
    assert len(owed_links(scene.gate.parts)) == 2  # the worker tells them apart


def test_the_signed_link_stands_nowhere(scene: Scene, logged: list[EventDict]) -> None:
    browser = scene.browser()
    link = browser.new_link(OWNER)
    signature = link.rpartition(".")[2]
    client = scene.ledger.client
    dumped = b"".join(client.dump(key) or b"" for key in client.scan_iter())
    assert signature.encode() not in dumped
    browser.submit(link, page=link)
    assert {"event": "signed_in", "by": "link", "log_level": "info"} in logged
    assert OWNER not in str(logged)
    assert signature not in str(logged)


def test_opening_a_link_uses_nothing_up(scene: Scene) -> None:
    link = scene.browser().new_link(OWNER)
    scanner = scene.browser(address="198.51.100.9")
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        assert scanner.open(link, method).status_code == 200
    assert not scanner.is_signed_in
    browser = scene.browser()
    assert browser.submit(link, page=link).status_code == 303
    assert browser.is_signed_in


def test_a_link_works_once(scene: Scene) -> None:
    link = scene.browser().new_link(OWNER)
    first, second = scene.browser(), scene.browser()
    token = second.token(link)
    assert first.submit(link, page=link).status_code == 303
    late = second.open(link, "POST", data={"csrf_token": token})
    assert late.status_code == 410
    assert 'href="/sign-in"' in late.text
    assert not second.is_signed_in
    assert second.open(link).status_code == 410


def test_two_tabs_of_one_browser(scene: Scene) -> None:
    browser = scene.browser()
    link = browser.new_link(OWNER)
    tokens = [browser.token(link), browser.token(link)]
    answers = [browser.open(link, "POST", data={"csrf_token": token}) for token in tokens]
    assert [answer.status_code for answer in answers] == [303, 400]
    assert f'href="{link}"' in answers[1].text
    again = browser.open(link)
    assert again.status_code == 410
    assert "signed in already" in again.text
    assert browser.is_signed_in


def test_of_many_at_once_one_comes_in(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(web_threads=16)  # fewer would refuse some of them as busy
    link = scene.browser().new_link(OWNER)
    browsers = [scene.browser() for _ in range(8)]
    tokens = [browser.token(link) for browser in browsers]

    def use(browser: Browser, token: str) -> int:
        return browser.open(link, "POST", data={"csrf_token": token}).status_code

    with ThreadPoolExecutor(len(browsers)) as threads:
        codes = list(threads.map(use, browsers, tokens))
    assert sorted(codes) == [303] + [410] * 7


def test_a_link_ends_by_itself(scene: Scene) -> None:
    browser = scene.browser()
    link = browser.new_link(OWNER)
    token = browser.token(link)
    (key,) = scene.ledger.client.scan_iter("gk:*:sign-in:*")
    assert 0 < scene.ledger.client.ttl(key) <= LINK_LIFE_S
    scene.ledger.client.pexpire(key, 0)
    for answer in (browser.open(link), browser.open(link, "POST", data={"csrf_token": token})):
        assert answer.status_code == 410
        assert "Ask for a new link" in answer.text


def test_a_link_for_who_is_no_member_any_more_opens_nothing(scene: Scene) -> None:
    browser = scene.browser()
    link = browser.new_link(VIEWER, f"/a/{scene.able}/")
    scene.ledger.members.remove_member(scene.able, VIEWER)
    answer = browser.submit(link, page=link)
    assert answer.headers["Location"] == f"/a/{scene.able}/"
    assert browser.open(f"/a/{scene.able}/").status_code == 404
    assert "not a member of any account" in browser.open("/").text


def test_it_is_said_what_comes_next_and_what_to_do_if_it_does_not(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene(support_email="help@example.com", product_name="Bells & <b>Whistles</b>")
    browser = scene.browser()
    assert "Sign in to Bells &amp; &lt;b&gt;Whistles&lt;/b&gt;" in browser.open("/sign-in").text
    page = browser.open("/sign-in/sent").text
    for said in (
        "15 minutes",
        "spam",
        "mailto:help@example.com",
        "“Sign in to Bells &amp; &lt;b&gt;",
    ):
        assert said in page
    assert "mailto:" not in make_scene().browser().open("/sign-in/sent").text


def test_a_link_that_was_changed_is_none(scene: Scene) -> None:
    browser = scene.browser()
    link = browser.new_link(OWNER)
    token = browser.token(link)
    link_id, signature = link.removeprefix(f"{LINK}/").split(".")
    other = ("0" if link_id[0] != "0" else "1") + link_id[1:]
    forged = [link_id, f"{link_id}.", f"{other}.{signature}", f"{link_id}.{signature[:-2]}AA"]
    for tail in [*forged, ".", "%00", "x" * 5000]:
        assert browser.open(f"{LINK}/{tail}").status_code == 410, tail
        posted = browser.open(f"{LINK}/{tail}", "POST", data={"csrf_token": token})
        assert posted.status_code == 410, tail
    assert browser.submit(link, page=link).status_code == 303


def test_keys_are_changed_without_anybody_noticing(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene()
    browser = scene.browser()
    link = browser.new_link(OWNER)
    token = browser.token(link)
    rotated = Scene(
        type(scene.gate)(scene.gate.redis_url, secret_key=f"{KEY},{'n' * 32}"),
        scene.able,
        scene.baker,
    )
    later = Browser(rotated.gate.app, rotated.gate.parts)
    cookie = browser.client.get_cookie("__Host-gatekeeper-forms", "gate.example.com")
    assert cookie is not None
    later.client.set_cookie(cookie.key, cookie.value, domain="gate.example.com", secure=True)
    assert later.open(link, "POST", data={"csrf_token": token}).status_code == 303


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "nobody",
        "a@b.example\r\nBcc: c@example.com",
        "a@b.example\nSubject: x",
        "a@b.example,c@example.com",
        "A <a@b.example>",
        '"><script>alert(1)</script>@example.com',
        "a@b.example\x00",
        "x" * 65 + "@example.com",
    ],
)
def test_what_is_no_address_is_said_beside_the_field(scene: Scene, typed: str) -> None:
    answer = scene.browser().ask_for_link(typed)
    assert answer.status_code == 422
    assert 'aria-describedby="problem-email"' in answer.text
    assert "<script>" not in answer.text
    assert owed_links(scene.gate.parts) == []


@pytest.mark.parametrize("wanted", ["/a/acct_000000000000/?day=1", "/admin/"])
def test_the_page_that_was_asked_for_comes_next(scene: Scene, wanted: str) -> None:
    browser = scene.browser()
    sent = browser.open(wanted)
    assert sent.status_code == 303
    path, _, query = sent.headers["Location"].partition("?")
    assert (path, parse_qs(query)) == ("/sign-in", {"next": [wanted]})
    assert browser.sign_in(OWNER, wanted).headers["Location"] == wanted


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        " //evil.test",
        "evil.test",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "",
    ],
)
def test_nothing_leads_elsewhere(scene: Scene, elsewhere: str) -> None:
    browser = scene.browser()
    assert browser.sign_in(OWNER, elsewhere).headers["Location"] == "/"
    answer = browser.open("/sign-in", query_string={"next": elsewhere})
    assert answer.headers["Location"] == "/"


def test_an_address_is_asked_for_so_often_and_no_oftener(scene: Scene) -> None:
    for email in (OWNER, "nobody@example.com"):
        codes = [
            scene.browser(address=f"203.0.113.{n}").ask_for_link(email).status_code
            for n in range(REQUESTS_PER_ADDRESS + 1)
        ]
        assert codes == [303] * REQUESTS_PER_ADDRESS + [429]
    assert len(owed_links(scene.gate.parts)) == 2 * REQUESTS_PER_ADDRESS


def test_a_client_asks_so_often_and_no_oftener(scene: Scene) -> None:
    browser = scene.browser()
    token = browser.token("/sign-in")

    def ask(n: int, address: str) -> int:
        data = {"csrf_token": token, "email": f"{n}@example.com"}
        headers = {"X-Forwarded-For": address}
        return browser.open("/sign-in", "POST", data=data, headers=headers).status_code

    # What a client writes into the header itself stands before what the proxy adds.
    codes = [ask(n, f"198.51.100.{n}, 203.0.113.7") for n in range(REQUESTS_PER_CLIENT)]
    assert codes == [303] * REQUESTS_PER_CLIENT
    assert ask(0, "203.0.113.7") == 429
    assert ask(0, "203.0.113.8") == 303


def test_who_asked_too_often_keeps_nobody_from_signing_in(scene: Scene) -> None:
    flooder = scene.browser(address="198.51.100.9")
    token = flooder.token("/sign-in")

    def ask(email: str) -> int:
        data = {"csrf_token": token, "email": email}
        return flooder.open("/sign-in", "POST", data=data).status_code

    for n in range(REQUESTS_PER_CLIENT):
        ask(f"{n}@example.com")
    owed_links(scene.gate.parts)
    keys = scene.ledger.client.dbsize()
    for n in range(REQUESTS_PER_ADDRESS + 1):
        assert [ask(OWNER), ask(ADMIN), ask(f"more{n}@example.com")] == [429] * 3
    assert owed_links(scene.gate.parts) == []
    assert scene.ledger.client.dbsize() == keys  # nor does the ledger grow by it
    for email in (OWNER, ADMIN):
        assert scene.browser().ask_for_link(email).status_code == 303


def test_the_answer_to_too_many_says_when_to_come_back(scene: Scene) -> None:
    answers = [scene.browser().ask_for_link(OWNER) for _ in range(REQUESTS_PER_ADDRESS + 1)]
    assert answers[-1].headers["Retry-After"] == "900"
    assert "15 minutes" in answers[-1].text


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("spoofed\r\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_client_is_counted_by_its_network(address: str | None, network: str) -> None:
    assert client_network(address) == network
