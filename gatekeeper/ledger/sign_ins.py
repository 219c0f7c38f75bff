"""Ways to sign in: links by e-mail, and tokens of the product's own site; each works once."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

from gatekeeper.ledger.store import Store

#: How long a link can be used, counted from when it was asked for.
LINK_LIFE_S: Final = 15 * 60
#: The same of one that was sent with an invitation, which nobody waits for at their mailbox.
INVITATION_LIFE_S: Final = 7 * 86_400
#: The time over which it is counted how often somebody asks for links.
WINDOW_S: Final = 15 * 60
#: Longer than a token is good for.
_USED_TOKEN_KEPT_S: Final = 10 * 60

_LINK_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SignIn:
    """Whom a link is for, since when, and the path they want to go to.

    `invited_to` is the account that the link is an invitation to, and `invited_by` the address of
    who invited; both are "" where the person asked for it.
    """

    email: str
    next_path: str
    at_ms: int
    invited_to: str = ""
    invited_by: str = ""

    @property
    def life_s(self) -> int:
        """How long the link lives, from `at_ms` on."""
        return INVITATION_LIFE_S if self.invited_to else LINK_LIFE_S


class SignIns:
    """The verbs on signing in. All raise redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def request_link(self, email: str, next_path: str) -> str:
        """Write a request for a link down, and owe the e-mail with it; returns the link's id.

        Whether the address is known is the worker's to ask: here nothing depends on it.
        """
        return self._owe_link(SignIn(email, next_path, self._store.clock()))

    def invite(self, email: str, account_id: str, *, by: str = "") -> str:
        """Owe the e-mail that invites somebody to an account; returns the id of the link in it.

        `by` is the address of who invites, if that is one of its members.
        """
        now_ms = self._store.clock()
        return self._owe_link(SignIn(email, f"/a/{account_id}/", now_ms, account_id, by))

    def _owe_link(self, link: SignIn) -> str:
        link_id = secrets.token_hex(16)
        shard = self._store.keys.shard_of(link_id)
        self._store.scripts.run(
            "request_sign_in",
            [
                self._store.keys.owed(shard),
                self._store.keys.tries(shard),
                self._store.keys.sign_in(link_id),
            ],
            [
                sign_in_task(link_id),
                link.at_ms,
                self._store.keys.wake(shard),
                link.email,
                link.next_path,
                link.life_s,
                link.invited_to,
                link.invited_by,
            ],
        )
        return link_id

    def new_link(self, email: str, next_path: str = "/") -> str:
        """Make a link that is handed over in another way than by e-mail; returns its id."""
        link_id = secrets.token_hex(16)
        key = self._store.keys.sign_in(link_id)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.hset(
                key, mapping={"email": email, "next": next_path, "at_ms": self._store.clock()}
            )
            pipeline.expire(key, LINK_LIFE_S)
            pipeline.execute()
        return link_id

    def find(self, link_id: str) -> SignIn | None:
        """Read what a link was asked for; None when it was used, or is too old."""
        return _read(self._store.client.hgetall(self._store.keys.sign_in(link_id)))

    def use_link(self, link_id: str) -> SignIn | None:
        """Use a link up. Of all who try, at any time, one gets it, the others None."""
        key = self._store.keys.sign_in(link_id)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(key)
            pipeline.delete(key)
            fields, _ = pipeline.execute()
        return _read(fields)

    def count_request(self, who: str) -> int:
        """Count a request of somebody, or for them; returns how many in this window.

        `who` is a client, an address, an account, or an address that an account invites.
        """
        key = self._store.keys.sign_ins(who)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=WINDOW_S, nx=True)
            pipeline.incr(key)
            _, count = pipeline.execute()
        return int(count)

    def use_token(self, token_id: str) -> bool:
        """Use up a token of the product's own site by its id; False when it was used before."""
        digest = hashlib.sha256(token_id.encode()).hexdigest()
        key = self._store.keys.used_token(digest)
        return bool(self._store.client.set(key, "1", ex=_USED_TOKEN_KEPT_S, nx=True))


def sign_in_task(link_id: str) -> str:
    """Write the task of sending a link."""
    return f"email:sign_in:{link_id}"


def is_link_id(text: str) -> bool:
    """Tell whether the text is shaped like a link's id."""
    return _LINK_ID.fullmatch(text) is not None


def _read(fields: object) -> SignIn | None:
    if not isinstance(fields, dict) or not fields:
        return None
    return SignIn(
        fields["email"],
        fields["next"],
        int(fields["at_ms"]),
        fields.get("invited_to", ""),
        fields.get("invited_by", ""),
    )
