"""GET /healthz and GET /readyz.

`/healthz` says that the process serves requests, and asks nobody. `/readyz` says whether the
ledger takes writes, for people, alerts and the gate before a release. It also shows what calls are
answered without: RQ's Redis, and how far history is behind, as the ledger tells; SQL is not asked.

Never restart a web process because Redis is down, nor take it out of rotation: it answers calls
by the stated policy meanwhile and holds what the ledger must hear afterwards (R12). So a platform
is given /healthz to decide about restarts and routing, not /readyz.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
from flask import Blueprint, Response, jsonify

from gatekeeper.backlog import OWED_OLDEST_S, OWED_TASKS, owed_gauges
from gatekeeper.history.lag import read_lag
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.server_check import problems
from gatekeeper.web.journal import Journal
from gatekeeper.web.outage import LedgerUnreachable, Outage, error_kind

#: The relay copies an entry within a second; after this it is not at work, or SQL is away.
_HISTORY_LATE_S: Final = 60.0


def health_blueprint(
    gate: Ledger, outage: Outage, journal: Journal, queue_redis: redis.Redis
) -> Blueprint:
    """Make both routes. `queue_redis` is a client with short timeouts of RQ's Redis."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return Response("ok\n", content_type="text/plain")

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        ledger = _ask(outage, lambda: _check_ledger(gate)) | {"unrecorded_calls": len(journal)}
        history = _ask(outage, lambda: _check_history(gate))
        queue = _check_queue(queue_redis)
        checks = {"ledger": ledger, "history": history, "queue": queue}
        return jsonify(ready=ledger["ok"], checks=checks), 200 if ledger["ok"] else 503

    return blueprint


def _ask(outage: Outage, check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return outage.ask(check)
    except LedgerUnreachable as error:
        cause = error.__cause__
        problem = error_kind(cause) if isinstance(cause, redis.RedisError) else "down"
        return {"ok": False, "problem": problem}


def _check_ledger(gate: Ledger) -> dict[str, Any]:
    gate.probe()
    owed = owed_gauges(gate)
    return {
        "ok": True,
        "warnings": problems(gate.client),
        "owed": {"tasks": int(owed[OWED_TASKS]), "oldest_s": round(owed[OWED_OLDEST_S], 3)},
    }


def _check_history(gate: Ledger) -> dict[str, Any]:
    lag = read_lag(gate)
    lag_shown = {"entries": lag.entries, "oldest_s": round(lag.oldest_s, 3)}
    return {"ok": lag.oldest_s < _HISTORY_LATE_S, "lag": lag_shown}


def _check_queue(client: redis.Redis) -> dict[str, Any]:
    """Look at RQ's Redis. Calls are answered without it, so it decides nothing here."""
    try:
        client.ping()
    except redis.RedisError as error:
        return {"ok": False, "problem": error_kind(error)}
    return {"ok": True}
