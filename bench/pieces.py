"""Where the time goes: one call in the web process, and its decision in the ledger's server.

The application is run in this process, without HTTP and without other threads. The whole and its
pieces are timed in turn, each on a call of its own, so that a piece finds the processor's caches
much as it does in the whole. What the pieces leave of the whole is the rest.
"""

from __future__ import annotations

import cProfile
import io
import logging
import pstats
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Self

from flask import Flask

from bench.calls import Switchboard
from bench.servers import NUMBERS, Contest
from gatekeeper import logs
from gatekeeper.bootstrap import Parts
from gatekeeper.domain.call import Decision, Reason
from gatekeeper.sandbox.stack import ACCOUNT_SID
from gatekeeper.settings import load_settings
from gatekeeper.telephony.request import VoiceRequest, parse_form
from gatekeeper.web.app import create_app
from gatekeeper.web.metrics import count_decision

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_WARM_UP_CALLS: Final = 50
_PROFILE_LINES: Final = 25
_CALL: Final = "one call in the web process, without HTTP"
_SILENT: Final = "the same without its log line"
_SCRIPT: Final = "admit_call in the ledger's server"
_SCRIPT_COMMANDS: Final = ("get", "hmget", "hincrby", "set", "xadd")


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that is done for each call, and the time it takes."""

    name: str
    micros: float
    is_part: bool = True


@dataclass(frozen=True, slots=True)
class _Sample:
    """One call, as each piece of the webhook gets it."""

    environ: WSGIEnvironment
    body: bytes
    form: list[tuple[str, str]]
    request: VoiceRequest

    @classmethod
    def of(cls, request: bytes) -> Self:
        body = request.partition(b"\r\n\r\n")[2]
        form = parse_form(body)
        return cls(_environ(request), body, form, VoiceRequest.from_pairs(form))


class Workbench:
    """The web application in this process, before the ledger of a contest."""

    def __init__(self, contest: Contest, parts: Parts, app: Flask, silent_app: Flask) -> None:
        self._parts = parts
        self._app = app
        self._silent_app = silent_app
        self._switchboard = Switchboard(NUMBERS)
        self._account_of = dict(zip(NUMBERS, contest.account_ids, strict=True))

    def call_pieces(self, calls: int) -> list[Piece]:
        """Time the webhook and its pieces so many times."""
        steps = self._steps()
        taken_ns: dict[str, list[int]] = {name: [] for name in steps}
        samples = iter(self._samples((_WARM_UP_CALLS + calls) * len(steps)))
        for _ in range(_WARM_UP_CALLS + calls):
            for name, step in steps.items():
                sample = next(samples)
                started_ns = time.perf_counter_ns()
                step(sample)
                taken_ns[name].append(time.perf_counter_ns() - started_ns)
        micros = {name: median(taken[_WARM_UP_CALLS:]) / 1000 for name, taken in taken_ns.items()}
        whole = Piece(_CALL, micros.pop(_CALL), is_part=False)
        micros["the log line"] = whole.micros - micros.pop(_SILENT)
        parts = [Piece(name, value) for name, value in micros.items()]
        return [whole, *parts, _rest(whole, parts, "the rest: what is remembered, TwiML, glue")]

    def script_pieces(self, calls: int) -> list[Piece]:
        """Read from the server what the script and the commands in it took."""
        client = self._parts.ledger.client
        client.config_resetstat()
        for sample in self._samples(calls):
            self._admit(sample)
        stats = client.info("commandstats")

        def micros(command: str) -> float:
            return float(stats[f"cmdstat_{command}"]["usec_per_call"])

        whole = Piece(_SCRIPT, micros("evalsha"), is_part=False)
        parts = [Piece(name.upper(), micros(name)) for name in _SCRIPT_COMMANDS]
        return [whole, *parts, _rest(whole, parts, "the rest: Lua, and passing arguments")]

    def profile(self, calls: int) -> str:
        """Profile the webhook, and list the functions that take most."""
        samples = self._samples(calls)
        with cProfile.Profile() as profiler:
            for sample in samples:
                _serve(self._app, sample.environ)
        report = io.StringIO()
        pstats.Stats(profiler, stream=report).sort_stats("tottime").print_stats(_PROFILE_LINES)
        return report.getvalue()

    def _steps(self) -> dict[str, Callable[[_Sample], object]]:
        return {
            _CALL: lambda sample: _serve(self._app, sample.environ),
            _SILENT: lambda sample: _serve(self._silent_app, sample.environ),
            "reading the form": lambda sample: parse_form(sample.body),
            "checking the signature": self._check_signature,
            "checking the parameters": lambda sample: VoiceRequest.from_pairs(sample.form),
            "admit_call, one round trip": self._admit,
            "metrics": lambda _: count_decision(Decision.ANSWER, Reason.ALLOTMENT, 0.001),
        }

    def _check_signature(self, sample: _Sample) -> None:
        signature = sample.environ["HTTP_X_TWILIO_SIGNATURE"]
        path = sample.environ["PATH_INFO"]
        self._parts.signatures.check(ACCOUNT_SID, path, sample.form, signature)

    def _admit(self, sample: _Sample) -> None:
        number, call = sample.request.gate_number, sample.request.call
        self._parts.gate.calls.admit_call(self._account_of[number], call, number)

    def _samples(self, count: int) -> list[_Sample]:
        return [_Sample.of(request) for request in self._switchboard.requests(count)]


@contextmanager
def workbench(contest: Contest) -> Iterator[Workbench]:
    """Make the application twice: as it is served, and without its log lines."""
    parts = Parts(load_settings(**contest.stack.named_settings))
    with (contest.stack.directory / "pieces.log").open("w", buffering=1) as output:
        # The voice path binds its logger when it is made, so each application keeps its level.
        logs.configure(output, logging.ERROR)
        silent_app = create_app(parts)
        logs.configure(output)
        yield Workbench(contest, parts, create_app(parts), silent_app)
        logs.configure()


def _rest(whole: Piece, parts: list[Piece], name: str) -> Piece:
    return Piece(name, whole.micros - sum(part.micros for part in parts))


def _serve(app: Flask, environ: WSGIEnvironment) -> None:
    deque(app.wsgi_app(environ, lambda *_: bytes), maxlen=0)


def _environ(request: bytes) -> WSGIEnvironment:
    """Make of an HTTP request what a WSGI server makes of it."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = (line.split(": ", 1) for line in lines)
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        **{_variable(name): value for name, value in headers},
    }


def _variable(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{name}"
