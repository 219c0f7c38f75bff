"""The files for browsers: vendored ones as they were published, served small and kept long."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from flask import Flask, render_template_string
from flask.testing import FlaskClient

from gatekeeper.web import portal
from gatekeeper.web.portal.assets import assets_blueprint

VENDOR = Path(portal.__file__).parent / "static" / "vendor"
YELLOW = "#ffd000"


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__)
    app.register_blueprint(assets_blueprint(YELLOW))
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def path_of(app: Flask, name: str) -> str:
    with app.test_request_context():
        return render_template_string("{{ asset(name) }}", name=name)


def test_vendored_files_are_as_published() -> None:
    listed = {
        name: digest
        for digest, name in re.findall(
            r"^SHA-256 ([0-9a-f]{64})  (\S+)$", (VENDOR / "VENDORED.txt").read_text(), re.MULTILINE
        )
    }
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.suffix in {".css", ".js"}
    }
    assert found
    assert found == listed


def test_each_vendored_file_has_its_licence() -> None:
    for name in ("pico", "htmx"):
        assert "permi" in (VENDOR / f"{name}.LICENSE.txt").read_text().lower()


@pytest.mark.parametrize("name", ["portal.css", "portal.js", "icon.svg"])
def test_a_file_is_kept_for_a_year_by_the_name_of_its_content(
    app: Flask, client: FlaskClient, name: str
) -> None:
    answer = client.get(path_of(app, name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]
    assert hashlib.sha256(answer.data).hexdigest()[:16] in path_of(app, name)
    assert "Content-Encoding" not in answer.headers


def test_a_file_is_sent_compressed_to_who_takes_that(app: Flask, client: FlaskClient) -> None:
    path = path_of(app, "portal.css")
    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 4


def test_the_name_of_another_version_is_answered_but_not_kept(client: FlaskClient) -> None:
    answer = client.get("/portal/static/0123456789abcdef/portal.css")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["other.css", "vendor", "..%2Fassets.py", "pico.min.css"])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/portal/static/0/{name}").status_code == 404


def test_our_rules_win_over_picos_and_use_the_accent(app: Flask, client: FlaskClient) -> None:
    css = client.get(path_of(app, "portal.css")).text
    assert css.startswith("@layer pico{")
    assert f"--accent:{YELLOW};" in css
    assert "--on-accent:#000000;" in css
    assert css.count("{") == css.count("}")


def test_the_icon_is_painted_in_the_accent(app: Flask, client: FlaskClient) -> None:
    icon = client.get(path_of(app, "icon.svg"))
    assert icon.mimetype == "image/svg+xml"
    assert f'fill="{YELLOW}"' in icon.text
    assert 'stroke="#000000"' in icon.text
