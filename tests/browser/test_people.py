"""The pages about people in a browser: every state, and what only a browser shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.checks import (
    PAGE_BYTES_MAX,
    check_accessible,
    check_fits,
    check_works_without_scripts,
    look,
    wire_bytes,
)
from tests.browser.chromium import DESK, PHONE, VIEWS, View
from tests.browser.conftest import OpenPage
from tests.browser.gallery.people import (
    ACCOUNT_ID,
    DANA,
    LEE,
    State,
    open_state,
    people_gate,
    people_states,
)
from tests.browser.serving import serve
from tests.web.gate import Gate
from tests.web.portal.browser import owed_links


@pytest.fixture
def gate(valkey: EmbeddedValkey, tmp_path: Path) -> Gate:
    return people_gate(valkey.url, tmp_path)


@pytest.fixture
def base_url(gate: Gate) -> Iterator[str]:
    with serve(gate.app) as origin:
        yield origin


def test_every_state_is_accessible_and_fits(new_page: OpenPage, gate: Gate, base_url: str) -> None:
    page = new_page()
    for state in people_states(gate).values():
        open_state(page, gate, base_url, state)
        check_works_without_scripts(page)
        for view in VIEWS:
            look(page, view)
            check_fits(page)
            check_accessible(page, colors_only=view.scheme == "dark")


def test_pages_are_small(new_page: OpenPage, gate: Gate, base_url: str) -> None:
    page = new_page()
    open_state(page, gate, base_url, State("/", DANA))
    for name in ("access", "emails"):
        path = f"/a/{ACCOUNT_ID}/settings/{name}"
        assert wire_bytes(page, path) < PAGE_BYTES_MAX, path


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_somebody_signs_in_by_their_mailbox(
    new_page: OpenPage, gate: Gate, base_url: str, *, scripts: bool
) -> None:
    page = new_page(View(PHONE, "light", scripts=scripts))
    page.goto(f"/a/{ACCOUNT_ID}/settings/emails")
    page.get_by_label("E-mail address").fill(DANA)
    page.get_by_role("button", name="Send me a link").click()
    expect(page.get_by_text("an e-mail with a link is on its way")).to_be_visible()
    (link_id,) = owed_links(gate.parts)
    link = gate.parts.sign_in_links.url(link_id).removeprefix("http://127.0.0.1")
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Who gets which e-mail")).to_be_visible()
    page.goto(link)
    expect(page.get_by_text("You are signed in already.")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_an_owner_invites_chooses_e_mails_and_removes(
    new_page: OpenPage, gate: Gate, base_url: str, *, scripts: bool
) -> None:
    page = new_page(View(PHONE, "light", scripts=scripts))
    open_state(page, gate, base_url, State(f"/a/{ACCOUNT_ID}/settings/access", DANA))
    page.get_by_label("E-mail address").fill("new@example.com")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("status")).to_contain_text("new@example.com is a viewer now.")
    page.get_by_role("button", name="Make an owner (new@example.com)").click()
    expect(page.get_by_role("status")).to_contain_text("new@example.com is an owner now.")
    page.get_by_role("link", name="E-mails").click()
    failed = page.get_by_role("group", name="Failed charges")
    expect(failed.get_by_label("new@example.com")).to_be_checked()
    failed.get_by_label(DANA).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Your choice is saved.")
    expect(failed.get_by_label(DANA)).to_be_checked()
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name=f"Remove {LEE}").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"{LEE} cannot see this account any more.")


def test_a_page_left_open_leaves_when_its_session_is_ended(
    new_page: OpenPage, gate: Gate, base_url: str
) -> None:
    page = new_page(View(DESK, "light"))
    page.clock.install()
    open_state(page, gate, base_url, State(f"/a/{ACCOUNT_ID}/", DANA))
    with page.expect_response("**/incident") as polled:
        page.clock.run_for(21_000)
    assert polled.value.request.headers["hx-request"] == "true"
    gate.parts.ledger.sessions.end_all(DANA)
    page.clock.run_for(21_000)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in to AI Receptionist")
