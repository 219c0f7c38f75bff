"""GET /healthz and GET /readyz.

`/healthz` says that the process serves requests, and asks nobody. `/readyz` says whether the
ledger takes writes, for people, alerts and the gate before a release.

Never restart a web process because Redis is down, nor take it out of rotation: it answers calls
by the stated policy meanwhile and holds what the ledger must hear afterwards (R12). So a platform
is given /healthz to decide about restarts and routing, not /readyz.
"""

from __future__ import annotations

from typing import Any

import redis
from flask import Blueprint, Response, jsonify

from gatekeeper.backlog import OWED_OLDEST_S, OWED_TASKS, owed_gauges
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.server_check import problems
from gatekeeper.web.journal import Journal
from gatekeeper.web.outage import LedgerUnreachable, Outage, error_kind


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
        ledger = _check_ledger(gate, outage) | {"unrecorded_calls": len(journal)}
        queue = _check_queue(queue_redis)
        answer = jsonify(ready=ledger["ok"], checks={"ledger": ledger, "queue": queue})
        return answer, 200 if ledger["ok"] else 503

    return blueprint


def _check_ledger(gate: Ledger, outage: Outage) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        gate.probe()
        owed = owed_gauges(gate)
        return {
            "ok": True,
            "warnings": problems(gate.client),
            "owed": {"tasks": int(owed[OWED_TASKS]), "oldest_s": round(owed[OWED_OLDEST_S], 3)},
        }

    try:
        return outage.ask(look)
    except LedgerUnreachable as error:
        cause = error.__cause__
        problem = error_kind(cause) if isinstance(cause, redis.RedisError) else "down"
        return {"ok": False, "problem": problem}


def _check_queue(client: redis.Redis) -> dict[str, Any]:
    """Look at RQ's Redis. Calls are answered without it, so it decides nothing here."""
    try:
        client.ping()
    except redis.RedisError as error:
        return {"ok": False, "problem": error_kind(error)}
    return {"ok": True}
