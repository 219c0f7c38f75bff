"""What the dashboard's pages may hold, and what it must neither know nor run."""

from __future__ import annotations

import html
import itertools
import json
import pickle
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import rq_dashboard
from flask import Flask
from flask.testing import FlaskClient
from redis import Redis
from redis.retry import Retry
from rq import Queue
from rq.job import JobStatus
from werkzeug.datastructures import Headers

from gatekeeper.web.ops import CHANGING_VIEWS, PREFIX, DashboardApp
from gatekeeper.web.ops_escaping import REWRITES
from tests.web.ops.conftest import ADMIN, Browsers

Addresses = list[tuple[str, str]]


def strings_in(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, the keys of objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(strings_in, value))
    elif isinstance(value, dict):
        yield from value
        yield from strings_in(list(value.values()))


def policy_of(headers: Headers) -> dict[str, str]:
    """Return the content security policy, each directive with its sources."""
    directives = headers["Content-Security-Policy"].split(";")
    return dict(directive.strip().partition(" ")[::2] for directive in directives)


@pytest.mark.usefixtures("jobs")
def test_no_answer_holds_text_from_a_job_unescaped(
    addresses: Addresses, client: FlaskClient
) -> None:
    views_of_json = set()
    for view, path in addresses:
        if view in CHANGING_VIEWS or view == "static":
            continue
        answer = client.get(path)
        assert answer.status_code == 200, path
        if answer.is_json:
            views_of_json.add(view)
            for text in strings_in(answer.json):
                assert not set(text) & set("<>\"'"), (path, text)
        else:
            assert b"<script>alert" not in answer.data, path
            assert b"<img/src=x" not in answer.data, path
    assert views_of_json == {"list_queues", "list_jobs", "job_info", "list_workers"}


@pytest.mark.usefixtures("jobs")
def test_every_string_is_escaped_exactly_once(client: FlaskClient, hostile: str) -> None:
    def read(path: str) -> Any:
        return client.get(f"{PREFIX}/0/data/{path}.json").json

    once = html.escape(hostile)
    failed = read("job/failed")
    assert failed["description"] == once
    assert html.escape(repr(hostile)) in failed["exc_info"]
    assert failed["metadata"] == html.escape(json.dumps({hostile: hostile}))
    assert read("job/finished")["result"] == {once: [once]}
    [listed] = read("jobs/charges/failed/8/asc/1")["jobs"]
    assert (listed["id"], listed["description"]) == ("failed", once)
    assert listed["exc_info"] == failed["exc_info"]
    [busy] = read("workers")["workers"]
    assert busy["name"] == once
    assert busy["current_job"]["description"] == once
    assert html.escape(repr(hostile)) in busy["current_job"]["call_string"]
    assert {queue["name"] for queue in read("queues")["queues"]} == {"charges", once}


@pytest.mark.usefixtures("connection")
def test_templates_do_not_escape_a_second_time(client: FlaskClient) -> None:
    templates = Path(cast(str, rq_dashboard.blueprint.root_path), "templates")
    for name, rewrites in REWRITES.items():
        source = (templates / name).read_text(encoding="utf-8")
        assert all(found in source for found in rewrites), name

    for page in ("jobs", "workers", "queues", "jobs/charges/failed/8/asc/1"):
        served = client.get(f"{PREFIX}/0/view/{page}").text
        assert "<%=" in served
        assert "<%-" not in served
        assert "$('<div/>').text(" not in served
    jobs_page = client.get(f"{PREFIX}/0/view/jobs/charges/failed/8/asc/1").text
    assert '$(this).val("charges")' in jobs_page  # the one name that a script holds as text


@pytest.mark.parametrize(
    "path",
    [
        "0/view/jobs/');alert(1)('/queued/8/asc/1",
        "0/view/jobs/<img src=x onerror=alert(1)>/queued/8/asc/1",
        "0/view/jobs/charges/nonsense/8/asc/1",
        "0/view/jobs/charges/queued/8/sideways/1",
        "0/view/jobs/charges/queued/0/asc/1",
        "0/view/jobs/charges/queued/99999/asc/1",
        "0/data/jobs/charges/queued/eight/asc/1.json",
        "0/data/jobs/charges/queued/8/asc/-1.json",
        "0/data/jobs/charges/nonsense/8/asc/1.json",
        "1/view/workers",
        "1/data/queues.json",
        "0/view/job/rq:job:x",
        "0/view/job/no-such-job",
        "0/data/job/no-such-job.json",
        "static/../web.py",
    ],
)
@pytest.mark.usefixtures("connection")
def test_an_odd_address_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(f"{PREFIX}/{path}")
    assert answer.status_code == 404
    assert "alert(1)" not in answer.text


