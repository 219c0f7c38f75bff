from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.domain.route import (
    DEFAULT_DROP_MESSAGE,
    DropMessage,
    InvalidDropMessage,
    InvalidRoute,
    Route,
    RouteKind,
)

HOST = "receptionist.example.com"

VALID_TARGETS = [
    (RouteKind.REDIRECT, f"https://{HOST}/twiml?tenant=7&mode=a%20b"),
    (RouteKind.REDIRECT, "http://127.0.0.1:8080/twiml"),
    (RouteKind.REDIRECT, "https://[::1]:8443/twiml"),
    (RouteKind.REDIRECT, f"https://user:secret@{HOST}/twiml#rc=2&rp=5xx"),
    (RouteKind.STREAM, f"wss://{HOST}/media"),
    (RouteKind.CONVERSATION_RELAY, f"wss://{HOST}/relay?tenant=7"),
    (RouteKind.SIP, "sip:reception@example.com"),
    (RouteKind.SIP, "sips:+15551234567@example.com:5061;transport=tls;region=ie1"),
    (RouteKind.SIP, "sip:example.com"),
    (RouteKind.SIP, "sip:a@example.com?X-Tenant=7&X-Mode=a%20b"),
    (RouteKind.NUMBER, "+15551234567"),
]

INVALID_TARGETS = [
    (RouteKind.REDIRECT, ""),
    (RouteKind.REDIRECT, "receptionist.example.com/twiml"),
    (RouteKind.REDIRECT, "ftp://example.com/"),
    (RouteKind.REDIRECT, "javascript:alert(1)"),
    (RouteKind.REDIRECT, "https://"),
    (RouteKind.REDIRECT, "https:///twiml"),
    (RouteKind.REDIRECT, "https://example.com:99999/"),
    (RouteKind.REDIRECT, "https://example.com:0/"),
    (RouteKind.REDIRECT, "https://example.com:http/"),
    (RouteKind.REDIRECT, "https://[::1/"),
    (RouteKind.REDIRECT, "https://voice_hook.example.com/"),  # Twilio refuses underscores
    (RouteKind.REDIRECT, "https://-example.com/"),
    (RouteKind.REDIRECT, "https://example.com/a b"),
    (RouteKind.REDIRECT, "https://example.com/\n"),
    (RouteKind.REDIRECT, "https://example.com/<Hangup/>"),
    (RouteKind.REDIRECT, 'https://example.com/"'),
    (RouteKind.REDIRECT, "https://exämple.com/"),
    (RouteKind.REDIRECT, "https://example.com/" + "a" * 2048),
    (RouteKind.STREAM, "ws://example.com/media"),  # Twilio error 31922
    (RouteKind.STREAM, "https://example.com/media"),
    (RouteKind.STREAM, "wss://example.com/media?tenant=7"),  # Twilio error 31920
    (RouteKind.STREAM, "wss://example.com/media#x"),
    (RouteKind.CONVERSATION_RELAY, "ws://example.com/relay"),
    (RouteKind.CONVERSATION_RELAY, "wss://example.com/relay#x"),
    (RouteKind.SIP, "sip:"),
    (RouteKind.SIP, "sip:alice@"),
    (RouteKind.SIP, "tel:+15551234567"),
    (RouteKind.SIP, "sip:alice@example.com\r\nX: y"),
    (RouteKind.SIP, "sip:ali ce@example.com"),
    (RouteKind.SIP, "sip:" + "a" * 250 + "@example.com"),
    (RouteKind.SIP, "sip:a@example.com?X=" + "a" * 1024),
    (RouteKind.NUMBER, "5551234567"),
    (RouteKind.NUMBER, "+1 555 123 4567"),
    (RouteKind.NUMBER, "anonymous"),
]


@pytest.mark.parametrize(("kind", "target"), VALID_TARGETS)
def test_targets_that_twilio_can_follow(kind: RouteKind, target: str) -> None:
    route = Route(kind, target)
    assert (route.kind, route.target) == (kind, target)


@pytest.mark.parametrize(("kind", "target"), INVALID_TARGETS)
def test_targets_it_cannot_are_refused(kind: RouteKind, target: str) -> None:
    with pytest.raises(InvalidRoute):
        Route(kind, target)


@pytest.mark.parametrize("kind", RouteKind)
def test_a_refusal_does_not_repeat_what_was_given(kind: RouteKind) -> None:
    for target in ("hunter2\x1b[31m", "https://hunter2 @x/", "sip:hunter2@", "wss://hunter2_/"):
        with pytest.raises(InvalidRoute) as refused:
            Route(kind, target)
        assert "hunter2" not in str(refused.value)
        assert refused.value.__cause__ is None


