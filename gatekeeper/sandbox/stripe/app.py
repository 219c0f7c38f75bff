"""The way of a request through the sandbox, from the socket to its answer."""

import logging
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.authentication import check_api_key
from gatekeeper.sandbox.stripe.errors import StripeError, rate_limited, server_error
from gatekeeper.sandbox.stripe.faults import BAD_GATEWAY_PAGE, UNPARSABLE, Fault, Faults
from gatekeeper.sandbox.stripe.holds import Hold, Holds
from gatekeeper.sandbox.stripe.idempotency import Fingerprint, IdempotencyKeys
from gatekeeper.sandbox.stripe.journal import Entry, Journal
from gatekeeper.sandbox.stripe.rendering import check_expand, render
from gatekeeper.sandbox.stripe.resources import (
    balance,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    invoice_payments,
    invoices,
    payment_intents,
    payment_methods,
    prices,
    products,
    refunds,
    setup_intents,
    subscriptions,
    test_clocks,
)
from gatekeeper.sandbox.stripe.routing import Route, match
from gatekeeper.sandbox.stripe.state import API_VERSION, Call, State, new_id
from gatekeeper.sandbox.stripe.webhooks import Webhooks, WebhookSettings
from gatekeeper.sandbox.stripe.wire import Reply, Request, Unanswered, json_reply

_log = logging.getLogger(__name__)

ROUTES: Final = (
    *balance.ROUTES,
    *charges.ROUTES,
    *checkout_sessions.ROUTES,
    *customers.ROUTES,
    *disputes.ROUTES,
    *events.ROUTES,
    *invoice_payments.ROUTES,
    *invoices.ROUTES,
    *payment_intents.ROUTES,
    *payment_methods.ROUTES,
    *prices.ROUTES,
    *products.ROUTES,
    *refunds.ROUTES,
    *setup_intents.ROUTES,
    *subscriptions.ROUTES,
    *test_clocks.ROUTES,
)

# How long an answer waits for its events to be acknowledged, when they are to come first.
_FIRST_WAIT_S: Final = 10.0

_expand = params.list_of(params.identifier)


@dataclass(slots=True)
class _Visit:
    """One request on its way, with its entry in the journal and the fault that strikes it."""

    request: Request
    entry: Entry
    fault: Fault | None

    def struck_by(self, *kinds: str) -> bool:
        return self.fault is not None and self.fault.kind in kinds


