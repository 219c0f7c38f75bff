"""What Buy Credits shows: packs, and what a number of credits that somebody typed costs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from gatekeeper.domain.account import MIN_CHARGE_MINOR, Account, InvalidSettings
from gatekeeper.domain.money import format_minor
from gatekeeper.payments.checkout import purchase_price_minor
from gatekeeper.web.portal.whole_number import read_whole_number

#: Sizes that are offered as packs, and how many of them at once: the smallest that help.
_SIZES: Final = (50, 200, 1_000, 5_000, 20_000)
_PACKS: Final = 3


@dataclass(frozen=True, slots=True)
class Quote:
    """What a number of credits, as it was typed, costs an account.

    `standard_price_minor` is that of a credit where the account has none of its own, in minor units
    of `currency`.
    """

    account: Account
    typed: str
    standard_price_minor: int
    currency: str

    @property
    def credits(self) -> int:
        """How many credits were asked for; -1 when that is no number."""
        return read_whole_number(self.typed)

    @property
    def problems(self) -> dict[str, str]:
        """Say why so many cannot be bought, as a sentence for the field."""
        try:
            self._amount_minor()
        except InvalidSettings as error:
            return {name: f"The number of credits {text}." for name, text in error.problems.items()}
        return {}

    @property
    def price(self) -> str:
        """What they cost; "" when so many cannot be bought."""
        return "" if self.problems else format_minor(self._amount_minor(), self.currency)

    @property
    def price_of_one(self) -> str:
        """What a credit costs."""
        return format_minor(self.account.price_minor or self.standard_price_minor, self.currency)

    @property
    def balance_then(self) -> int:
        """What the balance would be with them, if nothing else changes."""
        return self.account.balance + self.credits

    def _amount_minor(self) -> int:
        return purchase_price_minor(self.account, self.credits, self.standard_price_minor)


def smallest_purchase(price_minor: int) -> int:
    """Count the fewest credits that a card can be charged for, at this price of one."""
    return math.ceil(MIN_CHARGE_MINOR / price_minor)


def packs_for(account: Account, standard_price_minor: int, currency: str) -> list[Quote]:
    """Choose packs that can be bought now and bring the balance above zero, smallest first."""
    return list(islice(_packs(account, standard_price_minor, currency), _PACKS))


def _packs(account: Account, standard_price_minor: int, currency: str) -> Iterator[Quote]:
    for size in _SIZES:
        pack = Quote(account, str(size), standard_price_minor, currency)
        if not pack.problems and pack.balance_then > 0:
            yield pack
