from __future__ import annotations

from urllib.parse import quote, urlparse

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

# The library has neither type hints nor stubs.
from twilio.request_validator import (  # type: ignore[import-untyped]
    RequestValidator,
    add_port,
    remove_port,
)
from werkzeug.datastructures import MultiDict

from gatekeeper.telephony.signature import SignatureChecker, parse_tokens

MAIN = "AC" + "0123456789abcdef" * 2
SUB = "AC" + "fedcba9876543210" * 2
TOKEN = "8f3c1d2e4b5a69788f3c1d2e4b5a6978"
OTHER_TOKEN = "00000000000000000000000000000000"
GATE = "https://gate.example.com"
CALL = [
    ("CallSid", "CA" + "0123456789abcdef" * 2),
    ("AccountSid", MAIN),
    ("From", "+15551234534"),
    ("To", "+18005551212"),
    ("CallerName", "JOSÉ & CO"),
    ("ToCity", ""),
]

# The vectors that Twilio published with its libraries.
PUBLISHED = [
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
]


def sign(url: str, pairs: list[tuple[str, str]], token: str = TOKEN) -> str:
    signature: str = RequestValidator(token).compute_signature(url, MultiDict(pairs))
    return signature


@pytest.mark.parametrize(
    ("public_url", "signature"),
    [
        ("https://mycompany.com", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com:443", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("https://mycompany.com/", "RSOYDt4T1cUTdK1PDd93/VVr8B8="),
        ("http://mycompany.com", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:80", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("http://mycompany.com:1234", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
    ],
)
def test_published_vectors(public_url: str, signature: str) -> None:
    checker = SignatureChecker(public_url, {MAIN: ["12345"]})
    assert checker.check(MAIN, "/myapp.php?foo=1&bar=2", PUBLISHED, signature)
    assert not checker.check(MAIN, "/myapp.php?foo=1&bar=3", PUBLISHED, signature)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.one_of(st.sampled_from(["CallSid", "From", "To", "a", "ab", ""]), TEXT)
VALUES = st.one_of(
    st.sampled_from(["", "a", "b", "+15551234534", "é", "\N{GRINNING FACE}", "%2B", "b=c&d"]), TEXT
)
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=12)
# Escapes, odd delimiters and anything else a request line can carry.
URIS = st.one_of(
    st.sampled_from(
        [
            "/voice/incoming",
            "/voice/incoming?",
            "/voice/incoming?a=%27%3A%2F%2B&b=+",
            "/voice/incoming;",
            "/voice;v=1/incoming;x=2?a=1;b=2",
            "//voice//incoming",
            "/?bodySHA256=00",
            "/voice/incoming#rc=2",
            "/%E4%BD%A0%zz",
        ]
    ),
    TEXT.map(lambda text: "/" + text),
    TEXT.map(lambda text: "/voice?x=" + quote(text)),
)
PUBLIC_URLS = st.sampled_from(
    [
        GATE,
        "http://gate.example.com",
        "https://gate.example.com:443",
        "https://gate.example.com:8443",
        "http://127.0.0.1:5000",
        "https://example.com/gate",
    ]
)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), public_url=PUBLIC_URLS, raw_uri=URIS, pairs=PAIRS)
def test_the_verdict_is_always_that_of_twilios_library(
    data: st.DataObject, public_url: str, raw_uri: str, pairs: list[tuple[str, str]]
) -> None:
    url = public_url + raw_uri
    signed_url = data.draw(
        st.sampled_from([url, add_port(urlparse(url)), remove_port(urlparse(url)), url + "x"])
    )
    signed_pairs = data.draw(
        st.one_of(st.just(pairs), st.permutations(pairs), st.just(pairs[1:]), PAIRS)
    )
    token = data.draw(st.sampled_from([TOKEN, TOKEN, OTHER_TOKEN]))
    signature = sign(signed_url, signed_pairs, token)

    expected = RequestValidator(TOKEN).validate(url, MultiDict(pairs), signature)
    checker = SignatureChecker(public_url, {MAIN: [TOKEN]})
    assert checker.check(MAIN, raw_uri, pairs, signature) is expected


