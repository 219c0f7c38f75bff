"""A person at a Checkout page, for tests and the demo: submits its form as a browser does."""

from dataclasses import dataclass
from html.parser import HTMLParser
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from gatekeeper.sandbox.stripe.loopback import check_loopback_url

_TIMEOUT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a visit to a page ended.

    `location` is where the browser is sent on to, or `None` when it stays on `page`, the HTML that
    came with `status`.
    """

    status: int
    location: str | None
    page: str


def pay_checkout(
    url: str,
    *,
    card: str = "4242 4242 4242 4242",
    expiry: str = "12 / 34",
    cvc: str = "123",
    name: str = "Ada Lovelace",
    email: str = "ada@example.com",
    save: bool = False,
    authenticate: bool = True,
) -> Visit:
    """Open the page of a Checkout Session, fill it in, and submit it.

    The e-mail address is typed where the page asks for one. `save` ticks the box. When the card
    asks for authentication, `authenticate` completes it, or else fails it.

    Raises ValueError when the page has no form (the session is over) or no box to tick, and when
    the URL isn't on this machine; OSError when nothing answers.
    """
    form = _open_form(url)
    typed = {"number": card, "expiry": expiry, "cvc": cvc, "name": name}
    if "email" in form.fields:
        typed["email"] = email
    if save:
        if "save" not in form.fields:
            raise ValueError("the page does not offer to save the card")
        typed["save"] = form.fields["save"]
    visit = _submit(url, form, typed)
    if visit.location is None or not _is_challenge(url, visit.location):
        return visit
    challenge = _open_form(visit.location)
    outcome = "complete" if authenticate else "fail"
    return _submit(visit.location, challenge, {"outcome": outcome})


def _is_challenge(url: str, location: str) -> bool:
    return location == f"{url}/authenticate"


def _open_form(url: str) -> "_Form":
    visit = _request("GET", url)
    form = _Form()
    form.feed(visit.page)
    if form.action is None:
        raise ValueError(f"the page has no form (status {visit.status})")
    return form


def _submit(url: str, form: "_Form", typed: dict[str, str]) -> Visit:
    return _request("POST", urljoin(url, form.action), urlencode(typed))


def _request(method: str, url: str, body: str | None = None) -> Visit:
    check_loopback_url(url)
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
    try:
        connection.request(method, parts.path, body, headers)
        response = connection.getresponse()
        location = response.headers["Location"] if response.status == HTTPStatus.SEE_OTHER else None
        page = response.read().decode()
    finally:
        connection.close()
    return Visit(response.status, urljoin(url, location) if location else None, page)


class _Form(HTMLParser):
    """The form of a page: where it goes, and the value that each of its fields starts with."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a form's action, or a field."""
        given = dict(attrs)
        if tag == "form":
            self.action = given.get("action")
        elif tag == "input":
            self.fields[given.get("name") or ""] = given.get("value") or ""
