"""Paths to go on to after signing in: those of this portal alone."""

from __future__ import annotations

import re
from typing import Final

#: A path from the root. No second slash at its head, which begins a host; no backslash, which
#: browsers read as a slash; no spaces and controls, which they leave out while they look for one.
#: https://url.spec.whatwg.org/#url-parsing
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")


def local_path(text: object) -> str:
    """Return the text if it is a path here with its query, else the portal's front door."""
    return text if isinstance(text, str) and _LOCAL.fullmatch(text) else "/"
