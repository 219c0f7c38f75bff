"""A mailbox for development: an SMTP server on loopback whose mail is read over HTTP.

It takes mail for every address and delivers none of it. `python -m gatekeeper.sandbox.mailbox`
runs it by itself; tests and the demo use `Mailbox`.
"""

from gatekeeper.sandbox.mailbox.behaviour import Behaviour
from gatekeeper.sandbox.mailbox.certificate import CertificateError
from gatekeeper.sandbox.mailbox.deliveries import Deliveries, Delivery
from gatekeeper.sandbox.mailbox.server import Mailbox

__all__ = ["Behaviour", "CertificateError", "Deliveries", "Delivery", "Mailbox"]
