"""`gatekeeper serve`, `relay` and `work`: the processes of the Procfile."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing
from typing import Final

import click
import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from gatekeeper import logs
from gatekeeper.bootstrap import Parts
from gatekeeper.bootstrap import parts as shared_parts
from gatekeeper.cli.deployment import load_parts
from gatekeeper.cli.sentences import describe_redis_error
from gatekeeper.cli.server import serve_web
from gatekeeper.jobs import QUEUES
from gatekeeper.ledger.server_check import problems
from gatekeeper.ledger.shard_count import fix_shard_count
from gatekeeper.relay import HistoryCopy, Relay, run_beside
from workers.process import WorkerQuit, run_worker

#: How long the relay waits for RQ's Redis to answer; it tries again by itself.
_QUEUE_TIMEOUT_S: Final = 5.0
#: How long a worker waits, at its start, before it looks for RQ's Redis again.
_QUEUE_RETRY_S: Final = 1.0


@click.command()
def serve() -> None:
    """Run the web server: Twilio's and Stripe's webhooks, health, metrics, the dashboard."""
    parts = load_parts()
    # What else is wrong with the ledger's server the application says by itself.
    _start(parts, report_server=False)
    serve_web(parts.settings)


@click.command()
def relay() -> None:
    """Run the relay: what the ledger owes goes to the workers' queues, its log into history."""
    parts = load_parts()
    _start(parts)
    stop = _stop_on_signal()
    settings = parts.settings
    history = HistoryCopy(
        parts.ledger,
        parts.history,
        hung_up_below_s=settings.hung_up_below_s,
        trim_behind_s=settings.log_kept_s,
    )
    owed = Relay(parts.ledger, _queue_client(parts), lease_s=settings.owed_lease_s)
    run_beside(owed, history, stop)


@click.command()
@click.argument("queue", type=click.Choice(QUEUES))
def work(queue: str) -> None:
    """Run a worker on one queue."""
    parts = shared_parts()  # the jobs ask for these, and find them made before the worker forks
    _start(parts)
    _wait_for_queues(parts)
    try:
        run_worker(queue, parts)
    except WorkerQuit as error:
        raise click.ClickException(str(error)) from None
    except RedisError as error:
        raise click.ClickException(describe_redis_error(error, "RQ's Redis")) from None


def _start(parts: Parts, *, report_server: bool = True) -> None:
    """Set up logs and look at the ledger's server. Raises ShardsChanged, and nothing else.

    A process starts while the ledger is away: each has its own way to go on until it is back.
    """
    logs.configure()
    log = structlog.get_logger()
    try:
        fix_shard_count(parts.ledger)
        found = problems(parts.ledger.client) if report_server else []
    except RedisError as error:
        log.warning("ledger_not_checked", problem=describe_redis_error(error))
        return
    for problem in found:
        log.warning("ledger_server_unfit", problem=problem)


def _wait_for_queues(parts: Parts) -> None:
    """Return once RQ's Redis answers; RQ itself would give up. SIGTERM and SIGINT end the wait."""
    end_when_asked()
    told = ""
    with closing(_queue_client(parts)) as client:
        while problem := _problem_of_queues(client):
            if problem != told:
                structlog.get_logger().warning("redis_lost", redis="queues", problem=problem)
                told = problem
            time.sleep(_QUEUE_RETRY_S)


def end_when_asked() -> None:
    """Let SIGTERM and SIGINT end this process, until RQ sets its own handlers.

    At once, and not by an exception: one that is raised while Python runs a finalizer is only
    reported, and the process goes on. Nothing has begun yet that would have to be finished.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))


def _problem_of_queues(client: Redis) -> str:
    try:
        client.ping()
    except RedisError as error:
        return describe_redis_error(error, "RQ's Redis")
    return ""


def _queue_client(parts: Parts) -> Redis:
    """Make a client of RQ's Redis that never waits long, and leaves retrying to the relay."""
    return Redis.from_url(
        parts.settings.jobs_redis_url,
        socket_timeout=_QUEUE_TIMEOUT_S,
        socket_connect_timeout=_QUEUE_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


def _stop_on_signal() -> threading.Event:
    """Make an event that SIGTERM or SIGINT sets.

    A thread waits for them: a handler in the main thread could interrupt it within the event's own
    lock, and `set` would wait for that for ever.
    """
    stop = threading.Event()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        signal.sigwait(signals)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    return stop
