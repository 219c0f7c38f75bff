"""GET /sso?token=…: people whom the product's own site vouches for.

The token is a JWT (RFC 7519), signed by HS256 with SSO_SECRET:

| claim | is |
|---|---|
| `aud` | PUBLIC_URL, as a text |
| `exp` | when it ends, at most 5 minutes from now |
| `iat`, `nbf` | when it was made, and from when on it counts; the second may be left out |
| `jti` | 16 to 200 characters that no other token has: it is taken once |
| `email`, `account` | who it is, and the account they come from, of which they are a member |
| `next` | may be left out: a path of the portal to go on to; else the account's |

Nobody is an admin by it: an admin who comes by a token is what the account's member is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
import structlog
from flask import request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import MethodNotAllowed

from gatekeeper.domain.account import is_account_id
from gatekeeper.domain.email_address import normalize_email
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sessions import Began
from gatekeeper.web.portal.blueprint import PortalBlueprint, answer_message
from gatekeeper.web.portal.doorkeeper import Doorkeeper, Right
from gatekeeper.web.portal.paths import local_path

#: No token is good for longer, and clocks may differ by so much.
MAX_LIFE_S: Final = 300
_LEEWAY_S: Final = 10
_TOKEN_CHARS_MAX: Final = 4096
_ID_CHARS: Final = range(16, 201)
_REQUIRED: Final = ("aud", "exp", "iat", "jti", "email", "account")

_log = structlog.get_logger()


class BadToken(Exception):
    """The token vouches for nobody. The message names no claim's value."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """Whom a token vouches for."""

    id: str
    email: str
    account_id: str
    next_path: str


def read_token(token: str, secrets: Sequence[str], audience: str) -> Voucher:
    """Read a token that was signed with any of the secrets. Raises BadToken."""
    if len(token) > _TOKEN_CHARS_MAX:
        raise BadToken("too long")
    for secret in secrets:
        try:
            return _voucher(_claims(token, secret, audience))
        except jwt.InvalidSignatureError:
            continue
        except jwt.InvalidTokenError as error:
            raise BadToken(type(error).__name__) from None
    raise BadToken("signed by somebody else")


def _claims(token: str, secret: str, audience: str) -> dict[str, Any]:
    return jwt.decode(
        token,
        secret,
        algorithms=["HS256"],
        audience=audience,
        leeway=_LEEWAY_S,
        options={"require": list(_REQUIRED), "strict_aud": True},
    )


def _voucher(claims: dict[str, Any]) -> Voucher:
    if int(claims["exp"]) > time.time() + MAX_LIFE_S + _LEEWAY_S:
        raise BadToken("good for too long")
    token_id, email, account_id = (claims[name] for name in ("jti", "email", "account"))
    if len(token_id) not in _ID_CHARS:
        raise BadToken("jti is too short or too long")
    if not isinstance(account_id, str) or not is_account_id(account_id):
        raise BadToken("account is none")
    try:
        email = normalize_email(email)
    except (AttributeError, TypeError, ValueError):
        raise BadToken("email is none") from None
    return Voucher(token_id, email, account_id, local_path(claims.get("next", f"/a/{account_id}/")))


def sso_pages(
    doorkeeper: Doorkeeper, ledger: Ledger, secrets: Sequence[str], audience: str
) -> PortalBlueprint:
    """Make the page."""
    pages = PortalBlueprint("sso", doorkeeper)

    @pages.get("/sso", right=Right.ANYONE)
    def sso() -> ResponseReturnValue:
        if request.method != "GET":  # HEAD, as of who looks where a link leads: it uses nothing up
            raise MethodNotAllowed(["GET"])
        try:
            found = read_token(request.args.get("token", ""), secrets, audience)
        except BadToken as problem:
            return _refuse(str(problem))
        if ledger.members.find(found.account_id, found.email) is None:
            return _refuse("not a member")
        if not ledger.sign_ins.use_token(found.id):
            return _refuse("used before")
        _log.info("signed_in", by="sso", account=found.account_id)
        return doorkeeper.start_session(found.email, found.next_path, Began.SSO)

    return pages


def _refuse(problem: str) -> ResponseReturnValue:
    _log.warning("sso_refused", problem=problem)
    return answer_message(
        403,
        "We could not sign you in",
        "Go back to where you came from and try again, or sign in with your e-mail address.",
        href=url_for("sign_in.ask"),
        link="Sign in with your e-mail address",
    )
