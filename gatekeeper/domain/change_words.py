"""Changes made by hand in words: "Auto top-off set: on, below 50 add 200".

Names and addresses in them were typed by customers: whoever shows them escapes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Final

from gatekeeper.domain.change import Change, ChangeDetail, Value, read_detail
from gatekeeper.domain.entry import Entry
from gatekeeper.domain.money import format_minor


def change_words(entry: Entry, currency: str) -> str:
    """Say what an entry ACCOUNT_CHANGED tells; who did it is its note.

    `currency` is the deployment's. Of a change that this version does not know the words are those
    of the entry.
    """
    known = _WORDS.get(entry.cause)
    return known(entry.ref, read_detail(entry.detail), currency) if known else entry.cause


def _topoff_set(_ref: str, detail: ChangeDetail, currency: str) -> str:
    values = detail.values
    terms = ["on" if values.get("enabled") else "off"]
    if "threshold" in values:
        terms.append(f"below {values['threshold']} add {values.get('amount')}")
    if values.get("overdraft_limit") is not None:
        terms.append(f"overdraft limit {values['overdraft_limit']}")
    if (cap := values.get("spending_cap_minor")) is not None:
        terms.append(f"spending cap {_money(cap, currency)}")
    return f"Auto top-off set: {', '.join(terms)}"


def _described(_ref: str, detail: ChangeDetail, currency: str) -> str:
    return f"Account changed: {', '.join(_facts(detail, currency))}"


def _facts(detail: ChangeDetail, currency: str) -> Iterator[str]:
    for name in ("name", "email", "timezone"):
        if (text := detail.text(name)) is not None:
            yield f"{_FIELDS[name]} {text}"
    if "price_minor" in detail.values:
        price = detail.values["price_minor"]
        yield f"price of a credit {'the default' if price is None else _money(price, currency)}"
    for name in ("route", "drop_message"):
        if detail.values.get(name):
            yield _FIELDS[name]


_FIELDS: Final = {
    "name": "name",
    "email": "e-mail",
    "timezone": "time zone",
    "route": "where calls go",
    "drop_message": "what dropped callers hear",
}


def _card(what: str) -> Callable[[str, ChangeDetail, str], str]:
    def words(_ref: str, detail: ChangeDetail, _currency: str) -> str:
        return f"{what}: {detail.text('brand')} ending in {detail.text('last4')}"

    return words


def _cycle_set(_ref: str, detail: ChangeDetail, _currency: str) -> str:
    anchor_ms = detail.values.get("anchor_ms")
    since = (
        f" from {datetime.fromtimestamp(anchor_ms / 1000, UTC):%Y-%m-%d}"
        if isinstance(anchor_ms, int)
        else ""
    )
    return f"Cycle set: {detail.values.get('allotment')} credits {detail.text('interval')}{since}"


def _number_assigned(number: str, detail: ChangeDetail, _currency: str) -> str:
    own = ", with a route of its own" if detail.values.get("route") else ""
    return f"Number assigned: {number}{own}"


def _member_set(email: str, detail: ChangeDetail, _currency: str) -> str:
    words = f"Member set: {email}, {detail.text('role')}"
    notices = detail.text("notices")
    if notices is None:
        return words
    return f"{words}, e-mails about {notices.replace('_', ' ').replace(',', ', ') or 'nothing'}"


def _always(what: str) -> Callable[[str, ChangeDetail, str], str]:
    return lambda _ref, _detail, _currency: what


def _of_ref(what: str) -> Callable[[str, ChangeDetail, str], str]:
    return lambda ref, _detail, _currency: f"{what}: {ref}"


def _money(amount_minor: Value, currency: str) -> str:
    return format_minor(int(amount_minor or 0), currency)


_WORDS: Final[dict[str, Callable[[str, ChangeDetail, str], str]]] = {
    Change.DESCRIBED: _described,
    Change.SUSPENDED: _always("Account suspended"),
    Change.UNSUSPENDED: _always("Account resumed"),
    Change.TOPOFF_SET: _topoff_set,
    Change.CARD_SAVED: _card("Card saved"),
    Change.CARD_UPDATED: _card("Card updated"),
    Change.CARD_REMOVED: _card("Card removed"),
    Change.CYCLE_SET: _cycle_set,
    Change.SUBSCRIPTION_LINKED: _always("Subscription linked"),
    Change.SUBSCRIPTION_UNLINKED: _always("Subscription unlinked"),
    Change.NUMBER_ASSIGNED: _number_assigned,
    Change.NUMBER_RELEASED: _of_ref("Number released"),
    Change.MEMBER_SET: _member_set,
    Change.MEMBER_REMOVED: _of_ref("Member removed"),
}
