"""The kind of blueprint that every page of the portal stands in: none is served without a right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import redis
import structlog
from flask import Blueprint, current_app, render_template, request
from flask.typing import RouteCallable
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import Forbidden, NotFound, RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.downloads import DownloadBusy, DownloadTooLong
from gatekeeper.web.portal.headers import finish_page

#: Where the routes of these rights are: the path says whose account it is.
_PREFIXES: Final = {
    Right.SEE: "/a/<account_id>/",
    Right.PAY: "/a/<account_id>/",
    Right.ADMIN: "/admin/",
}
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: The header of an answer that will be another one soon.
RETRY_SOON: Final = {"Retry-After": "60"}

_log = structlog.get_logger()


class PortalBlueprint(Blueprint):
    """Pages, each added with the `right` that one needs: `@pages.get("/a/…", right=Right.SEE)`.

    What a viewer may see is only read; a route that changes something for an account takes
    `Right.PAY`.
    """

    def __init__(self, name: str, doorkeeper: Doorkeeper) -> None:
        super().__init__(name, __name__, template_folder="templates")
        self.rights: Final[dict[str, Right]] = {}
        self._doorkeeper = doorkeeper
        self.before_request(self._guard)
        self.after_request(finish_page)
        for error, answer in _ANSWERS.items():
            self.register_error_handler(error, answer)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        *,
        right: Right | None = None,
        **options: Any,
    ) -> None:
        """Add a route. Raises ValueError when its right is missing, or not one for its path."""
        if right is None or view_func is None:
            raise ValueError(f"{rule} needs a view, and the right that one must have")
        _check_right(rule, right, options.get("methods") or ["GET"])
        endpoint = endpoint or view_func.__name__
        if self.rights.setdefault(endpoint, right) is not right:
            raise ValueError(f"{endpoint} has two rights; make two views of it")
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)

    def _guard(self) -> BaseResponse | None:
        endpoint = (request.endpoint or "").rpartition(".")[2]
        return self._doorkeeper.admit(self.rights[endpoint])


def _check_right(rule: str, right: Right, methods: list[str]) -> None:
    fitting = {one for one, prefix in _PREFIXES.items() if rule.startswith(prefix)}
    if right not in (fitting or set(Right) - set(_PREFIXES)):
        raise ValueError(f"{rule} is no path for the right to {right.value}")
    if right is Right.SEE and not _READING.issuperset(methods):
        raise ValueError(f"{rule} changes something: the right to see is not enough")


def answer_message(
    status: int, title: str, text: str, *, href: str = "/", link: str = "To the front page"
) -> tuple[str, int]:
    """Answer with a page that says one thing, and where to go from there."""
    page = render_template("portal/message.html", title=title, text=text, href=href, link=link)
    return page, status


def answer_unavailable(
    title: str, text: str, *, href: str, link: str
) -> tuple[str, int, dict[str, str]]:
    """Answer that something cannot be had for a moment, and where to try again or go on."""
    page, _ = answer_message(503, title, text, href=href, link=link)
    return page, 503, RETRY_SOON


def _this_page() -> str:
    """Where the request went, if there is a page to read; else the front door."""
    addresses = current_app.create_url_adapter(request)
    readable = addresses is not None and addresses.test(request.path, "GET")
    return request.path if readable else "/"


def answer_not_found(_: Exception) -> tuple[str, int]:
    """Answer that there is no such page, without telling what there is for others."""
    return answer_message(
        404,
        "There is no such page",
        "Either there is nothing here, or it belongs to somebody else.",
    )


def _answer_forbidden(_: Exception) -> tuple[str, int]:
    return answer_message(
        403, "You can look, but not change this", "An owner of the account can do that."
    )


def _answer_form_too_old(_: Exception) -> tuple[str, int]:
    return answer_message(
        400,
        "Please try that once more",
        "Nothing was changed. The page had been open for long, or you signed in or out meanwhile.",
        href=_this_page(),
        link="Open the page again",
    )


def _answer_form_too_long(_: Exception) -> tuple[str, int]:
    return answer_message(
        413,
        "That is more than we can take",
        "Nothing was changed. Please send a shorter text.",
        href=_this_page(),
        link="Open the page again",
    )


def _answer_download_busy(_: Exception) -> tuple[str, int, dict[str, str]]:
    return answer_unavailable(
        "Another download is being made",
        "One is made at a time. Please try again in a minute.",
        href=_this_page(),
        link="Try again",
    )


def _answer_download_too_long(_: Exception) -> tuple[str, int]:
    return answer_message(
        422,
        "That is too much for one file",
        "Please go back, choose fewer days, and download the rest after it.",
    )


def _answer_ledger_unreachable(error: Exception) -> tuple[str, int, dict[str, str]]:
    _log.warning("portal_without_ledger", error=type(error).__name__)
    return answer_unavailable(
        "We cannot show this right now",
        "Your calls are taken care of meanwhile. Please try again in a minute.",
        href=_this_page(),
        link="Try again",
    )


_ANSWERS: Final[dict[type[Exception], Callable[[Any], Any]]] = {
    NotFound: answer_not_found,
    Forbidden: _answer_forbidden,
    CSRFError: _answer_form_too_old,
    RequestEntityTooLarge: _answer_form_too_long,
    DownloadBusy: _answer_download_busy,
    DownloadTooLong: _answer_download_too_long,
    redis.RedisError: _answer_ledger_unreachable,
}
