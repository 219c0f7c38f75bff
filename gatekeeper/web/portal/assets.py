"""The portal's files for browsers: two, each named after its content and kept for a year.

They are put together and compressed once, when the application is made. Pico.css stands in a
cascade layer of its own, so that whatever our stylesheet says wins without a fight over
specificity.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import NotFound

from gatekeeper.web.portal.accent import parse_color, text_on, theme_css

_A_YEAR: Final = "public, max-age=31536000, immutable"
#: For the name of another version, as pages ask for while servers are being replaced.
_ASK_AGAIN: Final = "no-cache"
_STYLES: Final = ("base.css", "frame.css", "components.css", "forms.css")
_STATIC: Final = resources.files("gatekeeper.web.portal") / "static"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served."""

    content: bytes
    compressed: bytes
    digest: str
    content_type: str


def assets_blueprint(accent: str) -> Blueprint:
    """Serve the files; brings the portal's templates, and in them `asset('portal.css')`, a path.

    `accent` is the deployment's colour, such as "#2456d6".
    """
    assets = {
        "portal.css": _asset(_stylesheet(accent), "text/css; charset=utf-8"),
        "portal.js": _asset(_script(), "text/javascript; charset=utf-8"),
        "icon.svg": _asset(_icon(accent), "image/svg+xml"),
    }
    blueprint = Blueprint("assets", __name__, url_prefix="/portal", template_folder="templates")

    @blueprint.get("/static/<digest>/<name>")
    def serve(digest: str, name: str) -> Response:
        if name not in assets:
            raise NotFound
        return _answer(assets[name], is_current=digest == assets[name].digest)

    @blueprint.app_template_global("asset")
    def path_of(name: str) -> str:
        return url_for("assets.serve", digest=assets[name].digest, name=name)

    return blueprint


def _answer(asset: Asset, *, is_current: bool) -> Response:
    compress = request.accept_encodings["gzip"] > 0
    response = Response(asset.compressed if compress else asset.content)
    if compress:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Type"] = asset.content_type
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _A_YEAR if is_current else _ASK_AGAIN
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _asset(text: str, content_type: str) -> Asset:
    content = text.encode()
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(content, gzip.compress(content, 9, mtime=0), digest, content_type)


def _stylesheet(accent: str) -> str:
    pico = _read("vendor/pico.min.css").removeprefix('@charset "UTF-8";')
    own = "".join(map(_read, _STYLES))
    return f"@layer pico{{{pico}}}\n{theme_css(accent)}{own}"


def _script() -> str:
    return f"{_read('vendor/htmx.min.js')}\n{_read('portal.js')}"


def _icon(accent: str) -> str:
    ink = text_on(parse_color(accent))
    return _read("icon.svg").format(accent=accent, ink=f"#{bytes(ink).hex()}")


def _read(path: str) -> str:
    return _STATIC.joinpath(path).read_text(encoding="utf-8")