@settings(max_examples=200, deadline=None)
@given(public_url=PUBLIC_URLS, raw_uri=URIS, pairs=PAIRS)
def test_what_twilio_signs_is_accepted_with_the_port_and_without(
    public_url: str, raw_uri: str, pairs: list[tuple[str, str]]
) -> None:
    checker = SignatureChecker(public_url, {MAIN: [TOKEN]})
    parsed = urlparse(public_url + raw_uri)
    for url in (add_port(parsed), remove_port(parsed)):
        assert checker.check(MAIN, raw_uri, pairs, sign(url, pairs))


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates too
WELL_SHAPED = "A" * 27 + "="


@settings(max_examples=150, deadline=None)
@given(
    account_sid=st.one_of(st.just(MAIN), ANY_TEXT),
    raw_uri=st.one_of(URIS, ANY_TEXT, ANY_TEXT.map(lambda text: "/" + text)),
    pairs=st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=4),
    signature=st.one_of(st.none(), st.just(WELL_SHAPED), ANY_TEXT),
)
@example(MAIN, "/\ud83d", [], WELL_SHAPED)
@example(MAIN, "/voice", [("a", "\ud83d")], WELL_SHAPED)
def test_odd_input_is_unsigned_and_never_an_error(
    account_sid: str, raw_uri: str, pairs: list[tuple[str, str]], signature: str | None
) -> None:
    checker = SignatureChecker(GATE, {MAIN: [TOKEN]})
    assert checker.check(account_sid, raw_uri, pairs, signature) is False


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "é" * 28,
        "=" * 28,
        "A" * 10_000_000,
        "\ud83d" * 28,
    ],
)
def test_odd_signature_headers(signature: str | None) -> None:
    checker = SignatureChecker(GATE, {MAIN: [TOKEN]})
    assert checker.check(MAIN, "/voice/incoming", CALL, signature) is False


def test_any_change_to_a_signed_request_is_noticed() -> None:
    checker = SignatureChecker(GATE, {MAIN: [TOKEN], SUB: [OTHER_TOKEN]})
    uri = "/voice/incoming?tenant=7"
    signature = sign(GATE + uri, CALL)
    assert checker.check(MAIN, uri, CALL, signature)

    assert not checker.check(SUB, uri, CALL, signature)
    assert not checker.check("AC" + "0" * 32, uri, CALL, signature)
    assert not checker.check("", uri, CALL, signature)
    assert not checker.check(MAIN, "/voice/incoming?tenant=8", CALL, signature)
    assert not checker.check(MAIN, "/voice/incoming?tenant=7&", CALL, signature)
    assert not checker.check(MAIN, "/voice/incoming?tenant=%37", CALL, signature)
    assert not checker.check(MAIN, GATE + uri, CALL, signature)
    assert not checker.check(MAIN, uri, CALL[:-1], signature)
    assert not checker.check(MAIN, uri, [*CALL, ("x", "")], signature)
    assert not checker.check(MAIN, uri, [*CALL[1:], ("CallSid", "CA1")], signature)
    assert not checker.check(MAIN, uri, CALL, signature.lower())
    assert not checker.check(MAIN, uri, CALL, signature.rstrip("="))
    assert not checker.check(MAIN, uri, CALL, signature + "\n")


def test_an_origin_cannot_be_extended_by_the_request_target() -> None:
    checker = SignatureChecker(GATE, {MAIN: [TOKEN]})
    signature = sign(GATE + ".evil.example/voice/incoming", CALL)
    assert not checker.check(MAIN, ".evil.example/voice/incoming", CALL, signature)


def test_huge_values_are_judged_like_others() -> None:
    pairs = [*CALL, ("SpeechResult", "x" * 1_000_000)]
    checker = SignatureChecker(GATE, {MAIN: [TOKEN]})
    assert checker.check(MAIN, "/voice", pairs, sign(GATE + "/voice", pairs))
    long_uri = "/" + "x" * 1_000_000
    assert not checker.check(MAIN, long_uri, CALL, sign(GATE + long_uri, CALL))


def test_old_and_new_token_are_accepted_during_a_rotation() -> None:
    checker = SignatureChecker(GATE, {MAIN: [OTHER_TOKEN, TOKEN]})
    for token in (OTHER_TOKEN, TOKEN):
        assert checker.check(MAIN, "/voice", CALL, sign(GATE + "/voice", CALL, token))
    assert not checker.check(MAIN, "/voice", CALL, sign(GATE + "/voice", CALL, "another"))


