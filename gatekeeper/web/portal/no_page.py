"""What people get where there is no page at all: the portal's own, with its frame.

Twilio, Stripe and monitors keep the plain answers that they have everywhere.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, make_response, request
from werkzeug.exceptions import HTTPException, NotFound

from gatekeeper.web.portal.blueprint import answer_not_found
from gatekeeper.web.portal.doorkeeper import Doorkeeper
from gatekeeper.web.portal.headers import finish_page

#: The first part of the paths that are no pages, whether or not they are served here.
_FOR_MACHINES: Final = frozenset({"voice", "stripe", "healthz", "readyz", "metrics", "ops"})


def install_no_page(app: Flask, doorkeeper: Doorkeeper) -> None:
    """Answer whatever has no route of its own."""

    @app.errorhandler(NotFound)
    def no_page(error: NotFound) -> Response | HTTPException:
        first = request.path.split("/")[1]
        if request.blueprint is not None or first in _FOR_MACHINES:
            return error
        doorkeeper.recognize()
        return finish_page(make_response(answer_not_found(error)))
