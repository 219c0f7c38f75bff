"""A caller that behaves like Twilio towards a voice webhook on this machine.

It signs its requests, keeps Twilio's time limits, retries and falls back as Twilio does, repeats
and reorders on request, and takes the TwiML it gets as strictly as Twilio's documentation.
"""

from gatekeeper.sandbox.caller.call import Call, Direction, TerminalStatus
from gatekeeper.sandbox.caller.policy import ConnectionPolicy
from gatekeeper.sandbox.caller.signature import SIGNATURE_HEADER, sign
from gatekeeper.sandbox.caller.transport import Failure, NotLoopbackError
from gatekeeper.sandbox.caller.twilio import CallResult, Ring, TwilioCaller
from gatekeeper.sandbox.caller.twiml import (
    Answered,
    Dropped,
    Empty,
    Failed,
    Outcome,
    Rejected,
    TwimlError,
    experience,
)
from gatekeeper.sandbox.caller.webhook import IDEMPOTENCY_HEADER, Delivery, Exchange

__all__ = [
    "IDEMPOTENCY_HEADER",
    "SIGNATURE_HEADER",
    "Answered",
    "Call",
    "CallResult",
    "ConnectionPolicy",
    "Delivery",
    "Direction",
    "Dropped",
    "Empty",
    "Exchange",
    "Failed",
    "Failure",
    "NotLoopbackError",
    "Outcome",
    "Rejected",
    "Ring",
    "TerminalStatus",
    "TwilioCaller",
    "TwimlError",
    "experience",
    "sign",
]
