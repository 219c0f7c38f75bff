"""Stripe's API errors, as they go over the wire.

Shapes and wordings follow https://docs.stripe.com/api/errors and
https://docs.stripe.com/error-codes.
"""

from http import HTTPStatus
from typing import Any, NoReturn

Json = dict[str, Any]


class StripeError(Exception):
    """An answer other than 2xx.

    `fields` are the members of the `error` object besides `type` and `message`; those
    that are `None` are left out, as Stripe does. `should_retry` becomes the
    `Stripe-Should-Retry` header, unless it is `None`.
    """

    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        *,
        should_retry: bool | None = False,
        **fields: Any,
    ) -> None:
        super().__init__(message)
        self.status = int(status)
        self.type = type_
        self.message = message
        self.should_retry = should_retry
        self.fields = {name: value for name, value in fields.items() if value is not None}

    def body(self, request_id: str | None) -> Json:
        """Return the JSON body of the answer."""
        error: Json = {**self.fields, "message": self.message, "type": self.type}
        if "code" in self.fields:
            error["doc_url"] = doc_url(self.fields["code"])
        if request_id is not None:
            error["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": dict(sorted(error.items()))}


def doc_url(code: str) -> str:
    """Return the page of Stripe's documentation about an error code."""
    return f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"


def invalid_request(
    message: str, *, param: str | None = None, code: str | None = None, **fields: Any
) -> StripeError:
    """Build the 400 for a request that can't be done as it stands."""
    return StripeError(
        HTTPStatus.BAD_REQUEST,
        "invalid_request_error",
        message,
        param=param,
        code=code,
        **fields,
    )


def missing(
    noun: str, id_: str, *, param: str, status: int = HTTPStatus.BAD_REQUEST
) -> StripeError:
    """Build the error for an id that names nothing: 404 in a path, 400 in a parameter."""
    return StripeError(
        status,
        "invalid_request_error",
        f"No such {noun}: '{id_}'",
        code="resource_missing",
        param=param,
    )


def unauthorized(message: str) -> StripeError:
    """Build the 401 for a missing, wrong or refused API key."""
    return StripeError(HTTPStatus.UNAUTHORIZED, "invalid_request_error", message)


def unknown_url(method: str, path: str) -> StripeError:
    """Build the 404 for a path that the sandbox doesn't serve."""
    return StripeError(
        HTTPStatus.NOT_FOUND,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs "
        "or we can help at https://support.stripe.com/.",
    )


def server_error(
    status: int = HTTPStatus.INTERNAL_SERVER_ERROR, *, should_retry: bool | None = None
) -> StripeError:
    """Build the answer of a Stripe that is itself in trouble."""
    return StripeError(
        status,
        "api_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error",
        "An unknown error occurred",
        should_retry=should_retry,
    )


def rate_limited(*, should_retry: bool | None = None) -> StripeError:
    """Build the 429; the client libraries retry it only when told to by the header."""
    return StripeError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "invalid_request_error",
        "Request rate limit exceeded. Learn more about rate limits at "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        should_retry=should_retry,
    )


def unexpected_state(kind: str, message: str, body: Json, *, param: str | None = None) -> NoReturn:
    """Refuse a move that the status of a payment or setup intent doesn't allow.

    The error carries the intent as it stands, under its `kind`.
    """
    raise invalid_request(message, code=f"{kind}_unexpected_state", param=param, **{kind: body})
