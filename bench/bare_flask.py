"""A Flask handler that looks at nothing and returns the TwiML of an answered call."""

import os

from flask import Flask, Response

from gatekeeper.domain.route import Route
from gatekeeper.telephony.twiml import TWIML_CONTENT_TYPE, answer_twiml


def create_app() -> Flask:
    """Make the application; ANSWER_URL says where calls go."""
    app = Flask(__name__, static_folder=None)
    document = answer_twiml(Route.parse(os.environ["ANSWER_URL"]))

    @app.post("/voice/incoming")
    def incoming() -> Response:
        return Response(document, content_type=f"{TWIML_CONTENT_TYPE}; charset=utf-8")

    return app
