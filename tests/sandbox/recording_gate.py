"""A voice webhook for the caller's tests: it records what it is asked and answers as told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Message[str, str]
    pairs: list[tuple[str, str]]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def parameters(self) -> dict[str, str]:
        return dict(self.pairs)


@dataclass(frozen=True)
class Answer:
    body: str = "<Response/>"
    status: int = 200
    content_type: str = "text/xml; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class RecordingGate:
    """Answers each path with what was put in `answers` for it, or with an empty <Response/>.

    An answer may be a function of the request; it runs in the request's own thread.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, Answer | Callable[[Request], Answer]] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
        prepared = self.answers.get(request.path, Answer())
        return prepared(request) if callable(prepared) else prepared

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gate = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer takes 40 ms

            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                pairs = parse_qsl(form, keep_blank_values=True, strict_parsing=bool(form))
                answer = gate.answer(Request(self.command, self.path, self.headers, pairs))
                with suppress(ConnectionError):  # a caller that had no more time has hung up
                    self.send_answer(answer)

            def send_answer(self, answer: Answer) -> None:
                body = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 - the server's name for it

            def log_message(self, format: str, *args: object) -> None:
                """Keep the tests' output clean."""

        return Handler