def test_a_sub_account_signs_with_its_own_token_only() -> None:
    checker = SignatureChecker(GATE, {MAIN: [TOKEN], SUB: [OTHER_TOKEN]})
    pairs = [("AccountSid", SUB), ("CallSid", "CA" + "0" * 32)]
    assert checker.check(SUB, "/voice", pairs, sign(GATE + "/voice", pairs, OTHER_TOKEN))
    assert not checker.check(SUB, "/voice", pairs, sign(GATE + "/voice", pairs, TOKEN))
    assert not checker.check(MAIN, "/voice", pairs, sign(GATE + "/voice", pairs, OTHER_TOKEN))


def test_ipv6_hosts_keep_their_brackets() -> None:
    checker = SignatureChecker("http://[::1]:8080", {MAIN: [TOKEN]})
    assert checker.check(MAIN, "/voice", CALL, sign("http://[::1]:8080/voice", CALL))
    assert checker.check(MAIN, "/voice", CALL, sign("http://[::1]/voice", CALL))


@pytest.mark.parametrize(
    "public_url",
    [
        "",
        "gate.example.com",
        "ftp://gate.example.com",
        "https://",
        "https://gate.example.com/?a=1",
        "https://gate.example.com/#rc=2",
        "https://user:secret@gate.example.com",
        "https://gate.example.com:99999",
    ],
)
def test_a_public_url_that_could_never_match_is_refused(public_url: str) -> None:
    with pytest.raises(ValueError, match=r"public URL|[Pp]ort") as refused:
        SignatureChecker(public_url, {MAIN: [TOKEN]})
    assert "secret" not in str(refused.value)


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="token is empty"):
        SignatureChecker(GATE, {MAIN: [TOKEN, ""]})


def test_tokens_do_not_show_in_a_checkers_repr() -> None:
    assert TOKEN not in repr(SignatureChecker(GATE, {MAIN: [TOKEN]}))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (TOKEN, {MAIN: (TOKEN,)}),
        (f" {TOKEN} , {OTHER_TOKEN} ", {MAIN: (TOKEN, OTHER_TOKEN)}),
        (f"{TOKEN},{SUB}:{OTHER_TOKEN}", {MAIN: (TOKEN,), SUB: (OTHER_TOKEN,)}),
        (f"{SUB}:{OTHER_TOKEN},{TOKEN}", {MAIN: (TOKEN,), SUB: (OTHER_TOKEN,)}),
        (f"{SUB}:old,{SUB}:new,{TOKEN}", {MAIN: (TOKEN,), SUB: ("old", "new")}),
        (f"{MAIN}:{TOKEN}", {MAIN: (TOKEN,)}),
        (f"{TOKEN},{SUB}:{TOKEN}", {MAIN: (TOKEN,), SUB: (TOKEN,)}),
    ],
)
def test_reading_the_tokens_setting(text: str, tokens: dict[str, tuple[str, ...]]) -> None:
    assert parse_tokens(text, MAIN) == tokens


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "entry 1 is empty"),
        (f"{TOKEN},", "entry 2 is empty"),
        (f"{TOKEN},,{OTHER_TOKEN}", "entry 2 is empty"),
        (f"{TOKEN} {OTHER_TOKEN}", "entry 1 .* characters that no token has"),
        (f"{TOKEN}\x00", "entry 1 .* characters that no token has"),
        (f"{TOKEN}é", "entry 1 .* characters that no token has"),
        (f"{TOKEN},{TOKEN}", "entry 2 repeats"),
        (f"{TOKEN},AC12:{OTHER_TOKEN}", "entry 2: what stands before the colon"),
        (f"{OTHER_TOKEN}:{TOKEN}", "entry 1: what stands before the colon"),
        (f"{TOKEN},{SUB}:", "entry 2 is empty"),
        (f"{TOKEN},{SUB}:{OTHER_TOKEN}:x y", "entry 2"),
        (f"{SUB}:{TOKEN}", "the main account has no token"),
    ],
)
def test_a_tokens_setting_that_is_wrong_is_told_without_telling_a_token(
    text: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem) as refused:
        parse_tokens(text, MAIN)
    assert TOKEN not in str(refused.value)
    assert OTHER_TOKEN not in str(refused.value)
