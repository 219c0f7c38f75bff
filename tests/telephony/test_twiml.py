from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.domain.route import (
    DEFAULT_DROP_MESSAGE,
    DropMessage,
    InvalidDropMessage,
    Route,
    RouteKind,
)
from gatekeeper.telephony.twiml import (
    TWIML_CONTENT_TYPE,
    answer_twiml,
    drop_twiml,
    empty_twiml,
    reject_twiml,
)

HOST = "receptionist.example.com"
LARGEST_TWIML_BYTES = 64 * 1024

# What Twilio's documentation allows where, as far as the gate has any use for it:
# element → (elements it may stand in, attribute → shape of its value).
ALLOWED: dict[str, tuple[set[str], dict[str, str]]] = {
    "Say": ({"Response"}, {"voice": r"[\w.-]+", "language": r"[A-Za-z]+(-[A-Za-z0-9]+)*"}),
    "Hangup": ({"Response"}, {}),
    "Reject": ({"Response"}, {"reason": "rejected|busy"}),
    "Redirect": ({"Response"}, {"method": "GET|POST"}),
    "Connect": ({"Response"}, {}),
    "Stream": ({"Connect"}, {"url": r"wss://[^\s?#]+"}),
    "ConversationRelay": (
        {"Connect"},
        {
            "url": r"wss://[^\s#]+",
            "welcomeGreeting": r".+",
            "language": r"[A-Za-z]+(-[A-Za-z0-9]+)*",
            "voice": r"[\w.-]+",
        },
    ),
    "Parameter": ({"Stream", "ConversationRelay"}, {"name": r".+", "value": r".*"}),
    "Dial": ({"Response"}, {"answerOnBridge": "true|false"}),
    "Sip": ({"Dial"}, {}),
    "Number": ({"Dial"}, {}),
}
WITH_TEXT = {"Say", "Redirect", "Sip", "Number"}


def parse(document: bytes) -> ET.Element:
    """Parse TwiML as strictly as Twilio could, and check it against the allow-list."""
    assert document.startswith(b'<?xml version="1.0" encoding="UTF-8"?><Response')
    assert len(document) < LARGEST_TWIML_BYTES
    root = ET.fromstring(document)
    assert (root.tag, root.attrib) == ("Response", {})
    check_children(root)
    return root


def check_children(parent: ET.Element) -> None:
    assert parent.text is None or parent.tag in WITH_TEXT
    for child in parent:
        parents, attributes = ALLOWED[child.tag]
        assert parent.tag in parents
        assert child.tail is None
        for name, value in child.attrib.items():
            assert re.fullmatch(attributes[name], value), (child.tag, name)
        check_children(child)


def outline(element: ET.Element) -> list[tuple[str, dict[str, str], str | None]]:
    return [(e.tag, e.attrib, e.text) for e in element.iter()][1:]


def test_a_redirect_goes_to_the_receptionists_own_twiml() -> None:
    url = f"https://{HOST}/twiml?tenant=7&name=O'Hara%20%22Sons%22#rc=2"
    document = answer_twiml(Route(RouteKind.REDIRECT, url))
    assert outline(parse(document)) == [("Redirect", {"method": "POST"}, url)]


def test_a_stream_carries_its_parameters() -> None:
    route = Route(
        RouteKind.STREAM,
        f"wss://{HOST}/media",
        parameters=(("tenant", "7"), ('a&b"<', "Søren & 'Co' <\"x\"> \N{TELEPHONE RECEIVER}")),
    )
    assert outline(parse(answer_twiml(route))) == [
        ("Connect", {}, None),
        ("Stream", {"url": f"wss://{HOST}/media"}, None),
        ("Parameter", {"name": "tenant", "value": "7"}, None),
        (
            "Parameter",
            {"name": 'a&b"<', "value": "Søren & 'Co' <\"x\"> \N{TELEPHONE RECEIVER}"},
            None,
        ),
    ]


