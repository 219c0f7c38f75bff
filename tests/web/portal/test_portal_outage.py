"""The portal while the ledger is away: a calm page, and calls answered all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.web.faults import STOPPED
from tests.web.gate import NUMBER, new_call
from tests.web.portal.conftest import OWNER, Scene


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path) as server:
        yield server


def test_pages_say_so_and_sessions_outlast_it(
    server: EmbeddedValkey, make_scene: Callable[..., Scene]
) -> None:
    scene = make_scene(server.url)
    scene.gate.open_account(5, NUMBER)
    browser = scene.signed_in(OWNER)
    token = browser.token()
    with STOPPED.strikes(server):
        for path in ("/", f"/a/{scene.able}/", "/admin/", "/sign-in"):
            answer = browser.open(path)
            assert answer.status_code == 503, path
            assert f'href="{path}"' in answer.text
            assert answer.headers["Retry-After"] == "60"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        data = {"csrf_token": token, "email": OWNER}
        for path in ("/sign-out", "/sign-in"):
            assert browser.open(path, "POST", data=data).status_code == 503, path
        assert scene.browser().open("/sign-in").status_code == 200
        assert scene.gate.incoming(new_call()).answered
    scene.gate.parts.ledger.client.connection_pool.disconnect()
    assert browser.is_signed_in
