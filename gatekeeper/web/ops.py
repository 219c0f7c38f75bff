"""rq-dashboard for the people on call, at /ops/queues/, with the locks it does not bring itself.

rq-dashboard 0.9.0 asks nobody who they are, requeues on GET, checks no request's origin, writes
text from jobs into its pages unescaped and shows its Redis URL. It is therefore an application of
its own under the main one, where these rules hold for whatever is asked for below /ops/queues:

- Only admins who are signed in to the portal get anything, static files and unknown addresses
  included; others are sent to sign in, or told that there is nothing.
- Each of its views is listed here as reading (GET) or changing (POST). One that is not listed,
  as a later version may bring, is not served.
- What changes something must come from our own pages, by Origin or Referer.
- What stands in an address is a plain name, a number or a listed word.
- Strings are escaped (`ops_escaping`), JSON is the only format read from Redis (`ops_rq`).
- It holds no Redis URL: it gets a client that is ready, and a name to show for it.

What the dashboard shows is not cleaned up as it looks: a job whose worker was killed stands under
"started" until a worker's maintenance finds it. Requeueing, deleting or emptying is harmless to
balances and charges, for what is still owed stands in the ledger and comes back from there.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import rq_dashboard
import rq_dashboard.web
from flask import Flask, g, request
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from werkzeug.exceptions import Forbidden, MethodNotAllowed, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.wrappers import Response

from gatekeeper.web.ops_escaping import RewrittenTemplates, escape_json_answer
from gatekeeper.web.ops_rq import bind_dashboard

PREFIX: Final = "/ops/queues"

READING_VIEWS: Final = frozenset(
    {
        "favicon",
        "job_info",
        "job_view",
        "jobs_overview",
        "list_jobs",
        "list_queues",
        "list_workers",
        "queues_overview",
        "static",
        "workers_overview",
    }
)
CHANGING_VIEWS: Final = frozenset(
    {"compact_queue", "delete_job_view", "empty_queue", "requeue_all", "requeue_job_view"}
)

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")  # RQ's own rule for job ids
_ARGUMENTS: Final = {
    "filename": re.compile(r"[A-Za-z0-9_./-]{1,200}"),
    "instance_number": re.compile(r"0"),
    "job_id": _NAME,
    "order": re.compile(r"asc|dsc"),
    "page": re.compile(r"[1-9][0-9]{0,5}"),
    "per_page": re.compile(r"[1-9][0-9]{0,2}"),
    "queue_name": _NAME,
    "registry_name": re.compile(r"queued|scheduled|deferred|started|finished|failed|canceled"),
}

# Web threads also answer calls: a dashboard left open must neither hold many of them nor hold
# them for long when the queues' Redis hangs.
_MAX_CONNECTIONS: Final = 4
_TIMEOUT_S: Final = 0.5


def register_ops(
    app: Flask, *, queue_redis_url: str, admit: Callable[[], Response | None], public_origin: str
) -> None:
    """Serve rq-dashboard at /ops/queues/ to whom `admit` lets pass.

    `admit` looks at the request: it answers it, raises HTTPException, or returns None.
    `queue_redis_url` is where RQ's queues are. `public_origin` is the scheme, host and port that
    browsers reach this server by, such as `https://gate.example.com`; requests that change
    something are taken from pages of that origin only. Without this call nothing is served there.

    Raises ValueError when an address cannot be understood. The message has no value in it.
    """
    dashboard = _build_dashboard(
        _queue_client(queue_redis_url),
        admit=admit,
        origin=_serialized_origin(public_origin),
    )
    mounted = DispatcherMiddleware(app.wsgi_app, {PREFIX: dashboard})
    app.wsgi_app = mounted  # type: ignore[method-assign]  # Flask's documented way to wrap itself


class DashboardApp(Flask):
    """The application that rq-dashboard runs in."""

    redis_conn: Redis  # where rq-dashboard's views look for it


def _build_dashboard(
    client: Redis, *, admit: Callable[[], Response | None], origin: str
) -> DashboardApp:
    bind_dashboard()
    # Its base template asks for a file of the application's own; these are the same ones.
    dashboard = DashboardApp(__name__, static_folder=rq_dashboard.blueprint.static_folder)
    _never_redirect(dashboard)
    dashboard.register_blueprint(rq_dashboard.blueprint)
    _give_client(dashboard, client)
    dashboard.jinja_env.add_extension(RewrittenTemplates)
    dashboard.jinja_env.globals["csp_nonce"] = _csp_nonce

    @dashboard.before_request
    def guard() -> Response | None:
        if (answer := admit()) is not None:
            return answer
        _require_origin(origin)
        _require_listed_view()
        _require_plain_arguments()
        return None

    dashboard.after_request(escape_json_answer)
    dashboard.after_request(_set_security_headers)
    dashboard.register_error_handler(NoSuchJobError, _answer_no_such_job)
    dashboard.register_error_handler(InvalidJobOperation, _answer_not_failed)
    dashboard.register_error_handler(RedisError, _answer_redis_unreachable)
    return dashboard


def _never_redirect(dashboard: DashboardApp) -> None:
    # A redirect names the scheme that this server sees, which is http behind a proxy with TLS.
    dashboard.url_map.redirect_defaults = False
    dashboard.url_map.strict_slashes = False
    dashboard.url_map.merge_slashes = False


def _queue_client(url: str) -> Redis:
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_MAX_CONNECTIONS,
            timeout=_TIMEOUT_S,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:  # whose message may hold a piece of the password
        raise ValueError("the dashboard's Redis URL cannot be understood") from None
    return Redis(connection_pool=pool)


def _give_client(dashboard: DashboardApp, client: Redis) -> None:
    dashboard.redis_conn = client
    # rq-dashboard's own hook would make a new client for each request, from the URL in the
    # configuration, which is also the one it shows. What it is given to show instead cannot leak.
    dashboard.before_request_funcs["rq_dashboard"].remove(rq_dashboard.web.push_rq_connection)
    address = client.get_connection_kwargs()
    where = address.get("path") or f"{address.get('host')}:{address.get('port', 6379)}"
    dashboard.config["RQ_DASHBOARD_REDIS_URL"] = (f"{where}/{address.get('db') or 0}",)


def _serialized_origin(url: str) -> str:
    """Return the origin of `url` as a browser writes it into Origin (RFC 6454, 6.2)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the public origin is not a URL") from None
    default_port = {"http": 80, "https": 443}.get(parts.scheme)
    if default_port is None or not parts.hostname:
        raise ValueError("the public origin needs http:// or https:// and a host")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, default_port} else "")


