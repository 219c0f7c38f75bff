"""Idempotency keys of API v1: https://docs.stripe.com/api/idempotent_requests.

The first answer under a key is kept once execution has begun, whatever it is, and given again to
every later request with that key. Requests refused before (wrong parameters, a wrong key, too many
requests) keep nothing.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Final, NamedTuple

from gatekeeper.sandbox.stripe.errors import StripeError, invalid_request
from gatekeeper.sandbox.stripe.wire import Reply

_MAX_KEY_LENGTH: Final = 255


class Fingerprint(NamedTuple):
    """What must be the same in every request with one key."""

    path: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Entry:
    fingerprint: Fingerprint
    reply: Reply | None = None  # None while the first request is still being executed


@dataclass(slots=True)
class IdempotencyKeys:
    """Every key in use. Safe to share between threads."""

    _lock: Lock = field(default_factory=Lock)
    _entries: dict[str, _Entry] = field(default_factory=dict)

    def claim(self, key: str, fingerprint: Fingerprint) -> Reply | None:
        """Take a key for the request that is about to be executed.

        Returns the answer to give again, or `None` if the caller is to execute the request and
        then `keep` its answer or `release` the key. Raises StripeError: 400 if the key is too long
        or belongs to a different request, 409 if its first request is still being executed.
        """
        if len(key) > _MAX_KEY_LENGTH:
            raise invalid_request(
                f"Idempotency-Key must be at most {_MAX_KEY_LENGTH} characters long."
            )
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._entries[key] = _Entry(fingerprint)
                return None
        _check_same(key, entry.fingerprint, fingerprint)
        if entry.reply is None:
            raise StripeError(
                HTTPStatus.CONFLICT,
                "idempotency_error",
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.",
                code="idempotency_key_in_use",
                should_retry=True,
            )
        return entry.reply

    def keep(self, key: str, reply: Reply) -> None:
        """Keep the answer to the request that claimed the key."""
        with self._lock:
            if key in self._entries:  # not after a reset in the meantime
                self._entries[key].reply = reply

    def release(self, key: str) -> None:
        """Give up a key whose request was not executed."""
        self.prune(key)

    def prune(self, key: str | None = None) -> None:
        """Forget a key, or all of them, as Stripe does after 24 hours."""
        with self._lock:
            if key is None:
                self._entries.clear()
            else:
                self._entries.pop(key, None)


def _check_same(key: str, first: Fingerprint, this: Fingerprint) -> None:
    if this == first:
        return
    if this.path != first.path:
        what = f"for the same endpoint they were first used for ('{this.path}' vs '{first.path}')"
    else:
        what = "with the same parameters they were first used with"
    raise StripeError(
        HTTPStatus.BAD_REQUEST,
        "idempotency_error",
        f"Keys for idempotent requests can only be used {what}. Try using a key other than "
        f"'{key}' if you meant to execute a different request.",
    )
