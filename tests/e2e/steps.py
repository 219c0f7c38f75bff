"""The steps of a charge at which a worker can be killed: each ledger verb, each call of Stripe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from gatekeeper.sandbox.stripe.client import SandboxControl
from tests.e2e.pausing_proxy import Fate, Hold, When
from tests.e2e.stage import Stage

_INTENTS: Final = "/v1/payment_intents"
#: Method and path of each call of Stripe.
_CALLS: Final = {
    "create": ("POST", _INTENTS),
    "confirm": ("POST", rf"{_INTENTS}/pi_\w+/confirm"),
    "retrieve": ("GET", rf"{_INTENTS}/pi_\w+"),
    "cancel": ("POST", rf"{_INTENTS}/pi_\w+/cancel"),
    "retrieve_card": ("GET", r"/v1/payment_methods/pm_\w+"),
}
#: stripe-python asks so often before a job hears of an error.
ASKED_BY_ONE_JOB: Final = 3


class HeldStep(Protocol):
    """A step that holds a worker once it has come to it."""

    def is_held(self) -> bool:
        """Whether a worker is held."""

    def end(self) -> None:
        """Lose or deliver what is on its way, by the step's fate."""

    def is_over(self) -> bool:
        """Whether what was delivered has been executed."""


@dataclass(frozen=True)
class Step:
    """One verb or call of Stripe, and an instant of it.

    `fate` is that of a request which is held before it is executed, once its sender was killed.
    """

    name: str
    when: When
    fate: Fate = Fate.LOST

    def __str__(self) -> str:
        return f"{self.when}-{self.name}"

    def arm(self, stage: Stage) -> HeldStep:
        """Hold its next run."""
        if self.name not in _CALLS:
            return _HeldVerb(stage.proxy.hold(self.name, self.when), self.fate)
        method, path = _CALLS[self.name]
        stage.control.add_fault(self._fault, method=method, path=path)
        return _HeldCall(stage.control)

    @property
    def _fault(self) -> str:
        if self.when is When.AFTER:
            return "hang_after"
        return "hang" if self.fate is Fate.LOST else "hang_before"


@dataclass(frozen=True)
class _HeldVerb:
    hold: Hold
    fate: Fate

    def is_held(self) -> bool:
        return self.hold.held.is_set()

    def end(self) -> None:
        self.hold.end(self.fate)

    def is_over(self) -> bool:
        return self.hold.answered.is_set()


class _HeldCall:
    def __init__(self, control: SandboxControl) -> None:
        self._control = control
        self._request_id = ""

    def is_held(self) -> bool:
        for held in self._control.held():
            self._request_id = held["request_id"]
        return bool(self._request_id)

    def end(self) -> None:
        self._control.release(self._request_id)

    def is_over(self) -> bool:
        requests = {seen["request_id"]: seen for seen in self._control.requests()}
        return requests[self._request_id]["status"] is not None


def around(*names: str) -> list[Step]:
    """List the instants before and after each of these."""
    return [Step(name, when) for name in names for when in When]


def let_fail(stage: Stage, kind: str, call: str, **settings: int | None) -> None:
    """Let Stripe fail at its next call of this name; see gatekeeper/sandbox/stripe/faults.py."""
    method, path = _CALLS[call]
    stage.control.add_fault(kind, method=method, path=path, **settings)
