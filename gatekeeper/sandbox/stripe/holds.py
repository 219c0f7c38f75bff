"""Requests that are being held: by whom, and until when."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import Any, Final

# How often a held request looks whether its client is still there.
_LOOK_EVERY_S: Final = 0.02


@dataclass(slots=True, eq=False)
class Hold:
    """One held request; `released` once it may go on."""

    request_id: str
    kind: str
    method: str
    path: str
    idempotency_key: str | None
    released: bool = False

    def describe(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "request_id": self.request_id,
            "kind": self.kind,
            "method": self.method,
            "path": self.path,
            "idempotency_key": self.idempotency_key,
        }


@dataclass(slots=True)
class Holds:
    """The requests held at the moment. Safe to share between threads."""

    _changed: Condition = field(default_factory=Condition)
    _held: list[Hold] = field(default_factory=list)
    _closed: bool = False

    def wait(self, hold: Hold, *, is_gone: Callable[[], bool] | None = None) -> None:
        """Block until the hold is released, or its client is gone if `is_gone` is given."""
        with self._changed:
            self._held.append(hold)
            self._changed.notify_all()
            while not (hold.released or self._closed or (is_gone and is_gone())):
                self._changed.wait(_LOOK_EVERY_S if is_gone else None)
            if not hold.released:
                self._held.remove(hold)
                self._changed.notify_all()

    def held(self, *, count: int = 0, wait_s: float = 0) -> list[dict[str, Any]]:
        """Return what is held, after waiting for `count` requests for at most `wait_s`."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            while len(self._held) < count and not self._closed:
                remaining_s = deadline - time.monotonic()
                if remaining_s <= 0:
                    break
                self._changed.wait(remaining_s)
            return [hold.describe() for hold in self._held]

    def release(self, request_id: str | None = None) -> int:
        """Let one held request go on, or all of them; return how many.

        They count as held no more from here on, whenever their threads wake up: who releases one
        and waits for the next must not be told of the one before.
        """
        with self._changed:
            chosen = [h for h in self._held if request_id in (None, h.request_id)]
            for hold in chosen:
                hold.released = True
                self._held.remove(hold)
            self._changed.notify_all()
            return len(chosen)

    def close(self) -> None:
        """Let everything go, now and from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
