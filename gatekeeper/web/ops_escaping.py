"""Text from jobs, made safe for rq-dashboard's pages: escaped once, neither never nor twice.

rq-dashboard 0.9.0 fetches JSON and writes most of its strings into the page with Underscore's
`<%= %>`, which does not escape: a job's description, result, metadata and exception, function
and worker names. So every string of its JSON answers is escaped here, whatever field it is in.
The few places in its templates that do escape would then show `&quot;` for a quotation mark, and
an exception's trace is full of those: their escaping is taken out as the templates are compiled.

The strings that the page's scripts use as data rather than text (ids, queue names, times, the
dashboard's own addresses) hold no character that escaping changes.
"""

from __future__ import annotations

import html
import json
from typing import Any, Final

from flask import Response
from jinja2.ext import Extension

# Template → what is replaced in its source, by what.
REWRITES: Final[dict[str, dict[str, str]]] = {
    "rq_dashboard/base.html": {
        # The page's one inline script, which the content security policy knows by its nonce.
        '<script type="text/javascript">': '<script nonce="{{ csp_nonce() }}">',
    },
    "rq_dashboard/navbar.html": {
        # Who looks at queues came from the portal, and finds back.
        '<a class="navbar-brand">RQ-dashboard</a>': (
            '<a class="navbar-brand" href="/admin/">Back to Administration</a>'
        ),
    },
    "rq_dashboard/jobs.html": {
        "$('<div/>').text(d.description).html()": "d.description",
        "$('<div/>').text(d.exc_info).html()": "d.exc_info",
    },
    "rq_dashboard/workers.html": {
        "<%- d.current_job.description %>": "<%= d.current_job.description %>",
    },
    "rq_dashboard/scripts/jobs.js": {
        # Jinja escapes nothing in a .js file, and this name comes from the address.
        "'{{ queue.name }}'": "{{ queue.name|tojson }}",
    },
}


class RewrittenTemplates(Extension):
    """Apply REWRITES to a template's source before it is compiled.

    The source and not the page is rewritten: text from a job cannot pass for a place in it.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's signature
        """Return the source as it is to be compiled."""
        for found, replacement in REWRITES.get(name or "", {}).items():
            source = source.replace(found, replacement)
        return source


def escape_json_answer(response: Response) -> Response:
    """Escape every string in a JSON answer; leave any other answer as it is."""
    if response.is_json:
        response.set_data(json.dumps(escaped(json.loads(response.get_data()))))
    return response


def escaped(value: Any) -> Any:
    """Return a JSON value with each string in it escaped for HTML, the keys of objects too.

    A job's result is shown whole, so its keys reach the page as well.
    """
    if isinstance(value, str):
        return html.escape(value)
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {html.escape(key): escaped(item) for key, item in value.items()}
    return value
