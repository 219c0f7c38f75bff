"""What a browser calls itself, in the words that its user knows it by."""

from __future__ import annotations

from typing import Final

#: By what stands in the User-Agent header. Each also calls itself what comes after it here.
#: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/User-Agent
_BROWSERS: Final = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "Chrome/": "Chrome",
    "CriOS/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS: Final = {
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "a Mac",
    "Linux": "Linux",
}


def browser_words(user_agent: str) -> str:
    """Name a browser and its system, as far as they are known: "Firefox on Windows"."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    if not system:
        return browser or "A browser"
    return f"{browser or 'A browser'} on {system}"


def _first(names: dict[str, str], user_agent: str) -> str:
    return next((name for mark, name in names.items() if mark in user_agent), "")