def _require_origin(origin: str) -> None:
    if request.method in {"GET", "HEAD", "OPTIONS"}:
        return
    given = request.headers.get("Origin")
    if given is None:
        referer = request.headers.get("Referer", "")
        given = origin if referer.startswith(f"{origin}/") else None
    if given != origin:
        raise Forbidden("This request did not come from one of the dashboard's pages.")


def _require_listed_view() -> None:
    if request.routing_exception is not None:
        return  # Flask answers it next, with 404 or 405
    view = (request.endpoint or "").removeprefix("rq_dashboard.")
    if view in CHANGING_VIEWS:
        allowed = ["POST"]
    elif view in READING_VIEWS:
        allowed = ["GET", "HEAD"]
    else:
        raise NotFound
    if request.method not in allowed:
        raise MethodNotAllowed(valid_methods=allowed)


def _require_plain_arguments() -> None:
    for name, value in (request.view_args or {}).items():
        pattern = _ARGUMENTS.get(name)
        if value is not None and not (pattern and pattern.fullmatch(str(value))):
            raise NotFound


def _csp_nonce() -> str:
    """Return the word that only this answer's own inline script carries."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def _set_security_headers(response: Response) -> Response:
    # As tight as rq-dashboard permits. 'unsafe-eval': Underscore compiles its templates with
    # `new Function`. 'unsafe-inline' for style attributes: its HTML has some. data: images: the
    # switches and selects of its Bootstrap. Inline event handlers and any script without the
    # nonce are refused, so even text that escaped the escaping would not run.
    policy = (
        "default-src 'none'; "
        f"script-src 'self' 'nonce-{_csp_nonce()}' 'unsafe-eval'; "
        "style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    # Static files are public parts of a library; they keep `no-cache`, which asks each time.
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _answer_no_such_job(_: Exception) -> tuple[str, int]:
    return "There is no such job; it may have expired.", 404


def _answer_not_failed(_: Exception) -> tuple[str, int]:
    return "Only a job that has failed can be requeued.", 409


def _answer_redis_unreachable(_: Exception) -> tuple[str, int]:
    return "The Redis of the queues, or of who is signed in, cannot be reached.", 503
