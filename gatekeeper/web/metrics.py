"""What Prometheus reads at /metrics: decisions, refusals, faults, and what is owed.

**Several server processes.** Each process counts for itself, and a scrape reaches only one of
them. So a deployment with more than one server process sets `PROMETHEUS_MULTIPROC_DIR` to a
directory before the server starts: the processes then count in files there, and any one of them
answers a scrape with the sum. prometheus_client reads the variable itself, once, when it is first
imported, so it can be neither a setting nor an argument. The directory must exist, belong to one
deployment, and be emptied before each start: counters of ended processes stay in the sum, as they
must, and files left by an earlier deployment would be added too. Without the variable everything
is counted in memory, which is right for one process.
(https://prometheus.github.io/client_python/multiprocess/)

**Cardinality.** Every label value is taken from a list that stands in the code. No account, call,
phone number or job ever becomes a label.

**Cost.** The voice webhook counts on the caller's time: label children are bound once, at import.
That also publishes each series at zero from the start, so its first increase is seen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from flask import Response
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gatekeeper.domain.call import Decision, Reason

RefusedWhy = Literal["bad_signature", "misshapen", "unknown_number"]
LedgerErrorKind = Literal["timeout", "connection", "out_of_memory", "read_only", "other"]
GaugeReader = Callable[[], Mapping[str, float]]

_VERDICTS: Final = (
    (Decision.ANSWER, Reason.ALLOTMENT),
    (Decision.ANSWER, Reason.PURCHASED),
    (Decision.ANSWER, Reason.OVERDRAFT),
    (Decision.ANSWER, Reason.LEDGER_UNREACHABLE),
    (Decision.DROP, Reason.LEDGER_UNREACHABLE),
    (Decision.DROP, Reason.EMPTY_TOPOFF_OFF),
    (Decision.DROP, Reason.EMPTY_TOPOFF_FAILED),
    (Decision.DROP, Reason.EMPTY_TOPOFF_CAPPED),
    (Decision.DROP, Reason.EMPTY_OVERDRAFT_USED),
    (Decision.DROP, Reason.ACCOUNT_SUSPENDED),
)
_REFUSED_WHY: Final[tuple[RefusedWhy, ...]] = ("bad_signature", "misshapen", "unknown_number")
_LEDGER_ERROR_KINDS: Final[tuple[LedgerErrorKind, ...]] = (
    "timeout",
    "connection",
    "out_of_memory",
    "read_only",
    "other",
)
# The part of a Stripe event's type before its first dot. Stripe adds types; the rest is "other".
_STRIPE_TYPE_CLASSES: Final = frozenset(
    {"charge", "checkout", "customer", "payment_intent", "payment_method", "setup_intent"}
)
_DECISION_BUCKETS_S: Final = (
    0.0005,
    0.001,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.0,  # the voice webhook's own limit (R12)
)

# "_created" series exist in one of the two modes only, and say nothing that is used here.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types

# A registry of its own: the default one also describes the process that happens to answer.
_registry = CollectorRegistry()
_decisions = Counter(
    "gatekeeper_decisions",
    "Calls decided, by decision and reason.",
    ("decision", "reason"),
    registry=_registry,
)
_refused_requests = Counter(
    "gatekeeper_refused_requests",
    "Voice requests refused before any account was looked at.",
    ("why",),
    registry=_registry,
)
_ledger_errors = Counter(
    "gatekeeper_ledger_errors",
    "Ledger verbs that failed or whose outcome is unknown.",
    ("kind",),
    registry=_registry,
)
_decision_seconds = Histogram(
    "gatekeeper_decision_seconds",
    "Time from the voice webhook's arrival to its decision.",
    buckets=_DECISION_BUCKETS_S,
    registry=_registry,
)
_stripe_webhooks = Counter(
    "gatekeeper_stripe_webhooks",
    "Stripe events received, by class of type and what was done.",
    ("type_class", "outcome"),
    registry=_registry,
)

_by_verdict = {verdict: _decisions.labels(*verdict) for verdict in _VERDICTS}
_by_refusal = {why: _refused_requests.labels(why) for why in _REFUSED_WHY}
_by_ledger_error = {kind: _ledger_errors.labels(kind) for kind in _LEDGER_ERROR_KINDS}

logger = logging.getLogger(__name__)


def count_decision(decision: Decision, reason: Reason, seconds: float) -> None:
    """Count a decided call and the `seconds` from the webhook's arrival to the decision."""
    verdict = (decision, reason)
    (_by_verdict.get(verdict) or _decisions.labels(*verdict)).inc()
    _decision_seconds.observe(seconds)


def count_refused_request(why: RefusedWhy) -> None:
    """Count a voice request that was refused before any account was looked at."""
    _by_refusal[why].inc()


def count_ledger_error(kind: LedgerErrorKind) -> None:
    """Count a ledger verb that failed or whose outcome is unknown."""
    _by_ledger_error[kind].inc()


def count_stripe_webhook(event_type: str | None, outcome: str) -> None:
    """Count a Stripe event; `event_type` is None when a refused body did not tell it.

    `outcome` is an EventOutcome, `ledger_unreachable` or `refused`.

    Only the type's first word becomes a label, and only if it is one that is listed here.
    """
    first_word = (event_type or "").partition(".")[0]
    type_class = first_word if first_word in _STRIPE_TYPE_CLASSES else "other"
    _stripe_webhooks.labels(type_class, outcome).inc()


def metrics_response(extra: GaugeReader | None = None) -> Response:
    """Render every metric in Prometheus' text format.

    `extra` is called once for each scrape and gives gauges by their full name, such as
    `gatekeeper_owed_oldest_seconds`. Its names must come from the code, not from data. When it
    raises (the ledger is down, say), the counters are rendered all the same, and
    `gatekeeper_gauges_up` is 0.
    """
    registry = CollectorRegistry()
    for collector in _collectors(extra):
        registry.register(collector)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _collectors(extra: GaugeReader | None) -> Iterable[Collector]:
    # Under several processes this process' own metrics are in the files already.
    if values.ValueClass is values.MutexValue:
        yield _registry
    else:
        yield MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # it has no types
    if extra is not None:
        yield _GaugesAtScrape(extra)


class _GaugesAtScrape(Collector):
    """Gauges whose values are read when they are asked for.

    prometheus_client's own Gauge would be written by whichever process looked last.
    """

    def __init__(self, read: GaugeReader) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Yield the gauges, and whether they could be read."""
        gauges: Mapping[str, float] = {}
        up = 1
        try:
            gauges = self._read()
        except Exception:
            logger.exception("The gauges could not be read")
            up = 0
        yield GaugeMetricFamily(
            "gatekeeper_gauges_up", "Whether the gauges read at scrape time could be read.", up
        )
        for name, value in gauges.items():
            yield GaugeMetricFamily(name, "Read at scrape time.", value)
