"""Every route that there is, asked for by everybody: a new one without rights fails here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Blueprint, Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.cookies import SessionCookie
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.portal import install_portal
from gatekeeper.web.portal.visitor import acting_for, visitor
from tests.web.portal.browser import CSRF_FIELD, Browser
from tests.web.portal.conftest import ADMIN, OWNER, STRANGER, VIEWER, Scene

#: What machines ask for; each proves who it is in a way of its own, or tells nothing.
FOR_MACHINES = {"health.healthz", "health.readyz", "stripe_webhook.receive", "metrics.metrics"}
#: Values for what stands in paths, but for the account.
ARGUMENTS = {"token": "none", "call_sid": "CA" + "0" * 32}
#: Who gets past the door, by right. Everybody else is told what `_refusal` says.
ADMITTED = {
    Right.ANYONE: {"nobody", STRANGER, VIEWER, OWNER, ADMIN},
    Right.SIGNED_IN: {STRANGER, VIEWER, OWNER, ADMIN},
    Right.SEE: {VIEWER, OWNER, ADMIN},
    Right.PAY: {OWNER, ADMIN},
    Right.ADMIN: {ADMIN},
}
PEOPLE = ("nobody", STRANGER, VIEWER, OWNER, ADMIN)


def _refusal(right: Right, person: str) -> int:
    if person == "nobody":
        return 303
    return 403 if (right, person) == (Right.PAY, VIEWER) else 404


def _add_a_page_of_each_right(app: Flask, pages: PortalBlueprint) -> None:
    """Pages as later parts of the portal have them."""

    @pages.post("/a/<account_id>/pay", right=Right.PAY)
    def pay(account_id: str) -> str:
        return acting_for(visitor())

    @pages.post("/admin/correct", right=Right.ADMIN)
    def correct() -> str:
        return acting_for(visitor())

    app.register_blueprint(pages)


@pytest.fixture
def app(scene: Scene) -> Flask:
    """The portal's own pages, and one that costs money."""
    app = Flask("gatekeeper.web.app", static_folder=None)
    doorkeeper = install_portal(app, scene.gate.parts, for_machines=Blueprint("none", __name__))
    _add_a_page_of_each_right(app, PortalBlueprint("more", doorkeeper))
    return app


def _rights(app: Flask) -> Iterator[tuple[Rule, str, Right]]:
    """Each route, with each method that it takes, and its right."""
    for rule in app.url_map.iter_rules():
        name, _, endpoint = rule.endpoint.rpartition(".")
        blueprint = app.blueprints.get(name)
        if isinstance(blueprint, PortalBlueprint):
            for method in sorted(rule.methods or ()):
                yield rule, method, blueprint.rights[endpoint]


def _path(rule: Rule, account_id: str) -> str:
    values = {"account_id": account_id} | ARGUMENTS
    built = rule.build({name: values[name] for name in rule.arguments})
    assert built is not None
    return built[1]


def test_every_route_of_the_application_has_a_right(make_scene: Callable[..., Scene]) -> None:
    app = make_scene(ops_username="oncall", ops_password="secret").gate.app
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    files = {"assets.serve"}  # the portal's own, which are no secret
    assert endpoints == FOR_MACHINES | files | {rule.endpoint for rule, _, _ in _rights(app)}


def _browser(app: Flask, scene: Scene, person: str) -> Browser:
    browser = Browser(app, scene.gate.parts)
    if person != "nobody":
        browser.put_session(scene.ledger.sessions.start(person, ""))
    return browser


@pytest.mark.parametrize("person", PEOPLE)
def test_everybody_gets_what_they_have_a_right_to(app: Flask, scene: Scene, person: str) -> None:
    for rule, method, right in list(_rights(app)):
        browser = _browser(app, scene, person)  # some routes sign out
        data = {"csrf_token": browser.token()} if method == "POST" else None
        answer = browser.open(_path(rule, scene.able), method, data=data)
        assert answer.status_code != 400, (rule, method)
        if person in ADMITTED[right]:
            # 503: there is no history here, which some pages need.
            assert answer.status_code < 500 or answer.status_code == 503, (rule, method)
            assert answer.status_code not in {403, 404} or rule.endpoint == "sso.sso", (
                rule,
                method,
            )
            assert not answer.headers.get("Location", "").startswith("/sign-in?"), (rule, method)
        else:
            assert answer.status_code == _refusal(right, person), (rule, method)


@pytest.mark.parametrize("person", PEOPLE)
def test_no_form_is_taken_without_its_token(app: Flask, scene: Scene, person: str) -> None:
    browser = _browser(app, scene, person)
    for rule, method, _ in _rights(app):
        if method in {"GET", "HEAD", "OPTIONS"}:
            continue
        path = _path(rule, scene.able)
        theirs = _browser(app, scene, "nobody").token()
        for token in ({}, {"csrf_token": ""}, {"csrf_token": "x"}, {"csrf_token": theirs}):
            answer = browser.open(path, method, data=token)
            assert answer.status_code == 400, (rule, method, token)
            assert "Nothing was changed" in answer.text
    assert person == "nobody" or browser.is_signed_in


def test_another_tenants_pages_are_as_good_as_none(app: Flask, scene: Scene) -> None:
    browser = _browser(app, scene, OWNER)
    token = browser.token()
    for rule, method, right in list(_rights(app)):
        if right in (Right.SEE, Right.PAY):
            answers = [
                browser.open(_path(rule, account_id), method, data={"csrf_token": token})
                for account_id in (scene.baker, "acct_000000000000", "acct_*", "%2e%2e")
            ]
            assert [answer.status_code for answer in answers] == [404] * 4, (rule, method)
            # But for the token of its form that signs out, which has its time in it.
            told, of_nothing = (CSRF_FIELD.sub("", one.text) for one in answers[:2])
            assert told == of_nothing, (rule, method)


