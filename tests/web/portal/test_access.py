"""Settings → People: who may do what, who is invited, and what ends at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from structlog.typing import EventDict

from gatekeeper.domain.change import Change, read_detail
from gatekeeper.domain.entry import Entry, EntryType
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.members import MAX_MEMBERS
from gatekeeper.ledger.sign_ins import SignIn
from gatekeeper.web.portal.browser_words import browser_words
from gatekeeper.web.portal.link_limits import INVITATIONS_PER_ACCOUNT, INVITATIONS_PER_ADDRESS
from tests.web.portal.billing_desk import words_of
from tests.web.portal.browser import Browser, owed_links
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

NEW = "new@example.com"


@pytest.fixture
def path(scene: Scene) -> str:
    return f"/a/{scene.able}/settings/access"


@pytest.fixture
def owner(scene: Scene) -> Browser:
    return scene.signed_in(OWNER)


def invitations(scene: Scene) -> list[SignIn]:
    """What the e-mails that are owed say, which are then no longer owed."""
    found = (scene.ledger.sign_ins.find(link_id) for link_id in owed_links(scene.gate.parts))
    return [one for one in found if one is not None]


def role_of(scene: Scene, email: str) -> Role | None:
    member = scene.ledger.members.find(scene.able, email)
    return None if member is None else member.role


def changes(scene: Scene) -> list[Entry]:
    entries = scene.ledger.log.entries(scene.able)
    return [one for one in entries if one.type is EntryType.ACCOUNT_CHANGED]


def test_members_are_listed_with_what_they_may_do(scene: Scene, owner: Browser, path: str) -> None:
    said = words_of(owner.open(path).text)
    assert f"{OWNER} You Owner The account's own address: always an owner" in said
    assert f"{VIEWER} Viewer" in said
    assert STRANGER not in said


def test_a_viewer_only_looks(scene: Scene, path: str) -> None:
    browser = scene.signed_in(VIEWER)
    page = browser.open(path).text
    assert OWNER in page
    assert "Invite somebody" not in page
    assert "Make an owner" not in page
    for action in ("", "/role", "/remove"):
        fields = {"email": VIEWER, "role": "owner", "agreed": "1"}
        assert browser.submit(f"{path}{action}", page=path, **fields).status_code == 403
    assert role_of(scene, VIEWER) is Role.VIEWER
    assert invitations(scene) == []


@pytest.mark.parametrize("role", Role)
def test_somebody_is_invited_and_comes_in(
    scene: Scene, owner: Browser, path: str, role: Role
) -> None:
    answer = owner.submit(path, page=path, email=f" {NEW.upper()} ", role=role.value)
    assert (answer.status_code, answer.headers["Location"]) == (303, path)
    assert f"{NEW} is {'an owner' if role is Role.OWNER else 'a viewer'} now" in (
        words_of(owner.open(path).text)
    )
    assert role_of(scene, NEW) is role
    (link_id,) = owed_links(scene.gate.parts)
    asked = scene.ledger.sign_ins.find(link_id)
    assert asked is not None
    assert (asked.email, asked.invited_to, asked.invited_by) == (NEW, scene.able, OWNER)
    link = scene.gate.parts.sign_in_links.url(link_id).removeprefix("https://gate.example.com")
    invited = scene.browser()
    assert invited.submit(link, page=link).headers["Location"] == f"/a/{scene.able}/"
    assert invited.open(f"/a/{scene.able}/").status_code == 200
    assert scene.browser().open(link).status_code == 410


def test_one_invitation_is_one_e_mail(scene: Scene, owner: Browser, path: str) -> None:
    for _ in range(3):
        assert owner.submit(path, page=path, email=NEW, role="viewer").status_code == 303
    assert len(invitations(scene)) == 1
    assert "is a viewer already" in words_of(owner.open(path).text)


def test_an_admin_invites_on_behalf(scene: Scene, path: str) -> None:
    admin = scene.signed_in(ADMIN)
    assert admin.submit(path, page=path, email=NEW, role="viewer").status_code == 303
    (asked,) = invitations(scene)
    assert asked.invited_by == ""
    (entry,) = [one for one in changes(scene) if one.ref == NEW]
    assert read_detail(entry.detail).by == f"{ADMIN} (admin)"


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"email": ""}, "email", "Please enter one e-mail address."),
        ({"email": "two@example.com, x@example.com"}, "email", "Please enter one e-mail address."),
        ({"email": '"><script>alert(1)</script>@x.test'}, "email", "one e-mail address"),
        ({"role": ""}, "role", "Please choose what they may do."),
        ({"role": "admin"}, "role", "Please choose what they may do."),
        ({"email": VIEWER, "role": "owner"}, "email", "is a viewer already"),
    ],
    ids=str,
)
def test_what_cannot_be_is_said_beside_the_field(
    scene: Scene, owner: Browser, path: str, fields: dict[str, str], field: str, said: str
) -> None:
    before = scene.ledger.members.of_account(scene.able)
    answer = owner.submit(path, page=path, **({"email": NEW, "role": "viewer"} | fields))
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    problem = re.search(f'id="problem-{field}">(.*?)</p>', answer.text)
    assert problem is not None
    assert said in unescape(problem[1])
    assert f'href="#field-{field}"' in answer.text
    typed = re.search(r'id="field-email"[^>]* value="([^"]*)"', answer.text)
    assert typed is not None
    assert unescape(typed[1]) == fields.get("email", NEW)
    assert scene.ledger.members.of_account(scene.able) == before
    assert invitations(scene) == []


def test_an_account_has_so_many_members_and_no_more(
    scene: Scene, owner: Browser, path: str
) -> None:
    for n in range(MAX_MEMBERS - 2):
        scene.ledger.members.set_member(scene.able, Member(f"m{n}@example.com", Role.VIEWER))
    answer = owner.submit(path, page=path, email=NEW, role="viewer")
    assert answer.status_code == 422
    assert "at most 50 members" in answer.text
    assert invitations(scene) == []


def test_invitations_are_limited_as_links_are(scene: Scene, owner: Browser, path: str) -> None:
    """So that nobody's mailbox is filled by inviting and removing them."""
    for _ in range(INVITATIONS_PER_ADDRESS):
        assert owner.submit(path, page=path, email=NEW, role="viewer").status_code == 303
        owner.submit(f"{path}/remove", page=path, email=NEW, agreed="1")
    answer = owner.submit(path, page=path, email=NEW, role="viewer")
    assert answer.status_code == 429
    assert "no more are sent for 15 minutes" in answer.text
    assert role_of(scene, NEW) is None
    assert len(invitations(scene)) == INVITATIONS_PER_ADDRESS


