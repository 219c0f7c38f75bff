"""The sentences for what can go wrong in a command.

None repeats what a library says, for its words may hold addresses, keys, or more than one line;
but for the first line of what a database says, which never holds a password or a row's values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
import stripe
from psycopg.errors import UndefinedTable
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gatekeeper.domain.account import InvalidSettings
from gatekeeper.domain.route import InvalidDropMessage, InvalidRoute
from gatekeeper.domain.subscription import SubscriptionUnusable
from gatekeeper.history.engine import words_of_database
from gatekeeper.history.queries import BadCursor
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.payments.cards import CardNotUsable
from gatekeeper.settings import SettingsError


def sentence_of(error: Exception) -> str | None:
    """Say what went wrong; None when it is nothing that a command is expected to meet.

    One line, but for SettingsError, which lists every problem on a line of its own.
    """
    if isinstance(error, SettingsError):
        return str(error)
    for kind, describe in _SENTENCES:
        if isinstance(error, kind):
            return one_line(describe(error))
    return None


def one_line(text: str) -> str:
    """Put on one line what may hold something typed by a person."""
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


#: The first that fits counts, so each class stands before its base.
_REDIS_SENTENCES: Final[tuple[tuple[type[redis.RedisError], str], ...]] = (
    (
        redis.AuthenticationError,
        "cannot be reached: it does not accept the user name or password in its URL",
    ),
    (redis.BusyLoadingError, "cannot be reached: it is still loading its data"),
    (redis.ReadOnlyError, "takes no writes: it is a replica"),
    (redis.exceptions.OutOfMemoryError, "takes no writes: it is out of memory"),
    (redis.exceptions.MaxConnectionsError, "cannot be reached: it has no connection free"),
    (redis.TimeoutError, "cannot be reached: it did not answer in time"),
)


def describe_redis_error(error: redis.RedisError, name: str = "the ledger") -> str:
    """Say why Redis could not do what it was asked."""
    for kind, sentence in _REDIS_SENTENCES:
        if isinstance(error, kind):
            return f"{name} {sentence}"
    if isinstance(error, redis.ConnectionError):
        cause = error.__context__
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no connection"
        return f"{name} cannot be reached: {why.lower()}"
    if str(error).startswith("DB index is out of range"):
        return f"{name} has no database of the number in its URL"
    # An error's first word is its code (MISCONF, NOPERM); the rest may repeat what was sent.
    code = str(error).partition(" ")[0]
    return f"{name} answers with an error ({code if code.isupper() else type(error).__name__})"


def describe_database_error(error: SQLAlchemyError) -> str:
    """Say why history's database could not do what it was asked."""
    if _lacks_table(error):
        return "history has no tables yet: `gatekeeper release` makes them"
    words = one_line(words_of_database(error)) or "no connection was free in time"
    return f"history's database cannot be used: {words}; see DATABASE_URL"


def _lacks_table(error: SQLAlchemyError) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else None
    # SQLite has no code of its own for this.
    return isinstance(cause, UndefinedTable) or str(cause).startswith("no such table")


def describe_stripe_error(error: stripe.StripeError) -> str:
    """Say why Stripe could not do what it was asked."""
    match error:
        case stripe.AuthenticationError():
            return "Stripe does not accept STRIPE_SECRET_KEY"
        case stripe.PermissionError():
            return "STRIPE_SECRET_KEY lacks the permission for this"
        case stripe.APIConnectionError():
            return "Stripe cannot be reached"
        case stripe.RateLimitError():
            return "Stripe is asked too often; try again later"
    code = error.code or error.http_status or type(error).__name__
    return f"Stripe answers with an error ({one_line(str(code))})"


_SENTENCES: Final[tuple[tuple[type[Exception], Callable[[Any], str]], ...]] = (
    (InvalidRoute, lambda error: f"route: {error}"),
    (InvalidDropMessage, lambda error: f"drop message: {error}"),
    (InvalidSettings, str),
    (BadCursor, lambda error: f"--after: {error}"),
    (LedgerRefusal, str),
    (CardNotUsable, str),
    (SubscriptionUnusable, str),
    (redis.RedisError, describe_redis_error),
    (stripe.StripeError, describe_stripe_error),
    (SQLAlchemyError, describe_database_error),
)
