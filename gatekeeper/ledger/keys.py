"""Every Redis key of the ledger is built here.

| key                          | type   | value, members or fields             | lifetime        |
|------------------------------|--------|--------------------------------------|-----------------|
| `gk:{s}:account:<id>`        | hash   | what verbs look at, see below        | for good        |
| `gk:{s}:profile:<id>`        | hash   | what people look at, see below       | for good        |
| `gk:{s}:route:<id>`          | string | an account's own route               | for good        |
| `gk:{s}:drop:<id>`           | string | an account's own drop message        | for good        |
| `gk:{s}:accounts`            | set    | ids of the shard's accounts          | for good        |
| `gk:{s}:numbers:<id>`        | set    | an account's numbers, see numbers.py | for good        |
| `gk:{s}:call:<id>:<AC>:<CA>` | string | a call's record, see records.py      | CALL_KEPT_S     |
| `gk:{s}:topoff:<id>`         | hash   | one top-off, see below               | 400 days more   |
| `gk:{s}:checkout:<id>`       | hash   | one visit to Checkout, see below     | 400 days more   |
| `gk:{s}:payment:<id>:<ref>`  | string | credits added or removed for it      | 400 days        |
| `gk:{s}:clawback:<id>:<pi>`  | hash   | what of a payment went back, below   | 400 days more   |
| `gk:{s}:incident:<id>`       | hash   | an account's newest, see below       | for good        |
| `gk:{s}:dismissed:<inc>`     | set    | e-mails that see it no more          | 400 days        |
| `gk:{s}:notice:<id>`         | hash   | one e-mail's content, see below      | 90 days         |
| `gk:{s}:told:<notice>`       | set    | whom this e-mail was sent to         | 90 days         |
| `gk:{s}:members:<id>`        | hash   | e-mail → a member, see members.py    | for good        |
| `gk:{s}:sign-in:<link>`      | hash   | a link to sign in by, see below      | 15 min, 7 days  |
| `gk:{s}:log`                 | stream | entries                              | until trimmed   |
| `gk:{s}:owed`                | zset   | task → due, in ms                    | until done      |
| `gk:{s}:tries`               | hash   | task → how it is owed, see below     | until done      |
| `gk:number:<E.164>`          | hash   | one phone number, see below          | for good        |
| `gk:subscription:<sub>`      | string | id of the account that it drives     | while it does   |
| `gk:customers:<bucket>`      | hash   | "customer account", see below        | for good        |
| `gk:person:<e-mail>`         | set    | accounts to look for this member in  | for good        |
| `gk:session:<digest>`        | hash   | somebody signed in, see below        | see sessions.py |
| `gk:sessions:<e-mail>`       | set    | digests of a person's sessions       | 14 days         |
| `gk:sign-ins:<who>`          | string | links asked for, invitations sent    | 15 min          |
| `gk:sso:<digest>`            | string | a token that was used                | 10 min          |
| `gk:outages`                 | zset   | from-to, ms → to                     | 48 h            |
| `gk:shards`                  | string | the deployment's number of shards    | for good        |
| `gk:probe`                   | string | written to see if writes are taken   | 1 s             |

`{s}` is the shard as a hash tag: every key of an account lies in one slot of a Redis Cluster, so
each verb runs on one node. Numbers are looked up before the account is known and have no tag.
On the channel `gk:{s}:wake` the scripts publish when work that they wrote down is due, in ms.
A top-off has a lifetime only once it has ended; "400 days more" are counted from then, or
from the last time that money of its payment went back or came again; those of a visit to Checkout
from its last news on. A subscription's note lasts
60 s until its account is linked to it.

A flag is `1`, or absent; texts and numbers that are not set are absent. Credits unless said
otherwise; what ends in `_ms` is milliseconds since the epoch.

account
    - `allotment` and `purchased`: the buckets. `allotment_size`: what a new period grants.
    - `cycle_no`, `cycle_start_ms`, `cycle_end_ms`: the period; no end, no cycle.
      `cycle_granted`: the allotment that this period has granted so far. `withheld`: what of it a
      subscription's status took away, and gives back within the period.
    - `topoff_on` ("1" or "0"), `threshold`, `topoff_amount`, `overdraft_limit`, `cap_minor`: the
      settings; the last is the spending cap of a period, in minor units.
    - `spent_minor`: what top-offs have charged in this period. `spent_start_ms`: where that period
      begins, while the account has no cycle; absent, at `cycle_start_ms` or before.
    - `capped`: flag, one more would pass the cap. `cap_told`: the highest cap that the e-mail of
      its being reached was written for in this period.
    - `topoff`, `topoff_state`: the top-off in flight.
    - `incident`: the open one. `blocked_by`: its reason. `retries`: failures in a row.
      `retry_at_ms`: when an automatic attempt is allowed again.
    - `suspended`: flag. `custom`: flag, the account has a route or drop message of its own.
    - `low_told`, `drop_told`: flags, the e-mail of this crossing or empty spell is written.
    - `price_minor`: its own price of a credit, minor units. `created_at_ms`.
profile
    - `name`, `email`, `timezone`. `anchor_ms`, `interval`: the billing cycle's.
    - `subscription`: the one at Stripe that drives the account. `subscription_status`: how it
      stood when it was last read.
    - `customer`, `payment_method`: Stripe's ids. `card_brand`, `card_last4`, `card_expiry`.
      `card_at_ms`: when the card was saved, or taken away. `customer_before`: one that Stripe lost.
      `card_refused`: the decline code that forbids to try this card again.
topoff
    - `account`, `state`, `cause`, `credits`. `attempt`: counts from 1.
    - `requested_at_ms`, `charging_at_ms`, `finished_at_ms`.
    - fixed when the charge begins: `amount_minor`, `currency`, `customer`, `payment_method`,
      `card_last4`. Before the confirmation: `payment_intent`.
    - of a failure: `reason`, `decline_code`.
checkout, of one visit to Stripe Checkout, to buy credits or to save a card
    - `account`, `mode`, `state`, `session`, `customer`, `started_at_ms`, `by`: who began it;
      of a purchase also `credits`, `amount_minor`, `currency`.
    - once it succeeded: `finished_at_ms`, `card_last4`; of a purchase also `payment_intent`,
      `receipt_url`.
clawback, of one PaymentIntent
    - `re_…`, `du_…`: a refund or dispute as "rank amount out", see domain/correction.py: the amount
      in minor units, out "1" while it is gone, else "0".
    - `taken`: credits taken for all of them together.
tries
    - each task: how often it was enqueued, when it was first due in ms, and, if there was news, the
      mark of the newest. `marks`: how many of those there were; this stays.
incident
    - `id`, `account`, `topoff`, `reason`, `credits`, `amount_minor`, `currency`, `decline_code`,
      `at_ms`. Once it is over: `resolved_at_ms`, `resolution`.
notice
    - `kind`, `at_ms`, `balance`; by kind also `reason`, `credits`, `amount_minor`, `currency`,
      `card_last4`, `receipt_url`, `threshold`, `cause`, `cap_minor`, `spent_minor`,
      `resumes_at_ms`, `switched_off`: flag.
sign-in
    - `email`: whom the link is for. `next`: the path to go on to. `at_ms`: since when. Of an
      invitation, which lives for 7 days, also `invited_to`: the account, and `invited_by`: the
      member who invites, or empty.
session
    - `email`, `user_agent`, `created_at_ms`, `seen_at_ms`: who, by what browser, since when, when
      last used. `began_by`: how they signed in, see sessions.py.
customers
    - each field is a customer at Stripe and an account to look for it in, with a space between;
      the values are empty. Many share a hash, as a key of its own costs more than what it holds.
number
    - `account` ("" when released), `route` ("" is the account's own), `previous`: whose it was
      before, `changed_at_ms`: when it last changed hands. `untold`: flag, the account's log is yet
      to tell of its last change.
"""