def test_invitations_keep_nobody_from_signing_in_nor_from_other_accounts(
    scene: Scene, owner: Browser, path: str
) -> None:
    for _ in range(INVITATIONS_PER_ADDRESS + 1):
        owner.submit(path, page=path, email=STRANGER, role="viewer")
        owner.submit(f"{path}/remove", page=path, email=STRANGER, agreed="1")
    owed_links(scene.gate.parts)
    baker = scene.signed_in(STRANGER)
    for _ in range(INVITATIONS_PER_ADDRESS + 1):
        owner.submit(path, page=path, email=NEW, role="viewer")
        owner.submit(f"{path}/remove", page=path, email=NEW, agreed="1")
    elsewhere = f"/a/{scene.baker}/settings/access"
    assert baker.submit(elsewhere, page=elsewhere, email=NEW, role="viewer").status_code == 303


def test_an_account_sends_so_many_invitations_and_no_more(
    scene: Scene, owner: Browser, path: str
) -> None:
    for _ in range(INVITATIONS_PER_ACCOUNT):
        scene.ledger.sign_ins.count_request(scene.able)
    assert owner.submit(path, page=path, email=NEW, role="viewer").status_code == 429
    assert invitations(scene) == []


def test_what_somebody_may_do_is_changed_and_counts_at_once(
    scene: Scene, owner: Browser, path: str
) -> None:
    chosen = Member(VIEWER, Role.VIEWER, frozenset({NoticeKind.BALANCE_LOW}))
    scene.ledger.members.set_member(scene.able, chosen)
    them = scene.signed_in(VIEWER)
    buy = f"/a/{scene.able}/buy"
    assert them.open(buy).status_code == 403
    owner.submit(f"{path}/role", page=path, email=VIEWER, role="owner")
    assert them.open(buy).status_code == 200
    member = scene.ledger.members.find(scene.able, VIEWER)
    assert member == Member(VIEWER, Role.OWNER, chosen.chosen_notices)
    owner.submit(f"{path}/role", page=path, email=VIEWER, role="viewer")
    assert them.open(buy).status_code == 403


