"""Whether a request comes from Twilio: the X-Twilio-Signature header.

The algorithm is that of `RequestValidator` in twilio-python 9.13 for form posts (a test holds the
two together); see https://www.twilio.com/docs/usage/security#validating-requests. It is computed
here because the library's own validator raises on odd input and takes ten times as long.

No time is signed, so a captured request can be sent again: whoever acts on one must be idempotent.
"""

from __future__ import annotations

import binascii
import functools
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import urlparse, urlsplit

from gatekeeper.telephony.request import is_account_sid

SIGNATURE_HEADER = "X-Twilio-Signature"

_SIGNATURE_CHARS = 28  # base64 of 20 bytes
_MAX_URI_CHARS = 8192
_CACHED_URIS = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}


class SignatureChecker:
    """Checks requests that Twilio sent to one public URL, for one or more Twilio accounts.

    `public_url` is what stands before the request target where Twilio calls us, such as
    `https://gate.example.com`. It is configured because behind a proxy a request shows neither the
    scheme nor the host that were signed. `tokens` has the auth tokens of each AccountSid: two
    during a rotation, a sub-account's its own. Raises ValueError for a URL or token that could
    never match.
    """

    def __init__(self, public_url: str, tokens: Mapping[str, Sequence[str]]) -> None:
        self._origins = _with_and_without_port(public_url)
        self._keys = {
            account_sid: tuple(token.encode() for token in own_tokens)
            for account_sid, own_tokens in tokens.items()
        }
        if not all(all(keys) for keys in self._keys.values()):
            raise ValueError("an auth token is empty")
        # The same few URLs are asked for on every call. What others send can't grow the cache.
        self._signed_urls = functools.lru_cache(maxsize=_CACHED_URIS)(self._build_signed_urls)

    @property
    def public_url(self) -> str:
        """The origin that signed URLs are taken to begin with."""
        return self._origins[0]

    def knows(self, account_sid: str) -> bool:
        """Tell whether there is any token of this account to check with."""
        return account_sid in self._keys

    def check(
        self,
        account_sid: str,
        raw_uri: str,
        pairs: Sequence[tuple[str, str]],
        signature: str | None,
    ) -> bool:
        """Tell whether Twilio signed this form post with a token of this account.

        `raw_uri` is the request target as it came, escapes untouched: decoding it makes genuine
        signatures fail. `pairs` are the form's decoded fields, repeats included. Never raises:
        whatever is odd is not signed.
        """
        keys = self._keys.get(account_sid)
        if keys is None or signature is None or len(signature) != _SIGNATURE_CHARS:
            return False
        if not signature.isascii() or raw_uri[:1] != "/" or len(raw_uri) > _MAX_URI_CHARS:
            return False
        try:
            urls = self._signed_urls(raw_uri)
            fields = "".join([name + value for name, value in sorted(set(pairs))]).encode()
        except UnicodeEncodeError:  # half a surrogate pair: nothing that can be signed
            return False
        given = signature.encode()
        for key in keys:
            for url in urls:
                digest = hmac.digest(key, url + fields, "sha1")
                if hmac.compare_digest(binascii.b2a_base64(digest, newline=False), given):
                    return True
        return False

    def _build_signed_urls(self, raw_uri: str) -> tuple[bytes, ...]:
        """Build what may have been signed: Twilio is inconsistent about the port.

        Parsing and joining again is what the library does; it drops an empty query's `?`.
        """
        return tuple(urlparse(origin + raw_uri).geturl().encode() for origin in self._origins)


def _with_and_without_port(public_url: str) -> tuple[str, str]:
    parts = urlsplit(public_url)
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ValueError("the public URL must be http://host or https://host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("the public URL must not have a user, a query or a fragment")
    host = parts.netloc if parts.port is None else parts.netloc.removesuffix(f":{parts.port}")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    path = parts.path.rstrip("/")
    return f"{parts.scheme}://{host}{path}", f"{parts.scheme}://{host}:{port}{path}"


def parse_tokens(text: str, main_account_sid: str) -> dict[str, tuple[str, ...]]:
    """Read the auth tokens of the setting: `token`, `old,new`, `token,AC…:token-of-sub-account`.

    A plain token is the main account's. Raises ValueError, which tells the entry by its position
    and never holds a token.
    """
    tokens: dict[str, tuple[str, ...]] = {main_account_sid: ()}
    for position, entry in enumerate(text.split(","), start=1):
        first, colon, second = entry.strip().partition(":")
        account_sid, token = (first, second) if colon else (main_account_sid, first)
        if colon and not is_account_sid(account_sid):
            raise ValueError(
                f"entry {position}: what stands before the colon is not an Account SID"
                " (AC and 32 hex digits)"
            )
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError(f"entry {position} is empty or has characters that no token has")
        if token in tokens.get(account_sid, ()):
            raise ValueError(f"entry {position} repeats an earlier one")
        tokens[account_sid] = (*tokens.get(account_sid, ()), token)
    if not tokens[main_account_sid]:
        raise ValueError("the main account has no token")
    return tokens
