"""The usual recipe for the same webhook, as its libraries' documentation shows it.

Flask; Twilio's RequestValidator on `request.url` and `request.form`; a VoiceResponse built for
each call; one registered Lua script that takes a credit unless the CallSid was seen; a redis-py
client with its defaults. Served by gunicorn's gthread worker. It keeps no entry and no
explanation, never tops off, and writes neither log lines nor metrics.
"""

import os
from typing import cast

from flask import Flask, Response, abort, request
from redis import Redis

# The library has neither type hints nor stubs.
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]
from twilio.twiml.voice_response import VoiceResponse  # type: ignore[import-untyped]

CALL_KEPT_S = 48 * 3600

TAKE_CREDIT = """
if redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then
  return redis.call('DECR', KEYS[2])
end
return tonumber(redis.call('GET', KEYS[2]))
"""


def balance_key(number: str) -> str:
    """Name the key that holds a number's credits."""
    return f"usual-recipe:balance:{number}"


def create_app() -> Flask:
    """Make the application; the environment has its settings."""
    app = Flask(__name__)
    validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])
    take_credit = Redis.from_url(os.environ["REDIS_URL"]).register_script(TAKE_CREDIT)

    @app.post("/voice/incoming")
    def incoming() -> Response:
        signature = request.headers.get("X-Twilio-Signature", "")
        if not validator.validate(request.url, request.form, signature):
            abort(403)
        call_sid, number = request.form["CallSid"], request.form["To"]
        keys = [f"usual-recipe:call:{call_sid}", balance_key(number)]
        balance = cast(int, take_credit(keys=keys, args=[CALL_KEPT_S]))
        response = VoiceResponse()
        if balance >= 0:
            response.redirect(os.environ["ANSWER_URL"], method="POST")
        else:
            response.say("We are sorry, this call can't be taken right now. Goodbye.")
            response.hangup()
        return Response(str(response), content_type="text/xml")

    return app
