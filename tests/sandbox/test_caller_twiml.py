"""TwiML as the caller takes it: what each document comes to, and what is refused."""

import inspect

import pytest
from twilio.twiml import voice_response  # type: ignore[import-untyped]  # it has no types

from gatekeeper.sandbox.caller import (
    Answered,
    Dropped,
    Empty,
    Failed,
    Outcome,
    Rejected,
    experience,
)
from gatekeeper.sandbox.caller.twiml_rules import RULES

PROLOG = '<?xml version="1.0" encoding="UTF-8"?>'


def outcome(inner: str) -> Outcome:
    return experience("text/xml", f"{PROLOG}<Response>{inner}</Response>".encode())


def error_code(content_type: str, body: bytes) -> int:
    failed = experience(content_type, body)
    assert isinstance(failed, Failed), failed
    return failed.error_code


# What the caller experiences.


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("", Empty()),
        ("  \n ", Empty()),
        ("<Reject/>", Rejected("rejected")),
        ('<Reject reason="busy"/>', Rejected("busy")),
        ("<Reject/><Say>Never heard</Say>", Rejected("rejected")),
        ("<Hangup/>", Dropped()),
        ("<Say>Sorry.</Say><Hangup/>", Dropped("Sorry.")),
        ("<Say>Sorry.</Say>", Dropped("Sorry.")),
        ("<Say>Too late</Say><Reject/>", Dropped("Too late")),
        (
            '<Pause length="1"/><Say language="de-DE" voice="Polly.Vicki">Tut uns leid.</Say>'
            '<Say language="en-GB">Sorry.</Say><Hangup/><Say>Never heard</Say>',
            Dropped("Tut uns leid. Sorry.", "de-DE", "Polly.Vicki"),
        ),
        ("<Say>A &amp; B &lt;c&gt;</Say>", Dropped("A & B <c>")),
        (
            "<Redirect method='POST'>https://ai.example/voice?a=1&amp;b=2</Redirect>",
            Answered("redirect", "https://ai.example/voice?a=1&b=2"),
        ),
        ("<Redirect>/next</Redirect>", Answered("redirect", "/next")),
        (
            '<Connect><Stream url="wss://ai.example/media">'
            '<Parameter name="account" value="7"/></Stream></Connect>',
            Answered("stream", "wss://ai.example/media", {"account": "7"}),
        ),
        (
            '<Say>One moment.</Say><Connect action="/done">'
            '<ConversationRelay url="wss://ai.example/relay?v=1" welcomeGreeting="Hi"/></Connect>',
            Answered("conversation_relay", "wss://ai.example/relay?v=1", text="One moment."),
        ),
        ("<Dial>+14155550100</Dial>", Answered("number", "+14155550100")),
        (
            '<Dial answerOnBridge="true" timeout="20"><Number>+14155550100</Number></Dial>',
            Answered("number", "+14155550100"),
        ),
        (
            '<Dial><Sip username="u" password="p">sip:desk@pbx.example</Sip></Dial>',
            Answered("sip", "sip:desk@pbx.example"),
        ),
    ],
)
def test_the_outcome(inner: str, expected: Outcome) -> None:
    assert outcome(inner) == expected


@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "application/xml", "text/xml; charset=utf-8", "Application/XML;charset=UTF-8"],
)
def test_the_content_types_of_twiml(content_type: str) -> None:
    assert experience(content_type, b"<Response><Reject/></Response>") == Rejected("rejected")


# What is refused, with Twilio's error code.


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "text/html", "application/json", "text/xmlish"]
)
def test_other_content_types(content_type: str) -> None:
    assert error_code(content_type, b"<Response/>") == 12300


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"OK",
        b"<Response>",
        b"<Response/><Response/>",
        b"\n" + PROLOG.encode() + b"<Response/>",
        b" " + PROLOG.encode() + b"<Response/>",
        b"<Response><Say>A & B</Say></Response>",
        b"<Response><Say>\x07</Say></Response>",
        b"<Response><Say>&#7;</Say></Response>",
        b"<Response><Say>&#127;</Say></Response>",
        "<Response><Say>\x85</Say></Response>".encode(),
        b"<Response><Reject reason='\xc2\x9b'/></Response>",
        b"<Response><Say>\xff</Say></Response>",
        b'<?xml version="1.0" encoding="klingon"?><Response/>',
        b'<?xml version="1.0" encoding="utf-7"?><Response/>',
        b'<!DOCTYPE Response [<!ENTITY a "b">]><Response><Say>&a;</Say></Response>',
        b"<!DOCTYPE Response><Response/>",
    ],
)
def test_what_cannot_be_parsed(body: bytes) -> None:
    assert error_code("text/xml", body) == 12100


def test_up_to_64_kib_is_taken() -> None:
    frame = b"<Response><Reject/><!----></Response>"
    fitting = frame.replace(b"<!---->", b"<!--" + b"x" * (64 * 1024 - len(frame)) + b"-->")
    assert len(fitting) == 64 * 1024
    assert experience("text/xml", fitting) == Rejected("rejected")
    assert error_code("text/xml", fitting.replace(b"x-->", b"xx-->")) == 11750


