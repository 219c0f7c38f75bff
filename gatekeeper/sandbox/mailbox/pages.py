"""The mailbox's two pages, as Jinja templates. Flask escapes every value put into them."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

#: Within the frame no other site may show its pages, so that links lead to a new tab. It goes
#: before the whole part, which keeps the part's own head in the head.
OPENING_OUTSIDE: Final = '<!doctype html><base target="_blank">'

#: What ends a sentence or a bracket is not of the address that stands before it.
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]]")
_LINK: Final = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>')

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
         padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
           border-bottom: 1px solid #8886; overflow-wrap: anywhere; }
  th { white-space: nowrap; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8886; padding: 1rem; }
  iframe { width: 100%; height: 40rem; border: 1px solid #8886; background: #fff; }
</style>
</head>
<body>
"""

LIST_PAGE = (
    "{% set title = 'Mailbox' %}"
    + _HEAD
    + """<h1>Mailbox</h1>
{% if rows %}
<p>{{ rows|length }} message{{ '' if rows|length == 1 else 's' }}, newest first.
   The same as <a href="/messages.json">JSON</a>.</p>
<table>
<thead><tr><th scope="col">Received</th><th scope="col">To</th><th scope="col">Subject</th>
<th scope="col">Copies</th></tr></thead>
<tbody>
{% for message, copies in rows %}
<tr>
<td>{{ message.received_at.strftime('%H:%M:%S') }}</td>
<td>{{ message.recipients|join(', ') }}</td>
<td><a href="/messages/{{ message.number }}">
    {{- message.header('Subject') or '(no subject)' }}</a></td>
<td>{{ copies }}</td>
</tr>
{% endfor %}
</tbody>
</table>
{% else %}
<p>No messages yet.</p>
{% endif %}
</body>
</html>
"""
)

MESSAGE_PAGE = (
    "{% set title = message.header('Subject') or '(no subject)' %}"
    + _HEAD
    + """<p><a href="/">All messages</a></p>
<h1>{{ title }}</h1>
<table>
<tbody>
<tr><th scope="row">Received</th>
    <td>{{ message.received_at.isoformat(timespec='seconds') }}</td></tr>
<tr><th scope="row">Delivered to</th><td>{{ message.recipients|join(', ') }}</td></tr>
<tr><th scope="row">Copies</th><td>{{ copies }}</td></tr>
{% for name, value in message.headers %}
<tr><th scope="row">{{ name }}</th><td>{{ value }}</td></tr>
{% endfor %}
</tbody>
</table>
{% if message.text is not none %}
<h2>Text</h2>
<pre>{{ message.text|linked }}</pre>
{% endif %}
{% if message.html is not none %}
<h2>HTML</h2>
<iframe title="HTML part" sandbox="allow-popups allow-popups-to-escape-sandbox"
        srcdoc="{{ opening_outside ~ message.html }}"></iframe>
{% endif %}
</body>
</html>
"""
)


def linked(text: str) -> Markup:
    """Escape a text for a page and make links of the web addresses in it."""
    shown, end = Markup(), 0
    for found in _ADDRESS.finditer(text):
        shown += text[end : found.start()]
        shown += _LINK.format(found[0])
        end = found.end()
    return shown + text[end:]
