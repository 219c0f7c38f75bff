"""The ways in which a ledger fails, each with a beginning and an end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis

from gatekeeper.sandbox.valkey import EmbeddedValkey


@dataclass(frozen=True)
class Fault:
    """`silent` when the server does not answer at all, so that reads fail as well."""

    name: str
    begin: Callable[[EmbeddedValkey], None]
    end: Callable[[EmbeddedValkey], None]
    silent: bool = False

    @contextmanager
    def strikes(self, server: EmbeddedValkey) -> Iterator[None]:
        """Let the fault last for a block."""
        self.begin(server)
        try:
            yield
        finally:
            self.end(server)


def _config(name: str, value: str) -> Callable[[EmbeddedValkey], None]:
    def set_it(server: EmbeddedValkey) -> None:
        with Redis.from_url(server.url) as client:
            client.config_set(name, value)

    return set_it


def _replica_of(host: str, port: str) -> Callable[[EmbeddedValkey], None]:
    def set_it(server: EmbeddedValkey) -> None:
        with Redis.from_url(server.url) as client:
            client.replicaof(host, port)

    return set_it


# Not killed: that may lose what was written in the last second, which is not what is tested here.
STOPPED = Fault("stopped", EmbeddedValkey.stop, EmbeddedValkey.start, silent=True)
STALLED = Fault("stalled", EmbeddedValkey.pause, EmbeddedValkey.resume, silent=True)
FULL = Fault("full", _config("maxmemory", "1"), _config("maxmemory", "0"))
WITHOUT_REPLICAS = Fault(
    "without-replicas", _config("min-replicas-to-write", "1"), _config("min-replicas-to-write", "0")
)
DEMOTED = Fault("demoted", _replica_of("127.0.0.1", "1"), _replica_of("no", "one"))

FAULTS = (STOPPED, STALLED, FULL, WITHOUT_REPLICAS, DEMOTED)