def test_nobody_changes_what_they_may_do_themselves(scene: Scene, path: str) -> None:
    scene.ledger.members.set_member(scene.able, Member(NEW, Role.OWNER))
    browser = scene.signed_in(NEW)
    assert f'Make a viewer<span class="visually-hidden"> ({NEW})' not in browser.open(path).text
    browser.submit(f"{path}/role", page=path, email=NEW, role="viewer")
    assert role_of(scene, NEW) is Role.OWNER
    assert "Another owner can change" in browser.open(path).text


@pytest.mark.parametrize(
    "fields", [{}, {"email": NEW, "role": "owner"}, {"email": VIEWER, "role": "emperor"}], ids=str
)
def test_odd_changes_change_nothing(
    scene: Scene, owner: Browser, path: str, fields: dict[str, str]
) -> None:
    before = scene.ledger.members.of_account(scene.able)
    answer = owner.submit(f"{path}/role", page=path, **fields)
    assert answer.headers["Location"] == path
    assert "Nothing was changed" in owner.open(path).text
    assert scene.ledger.members.of_account(scene.able) == before


def test_removing_asks_first_and_ends_what_they_can_see_at_once(
    scene: Scene, owner: Browser, path: str
) -> None:
    them = scene.signed_in(VIEWER)
    pages = [
        f"/a/{scene.able}/{tail}"
        for tail in ("", "settings/billing", "settings/emails", "incident")
    ]
    assert {them.open(page).status_code for page in pages} == {200}
    asked = owner.submit(f"{path}/remove", page=path, email=VIEWER)
    assert (asked.status_code, role_of(scene, VIEWER)) == (200, Role.VIEWER)
    assert f"Remove {VIEWER}?" in asked.text
    answer = owner.submit(f"{path}/remove", page=path, email=VIEWER, agreed="1")
    assert answer.headers["Location"] == path
    assert f"{VIEWER} cannot see this account any more." in owner.open(path).text
    assert {them.open(page).status_code for page in pages} == {404}
    polled = them.open(pages[-1], headers={"HX-Request": "true"})
    assert polled.status_code == 404
    assert "not a member of any account" in them.open("/").text


def test_the_accounts_own_address_stays_and_says_why(
    scene: Scene, path: str, owner: Browser
) -> None:
    scene.ledger.members.set_member(scene.able, Member(NEW, Role.OWNER))
    other = scene.signed_in(NEW)
    assert f'Remove<span class="visually-hidden"> {OWNER}' not in other.open(path).text
    for browser in (owner, other):
        for action, fields in (("role", {"role": "viewer"}), ("remove", {"agreed": "1"})):
            browser.submit(f"{path}/{action}", page=path, email=OWNER, **fields)
        assert role_of(scene, OWNER) is Role.OWNER
        assert "account&#39;s own address, and so stays an owner" in browser.open(path).text


