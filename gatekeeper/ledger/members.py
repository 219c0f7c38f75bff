"""Members of accounts: who may see an account, who may pay, and who is told what.

The account's own e-mail address is an owner by being it, whatever else is stored: so an account is
never without one, and changing the address hands the account over in the same step.

A member is stored as `<role>`, or `<role>:<kind>,<kind>` where the e-mails were chosen.
"""

from __future__ import annotations

from typing import Final, cast

from gatekeeper.domain.change import write_detail
from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.errors import MemberChanged, MemberRefused, UnknownAccount
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.store import Store

#: Each is sent an e-mail within the time that one job has.
MAX_MEMBERS: Final = 50
#: As long as the content of a notice.
TOLD_KEPT_S: Final = 90 * 86_400


class Members:
    """The verbs on members. Addresses are as `normalize_email` writes them.

    `by` is who makes a change: it stands in the account's log. All raise redis.RedisError: the
    outcome is unknown.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def of_account(self, account_id: str) -> list[Member]:
        """List an account's members by address. Raises UnknownAccount."""
        own = self._store.keys.of_account(account_id)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.hget(own.profile, "email")
            pipeline.hgetall(own.members)
            own_email, stored = pipeline.execute()
        if own_email is None:
            raise UnknownAccount(account_id)
        texts = {own_email: Role.OWNER.value} | stored
        return [_read(email, texts[email], own_email) for email in sorted(texts)]

    def find(self, account_id: str, email: str) -> Member | None:
        """Find one member; None when this person is none, or there is no such account."""
        own = self._store.keys.of_account(account_id)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.hget(own.profile, "email")
            pipeline.hget(own.members, email)
            own_email, stored = pipeline.execute()
        if stored is None and email != own_email:
            return None
        return _read(email, stored or Role.OWNER.value, own_email)

    def set_member(
        self,
        account_id: str,
        member: Member,
        *,
        by: str = "",
        instead_of: Member | None = None,
        must_be_new: bool = False,
    ) -> bool:
        """Add a member, or change one; False when nothing is other than it was.

        `instead_of` is what it was made from: without it a change made meanwhile would be undone,
        as that of another owner who removed this member. One that `must_be_new` undoes nothing
        that another has made of this person meanwhile. Raises MemberChanged for both.
        The index by person is written first: nobody is a member without standing in it, and whoever
        stands in it without being one is passed over. Raises UnknownAccount, MemberRefused.
        """
        own = self._store.keys.of_account(account_id)
        if not self._store.client.exists(own.account):  # lest the index grows by what is nobody's
            raise UnknownAccount(account_id)
        self._store.client.sadd(self._store.keys.person(member.email), account_id)
        chosen = member.chosen_notices
        status, *_ = self._store.run(
            "set_member",
            account_id,
            member.email,
            _written(member),
            int(member.role is Role.OWNER),
            MAX_MEMBERS,
            write_detail(by, role=member.role, notices=None if chosen is None else _listed(chosen)),
            "" if instead_of is None else _written(instead_of),
            int(must_be_new),
            keys=(own.members,),
        )
        if status == "changed":
            raise MemberChanged(member.email)
        if status == "too_many":
            raise MemberRefused(f"an account has at most {MAX_MEMBERS} members")
        _refuse_own_address(status, member.email)
        return bool(status == "set")

    def remove_member(self, account_id: str, email: str, *, by: str = "") -> None:
        """Take a member away, with what was chosen for them.

        Raises UnknownAccount, MemberRefused.
        """
        members = self._store.keys.of_account(account_id).members
        status, *_ = self._store.run(
            "remove_member", account_id, email, write_detail(by), keys=(members,)
        )
        _refuse_own_address(status, email)
        if status == "no_member":
            raise MemberRefused(f"{email} is not a member of {account_id}")

    def accounts_of(self, email: str) -> list[str]:
        """List the ids of the accounts that a person is a member of."""
        index = self._store.keys.person(email)
        candidates = sorted(cast(set[str], self._store.client.smembers(index)))
        with self._store.client.pipeline(transaction=False) as pipeline:
            for account_id in candidates:
                own = self._store.keys.of_account(account_id)
                pipeline.hget(own.profile, "email")
                pipeline.hexists(own.members, email)
            replies = pipeline.execute()
        found = zip(candidates, replies[::2], replies[1::2], strict=True)
        return [
            account_id
            for account_id, own_email, is_stored in found
            if own_email == email or is_stored
        ]

    def note_told(self, notice_id: str, email: str) -> None:
        """Note that a notice was sent to somebody."""
        self._store.scripts.run("note_told", [self._told(notice_id)], [email, TOLD_KEPT_S])

    def told(self, notice_id: str) -> set[str]:
        """List whom a notice was sent to."""
        return cast(set[str], self._store.client.smembers(self._told(notice_id)))

    def _told(self, notice_id: str) -> str:
        return self._store.keys.of_account(account_of(notice_id)).told(notice_id)


def _refuse_own_address(status: str, email: str) -> None:
    if status == "own_address":
        raise MemberRefused(f"{email} is the account's own address, and so stays an owner")


def _read(email: str, text: str, own_email: str) -> Member:
    role, chosen, kinds = text.partition(":")
    known = frozenset(NoticeKind(kind) for kind in kinds.split(",") if kind in _KINDS)
    return Member(
        email,
        Role.OWNER if email == own_email else Role(role),
        known if chosen else None,
    )


_KINDS: Final = frozenset(kind.value for kind in NoticeKind)


def _written(member: Member) -> str:
    if member.chosen_notices is None:
        return member.role.value
    return f"{member.role.value}:{_listed(member.chosen_notices)}"


def _listed(kinds: frozenset[NoticeKind]) -> str:
    return ",".join(sorted(kinds))