from __future__ import annotations

import functools
import re
import secrets
import zlib
from dataclasses import dataclass

from gatekeeper.domain.account import is_account_id
from gatekeeper.domain.call import CallId

CALL_KEPT_S = 48 * 3600
MAX_SHARDS = 1024
#: Together about 5 MB when full.
_CACHED_ACCOUNTS = 4096
#: A hash of some hundred fields is stored most tightly: that many for 100,000 accounts.
_CUSTOMER_BUCKETS = 1024

_TOKEN = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """The keys that every verb on one account is given, in the scripts' order."""

    account: str
    profile: str
    route: str
    drop_message: str
    log: str
    owed: str
    tries: str
    incident: str
    prefix: str
    id: str

    def call(self, call: CallId) -> str:
        """Name the record of this account's call; constant prefixes are left out to save memory.

        The account is part of it: a number may change hands, and another account's record must
        never be taken for its own.
        """
        return f"{self.prefix}:call:{self.id[5:]}:{call.account_sid[2:]}:{call.call_sid[2:]}"

    def topoff(self, topoff_id: str) -> str:
        """Name one top-off."""
        return f"{self.prefix}:topoff:{topoff_id}"

    def checkout(self, checkout_id: str) -> str:
        """Name one visit to Checkout."""
        return f"{self.prefix}:checkout:{checkout_id}"

    def notice(self, notice_id: str) -> str:
        """Name one e-mail's content."""
        return f"{self.prefix}:notice:{notice_id}"

    def payment(self, reference: str) -> str:
        """Name the idempotency record of this account's payment or correction."""
        return f"{self.prefix}:payment:{self.id[5:]}:{reference}"

    def clawback(self, payment_intent: str) -> str:
        """Name what is known of the refunds and disputes of this account's payment."""
        return f"{self.prefix}:clawback:{self.id[5:]}:{payment_intent}"

    def dismissed(self, incident_id: str) -> str:
        """Name the set of those who dismissed an incident."""
        return f"{self.prefix}:dismissed:{incident_id}"

    def told(self, notice_id: str) -> str:
        """Name the set of those whom a notice was sent to."""
        return f"{self.prefix}:told:{notice_id}"

    @property
    def members(self) -> str:
        """The account's members."""
        return f"{self.prefix}:members:{self.id}"

    @property
    def numbers(self) -> str:
        """The account's numbers."""
        return f"{self.prefix}:numbers:{self.id}"

    @property
    def wake(self) -> str:
        """The channel on which owed work is announced to the relay."""
        return f"{self.prefix}:wake"


