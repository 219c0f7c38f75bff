"""What a person enters for automatic top-offs, and what saving it would mean for their account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gatekeeper.domain.account import Account, InvalidSettings, TopoffSettings
from gatekeeper.domain.money import format_minor
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.domain.suggestion import Suggestion
from gatekeeper.domain.topoff import topoff_is_due
from gatekeeper.web.portal.billing_words import card_words
from gatekeeper.web.portal.whole_number import read_whole_number

_NAMES: Final = {"threshold": "low-balance threshold", "amount": "top-up amount"}


@dataclass(frozen=True, slots=True)
class TopoffForm:
    """The fields as they were typed."""

    enabled: bool
    threshold: str
    amount: str

    @classmethod
    def of(cls, saved: TopoffSettings) -> TopoffForm:
        """Fill the form with what is saved."""
        return cls(saved.enabled, str(saved.threshold), str(saved.amount))

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> TopoffForm:
        """Read what a browser sent; fields that it left out are empty, or off."""
        return cls(
            enabled="enabled" in fields,
            threshold=fields.get("threshold", ""),
            amount=fields.get("amount", ""),
        )

    def with_suggestion(self, told: Suggestion) -> TopoffForm:
        """Fill in the numbers suggested, and leave the rest."""
        return replace(self, threshold=str(told.threshold), amount=str(told.amount))

    def settings(self, saved: TopoffSettings) -> TopoffSettings:
        """Put together what would be saved, not yet checked. Keeps what the form does not have."""
        return replace(
            saved,
            enabled=self.enabled,
            threshold=read_whole_number(self.threshold),
            amount=read_whole_number(self.amount),
        )


@dataclass(frozen=True, slots=True)
class Terms:
    """What it means for an account to save these settings.

    `price_minor` is that of a credit, in minor units of `currency`.
    """

    account: Account
    settings: TopoffSettings
    price_minor: int
    currency: str
    now_ms: int

    @property
    def problems(self) -> dict[str, str]:
        """Say what is wrong, as a sentence for each field."""
        try:
            self.settings.check(self.price_minor)
        except InvalidSettings as error:
            return {
                name: f"The {_NAMES.get(name, name)} {text}."
                for name, text in error.problems.items()
            }
        return {}

    @property
    def price(self) -> str:
        """What one top-off costs; "" when no such amount can be charged."""
        if "amount" in self.problems:
            return ""
        return format_minor(self.settings.amount * self.price_minor, self.currency)

    @property
    def price_of_one(self) -> str:
        """What a credit costs."""
        return format_minor(self.price_minor, self.currency)

    @property
    def can_charge(self) -> bool:
        """Whether there is a card that may be tried."""
        return self.account.card is not None and not self.account.card.refused_code

    @property
    def consent(self) -> str:
        """What one agrees to by saving; "" when nothing can be charged."""
        if self.problems or not self.can_charge:
            return ""
        return (
            f"By saving with Auto Top-Off enabled, you agree that {self.price} is charged to your "
            f"{card_words(self.account)} each time your balance drops below "
            f"{count_credits(self.settings.threshold)}, until you switch it off."
        )

    @property
    def charges_if_enabled(self) -> bool:
        """Whether saving these with Auto Top-Off enabled charges the card at once (R6)."""
        enabled = replace(self.settings, enabled=True)
        return (
            bool(self.consent)
            and enabled != self.account.topoff
            and topoff_is_due(
                balance=self.account.balance,
                threshold=enabled.threshold,
                enabled=True,
                suspended=self.account.suspended,
                in_flight=bool(self.account.topoff_id),
                blocked=self.account.blocked_by is not None,
                retry_at_ms=self.account.retry_at_ms,
                now_ms=self.now_ms,
            )
        )

    @property
    def charges_at_once(self) -> bool:
        """Whether saving these as they are charges the card at once."""
        return self.settings.enabled and self.charges_if_enabled
