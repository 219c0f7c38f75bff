"""`python -m tests.browser.screenshots [FOLDER]`: every page of the gallery in every view, at once.

Writes pictures and an index.html that shows them beside each other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from gatekeeper.domain.incident import FailureReason
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.browser.chromium import VIEWS, chromium, open_page
from tests.browser.gallery import PAGES, Gallery, make_gallery
from tests.browser.serving import serve

_INDEX = """<!doctype html><meta charset="utf-8"><title>The portal</title>
<style>body{{font:14px system-ui;margin:1rem}}div{{display:flex;gap:1rem;align-items:start}}
figure{{margin:0;flex:360 1 0}}figure.wide{{flex-grow:1280}}
img{{width:100%;border:1px solid #999}}</style>
{sections}
"""


def shots(gallery: Gallery) -> Iterator[tuple[str, str]]:
    """Yield the name and the path of each picture, having set its scene."""
    yield from PAGES.items()
    yield "on-behalf", f"{PAGES['billing']}?as=admin"
    for gallery.incident in FailureReason:
        yield f"incident-{gallery.incident.value}", PAGES["calls"]
    gallery.incident = None


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    with TemporaryDirectory() as data, EmbeddedValkey(data) as valkey, chromium() as browser:
        gallery = make_gallery(valkey.url, support_email="support@example.com")
        with serve(gallery.app) as origin:
            pages = {view: open_page(browser, view, origin) for view in VIEWS}
            for name, path in shots(gallery):
                names.append(name)
                for view, page in pages.items():
                    page.goto(path)
                    page.screenshot(path=folder / f"{name}-{view}.png", full_page=True)
    (folder / "index.html").write_text(_INDEX.format(sections="\n".join(map(_section, names))))
    print(folder / "index.html")


def _section(name: str) -> str:
    figures = "".join(
        f'<figure class="{"wide" if view.width > 600 else ""}"><figcaption>{view}</figcaption>'
        f'<img loading="lazy" src="{escape(name)}-{view}.png" alt=""></figure>'
        for view in VIEWS
    )
    return f"<h2>{escape(name)}</h2><div>{figures}</div>"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots"))
