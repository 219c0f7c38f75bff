"""One visitor's doings take nothing away from others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from werkzeug.test import TestResponse

from tests.web.gate import NUMBER, new_call
from tests.web.portal.browser import Browser
from tests.web.portal.checkout_desk import CheckoutDesk
from tests.web.portal.conftest import OWNER, Scene


@contextmanager
def hanging_stripe() -> Iterator[tuple[str, socket.socket]]:
    """Something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield f"http://127.0.0.1:{server.getsockname()[1]}", server


def test_a_form_that_is_too_long_is_refused_before_it_is_read(scene: Scene) -> None:
    browser = scene.browser()
    data = {"csrf_token": browser.token(), "email": "a" + "\u0301\u0327" * 20_000, "next": "/"}
    refused = browser.open("/sign-in", "POST", data=data)
    assert refused.status_code == 413
    assert "more than we can take" in refused.text
    assert "default-src 'none'" in refused.headers["Content-Security-Policy"]


def test_while_stripe_hangs_one_page_waits_for_it(make_scene: Callable[..., Scene]) -> None:
    with hanging_stripe() as (url, server):
        desk = CheckoutDesk(make_scene(stripe_api_base=url))
        scene = desk.scene
        scene.gate.open_account(5, NUMBER)
        owners = [scene.signed_in(OWNER) for _ in range(2)]
        answers: SimpleQueue[TestResponse] = SimpleQueue()

        def buy(owner: Browser) -> None:
            answers.put(desk.send(owner, desk.buy_path, credits="50"))

        clicks = [threading.Thread(target=buy, args=(owner,)) for owner in owners]
        for click in clicks:
            click.start()
        hung, _ = server.accept()
        second = answers.get(timeout=30)  # the first still waits, as nobody has answered it
        assert (second.status_code, second.headers["Retry-After"]) == (503, "60")
        assert "does not answer as it should" in second.text
        assert clicks[0].is_alive() or clicks[1].is_alive()
        for path in ("/sign-in", "/readyz"):
            assert scene.browser().open(path).status_code == 200, path
        assert scene.gate.incoming(new_call()).answered
        hung.close()
        for click in clicks:
            click.join()
        assert answers.get(timeout=30).status_code == 503


def test_who_comes_while_all_turns_are_taken_sees_a_page(scene: Scene) -> None:
    go_on, inside = threading.Event(), threading.Semaphore(0)
    app = scene.gate.app

    def slow() -> str:
        inside.release()
        go_on.wait(30)
        return "done"

    app.add_url_rule("/slow", view_func=slow)
    waiting = [threading.Thread(target=app.test_client().get, args=("/slow",)) for _ in range(2)]
    for thread in waiting:
        thread.start()
        assert inside.acquire(timeout=30)
    try:
        refused = app.test_client().get("/sign-in")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.mimetype == "text/html"
        assert "We are busy right now" in refused.text
        assert "default-src 'none'" in refused.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in refused.headers
        assert app.test_client().get("/readyz").status_code == 200
    finally:
        go_on.set()
        for thread in waiting:
            thread.join()
