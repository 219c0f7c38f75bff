"""Whole calls: what the gate is asked, what the caller experiences, how the call ends."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from twilio.request_validator import (  # type: ignore[import-untyped]  # it has no types
    RequestValidator,
)

from gatekeeper.sandbox.caller import (
    IDEMPOTENCY_HEADER,
    SIGNATURE_HEADER,
    Answered,
    Call,
    ConnectionPolicy,
    Dropped,
    Empty,
    Failed,
    NotLoopbackError,
    Rejected,
    TerminalStatus,
    TwilioCaller,
)
from tests.sandbox.recording_gate import Answer, RecordingGate, Request

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
CALL_SID = "CA" + "fedcba9876543210" * 2
PARENT_SID = "CA" + "00112233445566778899aabbccddeeff"
TOKEN = "0123456789abcdef0123456789abcdef"
OURS, THEIRS = "+14155550100", "+14155550199"

THROUGH = Answer("<Response><Redirect>https://ai.example/voice</Redirect></Response>")
DROP = Answer('<Response><Say language="en-US">Sorry.</Say><Hangup/></Response>')


@pytest.fixture
def gate() -> Iterator[RecordingGate]:
    with RecordingGate() as running:
        running.answers["/incoming"] = THROUGH
        yield running


@pytest.fixture
def caller(gate: RecordingGate) -> Iterator[TwilioCaller]:
    with caller_of(gate) as made:
        yield made


def caller_of(
    gate: RecordingGate, policy: ConnectionPolicy | None = None, *, seed: int | None = None
) -> TwilioCaller:
    return TwilioCaller(
        f"{gate.origin}/incoming",
        f"{gate.origin}/status",
        f"{gate.origin}/fallback",
        account_sid=ACCOUNT_SID,
        auth_token=TOKEN,
        policy=policy,
        seed=seed,
    )


def paths(gate: RecordingGate) -> list[str]:
    return [request.path for request in gate.requests]


# What the gate is asked.


def test_an_inbound_call_sends_what_twilio_sends(gate: RecordingGate, caller: TwilioCaller) -> None:
    caller.call(to=OURS, from_=THEIRS, call_sid=CALL_SID)
    asked = gate.asked("/incoming")[0].parameters
    assert asked.pop("CallToken").startswith("%7B%22parentCallInfoToken%22")
    assert asked == {
        "AccountSid": ACCOUNT_SID,
        "ApiVersion": "2010-04-01",
        "CallSid": CALL_SID,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "StirVerstat": "TN-Validation-Passed-A",
        "From": THEIRS,
        "Caller": THEIRS,
        "To": OURS,
        "Called": OURS,
    } | {
        f"{party}{part}": value
        for party in ("From", "Caller", "To", "Called")
        for part, value in {
            "City": "SAN FRANCISCO",
            "State": "CA",
            "Zip": "94105",
            "Country": "US",
        }.items()
    }


def test_an_outbound_call_asks_once_it_is_picked_up(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    caller.call(to=THEIRS, from_=OURS, direction="outbound-api")
    asked = gate.asked("/incoming")[0].parameters
    assert asked["Direction"] == "outbound-api"
    assert (asked["From"], asked["To"]) == (OURS, THEIRS)
    assert asked["CallStatus"] == "in-progress"
    assert "StirVerstat" not in asked


def test_details_that_some_calls_have(gate: RecordingGate, caller: TwilioCaller) -> None:
    call = Call(
        account_sid=ACCOUNT_SID,
        call_sid=CALL_SID,
        to=OURS,
        from_="anonymous",
        caller_name='O\'Hara & "Söhne"',
        forwarded_from="+4930123456",
        parent_call_sid=PARENT_SID,
        stir_verstat="No-TN-Validation",
        extra={"SipHeader_X-Tenant": "7", "BrandNew": ""},
    )
    caller.run(call)
    asked = gate.asked("/incoming")[0].parameters
    assert asked["From"] == asked["Caller"] == "anonymous"
    assert asked["FromCity"] == asked["CallerCountry"] == ""
    assert asked["CallerName"] == 'O\'Hara & "Söhne"'
    assert asked["ForwardedFrom"] == asked["CalledVia"] == "+4930123456"
    assert asked["ParentCallSid"] == PARENT_SID
    assert asked["StirVerstat"] == "No-TN-Validation"
    assert asked["SipHeader_X-Tenant"] == "7"
    assert asked["BrandNew"] == ""


def test_every_request_is_signed(gate: RecordingGate, caller: TwilioCaller) -> None:
    gate.answers["/incoming"] = Answer(status=500)
    caller.call(to=OURS, from_=THEIRS)
    assert paths(gate) == ["/incoming", "/fallback", "/status"]
    for request in gate.requests:
        assert RequestValidator(TOKEN).validate(
            gate.origin + request.target, request.parameters, request.headers[SIGNATURE_HEADER]
        )


def test_call_sids_look_like_twilios_and_repeat_with_the_seed(gate: RecordingGate) -> None:
    def sids(seed: int | None) -> list[str]:
        with caller_of(gate, seed=seed) as caller:
            return [caller.new_call(to=OURS, from_=THEIRS).call_sid for _ in range(100)]

    assert sids(7) == sids(7)
    assert len({*sids(7), *sids(8), *sids(None)}) == 300
    assert all(len(sid) == 34 and sid.startswith("CA") for sid in sids(7))
    assert all(int(sid[2:], 16) >= 0 for sid in sids(7))


# What the caller experiences.


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (THROUGH, Answered("redirect", "https://ai.example/voice")),
        (DROP, Dropped("Sorry.", "en-US")),
        (Answer("<Response><Reject/></Response>"), Rejected("rejected")),
        (Answer("<Response/>"), Empty()),
    ],
)
def test_the_answer_is_performed(
    gate: RecordingGate, caller: TwilioCaller, answer: Answer, outcome: object
) -> None:
    gate.answers["/incoming"] = answer
    result = caller.call(to=OURS, from_=THEIRS)
    assert result.outcome == outcome
    assert gate.asked("/fallback") == []


@pytest.mark.parametrize(
    ("broken", "error_code"),
    [
        (Answer(status=500), "11200"),
        (Answer(status=403), "11200"),
        (Answer(status=302, headers={"Location": "/incoming"}), "11215"),
        (Answer("x" * 65_537), "11750"),
        (Answer("<Response>"), "12100"),
        (Answer("<Response><Sing/></Response>"), "12200"),
        (Answer(content_type="text/plain"), "12300"),
    ],
)
def test_a_broken_answer_goes_to_the_fallback_with_its_error(
    gate: RecordingGate, caller: TwilioCaller, broken: Answer, error_code: str
) -> None:
    gate.answers["/incoming"] = broken
    gate.answers["/fallback"] = DROP
    result = caller.call(to=OURS, from_=THEIRS)
    assert result.outcome == Dropped("Sorry.", "en-US")
    [fallback] = gate.asked("/fallback")
    assert fallback.parameters["ErrorCode"] == error_code
    assert fallback.parameters["ErrorUrl"] == f"{gate.origin}/incoming"
    assert fallback.parameters["CallSid"] == result.call.call_sid
    tokens = {request.headers[IDEMPOTENCY_HEADER] for request in gate.requests}
    assert len(tokens) >= 2  # the fallback is another request, not a retry


def test_an_answer_that_is_too_late_goes_to_the_fallback(gate: RecordingGate) -> None:
    released = threading.Event()

    def late(_request: Request) -> Answer:
        released.wait(10)
        return THROUGH

    gate.answers |= {"/incoming": late, "/fallback": DROP}
    with caller_of(gate, ConnectionPolicy(total_timeout_s=0.1)) as caller:
        result = caller.call(to=OURS, from_=THEIRS)
    released.set()
    assert result.outcome == Dropped("Sorry.", "en-US")
    assert gate.asked("/fallback")[0].parameters["ErrorCode"] == "11200"


def test_a_gate_that_is_down_goes_to_the_fallback(gate: RecordingGate) -> None:
    with RecordingGate() as gone:
        down = f"{gone.origin}/incoming"
    with TwilioCaller(
        down, None, f"{gate.origin}/fallback", account_sid=ACCOUNT_SID, auth_token=TOKEN
    ) as caller:
        result = caller.call(to=OURS, from_=THEIRS)
    assert result.outcome == Empty()
    assert gate.asked("/fallback")[0].parameters["ErrorCode"] == "11205"
    assert [exchange.status for exchange in result.exchanges] == [None, None, 200]


def test_when_the_fallback_fails_too_the_call_has_failed(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    gate.answers |= {"/incoming": Answer(status=500), "/fallback": Answer("nonsense")}
    outcome = caller.call(to=OURS, from_=THEIRS).outcome
    assert isinstance(outcome, Failed)
    assert outcome.error_code == 12100


def test_without_a_fallback_the_error_is_the_outcome(gate: RecordingGate) -> None:
    gate.answers["/incoming"] = Answer(status=500)
    with TwilioCaller(
        f"{gate.origin}/incoming", account_sid=ACCOUNT_SID, auth_token=TOKEN
    ) as caller:
        result = caller.call(to=OURS, from_=THEIRS)
    assert result.outcome == Failed(11200, "HTTP status 500")
    assert result.statuses == ()


# Duplicates.


def test_duplicates_one_after_the_other_are_consistent(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    result = caller.call(to=OURS, from_=THEIRS, duplicates=2)
    assert len(result.rings) == 3
    assert result.consistent
    asked = gate.asked("/incoming")
    assert {request.parameters["CallSid"] for request in asked} == {result.call.call_sid}
    assert len({request.headers[IDEMPOTENCY_HEADER] for request in asked}) == 3


def test_duplicates_arrive_at_the_same_time_on_request(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    together = threading.Barrier(3)

    def meet(_request: Request) -> Answer:
        together.wait(10)  # passes only when all three are under way
        return THROUGH

    gate.answers["/incoming"] = meet
    result = caller.call(to=OURS, from_=THEIRS, duplicates=2, concurrently=True)
    assert [ring.outcome for ring in result.rings] == [
        Answered("redirect", "https://ai.example/voice")
    ] * 3
    assert result.consistent


def test_a_gate_that_changes_its_mind_is_found_out(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    gate.answers["/incoming"] = lambda _: THROUGH if len(gate.requests) == 1 else DROP
    result = caller.call(to=OURS, from_=THEIRS, duplicates=1)
    assert not result.consistent
    assert result.outcome == Answered("redirect", "https://ai.example/voice")


# The end of a call.


def test_a_completed_call_reports_its_length_once(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    result = caller.call(to=OURS, from_=THEIRS, duration_s=61)
    assert paths(gate) == ["/incoming", "/status"]
    ringing, ended = (request.parameters for request in gate.requests)
    assert ended["CallStatus"] == "completed"
    assert (ended["CallDuration"], ended["Duration"]) == ("61", "2")
    assert ended["Timestamp"].endswith("+0000")
    assert {**ended, "CallStatus": "ringing"}.items() >= ringing.items()
    assert [delivery.final.status for delivery in result.statuses] == [200]


def test_a_dropped_call_is_over_once_its_message_was_heard(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    gate.answers["/incoming"] = DROP
    caller.call(to=OURS, from_=THEIRS)
    [ended] = gate.asked("/status")
    assert ended.parameters["CallStatus"] == "completed"
    assert 0 < int(ended.parameters["CallDuration"]) < 10


@pytest.mark.parametrize("end", ["busy", "no-answer", "failed", "canceled"])
def test_a_call_that_was_not_completed_has_no_length(
    gate: RecordingGate, caller: TwilioCaller, end: TerminalStatus
) -> None:
    caller.call(to=OURS, from_=THEIRS, end=end)
    ended = gate.asked("/status")[0].parameters
    assert ended["CallStatus"] == end
    assert ended["CallDuration"] == "0"


@pytest.mark.parametrize(("reason", "end"), [("rejected", "no-answer"), ("busy", "busy")])
def test_a_rejected_call_is_never_completed(
    gate: RecordingGate, caller: TwilioCaller, reason: str, end: str
) -> None:
    gate.answers["/incoming"] = Answer(f'<Response><Reject reason="{reason}"/></Response>')
    caller.call(to=OURS, from_=THEIRS)
    assert gate.asked("/status")[0].parameters["CallStatus"] == end


def test_the_status_comes_twice_never_or_first_on_request(
    gate: RecordingGate, caller: TwilioCaller
) -> None:
    caller.call(to=OURS, from_=THEIRS, status_copies=2)
    assert paths(gate) == ["/incoming", "/status", "/status"]
    gate.requests.clear()
    late = caller.call(to=OURS, from_=THEIRS, status_copies=0)
    assert paths(gate) == ["/incoming"]
    caller.hang_up(late.call, "busy")
    assert paths(gate) == ["/incoming", "/status"]
    gate.requests.clear()
    caller.call(to=OURS, from_=THEIRS, status_first=True)
    assert paths(gate) == ["/status", "/incoming"]


def test_steps_can_be_taken_one_by_one(gate: RecordingGate, caller: TwilioCaller) -> None:
    call = caller.new_call(to=OURS, from_=THEIRS)
    caller.hang_up(call, "canceled")
    assert caller.ring(call).outcome == Answered("redirect", "https://ai.example/voice")
    caller.hang_up(call, "completed", duration_s=5)
    assert paths(gate) == ["/status", "/incoming", "/status"]
    assert {request.parameters["CallSid"] for request in gate.requests} == {call.call_sid}


def test_many_calls_at_the_same_time(gate: RecordingGate, caller: TwilioCaller) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda _: caller.call(to=OURS, from_=THEIRS), range(100)))
    assert all(isinstance(result.outcome, Answered) for result in results)
    assert len({result.call.call_sid for result in results}) == 100
    assert len(gate.asked("/incoming")) == len(gate.asked("/status")) == 100


# What is refused.


def test_targets_beyond_this_machine_are_refused() -> None:
    elsewhere = "https://gate.example/voice"
    for urls in (
        [elsewhere],
        ["http://127.0.0.1/", elsewhere],
        ["http://127.0.0.1/", None, elsewhere],
    ):
        with pytest.raises(NotLoopbackError, match=r"gate\.example"):
            TwilioCaller(*urls, account_sid=ACCOUNT_SID, auth_token=TOKEN)


def test_misshapen_sids_are_refused(caller: TwilioCaller) -> None:
    with pytest.raises(ValueError, match="AccountSid"):
        TwilioCaller("http://127.0.0.1/", account_sid="AC1", auth_token=TOKEN)
    with pytest.raises(ValueError, match="CallSid"):
        caller.new_call(to=OURS, from_=THEIRS, call_sid="CA1")


def test_hanging_up_without_a_status_url_is_refused() -> None:
    with TwilioCaller("http://127.0.0.1/", account_sid=ACCOUNT_SID, auth_token=TOKEN) as caller:
        call = caller.new_call(to=OURS, from_=THEIRS)
        with pytest.raises(ValueError, match="no status URL"):
            caller.hang_up(call)
