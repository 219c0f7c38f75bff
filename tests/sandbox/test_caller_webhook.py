"""One webhook of the caller: what is sent, what is tried again, where it is followed to."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from twilio.request_validator import (  # type: ignore[import-untyped]  # it has no types
    RequestValidator,
)

from gatekeeper.sandbox.caller import (
    IDEMPOTENCY_HEADER,
    SIGNATURE_HEADER,
    ConnectionPolicy,
    Failure,
    NotLoopbackError,
)
from gatekeeper.sandbox.caller.webhook import WebhookSender
from tests.sandbox.recording_gate import Answer, RecordingGate, Request

TOKEN = "0123456789abcdef0123456789abcdef"
PARAMETERS = {"CallSid": "CA1", "From": "+14155550100", "FromCity": "", "Note": "a&b=c +\u00e9%"}
NOBODY = "http://127.0.0.1:1"  # a port that only the system's own services may listen on


@pytest.fixture
def gate() -> Iterator[RecordingGate]:
    with RecordingGate() as running:
        yield running


@pytest.fixture
def sender() -> Iterator[WebhookSender]:
    with closing(WebhookSender(TOKEN, ConnectionPolicy())) as made:
        yield made


def signed(request: Request, origin: str) -> bool:
    valid: bool = RequestValidator(TOKEN).validate(
        origin + request.target, request.parameters, request.headers[SIGNATURE_HEADER]
    )
    return valid


# What is sent.


def test_the_parameters_arrive_as_a_signed_form(gate: RecordingGate, sender: WebhookSender) -> None:
    delivery = sender.send(f"{gate.origin}/voice?tenant=%27a%2Fb&x=1", PARAMETERS)
    [request] = gate.requests
    assert request.method == "POST"
    assert request.parameters == PARAMETERS
    assert len(request.pairs) == len(PARAMETERS)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=UTF-8"
    assert signed(request, gate.origin)
    assert delivery.error_code is None
    assert delivery.final.status == 200
    assert delivery.final.body == b"<Response/>"
    assert delivery.final.elapsed_s > 0


def test_behind_a_proxy_the_public_url_is_signed(gate: RecordingGate) -> None:
    with closing(WebhookSender(TOKEN, ConnectionPolicy(), "https://gate.example/phone/")) as sender:
        delivery = sender.send(f"{gate.origin}/voice?a=1", PARAMETERS)
    [request] = gate.requests
    assert request.target == "/voice?a=1"
    assert signed(request, "https://gate.example/phone")
    assert not signed(request, gate.origin)
    assert delivery.url == "https://gate.example/phone/voice?a=1"


def test_the_fragment_is_neither_sent_nor_signed(
    gate: RecordingGate, sender: WebhookSender
) -> None:
    sender.send(f"{gate.origin}/voice#rc=2&rp=5xx", PARAMETERS)
    [request] = gate.requests
    assert request.target == "/voice"
    assert signed(request, gate.origin)


def test_the_token_is_in_no_repr(sender: WebhookSender, gate: RecordingGate) -> None:
    delivery = sender.send(f"{gate.origin}/voice", PARAMETERS)
    assert TOKEN not in repr(sender) + repr(delivery)


# What is tried again.


def test_a_failed_connection_is_tried_once_more(sender: WebhookSender) -> None:
    delivery = sender.send(f"{NOBODY}/voice", PARAMETERS)
    assert [each.failure for each in delivery.exchanges] == [Failure.CONNECTION] * 2
    assert delivery.error_code == 11205


@pytest.mark.parametrize(("status", "error_code"), [(403, 11200), (500, 11200), (503, 11200)])
def test_an_http_error_is_not_tried_again_by_default(
    gate: RecordingGate, sender: WebhookSender, status: int, error_code: int
) -> None:
    gate.answers["/voice"] = Answer(status=status)
    delivery = sender.send(f"{gate.origin}/voice", PARAMETERS)
    assert len(gate.requests) == 1
    assert delivery.error_code == error_code


@pytest.mark.parametrize(
    ("status", "fragment", "times"),
    [
        (500, "rc=2&rp=5xx", 3),
        (500, "rp=4xx,5xx", 2),
        (500, "rp=all", 2),
        (500, "rp=4xx", 1),
        (500, "rc=0&rp=5xx", 1),
        (429, "rc=5&rp=4xx", 6),
        (200, "rc=5&rp=all", 1),
    ],
)
def test_on_request_an_http_error_is_tried_again(
    gate: RecordingGate, sender: WebhookSender, status: int, fragment: str, times: int
) -> None:
    gate.answers["/voice"] = Answer(status=status)
    delivery = sender.send(f"{gate.origin}/voice#{fragment}", PARAMETERS)
    assert len(gate.requests) == len(delivery.exchanges) == times


def test_a_retry_that_succeeds_is_the_answer(gate: RecordingGate, sender: WebhookSender) -> None:
    gate.answers["/voice"] = lambda _: Answer(status=500 if len(gate.requests) == 1 else 200)
    delivery = sender.send(f"{gate.origin}/voice#rp=5xx", PARAMETERS)
    assert [each.status for each in delivery.exchanges] == [500, 200]
    assert delivery.error_code is None


def test_only_retries_of_one_request_share_an_idempotency_token(
    gate: RecordingGate, sender: WebhookSender
) -> None:
    gate.answers["/voice"] = Answer(status=500)
    sender.send(f"{gate.origin}/voice#rp=5xx", PARAMETERS)
    sender.send(f"{gate.origin}/voice", PARAMETERS)
    first, retry, other = (request.headers[IDEMPOTENCY_HEADER] for request in gate.requests)
    assert first == retry
    assert first != other


@pytest.mark.parametrize(("fragment", "times"), [("", 1), ("#rp=rt", 2), ("#rp=ct", 1)])
def test_silence_is_tried_again_only_on_request(
    gate: RecordingGate, fragment: str, times: int
) -> None:
    released = threading.Event()
    gate.answers["/voice"] = lambda _: Answer() if released.wait(10) else Answer(status=500)
    policy = ConnectionPolicy(read_timeout_s=0.1, total_timeout_s=10)
    with closing(WebhookSender(TOKEN, policy)) as sender:
        delivery = sender.send(f"{gate.origin}/voice{fragment}", PARAMETERS)
    released.set()
    assert [each.failure for each in delivery.exchanges] == [Failure.TIMEOUT] * times
    assert delivery.error_code == 11200


def test_retries_end_with_the_total_time(gate: RecordingGate) -> None:
    released = threading.Event()
    gate.answers["/voice"] = lambda _: Answer() if released.wait(10) else Answer(status=500)
    policy = ConnectionPolicy(total_timeout_s=0.1, retry_count=5, retry_on=frozenset({"all"}))
    with closing(WebhookSender(TOKEN, policy)) as sender:
        delivery = sender.send(f"{gate.origin}/voice", PARAMETERS)
    released.set()
    assert len(delivery.exchanges) == 1


# Where it is followed to.


@pytest.mark.parametrize(
    ("status", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST")]
)
def test_a_redirect_is_followed_and_signed_anew(
    gate: RecordingGate, sender: WebhookSender, status: int, method: str
) -> None:
    gate.answers["/voice"] = Answer(status=status, headers={"Location": "/moved?to=1"})
    delivery = sender.send(f"{gate.origin}/voice", PARAMETERS)
    [moved] = gate.asked("/moved")
    assert moved.method == method
    assert moved.parameters == (PARAMETERS if method == "POST" else {})
    assert signed(moved, gate.origin)
    assert delivery.error_code is None


def test_ten_redirects_are_followed_and_no_more(gate: RecordingGate, sender: WebhookSender) -> None:
    def count_down(request: Request) -> Answer:
        left = int(request.target.partition("?")[2])
        if left == 0:
            return Answer()
        return Answer(status=307, headers={"Location": f"/voice?{left - 1}"})

    gate.answers["/voice"] = count_down
    assert sender.send(f"{gate.origin}/voice?10", PARAMETERS).error_code is None
    gate.requests.clear()
    assert sender.send(f"{gate.origin}/voice?11", PARAMETERS).error_code == 11215
    assert len(gate.requests) == 11


@pytest.mark.parametrize(
    "answer", [Answer(status=302), Answer(status=308, headers={"Location": "/moved"})]
)
def test_an_invalid_redirect_is_an_error(
    gate: RecordingGate, sender: WebhookSender, answer: Answer
) -> None:
    gate.answers["/voice"] = answer
    assert sender.send(f"{gate.origin}/voice", PARAMETERS).error_code == 11216
    assert len(gate.requests) == 1


def test_a_redirect_away_from_this_machine_is_refused(
    gate: RecordingGate, sender: WebhookSender
) -> None:
    gate.answers["/voice"] = Answer(status=302, headers={"Location": "http://gate.example/"})
    with pytest.raises(NotLoopbackError, match=r"gate\.example"):
        sender.send(f"{gate.origin}/voice", PARAMETERS)


# Connection overrides.


def test_overrides_change_the_policy() -> None:
    policy = ConnectionPolicy().overridden_by("ct=250&rt=1500&tt=15000&rc=3&rp=ct,5xx&sni=y&e=ie1")
    assert policy == ConnectionPolicy(
        connect_timeout_s=0.25,
        read_timeout_s=1.5,
        total_timeout_s=15,
        retry_count=3,
        retry_on=frozenset({"ct", "5xx"}),
    )


def test_without_a_fragment_twilios_defaults_hold() -> None:
    assert ConnectionPolicy().overridden_by("") == ConnectionPolicy(
        connect_timeout_s=5,
        read_timeout_s=15,
        total_timeout_s=15,
        retry_count=1,
        retry_on=frozenset({"ct"}),
    )


@pytest.mark.parametrize(
    "fragment", ["ct=99", "ct=10001", "rt=15001", "rc=6", "rc=-1", "rc=", "rp=6xx", "rp=", "top=1"]
)
def test_overrides_that_twilio_does_not_know_are_refused(fragment: str) -> None:
    with pytest.raises(ValueError, match=r"override|retry policy"):
        ConnectionPolicy().overridden_by(fragment)