def test_a_conversation_relay_with_and_without_its_options() -> None:
    url = f"wss://{HOST}/relay?tenant=7&mode=b"
    plain = Route(RouteKind.CONVERSATION_RELAY, url)
    assert outline(parse(answer_twiml(plain))) == [
        ("Connect", {}, None),
        ("ConversationRelay", {"url": url}, None),
    ]
    full = Route(
        RouteKind.CONVERSATION_RELAY,
        url,
        parameters=(("tenant", "7"),),
        welcome_greeting="Tom & Jerry's <office>",
        language="en-GB",
        voice="en-GB-Journey-F",
    )
    assert outline(parse(answer_twiml(full))) == [
        ("Connect", {}, None),
        (
            "ConversationRelay",
            {
                "url": url,
                "welcomeGreeting": "Tom & Jerry's <office>",
                "language": "en-GB",
                "voice": "en-GB-Journey-F",
            },
            None,
        ),
        ("Parameter", {"name": "tenant", "value": "7"}, None),
    ]


def test_dialled_routes_answer_the_caller_when_the_far_end_does() -> None:
    sip = Route(RouteKind.SIP, "sip:a@example.com;transport=tls?X-A=1&X-B=2")
    assert outline(parse(answer_twiml(sip))) == [
        ("Dial", {"answerOnBridge": "true"}, None),
        ("Sip", {}, "sip:a@example.com;transport=tls?X-A=1&X-B=2"),
    ]
    number = Route(RouteKind.NUMBER, "+15551234567")
    assert outline(parse(answer_twiml(number))) == [
        ("Dial", {"answerOnBridge": "true"}, None),
        ("Number", {}, "+15551234567"),
    ]
    at_once = Route(RouteKind.NUMBER, "+15551234567", answer_on_bridge=False)
    assert outline(parse(answer_twiml(at_once))) == [
        ("Dial", {}, None),
        ("Number", {}, "+15551234567"),
    ]


def test_a_dropped_call_is_told_and_hung_up() -> None:
    assert outline(parse(drop_twiml(DEFAULT_DROP_MESSAGE))) == [
        ("Say", {"voice": "Polly.Joanna-Neural", "language": "en-US"}, DEFAULT_DROP_MESSAGE.text),
        ("Hangup", {}, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Tom & Jerry",
        "</Say><Dial>+15551234567</Dial><Say>",
        "<![CDATA[x]]> ]]> <!-- x -->",
        "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;",
        "\"quoted\" and 'quoted' &amp; &#60;",
        "Grüß Gott, 请稍后再拨 \N{WAVING HAND SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}",
        "first line\nsecond line\r\nthird\tline",
        "{{ config }} ${x} %s {0}",
    ],
)
def test_hostile_text_is_spoken_and_nothing_else(text: str) -> None:
    message = DropMessage(text, "de-DE", "alice")
    say, hangup = parse(drop_twiml(message))
    assert (say.tag, say.text) == ("Say", message.text)
    assert hangup.tag == "Hangup"
    assert say.text is not None
    assert say.text.split() == text.split()


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=500))
def test_every_message_that_is_accepted_is_spoken_as_it_is(text: str) -> None:
    try:
        message = DropMessage(text)
    except InvalidDropMessage:
        return
    say, _ = parse(drop_twiml(message))
    assert say.text == message.text


def test_unknown_numbers_are_rejected_unanswered() -> None:
    assert outline(parse(reject_twiml())) == [("Reject", {}, None)]


def test_child_legs_get_no_instructions() -> None:
    assert outline(parse(empty_twiml())) == []


def test_the_largest_documents_stay_under_twilios_limit() -> None:
    # `"` in an attribute and `&` in text take the most bytes when escaped.
    parameters = tuple((f"{n}" + '"' * 249, '"' * 249) for n in range(10))
    largest = [
        answer_twiml(
            Route(
                RouteKind.CONVERSATION_RELAY,
                f"wss://{HOST}/?" + "&" * (2048 - len(f"wss://{HOST}/?")),
                parameters=parameters,
                welcome_greeting='"' * 500,
            )
        ),
        drop_twiml(DropMessage("&" * 500)),
        drop_twiml(DropMessage("\N{WAVING HAND SIGN}" * 500)),
    ]
    for document in largest:
        parse(document)
        assert len(document) < LARGEST_TWIML_BYTES


def test_documents_are_built_once() -> None:
    text = Route(RouteKind.NUMBER, "+15557654321").to_text()
    assert answer_twiml(Route.from_text(text)) is answer_twiml(Route.from_text(text))
    assert drop_twiml(DropMessage("Goodbye.")) is drop_twiml(DropMessage("Goodbye."))


def test_twilio_takes_the_content_type_for_twiml() -> None:
    assert TWIML_CONTENT_TYPE in ("text/xml", "application/xml")