@given(st.sampled_from(RouteKind), st.text())
def test_any_other_text_is_refused_and_never_another_error(kind: RouteKind, target: str) -> None:
    with pytest.raises(InvalidRoute):
        Route(kind, "\N{SNOWMAN}" + target)


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        (f"https://{HOST}/twiml", RouteKind.REDIRECT, f"https://{HOST}/twiml"),
        (f" http://{HOST}/\n", RouteKind.REDIRECT, f"http://{HOST}/"),
        (f"wss://{HOST}/media", RouteKind.STREAM, f"wss://{HOST}/media"),
        (
            f"conversation_relay:wss://{HOST}/relay",
            RouteKind.CONVERSATION_RELAY,
            f"wss://{HOST}/relay",
        ),
        ("sip:a@example.com", RouteKind.SIP, "sip:a@example.com"),
        ("SIPS:a@example.com", RouteKind.SIP, "SIPS:a@example.com"),
        ("+15551234567", RouteKind.NUMBER, "+15551234567"),
    ],
)
def test_the_form_of_a_target_tells_its_kind(text: str, kind: RouteKind, target: str) -> None:
    assert Route.parse(text) == Route(kind, target)


@pytest.mark.parametrize("text", ["", "15551234567", "ws://x.example/", "mailto:a@b.c", "+1", "x"])
def test_unclear_targets_are_refused(text: str) -> None:
    with pytest.raises(InvalidRoute):
        Route.parse(text)


def test_options_belong_to_the_kinds_that_have_them() -> None:
    stream, relay, sip = f"wss://{HOST}/m", f"wss://{HOST}/r", "sip:a@example.com"
    Route(RouteKind.STREAM, stream, parameters=(("tenant", "7"), ("name", 'Søren & "Co"')))
    Route(RouteKind.CONVERSATION_RELAY, relay, parameters=(("tenant", "7"),))
    Route(
        RouteKind.CONVERSATION_RELAY,
        relay,
        welcome_greeting="Hello!",
        language="de-DE",
        voice="de-DE-Journey-F",
    )
    Route(RouteKind.SIP, sip, answer_on_bridge=False)
    with pytest.raises(InvalidRoute, match="parameters belong"):
        Route(RouteKind.SIP, sip, parameters=(("tenant", "7"),))
    with pytest.raises(InvalidRoute, match="answer_on_bridge belongs"):
        Route(RouteKind.STREAM, stream, answer_on_bridge=False)
    with pytest.raises(InvalidRoute, match="welcome_greeting, language and voice belong"):
        Route(RouteKind.STREAM, stream, language="de-DE")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ((("", "7"),), "must have a name"),
        ((("a", "1"), ("a", "2")), "must not occur twice"),
        ((("a", "x" * 499),), "longer than 499"),
        ((("a", "x\x00"),), "control characters"),
        ((("a\n", "x"),), "control characters"),
        (tuple((f"p{n}", "") for n in range(11)), "may have 10"),
    ],
)
def test_parameters_twilio_would_not_take(
    parameters: tuple[tuple[str, str], ...], problem: str
) -> None:
    with pytest.raises(InvalidRoute, match=problem):
        Route(RouteKind.STREAM, f"wss://{HOST}/m", parameters=parameters)


def test_credentials_in_a_route_do_not_show_in_its_repr() -> None:
    redirect = Route(RouteKind.REDIRECT, f"https://user:hunter2@{HOST}/?key=hunter2")
    stream = Route(RouteKind.STREAM, f"wss://{HOST}/m", parameters=(("token", "hunter2"),))
    assert "hunter2" not in repr(redirect)
    assert "hunter2" not in repr(stream)


ROUTES = st.one_of(
    st.sampled_from(VALID_TARGETS).map(lambda pair: Route(*pair)),
    st.builds(
        Route,
        st.just(RouteKind.STREAM),
        st.just(f"wss://{HOST}/media"),
        parameters=st.dictionaries(
            st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20),
            st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20),
            max_size=10,
        ).map(lambda parameters: tuple(parameters.items())),
    ),
    st.builds(
        Route,
        st.just(RouteKind.CONVERSATION_RELAY),
        st.just(f"wss://{HOST}/relay"),
        welcome_greeting=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=100),
        language=st.sampled_from(["", "en-US", "es-419", "cmn-Hans-CN", "multi"]),
        voice=st.sampled_from(["", "en-US-Journey-O", "ZF6FPAbjXT4488VcRRnw-flash_v2_5-1.2_1.0"]),
    ),
    st.builds(
        Route,
        st.just(RouteKind.NUMBER),
        st.just("+15551234567"),
        answer_on_bridge=st.booleans(),
    ),
)


