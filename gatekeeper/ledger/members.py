"""Members of accounts: who may see an account, who may pay, and who is told what.

The account's own e-mail address is an owner by being it, whatever else is stored: so an account is
never without one, and changing the address hands the account over in the same step.

A member is stored as `<role>`, or `<role>:<kind>,<kind>` where the e-mails were chosen.
"""

from __future__ import annotations

from typing import Final, cast

from gatekeeper.domain.notice import NoticeKind
from gatekeeper.domain.person import Member, Role
from gatekeeper.ledger.errors import MemberRefused, UnknownAccount
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.store import Store

#: Each is sent an e-mail within the time that one job has.
MAX_MEMBERS: Final = 50
#: As long as the content of a notice.
TOLD_KEPT_S: Final = 90 * 86_400


class Members:
    """The verbs on members. Addresses are as `normalize_email` writes them.

    All raise redis.RedisError: the outcome is unknown.
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

    def set_member(self, account_id: str, member: Member) -> None:
        """Add a member, or change one. Raises UnknownAccount, MemberRefused.

        The index by person is written first: nobody is a member without standing in it, and whoever
        stands in it without being one is passed over.
        """
        before = {one.email: one for one in self.of_account(account_id)}
        if member.email not in before and len(before) >= MAX_MEMBERS:
            raise MemberRefused(f"an account has at most {MAX_MEMBERS} members")
        if member.role is not Role.OWNER:
            self._refuse_own_email(account_id, member.email)
        self._store.client.sadd(self._store.keys.person(member.email), account_id)
        members = self._store.keys.of_account(account_id).members
        self._store.client.hset(members, member.email, _written(member))

    def remove_member(self, account_id: str, email: str) -> None:
        """Take a member away, with what was chosen for them. Raises MemberRefused."""
        self._refuse_own_email(account_id, email)
        if not self._store.client.hdel(self._store.keys.of_account(account_id).members, email):
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

    def _refuse_own_email(self, account_id: str, email: str) -> None:
        # Its address may be changed just now: then what is stored for the old one is that of a
        # member like any other.
        profile = self._store.keys.of_account(account_id).profile
        if self._store.client.hget(profile, "email") == email:
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
    return f"{member.role.value}:{','.join(sorted(member.chosen_notices))}"
