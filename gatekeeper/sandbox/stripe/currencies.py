"""Which currencies Stripe charges in, and the smallest and largest amounts it accepts."""

from typing import Final

from gatekeeper.sandbox.stripe.errors import invalid_request

# Source: the answer of the API to an unknown currency.
_CODES: Final = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp
    byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip
    gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd
    kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok
    npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos
    srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer
    zar zmw
"""
CURRENCIES: Final = tuple(_CODES.split())

# Source: https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in minor units.
_MINIMUM_MINOR: Final = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip

MAXIMUM_MINOR: Final = 99_999_999

# Source: https://docs.stripe.com/currencies#zero-decimal.
_ZERO_DECIMAL_CODES: Final = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
_ZERO_DECIMAL: Final = frozenset(_ZERO_DECIMAL_CODES.split())

_SYMBOLS: Final = {"usd": "$", "cad": "$", "aud": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def check_amount(amount_minor: int, currency: str) -> None:
    """Refuse an amount that can't be charged. Raises StripeError (400)."""
    if amount_minor < 1:
        raise invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    minimum = minimum_minor(currency)
    if amount_minor < minimum:
        raise invalid_request(
            f"Amount must be at least {price_text(minimum, currency)} {currency}",
            code="amount_too_small",
            param="amount",
        )
    if amount_minor > MAXIMUM_MINOR:
        raise invalid_request(
            f"Amount must be no more than {price_text(MAXIMUM_MINOR, currency)}",
            code="amount_too_large",
            param="amount",
        )


def minimum_minor(currency: str) -> int:
    """Return the smallest amount that can be charged, in minor units."""
    return _MINIMUM_MINOR.get(currency, 1)


def price_text(amount_minor: int, currency: str) -> str:
    """Write an amount the way Stripe's error messages do, as in `$0.50`."""
    symbol = _SYMBOLS.get(currency, "")
    if currency in _ZERO_DECIMAL:
        return f"{symbol}{amount_minor:,}"
    return f"{symbol}{amount_minor / 100:,.2f}"
