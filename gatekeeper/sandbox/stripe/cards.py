"""Stripe's test cards, and what each of them does.

Source of numbers, names and behaviour: https://docs.stripe.com/testing. A test card can be given
as a number, as a token (`tok_visa`) or as a payment method (`pm_card_visa`); the names of the
two are the same but for the prefix. The cards that open disputes or make refunds fail are left
out: the control interface does both at a moment of one's choice.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from gatekeeper.sandbox.stripe.declines import Decline, bare_decline, decline

Authentication = Literal["never", "unless_set_up", "unless_off_session", "always"]


@dataclass(frozen=True, slots=True)
class Behavior:
    """What happens when a card is charged, attached or set up.

    `authentication`: when the issuer insists on 3D Secure. `unless_set_up` lets a card off
    that went through a SetupIntent; `unless_off_session` is a card already set up elsewhere.
    `processing`: the payment stays in that status until it is settled by hand.
    `attachable`: Stripe's decline cards can't be attached to a customer, with one exception.
    `pending_refunds`: its refunds stay pending until they are settled by hand.
    """

    decline: Decline | None = None
    authentication: Authentication = "never"
    processing: bool = False
    attachable: bool = True
    pending_refunds: bool = False


SUCCEEDS: Final = Behavior()


@dataclass(frozen=True, slots=True)
class SandboxCard:
    """A test card; `names` are its token names without the prefix."""

    number: str
    brand: str
    names: tuple[str, ...] = ()
    funding: str = "credit"
    country: str = "US"
    behavior: Behavior = field(default=SUCCEEDS)

    @property
    def last4(self) -> str:
        """The digits a customer sees."""
        return self.number[-4:]


def _declining(number: str, reason: Decline, *names: str) -> SandboxCard:
    return SandboxCard(number, "visa", names, behavior=Behavior(reason, attachable=False))


def _declining_later(number: str, decline_code: str, *names: str) -> SandboxCard:
    return SandboxCard(number, "visa", names, behavior=Behavior(decline(decline_code)))


def _authenticating(
    number: str, when: Authentication, *names: str, reason: Decline | None = None
) -> SandboxCard:
    return SandboxCard(number, "visa", names, behavior=Behavior(reason, authentication=when))


_SUCCEEDING: Final = (
    SandboxCard("4242424242424242", "visa", ("visa", "us")),
    SandboxCard("4000056655665556", "visa", ("visa_debit",), funding="debit"),
    SandboxCard("5555555555554444", "mastercard", ("mastercard",)),
    SandboxCard("2223003122003222", "mastercard"),
    SandboxCard("5200828282828210", "mastercard", ("mastercard_debit",), funding="debit"),
    SandboxCard("5105105105105100", "mastercard", ("mastercard_prepaid",), funding="prepaid"),
    SandboxCard("378282246310005", "amex", ("amex",)),
    SandboxCard("371449635398431", "amex"),
    SandboxCard("6011111111111117", "discover", ("discover",)),
    SandboxCard("6011000990139424", "discover"),
    SandboxCard("6011981111111113", "discover", ("discover_debit",), funding="debit"),
    SandboxCard("3056930009020004", "diners", ("diners",)),
    SandboxCard("36227206271667", "diners"),
    SandboxCard("3566002020360505", "jcb", ("jcb",), country="JP"),
    SandboxCard("6200000000000005", "unionpay", ("unionpay",), country="CN"),
    SandboxCard("4000008260000000", "visa", ("gb",), country="GB"),
    SandboxCard("4000002760000016", "visa", ("de",), country="DE"),
    SandboxCard("4000002500000003", "visa", ("fr",), country="FR"),
    SandboxCard(
        "4000000000007726", "visa", ("pendingRefund",), behavior=Behavior(pending_refunds=True)
    ),
)

_DECLINING: Final = (
    _declining(
        "4000000000000002", decline("generic_decline"), "visa_chargeDeclined", "chargeDeclined"
    ),
    _declining(
        "4000000000009995",
        decline("insufficient_funds"),
        "visa_chargeDeclinedInsufficientFunds",
        "chargeDeclinedInsufficientFunds",
    ),
    _declining("4000000000009987", decline("lost_card"), "visa_chargeDeclinedLostCard"),
    _declining("4000000000009979", decline("stolen_card"), "visa_chargeDeclinedStolenCard"),
    _declining(
        "4000000000000069",
        bare_decline("expired_card"),
        "chargeDeclinedExpiredCard",
        "visa_chargeDeclinedExpiredCard",
    ),
    _declining(
        "4000000000000127",
        bare_decline("incorrect_cvc"),
        "chargeDeclinedIncorrectCvc",
        "visa_chargeDeclinedIncorrectCvc",
    ),
    _declining(
        "4000000000000119",
        bare_decline("processing_error"),
        "chargeDeclinedProcessingError",
        "visa_chargeDeclinedProcessingError",
    ),
    _declining(
        "4000000000006975",
        decline("card_velocity_exceeded"),
        "visa_chargeDeclinedVelocityLimitExceeded",
    ),
    _declining(
        "4100000000000019",
        decline("fraudulent", blocked=True),
        "radarBlock",
        "visa_chargeDeclinedFraudulent",
    ),
)

_DECLINING_LATER: Final = (
    _declining_later(
        "4000000000000341", "generic_decline", "chargeCustomerFail", "visa_chargeCustomerFail"
    ),
    # Stripe names these two tokens and gives no number for them.
    _declining_later("4000000000000341", "lost_card", "visa_chargeCustomerFailLostCard"),
    _declining_later("4000000000000341", "stolen_card", "visa_chargeCustomerFailStolenCard"),
)

_AUTHENTICATING: Final = (
    _authenticating("4000002760003184", "always", "authenticationRequired"),
    _authenticating("4000002500003155", "unless_set_up", "authenticationRequiredOnSetup"),
    _authenticating(
        "4000003800000446", "unless_off_session", "authenticationRequiredSetupForOffSession"
    ),
    _authenticating(
        "4000008260003178",
        "always",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        reason=decline("insufficient_funds"),
    ),
    _authenticating("4000000000003220", "always", "threeDSecure2Required", "threeDSecureRequired"),
)

ALL_CARDS: Final = _SUCCEEDING + _DECLINING + _DECLINING_LATER + _AUTHENTICATING

# Reversed, so that of several cards with one number the first is found.
_BY_NUMBER: Final = {card.number: card for card in reversed(ALL_CARDS)}
_BY_NAME: Final = {name: card for card in ALL_CARDS for name in card.names}

_PREFIXES: Final = ("pm_card_", "tok_")


def card_by_number(number: str) -> SandboxCard | None:
    """Find a test card by its number; spaces and dashes are ignored."""
    return _BY_NUMBER.get(number.replace(" ", "").replace("-", ""))


def card_by_name(id_: str) -> SandboxCard | None:
    """Find a test card by its token (`tok_…`) or payment method id (`pm_card_…`)."""
    for prefix in _PREFIXES:
        if id_.startswith(prefix):
            return _BY_NAME.get(id_.removeprefix(prefix))
    return None


def passes_luhn(number: str) -> bool:
    """Tell whether a card number's check digit is right (ISO/IEC 7812-1)."""
    digits = [int(char) for char in reversed(number) if char.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return bool(digits) and (sum(digits[::2]) + sum(doubled)) % 10 == 0
