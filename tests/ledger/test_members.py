"""Who may see an account, who may pay, and who is told what."""

from __future__ import annotations

import pytest

from gatekeeper.domain.account import NewAccount, new_account_id
from gatekeeper.domain.change import Change, read_detail
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.errors import MemberChanged, MemberRefused, UnknownAccount
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.members import MAX_MEMBERS

OWNER, OTHER = "a@example.com", "b@example.com"


@pytest.fixture
def account_id(ledger: Ledger) -> str:
    account_id = new_account_id()
    ledger.accounts.open_account(NewAccount(account_id, "Able", "A@Example.com"))
    return account_id


def test_the_accounts_own_address_is_its_first_owner(ledger: Ledger, account_id: str) -> None:
    owner = Member(OWNER, Role.OWNER)
    assert ledger.members.of_account(account_id) == [owner]
    assert ledger.members.find(account_id, OWNER) == owner
    assert ledger.members.accounts_of(OWNER) == [account_id]
    assert owner.notices == frozenset(NoticeKind)


def test_members_are_added_changed_and_removed(ledger: Ledger, account_id: str) -> None:
    viewer = Member(OTHER, Role.VIEWER)
    ledger.members.set_member(account_id, viewer)
    assert ledger.members.of_account(account_id) == [Member(OWNER, Role.OWNER), viewer]
    assert ledger.members.accounts_of(OTHER) == [account_id]
    assert viewer.notices == frozenset()
    owner = Member(OTHER, Role.OWNER)
    ledger.members.set_member(account_id, owner)
    assert ledger.members.find(account_id, OTHER) == owner
    ledger.members.remove_member(account_id, OTHER)
    assert ledger.members.find(account_id, OTHER) is None
    assert ledger.members.accounts_of(OTHER) == []


@pytest.mark.parametrize(
    "chosen", [None, frozenset(), frozenset({NoticeKind.BALANCE_LOW}), frozenset(NoticeKind)]
)
@pytest.mark.parametrize("role", Role)
def test_what_was_chosen_is_kept(
    ledger: Ledger, account_id: str, role: Role, chosen: frozenset[NoticeKind] | None
) -> None:
    member = Member(OTHER, role, chosen)
    ledger.members.set_member(account_id, member)
    assert ledger.members.find(account_id, OTHER) == member
    assert member in ledger.members.of_account(account_id)


def test_the_first_owner_chooses_too(ledger: Ledger, account_id: str) -> None:
    quiet = Member(OWNER, Role.OWNER, frozenset({NoticeKind.TOPOFF_FAILED}))
    ledger.members.set_member(account_id, quiet)
    assert ledger.members.of_account(account_id) == [quiet]


def test_a_kind_that_a_later_version_wrote_is_passed_over(ledger: Ledger, account_id: str) -> None:
    key = ledger.keys.of_account(account_id).members
    ledger.client.hset(key, OTHER, "viewer:balance_low,of_the_future")
    found = ledger.members.find(account_id, OTHER)
    assert found is not None
    assert found.notices == {NoticeKind.BALANCE_LOW}


def test_an_account_is_never_without_an_owner(ledger: Ledger, account_id: str) -> None:
    ledger.members.set_member(account_id, Member(OTHER, Role.OWNER))
    with pytest.raises(MemberRefused, match="stays an owner"):
        ledger.members.remove_member(account_id, OWNER)
    with pytest.raises(MemberRefused, match="stays an owner"):
        ledger.members.set_member(account_id, Member(OWNER, Role.VIEWER))
    ledger.members.remove_member(account_id, OTHER)
    assert ledger.members.of_account(account_id) == [Member(OWNER, Role.OWNER)]


def test_a_new_address_hands_the_account_over(ledger: Ledger, account_id: str) -> None:
    ledger.accounts.update_account(account_id, email="C@example.com")
    assert ledger.members.of_account(account_id) == [Member("c@example.com", Role.OWNER)]
    assert ledger.members.accounts_of("c@example.com") == [account_id]
    assert ledger.members.find(account_id, OWNER) is None
    assert ledger.members.accounts_of(OWNER) == []


def test_who_handed_the_account_over_is_a_member_only_if_added_again(
    ledger: Ledger, account_id: str
) -> None:
    quiet = Member(OWNER, Role.OWNER, frozenset({NoticeKind.TOPOFF_FAILED}))
    ledger.members.set_member(account_id, quiet)
    for _ in range(2):
        ledger.accounts.update_account(account_id, by="ada", email=OTHER)
    assert ledger.members.find(account_id, OWNER) is None
    assert ledger.members.accounts_of(OWNER) == []
    assert ledger.members.of_account(account_id) == [Member(OTHER, Role.OWNER)]
    *_, described, removed = ledger.log.entries(account_id)
    assert (described.cause, described.ref) == (Change.DESCRIBED, account_id)
    assert (removed.cause, removed.ref) == (Change.MEMBER_REMOVED, OWNER)
    assert read_detail(removed.detail).by == "ada"
    ledger.members.set_member(account_id, Member(OWNER, Role.VIEWER))
    assert ledger.members.find(account_id, OWNER) == Member(OWNER, Role.VIEWER)