def test_an_admin_does_not_reach_what_there_is_not(app: Flask, scene: Scene) -> None:
    browser = _browser(app, scene, ADMIN)
    for account_id in ("acct_000000000000", "acct_*"):
        assert browser.open(f"/a/{account_id}/").status_code == 404


def test_entries_say_who_acted(app: Flask, scene: Scene) -> None:
    def pay(person: str) -> TestResponse:
        return _browser(app, scene, person).submit(f"/a/{scene.able}/pay")

    assert pay(OWNER).text == OWNER
    assert pay(ADMIN).text == f"{ADMIN} (admin)"


@pytest.mark.parametrize(
    ("rule", "right", "methods"),
    [
        ("/a/<account_id>/new", None, ["GET"]),
        ("/new", Right.SEE, ["GET"]),
        ("/b/<account_id>/new", Right.PAY, ["POST"]),
        ("/a/<other>/new", Right.SEE, ["GET"]),
        ("/new", Right.ADMIN, ["GET"]),
        ("/a/<account_id>/new", Right.SEE, ["GET", "POST"]),
    ],
)
def test_a_route_whose_right_is_missing_or_wrong_is_not_taken(
    app: Flask, rule: str, right: Right | None, methods: list[str]
) -> None:
    pages = app.blueprints["more"]
    with pytest.raises(ValueError, match="right"):
        pages.add_url_rule(rule, "new", lambda: "", methods=methods, right=right)


def test_every_page_forbids_what_it_does_not_need(app: Flask, scene: Scene) -> None:
    browser = _browser(app, scene, VIEWER)
    for path in ("/", "/sign-in/sent", f"/a/{scene.able}/", f"/a/{scene.baker}/", "/admin/"):
        headers = browser.open(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["Cache-Control"] == "no-store", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["X-Content-Type-Options"] == "nosniff", path


def test_no_address_is_tidied_by_a_redirect(scene: Scene) -> None:
    browser = scene.browser()
    browser.put_session(scene.ledger.sessions.start(OWNER, ""))
    for account_id, status in ((scene.able, 200), (scene.baker, 404)):
        answer = browser.open(f"/a/{account_id}")
        assert answer.status_code == status
        assert "Location" not in answer.headers


def test_machines_need_no_token_of_a_form(scene: Scene) -> None:
    answer = scene.browser().open("/stripe/webhook", "POST", data=b"{}")
    assert (answer.status_code, answer.mimetype) == (400, "text/plain")


def test_without_a_key_there_is_no_portal(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(secret_key=None, admin_emails="", sso_secret=None)
    for path in ("/", "/sign-in", "/admin/", f"/a/{scene.able}/"):
        assert scene.browser().open(path).status_code == 404


@pytest.mark.parametrize(
    ("rule", "right"),
    [
        ("/a/<account_id>/open-to-all", Right.SIGNED_IN),
        ("/a/<account_id>/open-to-all", Right.ANYONE),
        ("/a/<account_id>/open-to-all", Right.ADMIN),
        ("/admin/open-to-all", Right.SIGNED_IN),
        ("/admin/open-to-all", Right.PAY),
        ("/elsewhere", Right.SEE),
        ("/elsewhere", Right.ADMIN),
    ],
)
def test_a_right_that_does_not_go_with_its_path_is_refused(
    app: Flask, scene: Scene, rule: str, right: Right
) -> None:
    doorkeeper = Doorkeeper(scene.ledger, frozenset(), SessionCookie(secure=False))
    pages = PortalBlueprint("wrong", doorkeeper)
    with pytest.raises(ValueError, match="is no path for the right"):
        pages.add_url_rule(rule, "page", lambda account_id="": "", right=right)


@pytest.mark.parametrize("person", PEOPLE)
def test_where_there_is_no_page_people_are_told_so_as_who_they_are(
    scene: Scene, person: str
) -> None:
    browser = _browser(scene.gate.app, scene, person)
    paths = ["/nothing", f"/a/{scene.able}/nothing"]
    if person not in ("nobody", ADMIN):
        paths += ["/admin/", "/a/acct_000000000000/"]
    for path in paths:
        answer = browser.open(path)
        assert answer.status_code == 404, path
        assert "There is no such page" in answer.text, path
        assert (">Sign in<" in answer.text) == (person == "nobody"), path
        assert (">Sign out<" in answer.text) == (person != "nobody"), path
        assert scene.able not in answer.text, path
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"], path


def test_a_viewer_who_may_not_pay_keeps_the_account_around_them(app: Flask, scene: Scene) -> None:
    answer = _browser(app, scene, VIEWER).submit(f"/a/{scene.able}/pay")
    assert answer.status_code == 403
    assert f'href="/a/{scene.able}/calls"' in answer.text


def test_machines_are_told_plainly_that_there_is_nothing(scene: Scene) -> None:
    for path in ("/stripe/other", "/voice/other", "/metrics", "/healthz/other", "/ops/other"):
        answer = scene.browser().open(path)
        assert (answer.status_code, "Content-Security-Policy" in answer.headers) == (404, False)


def test_addresses_that_are_cut_off_lead_on(scene: Scene) -> None:
    browser = _browser(scene.gate.app, scene, VIEWER)
    for cut, whole in (
        ("settings", "settings/billing"),
        ("receptionist", "calls"),
        ("calling", "calling/calls"),
    ):
        answer = browser.open(f"/a/{scene.able}/{cut}")
        assert answer.headers["Location"] == f"/a/{scene.able}/{whole}"
