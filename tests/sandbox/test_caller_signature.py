"""The caller's signature: Twilio's published examples, and Twilio's own checker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import (  # type: ignore[import-untyped]  # it has no types
    RequestValidator,
)

from gatekeeper.sandbox.caller import sign

TOKEN = "12345"
PARAMETERS = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


@pytest.mark.parametrize(
    ("url", "signature"),
    [
        ("https://mycompany.com/myapp.php?foo=1&bar=2", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com:80/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_the_published_examples(url: str, signature: str) -> None:
    assert sign(url, PARAMETERS, TOKEN) == signature


@given(
    path=st.text("abcXYZ019/%27&=+._-", max_size=20),
    query=st.just("") | st.text("abc019%27&=+?/", min_size=1, max_size=20).map("?{}".format),
    parameters=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=6),
    token=st.text("0123456789abcdef", min_size=32, max_size=32),
)
def test_twilios_own_checker_agrees(
    path: str, query: str, parameters: dict[str, str], token: str
) -> None:
    url = f"http://127.0.0.1:8000/{path}{query}"
    signature = sign(url, parameters, token)
    assert RequestValidator(token).validate(url, parameters, signature)


@pytest.mark.parametrize("changed", ["url", "name", "value", "token"])
def test_whatever_changes_changes_the_signature(changed: str) -> None:
    url = "https://gate.example/voice/incoming"
    other = {
        "url": sign(url + "?a=1", {"To": "+1"}, TOKEN),
        "name": sign(url, {"From": "+1"}, TOKEN),
        "value": sign(url, {"To": "+2"}, TOKEN),
        "token": sign(url, {"To": "+1"}, TOKEN + "6"),
    }
    assert sign(url, {"To": "+1"}, TOKEN) != other[changed]
