"""What a person enters for automatic top-offs, and what saving it would mean for their account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Final

from gatekeeper.domain.account import CAP_BELOW_PRICE, Account, InvalidSettings, TopoffSettings
from gatekeeper.domain.money import decimal_of_minor, format_minor, minor_of_decimal
from gatekeeper.domain.phrasing import count_credits
from gatekeeper.domain.suggestion import Suggestion
from gatekeeper.domain.topoff import topoff_is_due
from gatekeeper.web.portal.billing_words import cap_clause, card_words
from gatekeeper.web.portal.cycles import cycles_of
from gatekeeper.web.portal.whole_number import read_whole_number

_NAMES: Final = {
    "threshold": "low-balance threshold",
    "amount": "top-up amount",
    "spending_cap": "spending cap",
}
#: What no cap can be, so that the check of what was entered says what it must be.
_NO_AMOUNT: Final = -1


def version_of(saved: TopoffSettings) -> str:
    """Name what is saved, so that a form knows what it was made from."""
    return "-".join(map(str, astuple(saved)))


@dataclass(frozen=True, slots=True)
class TopoffForm:
    """The fields as they were typed.

    `made_from` names what was saved when the form was shown, `shown` is the consent that was last
    shown with it.
    """

    enabled: bool
    threshold: str
    amount: str
    spending_cap: str
    made_from: str
    shown: str = ""

    @classmethod
    def of(cls, saved: TopoffSettings, currency: str) -> TopoffForm:
        """Fill the form with what is saved."""
        cap_minor = saved.spending_cap_minor
        return cls(
            enabled=saved.enabled,
            threshold=str(saved.threshold),
            amount=str(saved.amount),
            spending_cap="" if cap_minor is None else decimal_of_minor(cap_minor, currency),
            made_from=version_of(saved),
        )

    @classmethod
    def read(cls, fields: Mapping[str, str]) -> TopoffForm:
        """Read what a browser sent; fields that it left out are empty, or off."""
        return cls(
            enabled="enabled" in fields,
            threshold=fields.get("threshold", ""),
            amount=fields.get("amount", ""),
            spending_cap=fields.get("spending_cap", ""),
            made_from=fields.get("made_from", ""),
            shown=fields.get("shown", ""),
        )

    def with_suggestion(self, told: Suggestion) -> TopoffForm:
        """Fill in the numbers suggested, and leave the rest."""
        return replace(self, threshold=str(told.threshold), amount=str(told.amount))

    def settings(self, saved: TopoffSettings, currency: str) -> TopoffSettings:
        """Put together what would be saved, not yet checked. Keeps what the form does not have."""
        return replace(
            saved,
            enabled=self.enabled,
            threshold=read_whole_number(self.threshold),
            amount=read_whole_number(self.amount),
            spending_cap_minor=_read_cap(self.spending_cap, currency),
        )

    def is_of(self, saved: TopoffSettings) -> bool:
        """Tell whether the form was made from what is saved now; one that does not say is."""
        return self.made_from in ("", version_of(saved))


def _read_cap(text: str, currency: str) -> int | None:
    if not text.strip():
        return None
    try:
        return minor_of_decimal(text, currency)
    except ValueError:
        return _NO_AMOUNT


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
                name: f"The {_NAMES.get(name, name)} {self._with_price(text)}."
                for name, text in error.problems.items()
            }
        return {}

    def _with_price(self, problem: str) -> str:
        return f"{problem}, {self._price}" if problem == CAP_BELOW_PRICE else problem

    @property
    def _price(self) -> str:
        return format_minor(self.settings.amount * self.price_minor, self.currency)

    @property
    def price(self) -> str:
        """What one top-off costs; "" when no such amount can be charged."""
        return "" if "amount" in self.problems else self._price

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
            f"{count_credits(self.settings.threshold)}"
            f"{cap_clause(self.settings.spending_cap_minor, self.currency)}, "
            "until you switch it off."
        )

    def must_ask(self, *, shown: str, agreed: str) -> bool:
        """Whether to ask before these are saved, because of a charge or of a price.

        `shown` is the consent that stood in the form: without scripts, or in a hurry, it is that of
        other numbers. `agreed` is the one agreed to when asked. Each must be the very sentence:
        whatever has changed since it was read, price or card, is asked anew.
        """
        if self.charges_at_once:
            return agreed != self.consent
        return self.settings.enabled and self.consent not in (shown, self._consent_saved)

    @property
    def _consent_saved(self) -> str:
        """What is agreed to already; "" while nothing is charged by itself."""
        saved = self.account.topoff
        return replace(self, settings=saved).consent if saved.enabled else ""

    @property
    def is_capped(self) -> bool:
        """Whether the spending cap would let no top-off begin."""
        spent_minor = self.account.spent_minor_at(self.now_ms)
        return not self.problems and self.settings.would_pass_cap(spent_minor, self.price_minor)

    @property
    def changes_anything(self) -> bool:
        """Whether there is anything to save.

        Settings that stay as they are count too, where they say otherwise than the ledger whether
        the spending cap is reached: the price of a credit has changed since.
        """
        moves_cap = self.settings.enabled and self.is_capped != self.account.topoff_capped
        return moves_cap or self.settings != self.account.topoff

    @property
    def cap(self) -> str:
        """The spending cap; "" where there is none."""
        cap_minor = self.settings.spending_cap_minor
        return "" if cap_minor is None else format_minor(cap_minor, self.currency)

    @property
    def cap_label(self) -> str:
        """What the spending cap is called, by how long a period of the account's is."""
        return f"{self.account.interval.value.capitalize()} spending cap"

    @property
    def spent(self) -> str:
        """What top-offs have charged in this period."""
        return format_minor(self.account.spent_minor_at(self.now_ms), self.currency)

    @property
    def period_end_ms(self) -> int:
        """When the next period begins."""
        return cycles_of(self.account, self.now_ms)[0].end_ms

    @property
    def charges_if_enabled(self) -> bool:
        """Whether saving these with Auto Top-Off enabled charges the card at once (R6)."""
        enabled = replace(self.settings, enabled=True)
        return (
            bool(self.consent)
            and replace(self, settings=enabled).changes_anything
            and topoff_is_due(
                balance=self.account.balance,
                threshold=enabled.threshold,
                enabled=True,
                suspended=self.account.suspended,
                capped=self.is_capped,
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
