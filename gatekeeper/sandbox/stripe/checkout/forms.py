"""What a person submits on a Checkout page."""

import re
from dataclasses import dataclass, replace
from typing import Final, Self
from urllib.parse import parse_qs

from gatekeeper.sandbox.stripe.checkout.session_params import is_email
from gatekeeper.sandbox.stripe.errors import Json, StripeError

_EXPIRY: Final = re.compile(r"\s*([0-9]{1,2})\s*/?\s*((?:[0-9]{2}){1,2})\s*")

# Which field of the page a detail of the card was typed into.
_FIELDS: Final = {"number": "number", "exp_month": "expiry", "exp_year": "expiry", "cvc": "cvc"}


@dataclass(frozen=True, slots=True)
class Submission:
    """The fields of the page as they were typed; `save` is the tick box."""

    email: str = ""
    number: str = ""
    expiry: str = ""
    cvc: str = ""
    name: str = ""
    save: bool = False

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a submitted form; what isn't there is empty."""
        sent = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        texts = {
            field: sent.get(field, [""])[0].strip()
            for field in ("email", "number", "expiry", "cvc", "name")
        }
        return cls(**texts, save="save" in sent)

    def with_email(self, email: str) -> "Submission":
        """Return it with an e-mail address that was known before."""
        return replace(self, email=email)

    def problems(self) -> dict[str, str]:
        """Say what is wrong before anything is tried, by field."""
        checks = {
            "email": (is_email(self.email), "Your email is incomplete."),
            "number": (bool(self.number), "Your card number is incomplete."),
            "expiry": (
                _EXPIRY.fullmatch(self.expiry) is not None,
                "Your card's expiration date is incomplete.",
            ),
            "cvc": (bool(self.cvc), "Your card's security code is incomplete."),
            "name": (bool(self.name), "Enter the name on your card."),
        }
        return {field: message for field, (right, message) in checks.items() if not right}

    def card(self) -> Json:
        """Return the card's details as the API takes them, once there are no problems."""
        found = _EXPIRY.fullmatch(self.expiry)
        if found is None:
            raise ValueError("the expiry date has not been checked")
        month, year = map(int, found.groups())
        return {"number": self.number, "exp_month": month, "exp_year": year, "cvc": self.cvc}


def problems_of(error: StripeError) -> dict[str, str]:
    """Say what a refusal is about, by field; under the empty name if it is about none of them."""
    return {_FIELDS.get(error.fields.get("param", ""), ""): error.message}
