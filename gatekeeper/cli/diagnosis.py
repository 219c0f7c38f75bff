"""What `doctor` and `release` look at: the settings, and everything that they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import redis
import stripe
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.example_values import example_names
from gatekeeper.cli.routes import is_own_webhook
from gatekeeper.cli.sentences import (
    describe_database_error,
    describe_redis_error,
    describe_stripe_error,
)
from gatekeeper.domain.route import RouteKind
from gatekeeper.history.fitness import examine_database
from gatekeeper.history.migrations import Tables, migrate
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.ledger.server_check import Severity, examine
from gatekeeper.ledger.shard_count import check_shard_count, fix_shard_count
from gatekeeper.mail.smtp import MailServerUnavailable
from gatekeeper.settings import misspelt_names

_TIMEOUT_S: Final = 5.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DATABASES: Final = {
    "sqlite": "the SQLite file takes writes; every process must reach this file",
    "postgresql": "PostgreSQL takes writes",
}


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check came to, in one line. It holds no secret."""

    name: str
    status: Status
    detail: str


def diagnose(parts: Parts) -> Iterator[Finding]:
    """Check everything there is, one thing after another, changing nothing."""
    yield from _check_names()
    if unfilled := example_names(parts.settings):
        yield from _still_examples(unfilled)
        return
    yield _ok("settings", "understood")
    yield _check_public_url(parts)
    yield _check_answer_route(parts)
    yield _ok("Twilio", f"tokens for {len(parts.settings.twilio_tokens)} AccountSid(s)")
    yield from _check_ledger(parts)
    yield _check_shards(parts, lambda: check_shard_count(parts.ledger))
    yield _check_queue(parts)
    yield _check_history(parts)
    yield _check_stripe(parts)
    yield _check_mail(parts)
    yield from _check_support_email(parts)


def check_before_release(parts: Parts) -> Iterator[Finding]:
    """Check what must stop a deployment, fix the number of shards, migrate the database."""
    yield from _check_names()
    if unfilled := example_names(parts.settings):
        yield from _still_examples(unfilled)
        return
    yield _ok("settings", "understood")
    yield from _check_ledger(parts)
    yield _check_writes(parts)
    yield _check_shards(parts, lambda: fix_shard_count(parts.ledger))
    yield _migrate_history(parts)


def _check_names() -> Iterator[Finding]:
    for name, setting in sorted(misspelt_names().items()):
        yield _warn("settings", f"{name} in .env is no setting; did you mean {setting}?")


def _still_examples(names: list[str]) -> Iterator[Finding]:
    """Tell what was not filled in. Nothing else is looked at: it would be asked of strangers."""
    for name in names:
        yield _fail("settings", f"{name}: still the example's value")


def _ok(name: str, detail: str) -> Finding:
    return Finding(name, Status.OK, detail)


def _warn(name: str, detail: str) -> Finding:
    return Finding(name, Status.WARN, detail)


def _fail(name: str, detail: str) -> Finding:
    return Finding(name, Status.FAIL, detail)


def _check_public_url(parts: Parts) -> Finding:
    origin = urlsplit(parts.settings.public_origin)
    if origin.hostname in _LOOPBACK:
        return _warn("PUBLIC_URL", "leads to this machine: Twilio and Stripe cannot reach it")
    if origin.scheme != "https":
        return _warn("PUBLIC_URL", "is http: what Twilio and Stripe send can be read on its way")
    return _ok("PUBLIC_URL", "understood")


def _check_answer_route(parts: Parts) -> Finding:
    route = parts.answer_route
    if route.kind is RouteKind.REDIRECT and is_own_webhook(
        route.target, parts.settings.public_origin
    ):
        return _fail("ANSWER_URL", "is this gate's own voice webhook: a call would never leave it")
    return _ok("ANSWER_URL", f"answered calls go on by {route.kind}")


def _check_support_email(parts: Parts) -> Iterator[Finding]:
    if parts.settings.secret_keys and parts.settings.support_email is None:
        yield _warn("SUPPORT_EMAIL", "is not set: the portal names nobody to write to")


def _check_ledger(parts: Parts) -> Iterator[Finding]:
    try:
        found = examine(parts.ledger.client)
    except redis.RedisError as error:
        yield _fail("ledger", f"{describe_redis_error(error)}; see REDIS_URL")
        return
    for problem in found:
        tell = _fail if problem.severity is Severity.UNFIT else _warn
        yield tell("ledger", problem.sentence)
    if not found:
        yield _ok("ledger", "reachable, keeps what is written, evicts nothing")


def _check_writes(parts: Parts) -> Finding:
    try:
        parts.ledger.probe()
    except redis.RedisError as error:
        return _fail("ledger writes", f"{describe_redis_error(error)}; see REDIS_URL")
    return _ok("ledger writes", "taken")


def _check_shards(parts: Parts, look: Callable[[], object]) -> Finding:
    try:
        look()
    except redis.RedisError as error:
        return _fail("shards", f"{describe_redis_error(error)}; see REDIS_URL")
    except LedgerRefusal as error:
        return _fail("shards", str(error))
    return _ok("shards", f"SHARDS is {parts.settings.shards}")


def _check_queue(parts: Parts) -> Finding:
    url = parts.settings.jobs_redis_url
    try:
        with closing(connect(url, timeout_s=_TIMEOUT_S, max_connections=1)) as client:
            client.ping()
    except redis.RedisError as error:
        name = "QUEUE_REDIS_URL" if parts.settings.queue_redis_url else "REDIS_URL"
        what = describe_redis_error(error, "RQ's Redis")
        return _fail("queues", f"{what}; see {name}")
    return _ok("queues", "RQ's Redis is reachable")


def _check_history(parts: Parts) -> Finding:
    try:
        tables = examine_database(parts.history)
    except SQLAlchemyError as error:
        return _fail("history", describe_database_error(error))
    match tables:
        case Tables.MISSING:
            return _warn("history", "there are no tables yet: `gatekeeper release` makes them")
        case Tables.OUTDATED:
            return _fail("history", "its tables are out of date: run `gatekeeper release`")
    return _ok("history", _DATABASES[parts.history.dialect.name])


def _migrate_history(parts: Parts) -> Finding:
    try:
        migrate(parts.history)
    except SQLAlchemyError as error:
        return _fail("history", describe_database_error(error))
    return _ok("history", "its tables are up to date")


def _check_stripe(parts: Parts) -> Finding:
    kind = "live" if parts.settings.is_live else "test"
    try:
        parts.stripe.v1.balance.retrieve()
    except stripe.PermissionError:
        # A restricted key need not be allowed to read the balance; Stripe knows the key.
        return _ok("Stripe", f"reachable with a restricted {kind} key")
    except stripe.APIConnectionError as error:
        return _fail("Stripe", f"{describe_stripe_error(error)}; see STRIPE_API_BASE")
    except stripe.StripeError as error:
        return _fail("Stripe", describe_stripe_error(error))
    return _ok("Stripe", f"reachable with a {kind} key")


def _check_mail(parts: Parts) -> Finding:
    """Go as far as a message would: encrypted and logged in, where the URL asks for it."""
    relay = replace(parts.mail, timeout_s=_TIMEOUT_S)
    try:
        relay.check()
    except MailServerUnavailable as error:
        return _fail("mail", str(error))
    done = "takes the user name and password" if relay.server.username else "answers"
    return _ok("mail", f"{relay.server} {done}")