@pytest.mark.parametrize(
    "body",
    [
        "<response/>",
        "<Reject/>",
        "<Response version='1'/>",
        "<Response>Hello</Response>",
        "<Response><say>Hello</say></Response>",
        "<Response><Say/></Response>",
        "<Response><Say>  </Say></Response>",
        f"<Response><Say>{'x' * 4097}</Say></Response>",
        "<Response><Say><Reject/></Say></Response>",
        "<Response><Say lang='en'>Hello</Say></Response>",
        "<Response><Say language='english please'>Hello</Say></Response>",
        "<Response><Say loop='-1'>Hello</Say></Response>",
        "<Response><Say loop='\u0661'>Hello</Say></Response>",
        "<Response><Play>not a url</Play></Response>",
        "<Response><Pause length='long'/></Response>",
        "<Response><Hangup reason='busy'/></Response>",
        "<Response><Reject reason='unpaid'/></Response>",
        "<Response><Reject>Sorry</Reject></Response>",
        "<Response><Redirect/></Response>",
        "<Response><Redirect method='PUT'>https://ai.example/</Redirect></Response>",
        "<Response><Redirect>ftp://ai.example/</Redirect></Response>",
        "<Response><Redirect>https://</Redirect></Response>",
        "<Response><Redirect>https://[broken/</Redirect></Response>",
        "<Response><Connect/></Response>",
        "<Response><Connect>wss://ai.example/</Connect></Response>",
        "<Response><Connect><Number>+14155550100</Number></Connect></Response>",
        "<Response><Connect><Stream/></Connect></Response>",
        "<Response><Connect><Stream url='https://ai.example/'/></Connect></Response>",
        "<Response><Connect><Stream url='wss://ai.example/?a=1'/></Connect></Response>",
        "<Response><Connect><Stream url='wss://ai.example/' track='both_tracks'/>"
        "</Connect></Response>",
        "<Response><Connect><Stream url='wss://a.b/'/><Stream url='wss://a.b/'/>"
        "</Connect></Response>",
        "<Response><Connect><Stream url='wss://a.b/'><Parameter name='a'/></Stream>"
        "</Connect></Response>",
        "<Response><Connect><Stream url='wss://a.b/'>"
        f"<Parameter name='a' value='{'x' * 499}'/></Stream></Connect></Response>",
        "<Response><Connect><ConversationRelay url='ws://ai.example/'/></Connect></Response>",
        "<Response><Dial/></Response>",
        "<Response><Dial>call me</Dial></Response>",
        "<Response><Dial>+14155550100<Number>+14155550100</Number></Dial></Response>",
        "<Response><Dial answerOnBridge='yes'>+14155550100</Dial></Response>",
        "<Response><Dial><Sip>desk@pbx.example</Sip></Dial></Response>",
        "<Response><Gather/></Response>",
        "<t:Response xmlns:t='urn:t'/>",
    ],
)
def test_what_breaks_the_rules(body: str) -> None:
    assert error_code("text/xml", body.encode()) == 12200


# The rules and Twilio's library.

VoiceResponse = voice_response.VoiceResponse


def test_no_rule_allows_what_twilios_library_does_not_know() -> None:
    methods = {
        "Say": VoiceResponse.say,
        "Play": VoiceResponse.play,
        "Pause": VoiceResponse.pause,
        "Hangup": VoiceResponse.hangup,
        "Reject": VoiceResponse.reject,
        "Redirect": VoiceResponse.redirect,
        "Connect": VoiceResponse.connect,
        "Dial": VoiceResponse.dial,
        "Stream": voice_response.Connect.stream,
        "ConversationRelay": voice_response.Connect.conversation_relay,
        "Parameter": voice_response.Stream.parameter,
        "Number": voice_response.Dial.number,
        "Sip": voice_response.Dial.sip,
    }
    assert set(methods) | {"Response"} == set(RULES)
    for name, method in methods.items():
        known = {parameter.replace("_", "") for parameter in inspect.signature(method).parameters}
        unknown = {each for each in RULES[name].attributes if each.lower() not in known}
        assert not unknown, f"<{name}> has no {unknown} in Twilio's library"


def test_what_twilios_library_builds_is_taken() -> None:
    stream = VoiceResponse()
    connect = stream.connect(action="https://gate.example/done", method="POST")
    connect.stream(url="wss://ai.example/media", name="calls").parameter(name="call", value="1")
    dial = VoiceResponse()
    dial.dial(answer_on_bridge=True, caller_id="+14155550100").sip("sip:desk@pbx.example")
    drop = VoiceResponse()
    drop.say("We can't take your call.", voice="Polly.Joanna", language="en-US")
    drop.hangup()
    assert [experience("text/xml", str(built).encode()) for built in (stream, dial, drop)] == [
        Answered("stream", "wss://ai.example/media", {"call": "1"}),
        Answered("sip", "sip:desk@pbx.example"),
        Dropped("We can't take your call.", "en-US", "Polly.Joanna"),
    ]


def test_what_twilios_library_lets_pass_is_not() -> None:
    made_up = VoiceResponse()
    made_up.say("Hello", tone="angry")
    bell = VoiceResponse()
    bell.say("Hello\x07")
    assert error_code("text/xml", str(made_up).encode()) == 12200
    assert error_code("text/xml", str(bell).encode()) == 12100
