"""Faults that the sandbox commits on request: answers that fail, hang or never come.

A fault is queued for requests whose method and path match, and strikes at one of three stages:

- on arrival, so that the API never sees the request: `hang` (accepted and never answered),
  `reset` (the connection is reset), `error_before` (500, or another status),
  `rate_limit` (429), `error_502_html` (a proxy's error page);
- during execution, under the idempotency key: `hang_before` (waits, and is executed when
  released, even if its client has hung up), `error_after` (is executed, and a 500 becomes its
  answer and is kept under the key);
- on departure, after execution, so that the answer is kept under the key and lost on its way:
  `hang_after`, `reset_after`, `bad_json` (200 and a body that can't be parsed),
  `error_502_html_after`.
"""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock
from typing import Any, Final

from gatekeeper.sandbox.stripe.state import new_id
from gatekeeper.sandbox.stripe.wire import Reply

ARRIVAL: Final = ("hang", "reset", "error_before", "rate_limit", "error_502_html")
EXECUTION: Final = ("hang_before", "error_after")
DEPARTURE: Final = ("hang_after", "reset_after", "bad_json", "error_502_html_after")
KINDS: Final = ARRIVAL + EXECUTION + DEPARTURE

BAD_GATEWAY_PAGE: Final = Reply(
    HTTPStatus.BAD_GATEWAY,
    b"<html><head><title>502 Bad Gateway</title></head>"
    b"<body><center><h1>502 Bad Gateway</h1></center></body></html>",
    content_type="text/html",
)
UNPARSABLE: Final = Reply(HTTPStatus.OK, b'{"id": "pi_')


@dataclass(slots=True)
class Fault:
    """A fault in the queue."""

    id: str
    kind: str  # one of KINDS
    method: str | None  # None strikes any
    path: re.Pattern[str]  # must match the whole path
    skip: int = 0  # matching requests that pass before the first is struck
    count: int | None = 1  # requests struck after that; None for all
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR  # of error_before and error_after
    should_retry: bool | None = None  # the Stripe-Should-Retry header of an error, if any

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those that the fault is for."""
        return self.method in (None, method) and self.path.fullmatch(path) is not None

    def describe(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "method": self.method,
            "path": self.path.pattern,
            "skip": self.skip,
            "count": self.count,
        }


@dataclass(slots=True)
class Faults:
    """The queue of faults. Safe to share between threads."""

    _lock: Lock = field(default_factory=Lock)
    _queue: list[Fault] = field(default_factory=list)

    def add(self, **settings: Any) -> Fault:
        """Queue a fault."""
        fault = Fault(id=new_id("fault", 8), **settings)
        with self._lock:
            self._queue.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes a request, and count it as used."""
        with self._lock:
            for fault in self._queue:
                if not fault.matches(method, path):
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                self._use(fault)
                return fault
            return None

    def _use(self, fault: Fault) -> None:
        if fault.count is None:
            return
        fault.count -= 1
        if fault.count <= 0:
            self._queue.remove(fault)

    def waiting(self) -> list[dict[str, Any]]:
        """Return the faults still in the queue, as JSON."""
        with self._lock:
            return [fault.describe() for fault in self._queue]

    def clear(self) -> None:
        """Empty the queue."""
        with self._lock:
            self._queue.clear()
