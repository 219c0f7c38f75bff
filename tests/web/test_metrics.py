"""What Prometheus sees, from one process and from several."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.domain.call import Decision, Reason
from gatekeeper.web import metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    """Every sample of a page, by name and labels; the parser refuses what Prometheus would."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(extra: metrics.GaugeReader | None = None) -> Samples:
    return parsed(metrics.metrics_response(extra).get_data(as_text=True))


def growth(before: Samples, after: Samples) -> Samples:
    return {key: value - before.get(key, 0.0) for key, value in after.items()} | {
        key: -value for key, value in before.items() if key not in after
    }


def counter(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return (name, tuple(sorted(labels.items())))


def test_a_decision_counts_once_and_in_the_histogram() -> None:
    before = scrape()
    metrics.count_decision(Decision.ANSWER, Reason.PURCHASED, 0.004)
    grown = {key: by for key, by in growth(before, scrape()).items() if by}

    assert grown.pop(
        counter("gatekeeper_decisions_total", decision="answer", reason="purchased")
    ) == pytest.approx(1)
    assert grown.pop(counter("gatekeeper_decision_seconds_count")) == 1
    assert grown.pop(counter("gatekeeper_decision_seconds_sum")) == pytest.approx(0.004)
    assert min(float(dict(labels)["le"]) for (_, labels) in grown) == 0.005


def test_buckets_span_half_a_millisecond_to_two_seconds() -> None:
    bounds = [
        dict(labels)["le"]
        for (name, labels) in scrape()
        if name == "gatekeeper_decision_seconds_bucket"
    ]
    assert bounds[0] == "0.0005"
    assert bounds[-2:] == ["2.0", "+Inf"]


def test_refusals_ledger_errors_and_webhooks_count_under_their_labels() -> None:
    before = scrape()
    metrics.count_refused_request("bad_signature")
    metrics.count_ledger_error("timeout")
    metrics.count_stripe_webhook("payment_intent.succeeded", "handled")
    assert {key: by for key, by in growth(before, scrape()).items() if by} == {
        counter("gatekeeper_refused_requests_total", why="bad_signature"): 1,
        counter("gatekeeper_ledger_errors_total", kind="timeout"): 1,
        counter(
            "gatekeeper_stripe_webhooks_total", type_class="payment_intent", outcome="handled"
        ): 1,
    }


def test_series_stand_at_zero_before_anything_happened() -> None:
    """Prometheus sees no increase in a series that appears with its first increase."""
    page = _in_a_process("print_page()")
    assert page[counter("gatekeeper_refused_requests_total", why="unknown_number")] == 0
    assert page[counter("gatekeeper_ledger_errors_total", kind="connection")] == 0
    assert (
        page[counter("gatekeeper_decisions_total", decision="drop", reason="empty_overdraft_used")]
        == 0
    )


@pytest.mark.parametrize("event_type", ["acct_1Nv0FGQ9RKHgCVdK", "+15550100.x", "", None, "a" * 99])
def test_what_a_stranger_sends_never_becomes_a_label(event_type: str | None) -> None:
    metrics.count_stripe_webhook(event_type, "refused")
    classes = {
        dict(labels)["type_class"]
        for (name, labels) in scrape()
        if name == "gatekeeper_stripe_webhooks_total"
    }
    assert classes <= {"payment_intent", "other"}  # the first by the test above
    assert "other" in classes


def test_gauges_are_read_once_a_scrape() -> None:
    readings = iter([1.5, 7.0])

    def read() -> Mapping[str, float]:
        return {"gatekeeper_owed_oldest_seconds": next(readings)}

    assert scrape(read)[counter("gatekeeper_owed_oldest_seconds")] == 1.5
    page = scrape(read)
    assert page[counter("gatekeeper_owed_oldest_seconds")] == 7.0
    assert page[counter("gatekeeper_gauges_up")] == 1


def test_counters_are_shown_when_the_gauges_cannot_be_read() -> None:
    def read() -> Mapping[str, float]:
        raise ConnectionError("redis is down")

    page = scrape(read)
    assert page[counter("gatekeeper_gauges_up")] == 0
    assert counter("gatekeeper_refused_requests_total", why="misshapen") in page


def test_the_answer_says_it_is_prometheus_text() -> None:
    assert metrics.metrics_response().content_type == "text/plain; version=0.0.4; charset=utf-8"


# The lines that a process of its own runs before what a test gives it.
_PRELUDE = """
import os, sys
from gatekeeper.domain.call import Decision, Reason
from gatekeeper.web import metrics
def print_page(extra=None):
    sys.stdout.write(metrics.metrics_response(extra).get_data(as_text=True))
def decide():
    metrics.count_decision(Decision.DROP, Reason.EMPTY_TOPOFF_OFF, 0.001)
"""


def _in_a_process(code: str, multiproc_dir: Path | None = None) -> Samples:
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    if multiproc_dir is not None:
        environment["PROMETHEUS_MULTIPROC_DIR"] = str(multiproc_dir)
    ended = subprocess.run(
        [sys.executable, "-c", _PRELUDE + code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return parsed(ended.stdout)


DROPPED = counter("gatekeeper_decisions_total", decision="drop", reason="empty_topoff_off")
DECIDED = counter("gatekeeper_decision_seconds_count")


def test_several_processes_add_up_to_one_page(tmp_path: Path) -> None:
    _in_a_process("decide(); decide()", tmp_path)
    _in_a_process("decide()", tmp_path)
    page = _in_a_process(
        "decide(); print_page(lambda: {'gatekeeper_owed_oldest_seconds': 3})", tmp_path
    )
    assert page[DROPPED] == 4
    assert page[DECIDED] == 4
    assert page[counter("gatekeeper_owed_oldest_seconds")] == 3


def test_forked_server_processes_add_up_too(tmp_path: Path) -> None:
    """Label children are bound before the server forks its workers."""
    page = _in_a_process(
        """
for calls in (3, 5):
    child = os.fork()
    if child == 0:
        for _ in range(calls):
            decide()
        os._exit(0)
    os.waitpid(child, 0)
print_page()
""",
        tmp_path,
    )
    assert page[DROPPED] == 8
    assert page[DECIDED] == 8


def test_without_a_directory_a_process_counts_for_itself() -> None:
    assert _in_a_process("decide(); print_page()")[DROPPED] == 1