@pytest.mark.usefixtures("jobs")
def test_every_answer_carries_the_security_headers(
    addresses: Addresses, app: Flask, client: FlaskClient
) -> None:
    unknown = ("none", f"{PREFIX}/no/such/page")
    nobody = app.test_client()
    for (view, path), browser in itertools.product([*addresses, unknown], (client, nobody)):
        headers = browser.get(path).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        is_file = view in {"static", "favicon"} and browser is client
        assert headers["Cache-Control"] == ("no-cache" if is_file else "no-store"), path
        policy = policy_of(headers)
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["base-uri"] == policy["form-action"] == "'none'"
        assert "'unsafe-inline'" not in policy["script-src"] + policy["style-src"]


@pytest.mark.usefixtures("connection")
def test_an_inline_script_runs_by_a_word_of_its_own_answer_only(client: FlaskClient) -> None:
    nonces = set()
    for page in ("queues", "jobs", "workers"):
        answer = client.get(f"{PREFIX}/0/view/{page}")
        scripts = re.findall(r"<script[^>]*>", answer.text)
        inline = [tag for tag in scripts if "src=" not in tag and "text/template" not in tag]
        [nonce] = re.findall(r"'nonce-([^']+)'", policy_of(answer.headers)["script-src"])
        assert inline == [f'<script nonce="{nonce}">']
        nonces.add(nonce)
    assert len(nonces) == 3


@pytest.mark.parametrize(
    "url",
    [
        "redis://oncall:s3cr%40t@127.0.0.1:{port}/0",
        "redis://127.0.0.1:{port}/0?username=oncall&password=s3cr@t",
        "redis://oncall:s3cr@t@127.0.0.1:{port}/0",
    ],
)
@pytest.mark.usefixtures("jobs")
def test_no_answer_shows_the_password_of_redis(
    app_on: Callable[[str], Flask],
    browser_of: Browsers,
    port: int,
    connection: Redis,
    addresses: Addresses,
    url: str,
) -> None:
    connection.acl_setuser(
        "oncall", enabled=True, passwords="+s3cr@t", keys="*", categories=["+@all"]
    )
    client = browser_of(app_on(url.format(port=port)), ADMIN)
    for view, path in addresses:
        answer = client.get(path)
        assert answer.status_code == (405 if view in CHANGING_VIEWS else 200)
        for part in ("s3cr", "r@t", "r%40t", "@127.0.0.1"):
            assert part not in answer.data.decode("latin-1") + str(answer.headers), path
    assert f"127.0.0.1:{port}/0" in client.get(f"{PREFIX}/").text


def test_redis_out_of_reach_is_said_without_its_password(
    app_on: Callable[[str], Flask],
    browser_of: Browsers,
    free_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = browser_of(app_on(f"redis://:s3cret@127.0.0.1:{free_port}/0"), ADMIN)
    for path in ("0/view/workers", "0/data/queues.json", "0/data/workers.json"):
        answer = client.get(f"{PREFIX}/{path}")
        assert answer.status_code == 503
        assert "s3cret" not in answer.text + caplog.text


class Bomb:
    """What unpickles into a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.mark.usefixtures("jobs")
def test_nothing_is_ever_unpickled(
    addresses: Addresses,
    client: FlaskClient,
    connection: Redis,
    origin: str,
    tmp_path: Path,
) -> None:
    exploded = tmp_path / "exploded"
    bomb = pickle.dumps(Bomb(exploded))
    armed = {"data": zlib.compress(bomb), "meta": bomb, "result": bomb}
    for job_id in ("failed", "queued"):
        connection.hset(f"rq:job:{job_id}", mapping=cast(Any, armed))

    for method in ("GET", "POST"):
        for _, path in addresses:
            client.open(path, method=method, headers={"Origin": origin})
    assert not exploded.exists()
    pickle.loads(bomb)
    assert exploded.exists()  # it would have gone off


def test_a_requeued_job_stays_readable_for_json_workers(
    client: FlaskClient,
    origin: str,
    charges: Queue,
    work: Callable[[], None],
    tmp_path: Path,
) -> None:
    wanted = tmp_path / "wanted"
    job = charges.enqueue("os.path.getsize", str(wanted), meta={"attempt": 1})
    work()
    assert job.get_status() == JobStatus.FAILED

    wanted.write_text("here now")
    client.post(f"{PREFIX}/job/{job.id}/requeue", headers={"Origin": origin})
    work()
    assert job.get_status() == JobStatus.FINISHED
    assert job.return_value() == len("here now")
    assert job.get_meta() == {"attempt": 1}


@pytest.mark.usefixtures("jobs")
def test_looking_at_workers_leaves_the_short_timeouts(
    client: FlaskClient, dashboard: DashboardApp
) -> None:
    """RQ raises them to minutes, and a web thread would wait that long for a hanging Redis."""
    assert client.get(f"{PREFIX}/0/data/workers.json").status_code == 200
    settings = dashboard.redis_conn.get_connection_kwargs()
    assert settings["socket_timeout"] == settings["socket_connect_timeout"] == 0.5
    assert cast(Retry, settings["retry"]).get_retries() == 0
