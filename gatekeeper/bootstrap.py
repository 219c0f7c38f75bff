"""The one place where the parts are put together."""

from __future__ import annotations

from functools import cached_property, lru_cache

from redis import Redis
from sqlalchemy import Engine
from stripe import StripeClient

from gatekeeper.domain.route import DropMessage, Route
from gatekeeper.history.engine import open_history
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.mail.compose import SenderIdentity
from gatekeeper.mail.smtp import SmtpRelay
from gatekeeper.payments.client import stripe_client, stripe_client_for_pages
from gatekeeper.settings import Settings, load_settings
from gatekeeper.sign_in_links import SignInLinks
from gatekeeper.telephony.signature import SignatureChecker

#: The webhook must answer within 2 s: a number look-up and a decision, each within this.
GATE_TIMEOUT_S = 0.5
WORK_TIMEOUT_S = 5.0


class Parts:
    """The parts of a process, each made when first asked for. None connects before it is used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def gate(self) -> Ledger:
        """The ledger for the voice path: fails fast."""
        return self._ledger(GATE_TIMEOUT_S, self.settings.web_threads + 2)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger for everything that nobody waits for on a telephone."""
        return self._ledger(WORK_TIMEOUT_S, max(4, self.settings.web_threads))

    def _ledger(self, timeout_s: float, max_connections: int) -> Ledger:
        client = connect(
            self.settings.redis_url.get_secret_value(),
            timeout_s=timeout_s,
            max_connections=max_connections,
        )
        return Ledger(client, shards=self.settings.shards)

    @cached_property
    def queue_redis(self) -> Redis:
        """RQ's Redis. RQ stores bytes and sets its own timeouts, so it shares no client."""
        return Redis.from_url(self.settings.jobs_redis_url)

    @cached_property
    def history(self) -> Engine:
        """History's database, for whatever looks back."""
        return open_history(
            self.settings.database_url.get_secret_value(),
            pool_size=max(4, self.settings.web_threads),
        )

    @cached_property
    def signatures(self) -> SignatureChecker:
        """Checks that a request is Twilio's."""
        return SignatureChecker(self.settings.public_origin, self.settings.twilio_tokens)

    @cached_property
    def stripe(self) -> StripeClient:
        """Stripe, for everything that can wait for it."""
        return stripe_client(*self._stripe_account)

    @cached_property
    def stripe_for_pages(self) -> StripeClient:
        """Stripe, for pages of the web process: fails fast."""
        return stripe_client_for_pages(*self._stripe_account)

    @property
    def _stripe_account(self) -> tuple[str, str]:
        settings = self.settings
        return (
            settings.stripe_secret_key.get_secret_value(),
            settings.stripe_api_base.get_secret_value(),
        )

    @cached_property
    def mail(self) -> SmtpRelay:
        """The mail server."""
        return self.settings.smtp_relay

    @cached_property
    def sender(self) -> SenderIdentity:
        """In whose name e-mail is sent."""
        return self.settings.sender

    @cached_property
    def sign_in_links(self) -> SignInLinks:
        """The links by which people sign in to the portal."""
        return SignInLinks(self.settings.public_origin, self.settings.secret_keys)

    @cached_property
    def answer_route(self) -> Route:
        """The default route of answered calls."""
        return self.settings.answer_route

    @cached_property
    def drop_message(self) -> DropMessage:
        """The default message of dropped calls."""
        return self.settings.spoken_drop_message


@lru_cache(maxsize=1)
def parts() -> Parts:
    """Make this process's parts from the environment, once. Raises SettingsError."""
    return Parts(load_settings())
