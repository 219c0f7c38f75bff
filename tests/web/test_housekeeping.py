"""What people and monitors ask for takes turns, so that calls always find a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from werkzeug.test import Client

from gatekeeper.web.housekeeping import limit_housekeeping


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/ops/queues/", "/", "/sign-in"])
def test_at_most_half_of_the_threads_wait_for_what_is_no_call(path: str) -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == path:
            inside.release()
            go_on.wait(30)
        start_response("200 OK", [])
        return [b""]

    app = limit_housekeeping(slow, threads=4)
    waiting = [threading.Thread(target=Client(app).get, args=(path,)) for _ in range(2)]
    for thread in waiting:
        thread.start()
        assert inside.acquire(timeout=30)
    try:
        assert Client(app).get(path).status_code == 503
        assert Client(app).post("/stripe/webhook").status_code == 200
        assert Client(app).get("/healthz").status_code == 200
    finally:
        go_on.set()
    for thread in waiting:
        thread.join()
    assert Client(app).get(path).status_code == 200
