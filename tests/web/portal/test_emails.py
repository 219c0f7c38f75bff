"""Settings → E-mails: who gets which, in plain words, and that somebody gets what matters."""

from __future__ import annotations

import re
from html import unescape

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from gatekeeper.domain.change import read_detail
from gatekeeper.domain.entry import EntryType
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.mail.links import links_of
from gatekeeper.web.portal.emails import Choice
from gatekeeper.web.portal.notice_words import NOTICE_WORDS
from tests.web.gate import PUBLIC_URL
from tests.web.portal.browser import Browser
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

FAILED, LOW = NoticeKind.TOPOFF_FAILED, NoticeKind.BALANCE_LOW
WARNING = "Nobody is chosen for"
BOX = re.compile(r'<input type="checkbox" name="(\w+)" value="([^"]+)"( checked)?>')
SHOWN = re.compile(
    r'<input type="hidden" name="member" value="([^"]+)">'
    r'<input type="hidden" name="made_from" value="([^"]*)">'
)


@pytest.fixture
def path(scene: Scene) -> str:
    return f"/a/{scene.able}/settings/emails"


def choose(
    browser: Browser,
    path: str,
    choice: dict[str, set[NoticeKind]],
    page: str | None = None,
    **more: object,
) -> TestResponse:
    """Send the form with these boxes ticked, by the address that they are for.

    `page` is the one that was open: without it, that of now.
    """
    shown = dict(SHOWN.findall(browser.open(path).text if page is None else page))
    data: list[tuple[str, str]] = [("csrf_token", browser.token(path))]
    for email, kinds in choice.items():
        data += [("member", email), ("made_from", shown.get(email, ""))]
        data += [(kind.value, email) for kind in sorted(kinds)]
    return browser.open(path, "POST", data=MultiDict(data), **more)


def boxes(page: str) -> dict[tuple[str, str], bool]:
    return {(kind, unescape(email)): bool(ticked) for kind, email, ticked in BOX.findall(page)}


def notices(scene: Scene, email: str) -> frozenset[NoticeKind]:
    member = scene.ledger.members.find(scene.able, email)
    assert member is not None
    return member.notices


def test_every_kind_has_its_words() -> None:
    assert set(NOTICE_WORDS) == set(NoticeKind)
    names = [words.name for words in NOTICE_WORDS.values()]
    assert len(names) == len(set(names))
    assert all(words.sent_when.endswith(".") for words in NOTICE_WORDS.values())
    assert NOTICE_WORDS[FAILED].is_urgent
    assert NOTICE_WORDS[NoticeKind.CALLS_DROPPED].is_urgent


def test_there_is_a_box_for_each_member_and_kind(scene: Scene, path: str) -> None:
    page = scene.signed_in(OWNER).open(path).text
    assert boxes(page) == {
        (kind.value, email): email == OWNER for kind in NoticeKind for email in (OWNER, VIEWER)
    }
    for words in NOTICE_WORDS.values():
        assert words.name in page
        assert words.sent_when in page


