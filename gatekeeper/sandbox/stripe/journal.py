"""The API requests that the sandbox has seen."""

import time
from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass(slots=True)
class Entry:
    """One request; `status` is the one answered, or `None` while there is no answer."""

    request_id: str
    method: str
    path: str
    idempotency_key: str | None
    at_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    fault: str | None = None
    replayed: bool = False
    status: int | None = None

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Journal:
    """Requests in the order of their arrival. Safe to share between threads."""

    _lock: Lock = field(default_factory=Lock)
    _entries: list[Entry] = field(default_factory=list)

    def add(self, entry: Entry) -> Entry:
        """Write a request down."""
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        """Return all requests as JSON."""
        with self._lock:
            return [entry.describe() for entry in self._entries]

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._entries.clear()
