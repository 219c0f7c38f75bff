"""A caller that treats a voice webhook as Twilio does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from gatekeeper.sandbox.caller.call import (
    Call,
    CallSids,
    Direction,
    TerminalStatus,
    require_account_sid,
)
from gatekeeper.sandbox.caller.policy import ConnectionPolicy
from gatekeeper.sandbox.caller.transport import require_loopback
from gatekeeper.sandbox.caller.twiml import Dropped, Failed, Outcome, Rejected, experience
from gatekeeper.sandbox.caller.webhook import Delivery, Exchange, WebhookSender

DEFAULT_DURATION_S = 42
#: A call that hears the drop message and is hung up on is over by then.
_DROPPED_DURATION_S = 6


@dataclass(frozen=True, slots=True)
class Ring:
    """Twilio asked what to do with a call, once; `fallback` is there when the first URL failed."""

    primary: Delivery
    fallback: Delivery | None
    outcome: Outcome

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """The webhooks it took."""
        return (self.primary,) if self.fallback is None else (self.primary, self.fallback)

    @property
    def answer(self) -> Exchange:
        """The exchange whose answer was performed, or that failed last."""
        return self.deliveries[-1].final


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call from its first request to its last, with everything that was exchanged."""

    call: Call
    rings: tuple[Ring, ...]
    statuses: tuple[Delivery, ...]

    @property
    def outcome(self) -> Outcome:
        """What the caller experienced: the answer to the first request."""
        return self.rings[0].outcome

    @property
    def consistent(self) -> bool:
        """Whether every request about the call got the same answer, to the byte."""
        return len({(ring.answer.status, ring.answer.body) for ring in self.rings}) == 1

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Every HTTP request, those of the rings first."""
        rung = [delivery for ring in self.rings for delivery in ring.deliveries]
        return tuple(
            exchange for delivery in (*rung, *self.statuses) for exchange in delivery.exchanges
        )


class TwilioCaller:
    """Calls a voice webhook on this machine as Twilio does. Safe to use from threads.

    `incoming_url`, `status_url` and `fallback_url` are a number's VoiceUrl, StatusCallback and
    VoiceFallbackUrl; a URL's fragment overrides `policy`. `auth_token` is the AccountSid's own.
    `public_url` is the gate's PUBLIC_URL where that is not the address it is called at here. The
    same `seed` makes the same CallSids.

    Raises NotLoopbackError for a URL that leaves this machine, ValueError for a misshapen
    AccountSid.
    """

    def __init__(
        self,
        incoming_url: str,
        status_url: str | None = None,
        fallback_url: str | None = None,
        *,
        account_sid: str,
        auth_token: str,
        policy: ConnectionPolicy | None = None,
        public_url: str | None = None,
        seed: int | None = None,
    ) -> None:
        for url in (incoming_url, status_url, fallback_url):
            if url is not None:
                require_loopback(url)
        self.incoming_url = incoming_url
        self.status_url = status_url
        self.fallback_url = fallback_url
        self.account_sid = require_account_sid(account_sid)
        self._sids = CallSids(seed)
        self._sender = WebhookSender(auth_token, policy or ConnectionPolicy(), public_url)

    def new_call(
        self,
        *,
        to: str,
        from_: str,
        call_sid: str | None = None,
        direction: Direction = "inbound",
    ) -> Call:
        """Make a call of this account, with a CallSid of its own unless one is given."""
        return Call(
            account_sid=self.account_sid,
            call_sid=call_sid or self._sids.next(),
            to=to,
            from_=from_,
            direction=direction,
        )

    def ring(self, call: Call) -> Ring:
        """Ask the gate what to do with the call, and the fallback URL if that fails."""
        parameters = call.ringing_parameters()
        primary = self._sender.send(self.incoming_url, parameters)
        outcome = _outcome(primary)
        if not isinstance(outcome, Failed) or self.fallback_url is None:
            return Ring(primary, None, outcome)
        parameters |= {"ErrorCode": str(outcome.error_code), "ErrorUrl": primary.url}
        fallback = self._sender.send(self.fallback_url, parameters)
        return Ring(primary, fallback, _outcome(fallback))

    def hang_up(
        self, call: Call, end: TerminalStatus = "completed", duration_s: int = DEFAULT_DURATION_S
    ) -> Delivery:
        """Tell the gate that the call has ended, and how. Nothing is waited for.

        Raises ValueError when there is no status URL.
        """
        if self.status_url is None:
            raise ValueError("this caller has no status URL")
        return self._sender.send(self.status_url, call.ended_parameters(end, duration_s))

    def run(
        self,
        call: Call,
        *,
        end: TerminalStatus = "completed",
        duration_s: int = DEFAULT_DURATION_S,
        duplicates: int = 0,
        concurrently: bool = False,
        status_copies: int = 1,
        status_first: bool = False,
    ) -> CallResult:
        """Ring and hang up.

        `duplicates` more requests are made about the same call, one after the other or
        `concurrently`. `status_copies` 0 leaves the status out: it is lost, or sent late by
        `hang_up`. With `status_first` it overtakes the request. A rejected call ends as Twilio
        ends it, whatever `end` says, and a dropped one once its message was heard.
        """
        copies = status_copies if self.status_url is not None else 0
        statuses: list[Delivery] = []
        if status_first:
            statuses = [self.hang_up(call, end, duration_s) for _ in range(copies)]
        rings = self._ring_times(call, 1 + duplicates, concurrently=concurrently)
        if not status_first:
            end = _end_of(rings[0].outcome, end)
            if isinstance(rings[0].outcome, Dropped):
                duration_s = min(duration_s, _DROPPED_DURATION_S)
            statuses = [self.hang_up(call, end, duration_s) for _ in range(copies)]
        return CallResult(call, rings, tuple(statuses))

    def call(
        self,
        *,
        to: str,
        from_: str,
        call_sid: str | None = None,
        direction: Direction = "inbound",
        end: TerminalStatus = "completed",
        duration_s: int = DEFAULT_DURATION_S,
        duplicates: int = 0,
        concurrently: bool = False,
        status_copies: int = 1,
        status_first: bool = False,
    ) -> CallResult:
        """Make a call and `run` it."""
        return self.run(
            self.new_call(to=to, from_=from_, call_sid=call_sid, direction=direction),
            end=end,
            duration_s=duration_s,
            duplicates=duplicates,
            concurrently=concurrently,
            status_copies=status_copies,
            status_first=status_first,
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ring_times(self, call: Call, times: int, *, concurrently: bool) -> tuple[Ring, ...]:
        if not concurrently:
            return tuple(self.ring(call) for _ in range(times))
        with ThreadPoolExecutor(max_workers=times) as threads:
            return tuple(threads.map(self.ring, [call] * times))


def _outcome(delivery: Delivery) -> Outcome:
    final = delivery.final
    if delivery.error_code is not None:
        return Failed(delivery.error_code, final.detail or f"HTTP status {final.status}")
    return experience(final.content_type, final.body)


def _end_of(outcome: Outcome, end: TerminalStatus) -> TerminalStatus:
    # Source: https://www.twilio.com/docs/voice/twiml/reject
    match outcome:
        case Rejected(reason="busy"):
            return "busy"
        case Rejected():
            return "no-answer"
        case _:
            return end
