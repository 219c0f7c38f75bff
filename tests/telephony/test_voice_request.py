from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatekeeper.domain.call import CallEnd, CallId, Direction
from gatekeeper.telephony.request import (
    LIVE_STATUSES,
    MAX_BODY_BYTES,
    MAX_FIELDS,
    TERMINAL_STATUSES,
    MisshapenRequest,
    VoiceRequest,
    parse_form,
)

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
CALL_SID = "CA" + "0123456789ABCDEF" * 2
PARENT_SID = "CA" + "f" * 32
CALLER, GATE = "+15551234534", "+18005551212"

INCOMING = {
    "AccountSid": ACCOUNT_SID,
    "ApiVersion": "2010-04-01",
    "CallSid": CALL_SID,
    "CallStatus": "ringing",
    "Called": GATE,
    "Caller": CALLER,
    "CallerName": "JOSÉ & CO",
    "Direction": "inbound",
    "From": CALLER,
    "FromZip": "",
    "StirVerstat": "TN-Validation-Passed-A",
    "To": GATE,
}


def request_with(**changes: str | None) -> VoiceRequest:
    """Read the incoming call with some parameters changed, or left out where None."""
    fields = {**INCOMING, **changes}
    return VoiceRequest.from_pairs([(k, v) for k, v in fields.items() if v is not None])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_what_a_browser_encodes_is_decoded(pairs: list[tuple[str, str]]) -> None:
    assert parse_form(urlencode(pairs).encode()) == pairs


@settings(max_examples=250)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text("ab=&;%+2B8fFcC3éÃ\x00 ", max_size=60).map(str.encode),
        st.lists(
            st.sampled_from(["%", "%2", "%2B", "%252B", "%C3", "%A9", "=", "&", "+", "é"])
        ).map(lambda parts: "".join(parts).encode()),
    )
)
@example(b"a=%C3%A9&b=+%2B&c&=d&&e=%zz&f=g=h")
@example(b"a=%FF")
@example(b"a=\xff")
@example(b"%FF=a")
def test_bodies_are_decoded_as_the_standard_library_does(body: bytes) -> None:
    try:
        expected = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(MisshapenRequest, match="UTF-8"):
            parse_form(body)
    else:
        assert parse_form(body) == expected


def test_repeats_and_blanks_are_kept_in_order() -> None:
    assert parse_form(b"a=2&b=&a=1&a=2&c") == [
        ("a", "2"),
        ("b", ""),
        ("a", "1"),
        ("a", "2"),
        ("c", ""),
    ]


def test_bodies_are_limited() -> None:
    fields = b"&".join([b"a=1"] * MAX_FIELDS)
    assert len(parse_form(fields)) == MAX_FIELDS
    with pytest.raises(MisshapenRequest, match="fields"):
        parse_form(fields + b"&a=1")
    assert parse_form(b"a=" + b"x" * (MAX_BODY_BYTES - 2))
    with pytest.raises(MisshapenRequest, match="bytes"):
        parse_form(b"a=" + b"x" * (MAX_BODY_BYTES - 1))


def test_an_incoming_call() -> None:
    request = request_with()
    assert request.call == CallId(ACCOUNT_SID, CALL_SID)
    assert request.gate_number == GATE
    assert request.direction is Direction.INBOUND
    assert not request.is_child_leg
    assert request.end is None
    assert request.duration_s is None
    assert request.error_code is None


@pytest.mark.parametrize(
    "caller", ["anonymous", "sip:a@example.com", "", "+266696687", "\x1b[31m", "\N{GRINNING FACE}"]
)
def test_a_caller_may_be_anything(caller: str) -> None:
    assert request_with(From=caller).from_number == caller
    assert request_with(From=None).from_number == ""


@pytest.mark.parametrize("direction", ["outbound-api", "outbound-dial"])
def test_the_account_of_an_outbound_call_is_found_by_from(direction: str) -> None:
    request = request_with(Direction=direction, From=GATE, To="sip:guest@example.com")
    assert request.direction is Direction.OUTBOUND
    assert request.gate_number == GATE


@pytest.mark.parametrize(
    "direction", ["inbound", "trunking-originating", "INBOUND", " outbound", "'", "\x00", "9" * 999]
)
def test_a_direction_that_is_not_known_is_taken_for_a_call_to_us(direction: str) -> None:
    request = request_with(Direction=direction)
    assert request.direction is Direction.INBOUND
    assert request.gate_number == GATE


def test_a_child_leg_is_known_by_its_parent() -> None:
    request = request_with(ParentCallSid=PARENT_SID, Direction="outbound-dial", From="anonymous")
    assert request.is_child_leg
    assert request.parent_call_sid == PARENT_SID
    assert not request_with(ParentCallSid="").is_child_leg


