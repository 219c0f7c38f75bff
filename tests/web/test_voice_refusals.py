"""What Twilio did not send, or did not send like this: refused, never a 500, nothing changed."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.typing import EventDict
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # no types
from werkzeug.datastructures import MultiDict
from werkzeug.test import EnvironBuilder, TestResponse

from tests.web.gate import (
    ACCOUNT_SID,
    PUBLIC_URL,
    SUBACCOUNT_TOKEN,
    TOKEN,
    Fields,
    Gate,
    new_call,
    sign,
)

PATHS = ("/voice/incoming", "/voice/status", "/voice/fallback")
FORM = "application/x-www-form-urlencoded"
#: The gate is one for all examples of a property; they change nothing in it.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def post(gate: Gate, path: str, body: bytes, headers: Fields | None = None) -> TestResponse:
    return gate.client.post(path, data=body, content_type=FORM, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "signature",
    [None, "", "x", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "é" * 28, "A" * 28, "A" * 100_000],
)
def test_without_the_right_signature_nothing_happens(
    gate: Gate, logged: list[EventDict], path: str, signature: str | None
) -> None:
    able = gate.open_account(5)
    fields = gate.fields(new_call(), CallStatus="completed")
    headers = {} if signature is None else {"X-Twilio-Signature": signature}
    response = post(gate, path, urlencode(fields).encode(), headers)
    assert response.status_code == 403
    assert response.mimetype == "text/plain"
    assert len(response.data) < 100
    (line,) = logged
    assert (line["event"], line["why"]) == ("voice_request_refused", "bad_signature")
    assert gate.balance(able) == 5
    told = ["account_opened", "account_changed"]  # opened, and given its number
    assert [entry.type for entry in gate.entries(able)] == told


@pytest.mark.parametrize("path", PATHS)
def test_a_signature_holds_for_its_fields_its_url_and_its_account_only(
    gate: Gate, path: str
) -> None:
    able = gate.open_account(5)
    fields = gate.fields(new_call(), CallStatus="completed")
    right = sign(PUBLIC_URL + path, fields)
    elsewhere = sign("https://other.example.com" + path, fields)
    assert gate.post(path, fields, headers={"X-Twilio-Signature": elsewhere}).status_code == 403
    assert (
        gate.post(path + "?x=1", fields, headers={"X-Twilio-Signature": right}).status_code == 403
    )
    other_call = fields | {"CallSid": new_call()}
    assert gate.post(path, other_call, headers={"X-Twilio-Signature": right}).status_code == 403
    assert gate.post(path, fields, token=SUBACCOUNT_TOKEN).status_code == 403
    stranger = fields | {"AccountSid": "AC" + "9" * 32}
    assert gate.post(path, stranger, token=TOKEN).status_code == 403
    assert gate.balance(able) == 5
    assert gate.post(path, fields).status_code == 200


@pytest.mark.parametrize("raw_uri_from", ["RAW_URI", "REQUEST_URI", None])
@pytest.mark.parametrize("query", ["", "next=%2Fa%27b%3A&x=%20", "a=1&a=1", "q='~!*()+%2B%C3%A9"])
def test_each_server_shows_the_request_target_in_its_own_way(
    gate: Gate, query: str, raw_uri_from: str | None
) -> None:
    """gunicorn has RAW_URI, uWSGI REQUEST_URI, granian 2.8 neither."""
    gate.open_account(5)
    target = f"/voice/incoming?{query}" if query else "/voice/incoming"
    fields = gate.fields(new_call())
    environ = EnvironBuilder(method="POST", **gate.signed(target, fields)).get_environ()
    del environ["RAW_URI"], environ["REQUEST_URI"]
    environ["QUERY_STRING"] = query
    if raw_uri_from is not None:
        environ[raw_uri_from] = target
    assert gate.run(environ) == 200


def test_the_host_and_scheme_that_a_request_claims_do_not_count(gate: Gate) -> None:
    gate.open_account(5)
    claims = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "x"}
    assert gate.post("/voice/incoming", gate.fields(new_call()), headers=claims).status_code == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "change",
    [
        {"CallSid": None},
        {"CallSid": "CA1"},
        {"CallSid": "CA" + "g" * 32},
        {"CallSid": "CA" + "1" * 32 + "\n"},
        {"CallSid": "{0}:x" + "1" * 29},
        {"To": None},
        {"To": "15550001111"},
        {"To": "sip:x@example.com"},
        {"Direction": None},
        {"Direction": "outbound-api", "From": "anonymous"},
        {"ParentCallSid": "nonsense"},
    ],
)
def test_signed_but_misshapen_is_a_bad_request(
    gate: Gate, logged: list[EventDict], path: str, change: Fields
) -> None:
    able = gate.open_account(5)
    fields = gate.fields(new_call(), **({"CallStatus": "completed"} | change))
    response = gate.post(path, fields)
    assert response.status_code == 400
    assert response.mimetype == "text/plain"
    (line,) = logged
    assert line["why"] == "misshapen"
    assert not any(value and value in json.dumps(line) for value in change.values())
    assert gate.balance(able) == 5


@pytest.mark.parametrize("sid", [None, "", "AC1", "AC" + "z" * 32])
def test_without_a_twilio_account_there_is_no_token_to_check_with(
    gate: Gate, sid: str | None
) -> None:
    fields = gate.fields(new_call(), AccountSid=sid)
    assert gate.post("/voice/incoming", fields, token=TOKEN).status_code == 403


def test_names_and_values_that_run_together_are_not_taken_apart_anew(gate: Gate) -> None:
    """Nothing stands between names and values where they are signed."""
    able = gate.open_account(5)
    fields = gate.fields(new_call())
    run_together = dict(fields)
    name = f"CallSid{run_together.pop('CallSid')}CallStatus"
    run_together[name] = run_together.pop("CallStatus")
    signature = sign(PUBLIC_URL + "/voice/incoming", fields)
    assert signature == sign(PUBLIC_URL + "/voice/incoming", run_together)
    assert gate.post("/voice/incoming", run_together).status_code == 400
    assert gate.balance(able) == 5


@pytest.mark.parametrize("status", [None, "", "ended", "COMPLETED", "completed "])
def test_an_unknown_call_status_is_a_bad_request(gate: Gate, status: str | None) -> None:
    able = gate.open_account(5)
    call = new_call()
    gate.incoming(call)
    assert gate.post("/voice/status", gate.fields(call, CallStatus=status)).status_code == 400
    assert gate.balance(able) == 4


def test_a_field_given_twice_is_a_bad_request(gate: Gate) -> None:
    able = gate.open_account(5)
    fields = gate.fields(new_call())
    twice = MultiDict([*fields.items(), ("To", "+15550002222")])
    signature = RequestValidator(TOKEN).compute_signature(PUBLIC_URL + "/voice/incoming", twice)
    body = urlencode(list(twice.items(multi=True))).encode()
    response = post(gate, "/voice/incoming", body, {"X-Twilio-Signature": signature})
    assert response.status_code == 400
    assert gate.balance(able) == 5


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(gate: Gate, path: str, method: str) -> None:
    assert gate.client.open(path, method=method).status_code == 405


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_too_large_is_refused(gate: Gate, path: str) -> None:
    fields = gate.fields(new_call(), Padding="x" * 70_000)
    assert gate.post(path, fields).status_code == 413


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [1000, 200_000])
def test_a_body_without_a_length_is_read_within_bounds(gate: Gate, path: str, size: int) -> None:
    fields = gate.fields(new_call(), CallStatus="completed", Padding="x" * size)
    environ = EnvironBuilder(method="POST", **gate.signed(path, fields)).get_environ()
    del environ["CONTENT_LENGTH"]
    assert gate.run(dict(environ)) == 403  # nothing says where it ends
    environ["wsgi.input"].seek(0)
    environ["wsgi.input_terminated"] = True
    environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    assert gate.run(environ) == (200 if size < 65_536 else 413)


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "\xff"])
def test_the_content_type_does_not_matter_the_signature_does(gate: Gate, content_type: str) -> None:
    gate.open_account(5)
    fields = gate.fields(new_call())
    headers = {"Content-Type": content_type}
    assert gate.post("/voice/incoming", fields, headers=headers).status_code == 200


PLAUSIBLE = st.sampled_from(
    [
        b"AccountSid=" + ACCOUNT_SID.encode(),
        b"CallSid=CA" + b"1" * 32,
        b"To=%2B15550001111",
        b"Direction=inbound",
        b"%",
        b"%zz=%ff",
        b"&&&=",
        b"\xff\xfe",
        b"a=%F0%9F",
        b"=;=;",
    ]
)
BODIES = st.one_of(st.binary(max_size=2000), st.lists(PLAUSIBLE, max_size=8).map(b"&".join))
HEADER_VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=200
)


@SHARED
@given(
    path=st.sampled_from(PATHS),
    body=BODIES,
    signature=HEADER_VALUES,
    content_type=HEADER_VALUES,
    query=st.binary(max_size=50),
    length=st.one_of(st.none(), st.text(max_size=30)),
)
def test_whatever_a_stranger_sends_is_refused(
    gate: Gate,
    path: str,
    body: bytes,
    signature: str,
    content_type: str,
    query: bytes,
    length: str | None,
) -> None:
    environ = EnvironBuilder(path=path, method="POST", data=body).get_environ()
    environ["HTTP_X_TWILIO_SIGNATURE"] = signature
    environ["CONTENT_TYPE"] = content_type
    environ["QUERY_STRING"] = query.decode("latin-1")
    del environ["RAW_URI"], environ["REQUEST_URI"]
    if length is not None:
        environ["CONTENT_LENGTH"] = length
    assert gate.run(environ) in {403, 413}


@SHARED
@given(
    path=st.sampled_from(PATHS),
    fields=st.dictionaries(
        st.sampled_from(
            [
                *("CallSid", "From", "To", "CallStatus", "Direction", "ParentCallSid"),
                *("CallDuration", "ErrorCode", "ErrorUrl", "CallerName", "Ünknown"),
            ]
        ),
        st.text(max_size=60).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)),
    ),
)
def test_whatever_twilio_signs_is_answered_or_a_bad_request(
    gate: Gate, path: str, fields: Fields
) -> None:
    signed = gate.fields(new_call(), To="+15550009999") | fields
    assert gate.post(path, signed).status_code in {200, 400}