class Keys:
    """Builds keys for a deployment's fixed number of shards."""

    def __init__(self, shards: int) -> None:
        if not 1 <= shards <= MAX_SHARDS:
            raise ValueError(f"the number of shards must be from 1 to {MAX_SHARDS}")
        self.shards = shards
        self._of_account = functools.lru_cache(_CACHED_ACCOUNTS)(self._build)

    def shard_of(self, subject: str) -> int:
        """Find the shard an account lives in, or the work owed for a payment of whoever it is."""
        return zlib.crc32(subject.encode()) % self.shards

    def of_account(self, account_id: str) -> AccountKeys:
        """Build the keys of one account, or recall them: every verb asks for them."""
        return self._of_account(account_id)

    def _build(self, account_id: str) -> AccountKeys:
        prefix = f"gk:{{{self.shard_of(account_id)}}}"
        return AccountKeys(
            account=f"{prefix}:account:{account_id}",
            profile=f"{prefix}:profile:{account_id}",
            route=f"{prefix}:route:{account_id}",
            drop_message=f"{prefix}:drop:{account_id}",
            log=f"{prefix}:log",
            owed=f"{prefix}:owed",
            tries=f"{prefix}:tries",
            incident=f"{prefix}:incident:{account_id}",
            prefix=prefix,
            id=account_id,
        )

    def calls_named(self, shard: int, call_sid: str) -> str:
        """Match the records of a CallSid whose account is not known."""
        return f"gk:{{{shard}}}:call:*:{call_sid[2:]}"

    def calls_of(self, account_id: str | None) -> str:
        """Match the records of an account's calls, or of all accounts'."""
        if account_id is None:
            return "gk:{*}:call:*"
        return f"{self.of_account(account_id).prefix}:call:{account_id[5:]}:*"

    def topoffs_of(self, account_id: str | None) -> str:
        """Match the records of an account's top-offs, or of all accounts'."""
        if account_id is None:
            return "gk:{*}:topoff:*"
        return f"{self.of_account(account_id).prefix}:topoff:{account_id}-*"

    def clawbacks_of(self, account_id: str | None) -> str:
        """Match the records of what went back of an account's payments, or of all accounts'."""
        if account_id is None:
            return "gk:{*}:clawback:*"
        return f"{self.of_account(account_id).prefix}:clawback:{account_id[5:]}:*"

    @staticmethod
    def read_call(key: str) -> tuple[str, CallId]:
        """Read the account id and the call from the name of its record."""
        account, account_sid, call_sid = key.rsplit(":", 3)[1:]
        return f"acct_{account}", CallId(f"AC{account_sid}", f"CA{call_sid}")

    @staticmethod
    def read_topoff(key: str) -> str:
        """Read a top-off's id from the name of its record."""
        return key.rsplit(":", 1)[1]

    @staticmethod
    def read_clawback(key: str) -> tuple[str, str]:
        """Read the account id and the PaymentIntent from the name of what went back."""
        account, payment_intent = key.rsplit(":", 2)[1:]
        return f"acct_{account}", payment_intent

    def accounts(self, shard: int) -> str:
        """Name the set of a shard's accounts."""
        return f"gk:{{{shard}}}:accounts"

    def log(self, shard: int) -> str:
        """Name a shard's log."""
        return f"gk:{{{shard}}}:log"

    def owed(self, shard: int) -> str:
        """Name a shard's owed work."""
        return f"gk:{{{shard}}}:owed"

    def tries(self, shard: int) -> str:
        """Name the counts of how often each owed task was enqueued."""
        return f"gk:{{{shard}}}:tries"

    def wake(self, shard: int) -> str:
        """Name the channel on which a shard announces owed work."""
        return f"gk:{{{shard}}}:wake"

    def number(self, number: str) -> str:
        """Name the route of a phone number."""
        return f"gk:number:{number}"

    def subscription(self, subscription: str) -> str:
        """Name the note of which account a subscription at Stripe drives."""
        return f"gk:subscription:{subscription}"

    def customers(self, customer: str) -> str:
        """Name the notes of which accounts some customers at Stripe may be, this one among them."""
        return f"gk:customers:{zlib.crc32(customer.encode()) % _CUSTOMER_BUCKETS}"

    def person(self, email: str) -> str:
        """Name the accounts that a person may be a member of."""
        return f"gk:person:{email}"

    def session(self, digest: str) -> str:
        """Name a session by the digest of what its cookie holds."""
        return f"gk:session:{digest}"

    def sessions(self, email: str) -> str:
        """Name the digests of a person's sessions."""
        return f"gk:sessions:{email}"

    def sign_in(self, link_id: str) -> str:
        """Name a link to sign in by."""
        return f"gk:{{{self.shard_of(link_id)}}}:sign-in:{link_id}"

    def sign_ins(self, who: str) -> str:
        """Name the count of what somebody asked for lately, see sign_ins.py."""
        return f"gk:sign-ins:{who}"

    def used_token(self, digest: str) -> str:
        """Name the note that a token of the product's own site was used."""
        return f"gk:sso:{digest}"

    def outages(self) -> str:
        """Name the notes of when the ledger could not be asked."""
        return "gk:outages"

    def shard_count(self) -> str:
        """Name the note of how many shards this deployment was started with."""
        return "gk:shards"

    def probe(self) -> str:
        """Name the key that is written to see whether the ledger takes writes."""
        return "gk:probe"


def account_of(record_id: str) -> str:
    """Read the account from the id of a top-off, purchase, notice or the like."""
    return record_id.rsplit("-", 1)[0]


def new_record_id(account_id: str) -> str:
    """Make the id of a top-off, notice or the like of an account."""
    return f"{account_id}-{secrets.token_hex(6)}"


def is_record_id(text: str) -> bool:
    """Tell whether the text is shaped like the id of a top-off, purchase, notice or the like."""
    account_id, _, token = text.rpartition("-")
    return is_account_id(account_id) and _TOKEN.fullmatch(token) is not None