def test_what_is_chosen_is_saved_and_shown(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    answer = choose(browser, path, {OWNER: {LOW}, VIEWER: {FAILED, NoticeKind.CALLS_DROPPED}})
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert notices(scene, OWNER) == {LOW}
    assert notices(scene, VIEWER) == {FAILED, NoticeKind.CALLS_DROPPED}
    page = browser.open(path).text
    assert "Your choice is saved." in page
    assert boxes(page)[FAILED.value, VIEWER]
    assert not boxes(page)[FAILED.value, OWNER]


def test_what_is_usual_stays_so_for_kinds_to_come(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    choose(browser, path, {OWNER: {LOW}, VIEWER: {LOW}})
    choose(browser, path, {OWNER: set(NoticeKind), VIEWER: set()})
    assert scene.ledger.members.of_account(scene.able) == [
        Member(OWNER, Role.OWNER),
        Member(VIEWER, Role.VIEWER),
    ]


def test_the_log_says_who_chose_and_what_was_not_changed_is_no_entry(
    scene: Scene, path: str
) -> None:
    admin = scene.signed_in(ADMIN)
    choose(admin, path, {OWNER: set(NoticeKind), VIEWER: {LOW}})
    (entry,) = [
        one
        for one in scene.ledger.log.entries(scene.able)
        if one.type is EntryType.ACCOUNT_CHANGED and read_detail(one.detail).by
    ]
    assert entry.ref == VIEWER
    assert read_detail(entry.detail).by == f"{ADMIN} (admin)"


def test_a_viewer_sees_who_gets_what_and_changes_nothing(scene: Scene, path: str) -> None:
    browser = scene.signed_in(VIEWER)
    page = browser.open(path).text
    assert boxes(page) == {}
    assert "An owner of the account can change this." in page
    assert choose(browser, path, {VIEWER: set(NoticeKind)}).status_code == 403
    assert notices(scene, VIEWER) == frozenset()


@pytest.mark.parametrize("who", [OWNER, VIEWER])
def test_it_warns_when_nobody_gets_what_matters(scene: Scene, path: str, who: str) -> None:
    browser = scene.signed_in(who)
    assert WARNING not in browser.open(path).text
    rest = frozenset(NoticeKind) - {FAILED, LOW}
    scene.ledger.members.set_member(scene.able, Member(OWNER, Role.OWNER, rest))
    page = browser.open(path).text
    assert f"{WARNING} “Failed charges”" in page
    assert page.count(WARNING) == 1  # a low balance can be missed
    assert f"the account's own address, {OWNER}" in page
    scene.ledger.members.set_member(scene.able, Member(VIEWER, Role.VIEWER, frozenset({FAILED})))
    assert WARNING not in browser.open(path).text


def test_what_another_owner_chose_meanwhile_is_not_undone(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    page = browser.open(path).text
    choose(scene.signed_in(ADMIN), path, {VIEWER: {LOW}})
    answer = choose(browser, path, {OWNER: {FAILED}, VIEWER: set()}, page)
    assert answer.status_code == 409
    assert f"changed or removed while you had this page open: {VIEWER}." in answer.text
    assert notices(scene, VIEWER) == {LOW}
    assert notices(scene, OWNER) == frozenset(NoticeKind)

    ticked = {key for key, is_ticked in boxes(answer.text).items() if is_ticked}
    assert ticked == {(FAILED.value, OWNER), (LOW.value, VIEWER)}
    again = choose(browser, path, {OWNER: {FAILED}, VIEWER: {LOW}}, answer.text)
    assert again.status_code == 303
    assert notices(scene, OWNER) == {FAILED}
    assert notices(scene, VIEWER) == {LOW}


def test_the_same_choice_twice_is_no_conflict(scene: Scene, path: str) -> None:
    """As when Save was pressed twice."""
    browser = scene.signed_in(OWNER)
    page = browser.open(path).text
    for _ in range(2):
        assert choose(browser, path, {OWNER: {FAILED}, VIEWER: {LOW}}, page).status_code == 303


def test_those_who_are_not_members_get_nothing(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    odd = "<script>alert(1)</script>"
    answer = choose(browser, path, {STRANGER: set(NoticeKind), odd: set(NoticeKind), OWNER: {LOW}})
    assert answer.status_code == 409
    assert f"page open: &lt;script&gt;alert(1)&lt;/script&gt;, {STRANGER}." in answer.text
    assert notices(scene, OWNER) == frozenset(NoticeKind)
    assert [one.email for one in scene.ledger.members.of_account(scene.able)] == [OWNER, VIEWER]


def test_a_member_without_what_the_page_showed_is_one_that_changed(scene: Scene, path: str) -> None:
    browser = scene.signed_in(OWNER)
    data = {"csrf_token": browser.token(path), "member": OWNER, "balance_low": OWNER}
    assert browser.open(path, "POST", data=data).status_code == 409
    assert notices(scene, OWNER) == frozenset(NoticeKind)


def test_whom_the_form_did_not_show_keeps_theirs(scene: Scene, path: str) -> None:
    """As somebody who was invited while it was open."""
    browser = scene.signed_in(OWNER)
    scene.ledger.members.set_member(scene.able, Member("new@example.com", Role.OWNER))
    choose(browser, path, {OWNER: {LOW}})
    assert notices(scene, "new@example.com") == frozenset(NoticeKind)


def test_kinds_that_there_are_not_are_passed_over() -> None:
    form = MultiDict([("member", OWNER), ("party", OWNER), ("balance_low", OWNER)])
    assert Choice.read(form).kinds == {OWNER: frozenset({LOW})}


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_e_mails_links_lead_to_a_page(scene: Scene, kind: NoticeKind) -> None:
    browser = scene.browser()
    browser.put_session(scene.ledger.sessions.start(VIEWER, ""))
    assert scene.gate.parts.sender.portal_url == PUBLIC_URL
    links = links_of(kind, scene.able, PUBLIC_URL)
    for link in (links.page, links.choice):
        path, _, anchor = link.removeprefix(PUBLIC_URL).partition("#")
        answer = browser.open(path)
        assert answer.status_code == 200, link
        assert f'id="{anchor}"' in answer.text or anchor in ("", "history")
