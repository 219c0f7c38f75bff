"""What `doctor` and `release` look at: the settings, and everything that they lead to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import redis
import stripe

from gatekeeper.bootstrap import Parts
from gatekeeper.cli.routes import is_own_webhook
from gatekeeper.cli.sentences import describe_redis_error, describe_stripe_error
from gatekeeper.domain.route import RouteKind
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.errors import LedgerRefusal
from gatekeeper.ledger.server_check import problems
from gatekeeper.ledger.shard_count import check_shard_count, fix_shard_count
from gatekeeper.mail.smtp_errors import translate
from gatekeeper.mail.smtp_session import Deadline, SmtpSession
from gatekeeper.mail.smtp_url import Security

_TIMEOUT_S: Final = 5.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


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
    yield _ok("settings", "understood")
    yield _check_public_url(parts)
    yield _check_answer_route(parts)
    yield _ok("Twilio", f"tokens for {len(parts.settings.twilio_tokens)} AccountSid(s)")
    yield from _check_ledger(parts)
    yield _check_shards(parts, lambda: check_shard_count(parts.ledger))
    yield _check_queue(parts)
    yield _check_stripe(parts)
    yield _check_mail(parts)


def check_before_release(parts: Parts) -> Iterator[Finding]:
    """Check what must stop a deployment, and fix the number of shards.

    A server that is unfit but works is a warning here: the version that runs now uses it, too.
    """
    yield _ok("settings", "understood")
    for finding in _check_ledger(parts):
        yield finding if finding.status is not Status.FAIL else _warn(finding.name, finding.detail)
    yield _check_writes(parts)
    yield _check_shards(parts, lambda: fix_shard_count(parts.ledger))


def _ok(name: str, detail: str) -> Finding:
    return Finding(name, Status.OK, detail)


def _warn(name: str, detail: str) -> Finding:
    return Finding(name, Status.WARN, detail)


def _fail(name: str, detail: str) -> Finding:
    return Finding(name, Status.FAIL, detail)


def _check_public_url(parts: Parts) -> Finding:
    origin = urlsplit(parts.settings.public_origin)
    if origin.scheme != "https" and origin.hostname not in _LOOPBACK:
        return _warn("PUBLIC_URL", "is http: what Twilio and Stripe send can be read on its way")
    return _ok("PUBLIC_URL", "understood")


def _check_answer_route(parts: Parts) -> Finding:
    route = parts.answer_route
    if route.kind is RouteKind.REDIRECT and is_own_webhook(
        route.target, parts.settings.public_origin
    ):
        return _fail("ANSWER_URL", "is this gate's own voice webhook: a call would never leave it")
    return _ok("ANSWER_URL", f"answered calls go on by {route.kind}")


def _check_ledger(parts: Parts) -> Iterator[Finding]:
    try:
        found = problems(parts.ledger.client)
    except redis.RedisError as error:
        yield _fail("ledger", describe_redis_error(error))
        return
    for problem in found:
        yield _fail("ledger", problem)
    if not found:
        yield _ok("ledger", "reachable, keeps what is written, evicts nothing")


def _check_writes(parts: Parts) -> Finding:
    try:
        parts.ledger.probe()
    except redis.RedisError as error:
        return _fail("ledger writes", describe_redis_error(error))
    return _ok("ledger writes", "taken")


def _check_shards(parts: Parts, look: Callable[[], object]) -> Finding:
    try:
        look()
    except redis.RedisError as error:
        return _fail("shards", describe_redis_error(error))
    except LedgerRefusal as error:
        return _fail("shards", str(error))
    return _ok("shards", f"SHARDS is {parts.settings.shards}")


def _check_queue(parts: Parts) -> Finding:
    url = parts.settings.jobs_redis_url
    try:
        with closing(connect(url, timeout_s=_TIMEOUT_S, max_connections=1)) as client:
            client.ping()
    except redis.RedisError as error:
        return _fail("queues", describe_redis_error(error, "RQ's Redis"))
    return _ok("queues", "RQ's Redis is reachable")


def _check_stripe(parts: Parts) -> Finding:
    kind = "live" if parts.settings.is_live else "test"
    try:
        parts.stripe.v1.balance.retrieve()
    except stripe.PermissionError:
        # A restricted key need not be allowed to read the balance; Stripe knows the key.
        return _ok("Stripe", f"reachable with a restricted {kind} key")
    except stripe.StripeError as error:
        return _fail("Stripe", describe_stripe_error(error))
    return _ok("Stripe", f"reachable with a {kind} key")


def _check_mail(parts: Parts) -> Finding:
    """Greet the mail server. Its user name and password are not tried."""
    server, deadline = parts.mail.server, Deadline(_TIMEOUT_S)
    tls = ssl.create_default_context() if server.security is Security.TLS else None
    try:
        with closing(SmtpSession(server.host, server.port, deadline=deadline, tls=tls)) as session:
            session.ehlo_or_helo_if_needed()
            session.quit()
    except OSError as error:
        return _fail("mail", str(translate(error, str(server), deadline)))
    return _ok("mail", f"{server} answers")
