"""The web application, put together from its parts."""

from __future__ import annotations

from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Final

from flask import Blueprint, Flask, Response
from redis import Redis, RedisError

from gatekeeper.backlog import history_gauges, owed_gauges, queue_gauges
from gatekeeper.bootstrap import Parts
from gatekeeper.jobs import QUEUES
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.basic_auth import Credentials, credentials, require_credentials
from gatekeeper.web.documents import Documents
from gatekeeper.web.health import health_blueprint
from gatekeeper.web.housekeeping import BUSY, limit_housekeeping
from gatekeeper.web.journal import Journal
from gatekeeper.web.metrics import metrics_response
from gatekeeper.web.number_book import NumberBook
from gatekeeper.web.ops import register_ops
from gatekeeper.web.outage import Outage
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.portal import busy_page, install_portal
from gatekeeper.web.reception import Reception
from gatekeeper.web.recorder import Recorder
from gatekeeper.web.stripe_webhook import stripe_webhook_blueprint
from gatekeeper.web.voice import Views, serve_voice, voice_views

#: Of forms; webhooks have limits of their own. Every form of ours is far smaller.
_MAX_FORM_BYTES: Final = 65_536
_HEALTH_TIMEOUT_S: Final = 0.5
#: Finalizers with a priority run before the process joins what it started.
_EXIT_PRIORITY: Final = 10


def create_app(parts: Parts) -> Flask:
    """Build the application of one server process. Connects to nothing."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_FORM_BYTES
    settings = parts.settings
    queue_redis = connect(settings.jobs_redis_url, timeout_s=_HEALTH_TIMEOUT_S, max_connections=2)
    outage, voice = _voice_and_health(app, parts, queue_redis)
    stripe_webhook = stripe_webhook_blueprint(
        parts.gate, settings.webhook_secrets, outage, price_minor=settings.credit_price
    )
    app.register_blueprint(stripe_webhook)
    if settings.secret_keys:
        doorkeeper = install_portal(app, parts, for_machines=stripe_webhook)
        register_ops(
            app,
            queue_redis_url=settings.jobs_redis_url,
            admit=lambda: doorkeeper.admit(Right.ADMIN),
            public_origin=settings.public_origin,
        )
    if settings.ops_username is not None and settings.ops_password is not None:
        expected = credentials(settings.ops_username, settings.ops_password.get_secret_value())
        app.register_blueprint(_metrics_blueprint(parts.gate, queue_redis, expected))
    busy = busy_page(app) if settings.secret_keys else BUSY
    others = limit_housekeeping(app.wsgi_app, settings.web_threads, busy=busy)
    app.wsgi_app = serve_voice(others, voice)  # type: ignore[method-assign, assignment]  # as Flask has it
    return app


def _voice_and_health(app: Flask, parts: Parts, queue_redis: Redis) -> tuple[Outage, Views]:
    policy = parts.settings.ledger_down_policy
    journal = Journal()
    numbers = NumberBook(parts.gate)
    outage = Outage(parts.gate, Recorder(parts.gate, numbers, policy), journal)
    # Not atexit: server processes are children of multiprocessing, which end without it.
    Finalize(None, outage.close, exitpriority=_EXIT_PRIORITY)
    documents = Documents(parts.answer_route, parts.drop_message)
    reception = Reception(parts.gate, numbers, documents, outage, policy=policy)
    app.register_blueprint(health_blueprint(parts.gate, outage, journal, queue_redis))
    return outage, voice_views(parts.signatures, reception, outage)


def _metrics_blueprint(gate: Ledger, queue_redis: Redis, expected: Credentials) -> Blueprint:
    blueprint = Blueprint("metrics", __name__)

    def read_gauges() -> dict[str, float]:
        gauges = owed_gauges(gate) | history_gauges(gate)
        with suppress(RedisError):  # then /readyz says so, and these are absent
            gauges |= queue_gauges(queue_redis, QUEUES)
        return gauges

    @blueprint.get("/metrics")
    def metrics() -> Response:
        require_credentials(expected)
        return metrics_response(read_gauges)

    return blueprint