def test_the_fallback_says_what_went_wrong() -> None:
    request = request_with(ErrorCode="11200", ErrorUrl="https://gate.example.com/voice/incoming")
    assert request.error_code == "11200"
    assert request.error_url == "https://gate.example.com/voice/incoming"


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("AccountSid", None),
        ("AccountSid", ""),
        ("AccountSid", "AC123"),
        ("AccountSid", CALL_SID),
        ("AccountSid", ACCOUNT_SID + "\n"),
        ("AccountSid", "AC" + "g" * 32),
        ("AccountSid", "AC" + "１" * 32),  # noqa: RUF001 - full-width digits
        ("CallSid", None),
        ("CallSid", ""),
        ("CallSid", ACCOUNT_SID),
        ("CallSid", CALL_SID + "0"),
        ("CallSid", CALL_SID[:-1] + "}"),
        ("ParentCallSid", "<script>"),
        ("To", None),
        ("To", ""),
        ("To", "anonymous"),
        ("To", "sip:gate@example.sip.twilio.com"),
        ("To", "+1555<b>"),
        ("Direction", None),
        ("Direction", ""),
    ],
)
def test_a_misshapen_parameter_is_named_and_its_value_is_not(
    parameter: str, value: str | None
) -> None:
    with pytest.raises(MisshapenRequest, match=parameter) as refused:
        request_with(**{parameter: value})
    assert not value or value not in str(refused.value)


def test_an_outbound_call_needs_a_number_in_from() -> None:
    with pytest.raises(MisshapenRequest, match="From"):
        request_with(Direction="outbound-api", From="anonymous")


@pytest.mark.parametrize("parameter", ["CallSid", "AccountSid", "To", "From", "CallStatus"])
@pytest.mark.parametrize("same", [True, False])
def test_a_parameter_that_matters_is_given_once(parameter: str, same: bool) -> None:
    pairs = [*INCOMING.items(), (parameter, INCOMING[parameter] if same else "other")]
    with pytest.raises(MisshapenRequest, match=f"{parameter} is given more than once"):
        VoiceRequest.from_pairs(pairs)


def test_other_parameters_may_repeat() -> None:
    pairs = [*INCOMING.items(), ("SipHeader_X-Hop", "1"), ("SipHeader_X-Hop", "2")]
    assert VoiceRequest.from_pairs(pairs) == request_with()


def test_names_and_values_run_together_are_not_a_call() -> None:
    # It has the signature of {AccountSid: AC…, CallSid: CA…}: nothing between them is signed.
    pairs = [("AccountSid" + ACCOUNT_SID + "CallSid", CALL_SID)]
    with pytest.raises(MisshapenRequest, match="AccountSid"):
        VoiceRequest.from_pairs(pairs)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("completed", CallEnd.COMPLETED),
        ("busy", CallEnd.BUSY),
        ("failed", CallEnd.FAILED),
        ("no-answer", CallEnd.NO_ANSWER),
        ("canceled", CallEnd.CANCELED),
    ],
)
def test_terminal_statuses_tell_how_the_call_ended(status: str, end: CallEnd) -> None:
    assert request_with(CallStatus=status).end is end
    assert status in TERMINAL_STATUSES
    assert status not in LIVE_STATUSES


@pytest.mark.parametrize("status", ["queued", "initiated", "ringing", "in-progress", "answered"])
def test_live_statuses_are_no_end(status: str) -> None:
    assert request_with(CallStatus=status).end is None
    assert status in LIVE_STATUSES
    assert status not in TERMINAL_STATUSES


@pytest.mark.parametrize("status", [None, "", "Completed", "exploded", "<b>"])
def test_an_unknown_status_matters_only_when_the_end_is_asked_for(status: str | None) -> None:
    request = request_with(CallStatus=status)
    with pytest.raises(MisshapenRequest, match="CallStatus") as refused:
        _ = request.end
    assert not status or status not in str(refused.value)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("0", 0), ("61", 61), (None, None), ("", None), ("-1", None), ("1.5", None), ("9" * 10, None)],
)
def test_the_duration_is_a_whole_number_of_seconds_or_unknown(
    duration: str | None, seconds: int | None
) -> None:
    assert request_with(CallStatus="completed", CallDuration=duration).duration_s == seconds


def test_a_callers_number_does_not_show_in_a_repr() -> None:
    assert CALLER not in repr(request_with())
    assert GATE not in repr(request_with())


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from([*INCOMING, "ParentCallSid", "x"]), st.text()), max_size=9)
)
def test_any_other_form_is_misshapen_and_never_another_error(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(MisshapenRequest):
        VoiceRequest.from_pairs(pairs)