def test_somebody_leaves_by_themselves(scene: Scene, path: str) -> None:
    scene.ledger.members.set_member(scene.able, Member(NEW, Role.OWNER))
    browser = scene.signed_in(NEW)
    assert "Leave this account?" in browser.submit(f"{path}/remove", page=path, email=NEW).text
    answer = browser.submit(f"{path}/remove", page=path, email=NEW, agreed="1")
    assert answer.headers["Location"] == "/"
    assert browser.open(path).status_code == 404


def test_the_log_says_who_let_whom_in(scene: Scene, owner: Browser, path: str) -> None:
    owner.submit(path, page=path, email=NEW, role="viewer")
    owner.submit(f"{path}/role", page=path, email=NEW, role="owner")
    owner.submit(f"{path}/remove", page=path, email=NEW, agreed="1")
    entries = [one for one in changes(scene) if one.ref == NEW]
    assert [one.cause for one in entries] == [
        Change.MEMBER_SET,
        Change.MEMBER_SET,
        Change.MEMBER_REMOVED,
    ]
    assert {read_detail(one.detail).by for one in entries} == {OWNER}


def test_no_address_gets_into_the_servers_log(
    scene: Scene, owner: Browser, path: str, logged: list[EventDict]
) -> None:
    owner.submit(path, page=path, email=NEW, role="viewer")
    owner.submit(f"{path}/remove", page=path, email=NEW, agreed="1")
    assert [one["event"] for one in logged] == ["member_invited", "member_removed"]
    assert "@" not in str(logged)


def test_an_address_with_odd_letters_is_text(scene: Scene, owner: Browser, path: str) -> None:
    odd = "a'&b=<i>".replace("<i>", "!") + "@example.com"  # as odd as an address may be
    assert owner.submit(path, page=path, email=odd, role="viewer").status_code == 303
    page = owner.open(path).text
    assert "a&#39;&amp;b=!@example.com" in page
    assert odd not in page


def test_own_sessions_are_shown_and_end_everywhere(scene: Scene, path: str) -> None:
    agents = ("Mozilla/5.0 (iPhone) Version/18.0 Safari/604.1", "<script>alert(1)</script>")
    for agent in agents:
        scene.ledger.sessions.start(VIEWER, agent)
    scene.ledger.sessions.start(OWNER, "Mozilla/5.0 (Windows NT 10.0) Firefox/128.0")
    browser = scene.signed_in(VIEWER)
    page = browser.open(path).text
    said = words_of(page)
    assert said.count("This browser") == 1
    assert "Safari on an iPhone" in said
    assert "A browser" in said
    assert "Firefox on Windows" not in said
    assert "<script>alert" not in page
    browser.submit("/sign-out/everywhere", page=path)
    assert not browser.is_signed_in
    assert scene.ledger.sessions.of_person(VIEWER) == []
    assert len(scene.ledger.sessions.of_person(OWNER)) == 1


def test_many_sessions_are_counted(scene: Scene, path: str) -> None:
    for _ in range(13):
        scene.ledger.sessions.start(VIEWER, "")
    said = words_of(scene.signed_in(VIEWER).open(path).text)
    assert "And 4 more that were used longer ago." in said


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Firefox/128.0", "Firefox on Windows"),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/126.0 Safari/537.36 Edg/126.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15",
            "Safari on a Mac",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) CriOS/126.0",
            "Chrome on an iPhone",
        ),
        ("curl/8.5.0", "A browser"),
        ("Lynx (Linux)", "A browser on Linux"),
        ("", "A browser"),
    ],
)
def test_browsers_are_called_what_people_call_them(user_agent: str, words: str) -> None:
    assert browser_words(user_agent) == words


def test_without_support_there_is_no_empty_sentence(make_scene: Callable[..., Scene]) -> None:
    for email in (None, "help@example.com"):
        scene = make_scene(support_email=email)
        page = scene.signed_in(OWNER).open(f"/a/{scene.able}/settings/access").text
        assert ("To make another address" in page) is (email is not None)