def test_what_a_member_chose_counts_on_as_the_accounts_own_address(
    ledger: Ledger, account_id: str
) -> None:
    chosen = frozenset({NoticeKind.BALANCE_LOW})
    ledger.members.set_member(account_id, Member(OTHER, Role.VIEWER, chosen))
    ledger.accounts.update_account(account_id, email=OTHER)
    assert ledger.members.of_account(account_id) == [Member(OTHER, Role.OWNER, chosen)]
    ledger.accounts.update_account(account_id, name="Baker", email=OTHER)
    assert ledger.members.of_account(account_id) == [Member(OTHER, Role.OWNER, chosen)]


def test_other_changes_of_an_account_leave_its_members(ledger: Ledger, account_id: str) -> None:
    ledger.accounts.update_account(account_id, name="Baker")
    assert ledger.members.accounts_of(OWNER) == [account_id]


def test_a_person_may_be_in_several_accounts(ledger: Ledger, account_id: str) -> None:
    other_id = new_account_id()
    ledger.accounts.open_account(NewAccount(other_id, "Baker", OTHER))
    ledger.members.set_member(other_id, Member(OWNER, Role.VIEWER))
    assert ledger.members.accounts_of(OWNER) == sorted([account_id, other_id])
    assert ledger.members.accounts_of(OTHER) == [other_id]


def test_the_index_alone_makes_nobody_a_member(ledger: Ledger, account_id: str) -> None:
    ledger.client.sadd(ledger.keys.person(OTHER), account_id, "acct_000000000000")
    assert ledger.members.accounts_of(OTHER) == []
    assert ledger.members.find(account_id, OTHER) is None


def test_what_is_not_there(ledger: Ledger, account_id: str) -> None:
    nowhere = new_account_id()
    assert ledger.members.find(nowhere, OWNER) is None
    with pytest.raises(UnknownAccount):
        ledger.members.of_account(nowhere)
    with pytest.raises(UnknownAccount):
        ledger.members.set_member(nowhere, Member(OTHER, Role.VIEWER))
    with pytest.raises(MemberRefused, match="not a member"):
        ledger.members.remove_member(account_id, OTHER)


@pytest.mark.parametrize("own_is_stored", [False, True])
def test_there_is_an_end_to_members(ledger: Ledger, account_id: str, own_is_stored: bool) -> None:
    """The account's own address is one of them, whether or not they chose e-mails."""
    if own_is_stored:
        ledger.members.set_member(account_id, Member(OWNER, Role.OWNER, frozenset()))
    for n in range(MAX_MEMBERS - 1):
        ledger.members.set_member(account_id, Member(f"m{n}@example.com", Role.VIEWER))
    with pytest.raises(MemberRefused, match="at most"):
        ledger.members.set_member(account_id, Member(OTHER, Role.VIEWER))
    ledger.members.set_member(account_id, Member("m0@example.com", Role.OWNER))


def test_a_change_made_meanwhile_is_not_undone(ledger: Ledger, account_id: str) -> None:
    read = Member(OTHER, Role.OWNER)
    after = Member(OTHER, Role.OWNER, frozenset({NoticeKind.BALANCE_LOW}))
    ledger.members.set_member(account_id, read)
    assert ledger.members.set_member(account_id, after, instead_of=read)
    ledger.members.set_member(account_id, Member(OTHER, Role.VIEWER))
    with pytest.raises(MemberChanged, match="meanwhile"):
        ledger.members.set_member(account_id, read, instead_of=after)
    assert ledger.members.find(account_id, OTHER) == Member(OTHER, Role.VIEWER)
    ledger.members.remove_member(account_id, OTHER)
    with pytest.raises(MemberChanged):
        ledger.members.set_member(account_id, after, instead_of=Member(OTHER, Role.VIEWER))
    assert ledger.members.find(account_id, OTHER) is None


@pytest.mark.parametrize("email", [OWNER, OTHER])
def test_who_must_be_new_is_left_what_they_were_made_meanwhile(
    ledger: Ledger, account_id: str, email: str
) -> None:
    ledger.members.set_member(account_id, Member(OTHER, Role.OWNER))
    with pytest.raises(MemberChanged):
        ledger.members.set_member(account_id, Member(email, Role.VIEWER), must_be_new=True)
    found = ledger.members.find(account_id, email)
    assert found is not None
    assert found.role is Role.OWNER


def test_of_two_who_add_the_same_new_member_one_does(ledger: Ledger, account_id: str) -> None:
    new = Member(OTHER, Role.VIEWER)
    added = [ledger.members.set_member(account_id, new, must_be_new=True) for _ in range(2)]
    assert added == [True, False]


def test_the_accounts_own_address_is_changed_from_whatever_is_stored(
    ledger: Ledger, account_id: str
) -> None:
    ledger.members.set_member(account_id, Member(OTHER, Role.VIEWER))
    ledger.accounts.update_account(account_id, email=OTHER)
    (found,) = [one for one in ledger.members.of_account(account_id) if one.email == OTHER]
    quiet = Member(OTHER, Role.OWNER, frozenset())
    assert ledger.members.set_member(account_id, quiet, instead_of=found)
    assert ledger.members.find(account_id, OTHER) == quiet