class SandboxApp:
    """The sandbox without its socket."""

    def __init__(self, *, webhooks: WebhookSettings, api_key: str | None) -> None:
        self.state = State()
        self.keys = IdempotencyKeys()
        self.faults = Faults()
        self.holds = Holds()
        self.journal = Journal()
        self.webhooks = Webhooks(webhooks)
        self._initial_webhooks = webhooks
        self._api_key = api_key

    def reset(self) -> None:
        """Forget everything, let go what is held, and go back to the settings of the start."""
        self.faults.clear()
        self.holds.release()
        self.webhooks.clear(self._initial_webhooks)
        self.keys.prune()
        self.journal.clear()
        self.state.clear()

    def handle(self, request: Request) -> Reply:
        """Answer an API request.

        Raises Unanswered when a fault wants the connection closed instead.
        """
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        entry = Entry(new_id("req", 14), request.method, request.path, key)
        self.journal.add(entry)
        visit = _Visit(request, entry, self.faults.take(request.method, request.path))
        entry.fault = visit.fault.kind if visit.fault else None
        try:
            reply = self._arrive(visit) or self._depart(visit, self._answer(visit))
        except StripeError as error:
            reply = _error_reply(error, entry)
        entry.status = reply.status
        return replace(reply, headers={**_common_headers(request, entry), **reply.headers})

    def _arrive(self, visit: _Visit) -> Reply | None:
        fault = visit.fault
        if fault is None:
            return None
        match fault.kind:
            case "hang":
                self._hold(visit, until_gone=True)
                raise Unanswered(reset=False)
            case "reset":
                raise Unanswered(reset=True)
            case "error_before":
                raise server_error(fault.status, should_retry=fault.should_retry)
            case "rate_limit":
                raise rate_limited(should_retry=fault.should_retry)
            case "error_502_html":
                return BAD_GATEWAY_PAGE
        return None

    def _depart(self, visit: _Visit, reply: Reply) -> Reply:
        if visit.struck_by("hang_after"):
            self._hold(visit, until_gone=True)
        if visit.struck_by("reset_after"):
            raise Unanswered(reset=True)
        if visit.struck_by("bad_json"):
            return UNPARSABLE
        if visit.struck_by("error_502_html_after"):
            return BAD_GATEWAY_PAGE
        return reply

    def _hold(self, visit: _Visit, *, until_gone: bool) -> None:
        entry, request = visit.entry, visit.request
        hold = Hold(
            entry.request_id, entry.fault or "", entry.method, entry.path, entry.idempotency_key
        )
        self.holds.wait(hold, is_gone=request.is_gone if until_gone else None)

    def _answer(self, visit: _Visit) -> Reply:
        request, key = visit.request, visit.entry.idempotency_key
        check_api_key(request.headers, self._api_key)
        route, args = match(ROUTES, request.method, request.path)
        form = request.body.decode(errors="replace") if request.method == "POST" else request.query
        if not key:
            return self._execute(visit, route, args, form)
        parameters = tuple(sorted(parse_qsl(form, keep_blank_values=True)))
        kept = self.keys.claim(key, Fingerprint(request.path, parameters))
        if kept is not None:
            visit.entry.replayed = True
            return replace(kept, headers={**kept.headers, "Idempotent-Replayed": "true"})
        try:
            reply = self._execute(visit, route, args, form)
        except BaseException:
            self.keys.release(key)
            raise
        reply.headers["Original-Request"] = visit.entry.request_id
        self.keys.keep(key, reply)
        return reply

    def _execute(self, visit: _Visit, route: Route, args: dict[str, str], form: str) -> Reply:
        """Check the parameters and do it.

        Raises StripeError when the parameters are wrong, and nothing was done. Once execution has
        begun, errors are answers like any other.
        """
        raw = params.decode_form(form)
        expand = _expand(raw.pop("expand"), "expand") if "expand" in raw else []
        values: dict[str, Any] = route.params(raw, "")
        check_expand(expand, route.returns, listing=route.listing)
        if visit.struck_by("hang_before"):
            self._hold(visit, until_gone=False)
        call = Call(self.state, args, values, visit.entry.request_id, visit.entry.idempotency_key)
        reply = self._run(route, call, expand, visit.entry)
        self.publish(call)
        if visit.fault is not None and visit.fault.kind == "error_after":
            retry = visit.fault.should_retry or False
            error = server_error(visit.fault.status, should_retry=retry)
            return _error_reply(error, visit.entry)
        return reply

    def _run(self, route: Route, call: Call, expand: list[str], entry: Entry) -> Reply:
        with self.state.lock:
            try:
                return json_reply(render(self.state, route.handler(call), expand))
            except StripeError as error:
                return _error_reply(error, entry)
            except Exception:
                _log.exception("the sandbox failed at %s %s", entry.method, entry.path)
                return _error_reply(server_error(), entry)

    def publish(self, call: Call) -> None:
        """Send the events of a call on their way; wait for them if they are to come first."""
        deliveries = self.webhooks.publish(call.events)
        if self.webhooks.settings.first:
            self.webhooks.wait_settled(deliveries, _FIRST_WAIT_S)


def _error_reply(error: StripeError, entry: Entry) -> Reply:
    headers = {}
    if error.should_retry is not None:
        headers["Stripe-Should-Retry"] = str(error.should_retry).lower()
    return json_reply(error.body(entry.request_id), error.status, headers)


def _common_headers(request: Request, entry: Entry) -> dict[str, str]:
    headers = {
        "Request-Id": entry.request_id,
        "Stripe-Version": request.headers.get("Stripe-Version", API_VERSION),
    }
    if entry.idempotency_key:
        headers["Idempotency-Key"] = entry.idempotency_key
    return headers
