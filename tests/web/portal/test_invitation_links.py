"""The link of an invitation: whom it signs in by itself, and whom it does not."""

from __future__ import annotations

import pytest

from gatekeeper.domain.person import Member, Role
from tests.web.gate import PUBLIC_URL
from tests.web.portal.browser import owed_links
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

NEW = "new@example.com"


def invited(scene: Scene, email: str) -> str:
    """Let Baker's owner invite somebody; returns the link's path, as the e-mail has it."""
    browser = scene.signed_in(STRANGER)
    page = f"/a/{scene.baker}/settings/access"
    assert browser.submit(page, page=page, email=email, role="viewer").status_code == 303
    (link_id,) = owed_links(scene.gate.parts)
    return scene.gate.parts.sign_in_links.url(link_id).removeprefix(PUBLIC_URL)


@pytest.mark.parametrize("email", [NEW, OWNER, ADMIN])
def test_an_invitation_that_was_taken_back_opens_nothing(scene: Scene, email: str) -> None:
    link = invited(scene, email)
    browser = scene.browser()
    token = browser.token("/sign-in")
    scene.ledger.members.remove_member(scene.baker, email)
    for answer in (
        browser.open(link),
        browser.open(link, "POST", data={"csrf_token": token}),
    ):
        assert answer.status_code == 410
        assert "This invitation was taken back" in answer.text
        assert 'href="/sign-in"' in answer.text
    assert not browser.is_signed_in


@pytest.mark.parametrize("email", [OWNER, VIEWER, ADMIN])
def test_who_is_known_elsewhere_is_not_signed_in_by_it(scene: Scene, email: str) -> None:
    """Whoever invites them cannot let the bearer of a week-old link into what else is theirs."""
    link = invited(scene, email)
    browser = scene.browser()
    for _ in range(2):
        page = browser.open(link)
        assert page.status_code == 200
        assert "can sign in already" in page.text
        assert f'value="{email}"' in page.text
        assert 'action="/sign-in"' in page.text
    posted = browser.submit(link, page=link)
    assert (posted.status_code, browser.is_signed_in) == (200, False)
    answer = browser.sign_in(email, f"/a/{scene.baker}/")
    assert answer.headers["Location"] == f"/a/{scene.baker}/"
    assert browser.open(f"/a/{scene.baker}/").status_code == 200


def test_who_became_known_elsewhere_after_it_was_opened_is_not_signed_in(scene: Scene) -> None:
    link = invited(scene, NEW)
    browser = scene.browser()
    token = browser.token(link)
    scene.ledger.members.set_member(scene.able, Member(NEW, Role.OWNER))
    answer = browser.open(link, "POST", data={"csrf_token": token})
    assert "can sign in already" in answer.text
    assert not browser.is_signed_in


def test_who_is_signed_in_already_goes_on_to_the_account(scene: Scene) -> None:
    link = invited(scene, OWNER)
    answer = scene.signed_in(OWNER).open(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/a/{scene.baker}/")
    other = scene.signed_in(VIEWER).open(link)
    assert "can sign in already" in other.text
