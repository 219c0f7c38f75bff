from __future__ import annotations

import pytest

from gatekeeper.domain.account import new_account_id
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.ledger import Ledger
from tests.cli.conftest import Gatekeeper

OWNER, OTHER = "able@example.com", "b@example.com"
EVERYTHING = sorted(NoticeKind)


def test_add_list_remove(gatekeeper: Gatekeeper, account_id: str) -> None:
    added = gatekeeper.json("member", "add", account_id, "B@Example.com")
    assert added == {"account": account_id, "email": OTHER, "role": "viewer", "changed": True}
    assert gatekeeper.json("member", "list", account_id) == {
        "members": [
            {"email": OWNER, "role": "owner", "notices": EVERYTHING},
            {"email": OTHER, "role": "viewer", "notices": []},
        ]
    }
    removed = gatekeeper.json("member", "remove", account_id, OTHER)
    assert removed == {"account": account_id, "email": OTHER, "role": None}
    assert len(gatekeeper.json("member", "list", account_id)["members"]) == 1


def test_it_says_in_words_who_is_what(gatekeeper: Gatekeeper, account_id: str) -> None:
    line = gatekeeper.ok("member", "add", account_id, OTHER, "--role", "owner")
    assert line == f"{OTHER} is an owner of {account_id}"
    again = gatekeeper.ok("member", "add", account_id, OTHER, "--role", "owner")
    assert again.endswith("(as before)")
    listed = gatekeeper.ok("member", "list", account_id)
    assert "everything" in listed
    assert "no longer a member" in gatekeeper.ok("member", "remove", account_id, OTHER)


def test_another_role_leaves_what_was_chosen(
    gatekeeper: Gatekeeper, ledger: Ledger, account_id: str
) -> None:
    chosen = frozenset({NoticeKind.BALANCE_LOW})
    ledger.members.set_member(account_id, Member(OTHER, Role.OWNER, chosen))
    gatekeeper.ok("member", "add", account_id, OTHER, "--role", "viewer")
    assert ledger.members.find(account_id, OTHER) == Member(OTHER, Role.VIEWER, chosen)
    assert "balance low" in gatekeeper.ok("member", "list", account_id)


def test_the_accounts_own_address_stays_an_owner(gatekeeper: Gatekeeper, account_id: str) -> None:
    for words in (("remove", account_id, OWNER), ("add", account_id, OWNER, "--role", "viewer")):
        assert "stays an owner" in gatekeeper.refused("member", *words)
    gatekeeper.ok("account", "set", account_id, "--email", "C@example.com")
    emails = [one["email"] for one in gatekeeper.json("member", "list", account_id)["members"]]
    assert emails == ["c@example.com"]


def test_an_account_that_is_not_there(gatekeeper: Gatekeeper, account_id: str) -> None:
    nobody = new_account_id()
    for words in (("add", nobody, OTHER), ("list", nobody), ("remove", nobody, OTHER)):
        assert "there is no account" in gatekeeper.refused("member", *words)
    assert "is not a member" in gatekeeper.refused("member", "remove", account_id, OTHER)


@pytest.mark.parametrize("text", ["", "b", "b@", "B <b@example.com>", "b@example.com\nx"])
def test_what_is_no_address_is_refused(gatekeeper: Gatekeeper, account_id: str, text: str) -> None:
    assert "one e-mail address" in gatekeeper.refused("member", "add", account_id, text)


def test_there_are_two_roles(gatekeeper: Gatekeeper, account_id: str) -> None:
    said = gatekeeper.usage_error("member", "add", account_id, OTHER, "--role", "king")
    assert "'owner', 'viewer'" in said


def test_a_link_without_an_e_mail(gatekeeper: Gatekeeper, ledger: Ledger, account_id: str) -> None:
    portal = {"SECRET_KEY": "k" * 32, "ADMIN_EMAILS": "oncall@example.com"}
    for email in (OWNER, "OnCall@example.com"):
        shown = gatekeeper.json("member", "link", email, **portal)
        assert shown["email"] == email.lower()
        assert shown["url"].startswith("https://gate.example.com/sign-in/link/")
        link_id = shown["url"].rpartition("/")[2].partition(".")[0]
        found = ledger.sign_ins.find(link_id)
        assert found is not None
        assert (found.email, found.next_path) == (email.lower(), "/")
    assert all(not task.startswith("email:") for task, _ in ledger.owed.tasks(0))
    refused = gatekeeper.refused("member", "link", "c@example.com", **portal)
    assert "neither a member of an account nor an admin" in refused
    assert "SECRET_KEY" in gatekeeper.refused("member", "link", OWNER)


def test_somebody_is_signed_out(gatekeeper: Gatekeeper, ledger: Ledger) -> None:
    tokens = [ledger.sessions.start(OTHER, "") for _ in range(2)]
    other = ledger.sessions.start(OWNER, "")
    assert gatekeeper.ok("member", "sign-out", "B@Example.com") == f"2 sessions of {OTHER} ended"
    assert [ledger.sessions.use(token) for token in tokens] == [None, None]
    assert ledger.sessions.use(other) is not None
    assert gatekeeper.json("member", "sign-out", OTHER) == {"email": OTHER, "ended": 0}
