"""Sessions: who is signed in.

The browser's cookie holds a random word, and the ledger only its digest: whoever reads the ledger
cannot sign in by what is there.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final, cast

from gatekeeper.ledger.store import Store

#: A session that is not used lives so long, and no session longer than the second.
SESSION_IDLE_S: Final = 12 * 3600
SESSION_MAX_S: Final = 14 * 86_400

_USER_AGENT_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who signed in: who, when, and with what browser."""

    email: str
    created_at_ms: int
    user_agent: str


class Sessions:
    """The verbs on sessions. `token` is what the cookie holds. All raise redis.RedisError."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self, email: str, user_agent: str) -> str:
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
                },
            )
            pipeline.expire(key, SESSION_IDLE_S)
            pipeline.execute()
        # Afterwards: in the index without being there, it would escape `end_all` at this moment.
        self._store.client.sadd(index, _digest(token))
        self._store.client.expire(index, SESSION_MAX_S)
        return token

    def use(self, token: str) -> Session | None:
        """Find the session and let it live on; None when there is none, or it is over."""
        found = self._store.scripts.run(
            "use_session",
            [self._store.keys.session(_digest(token))],
            [self._store.clock(), SESSION_IDLE_S * 1000, SESSION_MAX_S * 1000],
        )
        if not found:
            return None
        email, created_at_ms, user_agent = found
        return Session(email, int(created_at_ms), user_agent)

    def end(self, token: str) -> None:
        """End a session."""
        self._store.client.delete(self._store.keys.session(_digest(token)))

    def end_all(self, email: str) -> None:
        """End every session of a person, wherever it was started."""
        index = self._store.keys.sessions(email)
        digests = cast(set[str], self._store.client.smembers(index))
        for digest in digests:
            self._store.client.delete(self._store.keys.session(digest))
            self._store.client.srem(index, digest)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
