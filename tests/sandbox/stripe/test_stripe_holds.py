"""Requests that are held, and let go."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from gatekeeper.sandbox.stripe.holds import Hold, Holds

_COUNT = 20


def test_what_was_let_go_is_held_no_more_even_before_it_goes_on() -> None:
    holds = Holds()
    requests = [Hold(f"req_{n}", "hang", "GET", "/v1/charges", None) for n in range(_COUNT)]
    with ThreadPoolExecutor(_COUNT) as threads:
        waiting = [threads.submit(holds.wait, each) for each in requests]
        try:
            assert len(holds.held(count=_COUNT, wait_s=10)) == _COUNT
            assert holds.release("req_3") == 1
            assert "req_3" not in {each["request_id"] for each in holds.held()}
            assert holds.release("req_3") == 0
            assert holds.release() == _COUNT - 1
            assert holds.held() == []
        finally:
            holds.close()
        for each in waiting:
            each.result(timeout=10)
