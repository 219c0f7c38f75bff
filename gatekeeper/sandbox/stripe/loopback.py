"""The sandbox speaks to this machine alone."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def check_loopback(host: str) -> None:
    """Refuse a host that isn't this machine.

    Raises ValueError when it is neither `localhost` nor a loopback address.
    """
    if host == "localhost":
        return
    try:
        is_loopback = ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(f"the sandbox speaks to this machine alone, not to {host!r}")


def check_loopback_url(url: str) -> None:
    """Refuse a URL that doesn't stay on this machine.

    Raises ValueError when it isn't an http:// URL of `localhost` or a loopback address.
    """
    parts = urlsplit(url)
    if parts.scheme != "http":
        raise ValueError("the URL must start with http://")
    check_loopback(parts.hostname or "")
