"""API keys: https://docs.stripe.com/api/authentication. A live key is never let in."""

from base64 import b64decode
from binascii import Error as Base64Error
from email.message import Message
from hmac import compare_digest
from typing import Final

from gatekeeper.sandbox.stripe.errors import unauthorized

_TEST_PREFIXES: Final = ("sk_test_", "rk_test_")


def is_live(api_key: str) -> bool:
    """Tell whether a key moves real money."""
    return "_live_" in api_key


def check_api_key(headers: Message, expected: str | None) -> None:
    """Let in requests with a test key, or with the expected one alone if there is one.

    Raises StripeError (401), whose message never holds the key.
    """
    key = _key_of(headers.get("Authorization", ""))
    if not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we "
            "can help at https://support.stripe.com/."
        )
    if is_live(key):
        raise unauthorized(
            "A live API key was sent to the sandbox, which refuses it. Use a test key, one that "
            "starts with sk_test_, or send live requests to Stripe."
        )
    wrong = expected is not None and not compare_digest(key.encode(), expected.encode())
    if wrong or not key.startswith(_TEST_PREFIXES):
        raise unauthorized(f"Invalid API Key provided: {key[:3]}{'*' * 12}")


def _key_of(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(credentials).decode().partition(":")[0]
        except (Base64Error, UnicodeDecodeError):
            return ""
    return ""
