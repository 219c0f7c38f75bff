"""Who may look at the dashboard, and who may change anything by it."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient
from rq import Queue
from rq.job import Job, JobStatus

from gatekeeper.ledger.ledger import Ledger
from gatekeeper.web.ops import CHANGING_VIEWS, PREFIX, READING_VIEWS, DashboardApp, register_ops
from tests.web.ops.conftest import ADMIN, SESSION_COOKIE, Browsers

Addresses = list[tuple[str, str]]
Stored = Callable[[], dict[str, bytes]]


def test_nothing_is_served_unless_registered() -> None:
    bare = Flask("main", static_folder=None).test_client()
    for path in (f"{PREFIX}/", f"{PREFIX}/0/data/queues.json", f"{PREFIX}/static/css/main.css"):
        assert bare.get(path).status_code == 404


METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE")


def test_who_is_not_signed_in_is_sent_to(addresses: Addresses, app: Flask, origin: str) -> None:
    nobody = app.test_client()
    for _, path in [*addresses, ("none", f"{PREFIX}/no/such/page"), ("none", PREFIX)]:
        for method in METHODS:
            answer = nobody.open(path, method=method, headers={"Origin": origin})
            assert answer.status_code == 303, (method, path)
            where, _, query = answer.headers["Location"].partition("?")
            assert where == "/sign-in"
            if method in {"GET", "HEAD"}:
                (back,) = parse_qs(query)["next"]
                assert back.rstrip("/") == path.rstrip("/")


def test_for_others_than_admins_there_is_nothing(
    addresses: Addresses, app: Flask, browser_of: Browsers, origin: str
) -> None:
    member = browser_of(app, "member@example.com")
    for _, path in [*addresses, ("none", f"{PREFIX}/no/such/page"), ("none", PREFIX)]:
        for method in METHODS:
            answer = member.open(path, method=method, headers={"Origin": origin})
            assert answer.status_code == 404, (method, path)


def test_who_was_signed_out_gets_nothing(client: FlaskClient, ledger: Ledger) -> None:
    assert client.get(f"{PREFIX}/").status_code == 200
    ledger.sessions.end_all(ADMIN)
    assert client.get(f"{PREFIX}/").status_code == 303


@pytest.mark.parametrize("shown", ["", "x", "é", "x" * 4000])
def test_an_odd_cookie_or_a_password_is_nobody(app: Flask, shown: str) -> None:
    nobody = app.test_client()
    nobody.set_cookie(SESSION_COOKIE, shown, secure=True)
    assert nobody.get(f"{PREFIX}/", auth=("oncall", "secret")).status_code == 303


def test_the_rest_of_the_application_is_untouched(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert "Content-Security-Policy" not in answer.headers
    assert client.get("/ops/queues-of-another-kind/").status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"queue_redis_url": "redis://:hunter2/and@127.0.0.1:1/0"},
        {"queue_redis_url": "http://:hunter2@127.0.0.1:1/0"},
        {"public_origin": "gate.example.com"},
        {"public_origin": "ftp://gate.example.com"},
        {"public_origin": "https://gate.example.com:port"},
    ],
)
def test_what_cannot_be_checked_against_is_refused_at_the_start(changed: dict[str, str]) -> None:
    given = {
        "queue_redis_url": "redis://127.0.0.1:1/0",
        "public_origin": "https://gate.example.com",
    }
    with pytest.raises(ValueError, match=r"dashboard|origin") as refused:
        register_ops(Flask("main"), admit=lambda: None, **(given | changed))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("configured", "sent"),
    [
        ("HTTPS://Gate.Example.com:443/", "https://gate.example.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
@pytest.mark.usefixtures("connection")
def test_the_origin_is_compared_as_browsers_write_it(port: int, configured: str, sent: str) -> None:
    app = Flask("main", static_folder=None)
    register_ops(
        app,
        queue_redis_url=f"redis://127.0.0.1:{port}/0",
        admit=lambda: None,
        public_origin=configured,
    )
    answer = app.test_client().post(f"{PREFIX}/requeue/charges", headers={"Origin": sent})
    assert answer.status_code == 200


def test_every_view_is_known_to_read_or_to_change(addresses: Addresses) -> None:
    """A view that a later rq-dashboard brings must be looked at, then listed in ops.py."""
    assert {view for view, _ in addresses} == READING_VIEWS | CHANGING_VIEWS
    assert not READING_VIEWS & CHANGING_VIEWS


def test_a_view_that_is_not_listed_is_not_served(
    dashboard: DashboardApp, client: FlaskClient
) -> None:
    dashboard.add_url_rule("/later", "rq_dashboard.later", lambda: "served")
    assert client.get(f"{PREFIX}/later").status_code == 404


@pytest.mark.usefixtures("jobs")
def test_reading_changes_nothing(
    addresses: Addresses, client: FlaskClient, origin: str, stored: Stored
) -> None:
    before = stored()
    for view, path in addresses:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
            answer = client.open(path, method=method, headers={"Origin": origin})
            reads = view in READING_VIEWS and method in {"GET", "HEAD"}
            assert answer.status_code == (200 if reads else 405), (method, path)
    assert stored() == before


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "https://evil.test"},
        {"Origin": "http://gate.example.com"},
        {"Origin": "https://gate.example.com:8443"},
        {"Origin": "https://gate.example.com.evil.test"},
        {"Origin": "https://evil.test", "Referer": "https://gate.example.com/ops/queues/"},
        {"Referer": "https://evil.test/https://gate.example.com/"},
        {"Referer": "https://gate.example.com.evil.test/"},
        {"Referer": "https://gate.example.com@evil.test/"},
        {"Host": "evil.test", "Origin": "https://evil.test"},
    ],
)
@pytest.mark.usefixtures("jobs")
def test_a_change_from_elsewhere_is_refused(
    addresses: Addresses,
    client: FlaskClient,
    stored: Stored,
    headers: dict[str, str],
) -> None:
    before = stored()
    cookie = client.get_cookie(SESSION_COOKIE)
    assert cookie is not None
    client.set_cookie(SESSION_COOKIE, cookie.value, domain="evil.test", secure=True)
    for view, path in addresses:
        if view in CHANGING_VIEWS:
            assert client.post(path, headers=headers).status_code == 403, path
    assert stored() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://gate.example.com"},
        {"Referer": "https://gate.example.com/ops/queues/0/view/jobs"},
    ],
)
def test_every_change_works_from_our_own_page(
    client: FlaskClient,
    charges: Queue,
    jobs: dict[str, Job],
    headers: dict[str, str],
) -> None:
    def post(path: str) -> object:
        answer = client.post(f"{PREFIX}/{path}", headers=headers)
        assert answer.status_code == 200, path
        return answer.json

    assert post(f"requeue/{charges.name}") == {"status": "OK", "count": 1}
    assert charges.job_ids == ["queued", "failed"]
    assert jobs["failed"].get_status() == JobStatus.QUEUED
    assert post("job/finished/delete") == {"status": "OK"}
    assert not Job.exists("finished", connection=charges.connection)
    post(f"queue/{charges.name}/compact")
    assert charges.job_ids == ["queued", "failed"]
    post(f"queue/{charges.name}/queued/empty")
    assert charges.job_ids == []
    post(f"queue/{charges.name}/canceled/empty")
    assert charges.canceled_job_registry.get_job_count() == 0


def test_only_a_failed_job_can_be_requeued(
    client: FlaskClient, origin: str, jobs: dict[str, Job]
) -> None:
    for job_id, status in (("failed", 200), ("finished", 409), ("no-such-job", 404)):
        answer = client.post(f"{PREFIX}/job/{job_id}/requeue", headers={"Origin": origin})
        assert answer.status_code == status
    assert jobs["failed"].get_status() == JobStatus.QUEUED
