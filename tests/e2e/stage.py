"""A Gatekeeper of real processes whose workers reach the ledger through a pausing proxy.

The relay runs in the test's own process, while the test waits with `until`, and only when no
worker has a job: a worker that is held gets no rival before the test wants one, and what a killed
worker left behind is taken up at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from gatekeeper.jobs import argument_of
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.keys import account_of
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.scripts import load_sources
from gatekeeper.relay import Relay
from gatekeeper.sandbox.mailbox import Behaviour
from gatekeeper.sandbox.stack import LocalStack
from tests.e2e.books import Books, Customer
from tests.e2e.pausing_proxy import PausingProxy
from tests.e2e.worker_pool import WorkerPool

#: Back-off doubles it with each try.
_LEASE_S: Final = 0.2
#: A job that is under way when the relay looks is one whose worker was killed.
_HEARTBEAT_STALE_S: Final = 0.01
_DEADLINE_S: Final = 40.0
_POLL_S: Final = 0.02
_WEBHOOKS_TIMEOUT_S: Final = 20.0


class Stage:
    """The processes and the stand-ins. Use it as a context manager.

    A worker that ends by itself is started again if it `restarts_workers`, and a failure else.
    """

    def __init__(self, directory: Path, *, restarts_workers: bool = False) -> None:
        self.stack = LocalStack(directory)
        self._restarts_workers = restarts_workers
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self.stack)
            self.control = self.stack.control
            self.ledger = _ledger(self.stack.valkey.url, parts)
            self.books = Books(self.ledger, self.control, self.stack.mailbox.deliveries)
            self.queue_redis = parts.enter_context(Redis.from_url(self.stack.valkey.url))
            self.relay = Relay(
                self.ledger,
                self.queue_redis,
                lease_s=_LEASE_S,
                heartbeat_stale_s=_HEARTBEAT_STALE_S,
            )
            self.proxy = parts.enter_context(PausingProxy(self.stack.valkey.port))
            # A worker takes longer to start than most tests take.
            self.charges = self._start_workers("charges", 3, parts)
            self.emails = self._start_workers("emails", 2, parts)
            self.stack.start("web")
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._parts.close()

    def until(self, what: str, condition: Callable[[], object]) -> None:
        """Relay until the condition holds; fail when it does not in time."""
        deadline = time.monotonic() + _DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            self.stack.check_running()
            for pool in (self.charges, self.emails):
                if self._restarts_workers:
                    pool.restart_ended()
                else:
                    pool.check_running()
            if self.is_idle():
                self.relay.drain_once()
            time.sleep(_POLL_S)

    def is_idle(self) -> bool:
        """Whether no worker has a job, or is about to get one."""
        return self.charges.is_idle() and self.emails.is_idle()

    def play_to_the_end(self, customer: Customer) -> None:
        """Relay until nothing is in flight or owed, and all that Stripe has to tell was told."""
        self.until("the top-off ended", lambda: not self.books.is_in_flight(customer))
        self.until("nothing is owed", lambda: not self.books.owed(customer))
        self.control.release_webhooks(order="reversed")
        told = self.control.webhooks(wait_s=_WEBHOOKS_TIMEOUT_S)
        assert {delivery["state"] for delivery in told} <= {"acknowledged", "dropped"}
        self.until("every worker is idle", self.is_idle)

    def restart_valkey(self) -> None:
        """Start the server that was killed."""
        self.stack.valkey.start()
        self.ledger.client.connection_pool.disconnect()  # this client never repeats a command

    def reset(self) -> None:
        """Let go what is held, misbehave no more, and owe nothing."""
        self.proxy.forget_holds()
        self.control.clear_faults()
        self.control.release()
        self.configure_webhooks({})
        self.stack.mailbox.behaviour = Behaviour()
        self.until("every worker is idle", self.is_idle)
        for task in self.books.all_owed():
            self.ledger.owed.strike_owed(account_of(argument_of(task)), task)

    def configure_webhooks(self, settings: dict[str, Any]) -> None:
        """Deliver webhooks once, at once, unless these settings say otherwise."""
        self.control.configure_webhooks(
            **{"mode": "deliver", "copies": 1, "first": False, **settings}
        )

    def _start_workers(self, queue_name: str, size: int, parts: ExitStack) -> WorkerPool:
        settings = {
            **self.stack.settings,
            "REDIS_URL": self.proxy.url,
            "QUEUE_REDIS_URL": self.stack.valkey.url,
        }
        queue = Queue(queue_name, connection=self.queue_redis, serializer=JSONSerializer)
        pool = WorkerPool(queue, settings, self.stack.directory, size=size)
        parts.callback(pool.close)
        return pool


def _ledger(url: str, parts: ExitStack) -> Ledger:
    client = connect(url, timeout_s=5, max_connections=8)
    parts.callback(client.close)
    for source in load_sources().values():
        client.script_load(source)
    return Ledger(client)
