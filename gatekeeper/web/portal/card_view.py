"""What the page of the card shows: what saving one agrees to, and what it charges at once."""

from __future__ import annotations

from dataclasses import dataclass

from gatekeeper.domain.account import Account
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.domain.topoff import topoff_is_due
from gatekeeper.web.portal.billing_words import cap_clause, card_expiry, card_words


@dataclass(frozen=True, slots=True)
class CardTerms:
    """What it means for an account to save a card.

    `price_minor` is that of a credit, in minor units of `currency`.
    """

    account: Account
    price_minor: int
    currency: str
    now_ms: int

    @property
    def card_words(self) -> str:
        """The card as its owner knows it."""
        return card_words(self.account)

    @property
    def card_expiry(self) -> str:
        """How near its end is."""
        return card_expiry(self.account, self.now_ms)

    @property
    def price(self) -> str:
        """What one top-off costs."""
        return format_minor(self.account.topoff.amount * self.price_minor, self.currency)

    @property
    def consent(self) -> str:
        """What one agrees to by saving a card; "" when it is not charged by itself."""
        topoff = self.account.topoff
        if not topoff.enabled:
            return ""
        return (
            f"Auto Top-Off is on. By saving a card you agree that {self.price} is charged to it "
            f"each time your balance drops below {count_credits(topoff.threshold)}"
            f"{cap_clause(topoff.spending_cap_minor, self.currency)}, until you "
            "switch Auto Top-Off off."
        )

    @property
    def charges_at_once(self) -> bool:
        """Whether the card is charged as soon as it is saved."""
        return self.charges_at(self.account.balance)

    def charges_at(self, balance: int) -> bool:
        """Tell whether a card saved at this balance is charged: that lifts what blocks (R6, R8)."""
        account = self.account
        return topoff_is_due(
            balance=balance,
            threshold=account.topoff.threshold,
            enabled=account.topoff.enabled,
            suspended=account.suspended,
            capped=account.topoff_capped,
            in_flight=bool(account.topoff_id),
            blocked=False,
            retry_at_ms=None,
            now_ms=self.now_ms,
        )
