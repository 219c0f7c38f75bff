"""The voice webhook over HTTP: calls a second beside other servers, and latency."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Final

from bench.calls import Switchboard
from bench.figures import Comparison, Figure, Reading
from bench.generator import Throughput, UnexpectedAnswer, at_rate, saturate
from bench.rounds import Effort, InvalidRound, Progress
from bench.servers import DOCUMENT, NUMBERS, Contest, Server

Round = dict[str, Throughput]

#: The generator must leave room on its core, or it is what is measured.
_GENERATOR_BUSY_MAX: Final = 0.7
_INVALID_ROUNDS_MAX: Final = 3
_WARM_UP_CALLS: Final = 500
_LATENCY_LOAD: Final = 0.3


def measure_webhook(contest: Contest, effort: Effort, progress: Progress) -> list[Figure]:
    """Measure all that needs HTTP. Raises InvalidRound."""
    switchboard = Switchboard(NUMBERS)
    rounds = _measure_rounds(contest, switchboard, effort, progress)
    rate_per_s = _LATENCY_LOAD * median(_rates(rounds, contest.gate))
    progress(f"latency at {rate_per_s:.0f} calls a second")
    return [
        _comparison(rounds, contest.gate, contest.usual, ratio_wanted=2.0),
        _comparison(rounds, contest.gate, contest.bare, ratio_wanted=0.22),
        *_measure_latency(contest.gate, switchboard, effort, rate_per_s),
        Reading(
            "the load generator's share of a core, at most",
            "%",
            100 * max(result.generator_busy for round_ in rounds for result in round_.values()),
            most_wanted=100 * _GENERATOR_BUSY_MAX,
        ),
    ]


def _measure_rounds(
    contest: Contest, switchboard: Switchboard, effort: Effort, progress: Progress
) -> list[Round]:
    servers = (contest.gate, contest.usual, contest.bare)
    rates = {server.name: _warm_up(server, switchboard) for server in servers}
    rounds: list[Round] = []
    invalid: list[str] = []
    while len(rounds) < effort.rounds:
        try:
            results = {
                server.name: _saturate(server, switchboard, rates[server.name] * effort.seconds)
                for server in servers
            }
        except (InvalidRound, UnexpectedAnswer) as problem:
            invalid.append(str(problem))
            progress(f"an invalid round: {problem}")
            if len(invalid) > _INVALID_ROUNDS_MAX:
                raise InvalidRound("too many invalid rounds: " + "; ".join(invalid)) from problem
            continue
        rounds.append(results)
        rates = {name: result.per_s for name, result in results.items()}
        progress(f"round {len(rounds)}: " + ", ".join(f"{n} {r:.0f}/s" for n, r in rates.items()))
    return rounds


def _warm_up(server: Server, switchboard: Switchboard) -> float:
    """Let connections, caches and scripts come to be; estimates the calls a second."""
    saturate(server.port, switchboard.requests(_WARM_UP_CALLS), DOCUMENT)
    return saturate(server.port, switchboard.requests(_WARM_UP_CALLS), DOCUMENT).per_s


def _saturate(server: Server, switchboard: Switchboard, calls: float) -> Throughput:
    requests = switchboard.requests(max(1, round(calls)))
    charged_before = server.charged() if server.charged else 0
    result = saturate(server.port, requests, DOCUMENT)
    charged = server.charged() - charged_before if server.charged else len(requests)
    if charged != len(requests):
        raise InvalidRound(f"{server.name} answered {len(requests)} calls and charged {charged}")
    if result.generator_busy > _GENERATOR_BUSY_MAX:
        raise InvalidRound(f"the load generator held up {server.name}")
    return result


def _measure_latency(
    server: Server, switchboard: Switchboard, effort: Effort, rate_per_s: float
) -> list[Reading]:
    calls = max(100, round(rate_per_s * effort.seconds))
    percentiles_s = [
        quantiles(
            at_rate(server.port, switchboard.requests(calls), DOCUMENT, rate_per_s=rate_per_s),
            n=100,
        )
        for _ in range(effort.rounds)
    ]
    return [
        Reading(
            f"latency at {rate_per_s:.0f} calls/s, {name}",
            "ms",
            1000 * median(round_[percentile - 1] for round_ in percentiles_s),
        )
        for name, percentile in (("median", 50), ("99th percentile", 99))
    ]


def _comparison(
    rounds: list[Round], ours: Server, other: Server, *, ratio_wanted: float
) -> Comparison:
    return Comparison(
        "/voice/incoming",
        other.name,
        "calls/s",
        _rates(rounds, ours),
        _rates(rounds, other),
        ratio_wanted,
    )


def _rates(rounds: list[Round], server: Server) -> list[float]:
    return [round_[server.name].per_s for round_ in rounds]
