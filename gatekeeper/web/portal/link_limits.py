"""How often links may be asked for, and people invited.

Requests are counted by client first, and for the address only where a link is then owed: who has
asked too often can neither keep others from signing in nor fill the ledger with counts. Invitations
are counted apart, by the account that invites: they keep nobody from signing in, nor from being
invited elsewhere.
"""

from __future__ import annotations

import ipaddress
from typing import Final

from gatekeeper.ledger.sign_ins import SignIns

#: How many links may be asked for in WINDOW_S: for one address, and by one client.
REQUESTS_PER_ADDRESS: Final = 5
REQUESTS_PER_CLIENT: Final = 30
#: How many invitations an account may send in WINDOW_S: to one address, and to all.
INVITATIONS_PER_ADDRESS: Final = 5
INVITATIONS_PER_ACCOUNT: Final = 30
#: An IPv6 client has a network of this size to itself, and any address in it.
_CLIENT_PREFIX_V6: Final = 64


def asks_too_often(sign_ins: SignIns, email: str, client_address: str | None) -> bool:
    """Count a request for a link, whoever it is for, and tell whether to refuse it.

    Raises redis.RedisError.
    """
    if sign_ins.count_request(client_network(client_address)) > REQUESTS_PER_CLIENT:
        return True
    return sign_ins.count_request(email) > REQUESTS_PER_ADDRESS


def invites_too_often(sign_ins: SignIns, account_id: str, email: str) -> bool:
    """Count an invitation of an account's, and tell whether to refuse it.

    Raises redis.RedisError.
    """
    if sign_ins.count_request(account_id) > INVITATIONS_PER_ACCOUNT:
        return True
    return sign_ins.count_request(f"{account_id}:{email}") > INVITATIONS_PER_ADDRESS


def client_network(address: str | None) -> str:
    """Name whom requests from an address are counted against."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _CLIENT_PREFIX_V6), strict=False))