@settings(deadline=None)
@given(ROUTES)
def test_a_route_survives_being_stored(route: Route) -> None:
    text = route.to_text()
    assert Route.from_text(text) == route
    assert text.encode().decode() == text
    assert "\n" not in text


def test_a_plain_route_is_stored_compactly() -> None:
    text = Route(RouteKind.NUMBER, "+15551234567").to_text()
    assert text == '{"kind":"number","target":"+15551234567"}'


STORED_ROUTES_OF_NO_ROUTE = [
    "",
    "null",
    "[]",
    "{}",
    "https://example.com/",
    "[" * 100_000,
    '{"kind":"number"}',
    '{"target":"+15551234567"}',
    '{"kind":"teleport","target":"+15551234567"}',
    '{"kind":"number","target":15551234567}',
    '{"kind":["number"],"target":"+15551234567"}',
    '{"kind":"number","target":"+15551234567","record":"true"}',
    '{"kind":"number","target":"+15551234567","answer_on_bridge":1}',
    '{"kind":"stream","target":"wss://example.com/","parameters":["a"]}',
    '{"kind":"stream","target":"wss://example.com/","parameters":{"a":1}}',
    '{"kind":"redirect","target":"javascript:alert(1)"}',
]


@pytest.mark.parametrize("text", STORED_ROUTES_OF_NO_ROUTE)
def test_stored_text_is_not_trusted(text: str) -> None:
    with pytest.raises(InvalidRoute):
        Route.from_text(text)


def test_callers_hear_nothing_about_billing() -> None:
    words = DEFAULT_DROP_MESSAGE.text.lower()
    assert "call can't be taken" in words
    for word in ("credit", "balance", "pay", "card", "bill", "account", "customer", "top"):
        assert word not in words


def test_line_breaks_in_a_message_become_spaces() -> None:
    message = DropMessage("  We are closed.\r\nGoodbye.\n")
    assert message.text == "We are closed.  Goodbye."


@pytest.mark.parametrize("voice", ["alice", "man", "Polly.Joanna-Neural", "Google.en-US-Neural2-A"])
@pytest.mark.parametrize("language", ["en-US", "es-419", "cmn-CN", "sr-rs", "de"])
def test_twilios_voices_and_languages_are_taken(voice: str, language: str) -> None:
    assert DropMessage("Goodbye.", language, voice).voice == voice


@pytest.mark.parametrize(
    ("text", "language", "voice", "problem"),
    [
        ("", "en-US", "alice", "1 to 500 characters"),
        (" \r\n\t", "en-US", "alice", "1 to 500 characters"),
        ("a" * 501, "en-US", "alice", "1 to 500 characters"),
        ("bell\x07", "en-US", "alice", "control characters"),
        ("c1 \x85", "en-US", "alice", "control characters"),
        ("half \ud83d", "en-US", "alice", "control characters"),
        ("not xml \uffff", "en-US", "alice", "control characters"),
        ("Goodbye.", "", "alice", "language"),
        ("Goodbye.", "english please", "alice", "language"),
        ("Goodbye.", 'en" loop="0', "alice", "language"),
        ("Goodbye.", "en-US\n", "alice", "language"),
        ("Goodbye.", "en-US", "", "voice"),
        ("Goodbye.", "en-US", "Polly Joanna", "voice"),
        ("Goodbye.", "en-US", "x" * 65, "voice"),
    ],
)
def test_messages_that_cannot_be_spoken(text: str, language: str, voice: str, problem: str) -> None:
    with pytest.raises(InvalidDropMessage, match=problem) as refused:
        DropMessage(text, language, voice)
    assert str(refused.value).isascii()


@pytest.mark.parametrize(
    "message",
    [
        DEFAULT_DROP_MESSAGE,
        DropMessage('Tom & Jerry\'s <b>"office"</b> is closed \N{WAVING HAND SIGN}', "en-GB"),
        DropMessage("Grüß Gott, 请稍后再拨", "de-AT", "Polly.Hannah-Neural"),
    ],
)
def test_a_message_survives_being_stored(message: DropMessage) -> None:
    assert DropMessage.from_text(message.to_text()) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Goodbye.",
        "[]",
        "{}",
        json.dumps({"text": 7}),
        json.dumps({"text": "Goodbye.", "loop": "0"}),
        json.dumps({"text": "Goodbye.", "voice": ""}),
    ],
)
def test_stored_messages_are_not_trusted(text: str) -> None:
    with pytest.raises(InvalidDropMessage):
        DropMessage.from_text(text)
