"""Sessions: who is signed in.

The browser's cookie holds a random word, and the ledger only its digest: whoever reads the ledger
cannot sign in by what is there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from gatekeeper.ledger.store import Store

#: A session that is not used lives so long, and no session longer than the second.
SESSION_IDLE_S: Final = 12 * 3600
SESSION_MAX_S: Final = 14 * 86_400

_USER_AGENT_CHARS: Final = 120
#: As the script replies with them.
_FIELDS: Final = ("email", "created_at_ms", "user_agent", "seen_at_ms", "began_by")


class Began(StrEnum):
    """How somebody signed in."""

    LINK = "link"  # that came to their mailbox
    SSO = "sso"  # the product's own site vouched for them


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in: who, when, with what browser, when they last used it, and how."""

    email: str
    created_at_ms: int
    user_agent: str
    seen_at_ms: int
    began_by: Began = Began.LINK


class Sessions:
    """The verbs on sessions. `token` is what the cookie holds. All raise redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self, email: str, user_agent: str, began_by: Began = Began.LINK) -> str:
        """Start a session; returns its token, which stands nowhere else."""
        token = secrets.token_urlsafe(32)
        now_ms = self._store.clock()
        key, index = self._store.keys.session(_digest(token)), self._store.keys.sessions(email)
        with self._store.client.pipeline(transaction=True) as pipeline:
            pipeline.hset(
                key,
                mapping={
                    "email": email,
                    "user_agent": user_agent[:_USER_AGENT_CHARS],
                    "created_at_ms": now_ms,
                    "seen_at_ms": now_ms,
                    "began_by": began_by,
                },
            )
            pipeline.expire(key, SESSION_IDLE_S)
            pipeline.execute()
        # Afterwards: in the index without being there, it would escape `end_all` at this moment.
        self._store.client.sadd(index, _digest(token))
        self._store.client.expire(index, SESSION_MAX_S)
        self._stored(email)  # which forgets those that are over
        return token

    def use(self, token: str) -> Session | None:
        """Find the session and let it live on; None when there is none, or it is over."""
        return self._find(token, is_use=True)

    def look(self, token: str) -> Session | None:
        """Find the session without letting it live on: nobody need be there."""
        return self._find(token, is_use=False)

    def _find(self, token: str, *, is_use: bool) -> Session | None:
        found = self._store.scripts.run(
            "use_session",
            [self._store.keys.session(_digest(token))],
            [self._store.clock(), SESSION_IDLE_S * 1000, SESSION_MAX_S * 1000, int(is_use)],
        )
        return _read(found) if found else None

    def of_person(self, email: str) -> list[Session]:
        """List a person's sessions that are not over, the one used last first."""
        oldest_ms = self._store.clock() - SESSION_MAX_S * 1000
        living = [one for one in self._stored(email) if one.created_at_ms > oldest_ms]
        return sorted(living, key=lambda one: one.seen_at_ms, reverse=True)

    def _stored(self, email: str) -> list[Session]:
        """Read what is stored of a person's sessions, and drop from the index what is not."""
        index = self._store.keys.sessions(email)
        digests = sorted(cast(set[str], self._store.client.smembers(index)))
        with self._store.client.pipeline(transaction=False) as pipeline:
            for digest in digests:
                pipeline.hmget(self._store.keys.session(digest), _FIELDS)
            replies = pipeline.execute()
        found = dict(zip(digests, replies, strict=True))
        if over := [digest for digest, fields in found.items() if fields[0] is None]:
            self._store.client.srem(index, *over)
        return [_read(fields) for digest, fields in found.items() if digest not in over]

    def end(self, token: str) -> None:
        """End a session."""
        digest = _digest(token)
        key = self._store.keys.session(digest)
        email = self._store.client.hget(key, "email")
        self._store.client.delete(key)
        if email is not None:
            self._store.client.srem(self._store.keys.sessions(str(email)), digest)

    def end_all(self, email: str) -> int:
        """End every session of a person, wherever it was started; returns how many there were."""
        index = self._store.keys.sessions(email)
        digests = cast(set[str], self._store.client.smembers(index))
        ended = 0
        for digest in digests:
            ended += self._store.client.delete(self._store.keys.session(digest))
            self._store.client.srem(index, digest)
        return ended


def _read(fields: Sequence[str]) -> Session:
    email, created_at_ms, user_agent, seen_at_ms, began_by = fields
    return Session(email, int(created_at_ms), user_agent, int(seen_at_ms), _began(began_by))


def _began(word: str | None) -> Began:
    # A session of an earlier version does not say: it is taken for that which may do less.
    return Began(word) if word else Began.SSO


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
