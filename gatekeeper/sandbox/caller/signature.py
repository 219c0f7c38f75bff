"""X-Twilio-Signature as Twilio computes it.

Written apart from the check in the gate, so that the two can disagree.
Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE_HEADER = "X-Twilio-Signature"


def sign(url: str, parameters: Mapping[str, str], auth_token: str) -> str:
    """Return the signature of a request.

    `url` is the full URL as Twilio was given it, without its fragment. `parameters` are those of
    a POST's body; a GET has none, its query is part of the URL.
    """
    signed = url + "".join(name + parameters[name] for name in sorted(parameters))
    digest = hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)
    return base64.b64encode(digest).decode()
