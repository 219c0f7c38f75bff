"""Tokens of the product's own site."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from structlog.typing import EventDict
from werkzeug.test import TestResponse

from gatekeeper.domain.person import Member, Role
from tests.web.gate import PUBLIC_URL
from tests.web.portal.conftest import ADMIN, OWNER, SSO_SECRET, STRANGER, VIEWER, Scene

OLD_SECRET = "o" * 32


def claims(scene: Scene, **changes: Any) -> dict[str, Any]:
    """What a good token says; a change to None leaves a claim out."""
    now_s = int(time.time())
    good = {
        "aud": PUBLIC_URL,
        "exp": now_s + 60,
        "iat": now_s,
        "jti": secrets.token_hex(16),
        "email": VIEWER,
        "account": scene.able,
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(scene: Scene, secret: str = SSO_SECRET, alg: str = "HS256", **changes: Any) -> str:
    return jwt.encode(claims(scene, **changes), secret, algorithm=alg)


def visit(scene: Scene, token: str) -> TestResponse:
    return scene.browser().open("/sso", query_string={"token": token})


def assert_refused(answer: TestResponse) -> None:
    assert answer.status_code == 403
    assert "We could not sign you in" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_token_signs_a_member_in(scene: Scene) -> None:
    browser = scene.browser()
    answer = browser.open("/sso", query_string={"token": signed(scene, email="Viewer@Example.com")})
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/a/{scene.able}/")
    assert VIEWER in browser.open(f"/a/{scene.able}/").text


def test_it_leads_to_the_page_that_it_names(scene: Scene) -> None:
    path = f"/a/{scene.able}/?from=site"
    assert visit(scene, signed(scene, next=path)).headers["Location"] == path


@pytest.mark.parametrize("elsewhere", ["https://evil.test/", "//evil.test", "/\\evil.test", 7, []])
def test_it_leads_nowhere_else(scene: Scene, elsewhere: object) -> None:
    assert visit(scene, signed(scene, next=elsewhere)).headers["Location"] == "/"


def test_it_is_taken_once(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(web_threads=16)  # fewer would refuse some of them as busy
    token = signed(scene)
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: visit(scene, token).status_code, range(8)))
    assert sorted(codes) == [303] + [403] * 7
    assert_refused(visit(scene, token))


def test_looking_where_it_leads_does_not_use_it_up(scene: Scene) -> None:
    token = signed(scene)
    looked = scene.browser().open("/sso", "HEAD", query_string={"token": token})
    assert (looked.status_code, looked.headers["Allow"]) == (405, "GET")
    assert "Set-Cookie" not in looked.headers
    assert visit(scene, token).status_code == 303


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": None},
        {"aud": "https://other.example.com"},
        {"aud": [PUBLIC_URL]},
        {"exp": None},
        {"exp": 0},
        {"exp": 4_000_000_000},
        {"exp": "soon"},
        {"exp": float("1e400")},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"jti": None},
        {"jti": ""},
        {"jti": "short"},
        {"jti": "x" * 201},
        {"jti": 7_000_000_000_000_000_000},
        {"email": None},
        {"email": "nobody@example.com"},
        {"email": "no address"},
        {"email": ["viewer@example.com"]},
        {"email": STRANGER},
        {"email": ADMIN},
        {"account": None},
        {"account": "acct_000000000000"},
        {"account": "*"},
        {"account": {}},
    ],
    ids=str,
)
def test_what_a_token_must_say(scene: Scene, changes: dict[str, Any]) -> None:
    assert_refused(visit(scene, signed(scene, **changes)))


def test_a_token_for_who_is_no_member_any_more_is_refused(scene: Scene) -> None:
    token = signed(scene)
    scene.ledger.members.remove_member(scene.able, VIEWER)
    assert_refused(visit(scene, token))


@pytest.mark.parametrize("role", Role)
def test_a_token_makes_nobody_an_admin(scene: Scene, role: Role) -> None:
    """Else whoever signs tokens, or lets an admin in as a member, would have every account."""
    scene.ledger.members.set_member(scene.baker, Member(ADMIN, role))
    browser = scene.browser()
    token = signed(scene, email=ADMIN, account=scene.baker)
    assert browser.open("/sso", query_string={"token": token}).status_code == 303
    assert browser.open(f"/a/{scene.baker}/").status_code == 200
    bought = browser.open(f"/a/{scene.baker}/buy").status_code
    assert bought == (200 if role is Role.OWNER else 403)
    for path in (f"/a/{scene.able}/", "/admin/", "/ops/queues/"):
        assert browser.open(path).status_code == 404, path
    assert "Administration" not in browser.open(f"/a/{scene.baker}/").text
    assert scene.signed_in(ADMIN).open(f"/a/{scene.able}/").status_code == 200


def test_a_token_of_another_account_is_refused(scene: Scene) -> None:
    assert_refused(visit(scene, signed(scene, account=scene.baker)))


def _unsigned(scene: Scene, alg: str) -> str:
    head = {"alg": alg, "typ": "JWT"}
    parts = [json.dumps(part).encode() for part in (head, claims(scene))]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def test_a_token_that_others_made_is_refused(scene: Scene) -> None:
    good = signed(scene)
    head, body, signature = good.split(".")
    other_body = signed(scene, email=OWNER).split(".")[1]
    forged = [
        "",
        "x",
        good[:-2],
        f"{head}.{other_body}.{signature}",
        f"{head}.{body}.",
        signed(scene, secret="w" * 32),
        signed(scene, secret="w" * 64, alg="HS512"),
        signed(scene, secret=SSO_SECRET * 2, alg="HS512"),
        _unsigned(scene, "none"),
        _unsigned(scene, "None"),
        _unsigned(scene, "HS256"),
        good + "A" * 5000,
    ]
    for token in forged:
        assert_refused(visit(scene, token))
    assert visit(scene, good).status_code == 303


def test_refusals_are_logged_without_what_was_sent(scene: Scene, logged: list[EventDict]) -> None:
    token = signed(scene, email="secret-person@example.com")
    visit(scene, token)
    assert logged == [{"event": "sso_refused", "problem": "not a member", "log_level": "warning"}]


def test_secrets_are_changed_one_after_the_other(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(sso_secret=f"{OLD_SECRET}, {SSO_SECRET}")
    for secret in (OLD_SECRET, SSO_SECRET):
        assert visit(scene, signed(scene, secret)).status_code == 303
    assert_refused(visit(scene, signed(scene, OLD_SECRET, exp=1)))
    assert_refused(visit(scene, signed(scene, "w" * 32)))


def test_without_a_secret_there_is_no_such_page(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(sso_secret=None)
    assert visit(scene, signed(scene)).status_code == 404
