"""What the gallery's pages show."""

from __future__ import annotations

NOW_MS = 1_763_812_800_000
DAY_MS = 86_400_000
TIMEZONE = "America/New_York"

_USED = (14, 18, 9, 22, 27, 6, 3, 19, 24, 21, 17, 25, 5, 0, 23, 31, 20, 18, 26, 7, 4, 22)
USED_BY_DAY = tuple((f"Nov {day}", used) for day, used in enumerate(_USED, 1))

OUTCOMES = (
    ("Caller answered, full conversation", 318, 318),
    ("Caller answered, hung up immediately", 43, 43),
    ("Call dropped because balance was empty + auto top-off unavailable", 6, 0),
)

NUMBERS = (
    ("+1 212 555 0134", "AI Receptionist", 204),
    ("+1 212 555 0177", "AI Receptionist", 131),
    ("+1 646 555 0102", "AI Calling", 26),
)

#: at, what, state, tone of the state, credits, amount in minor units
PAYMENTS = (
    (NOW_MS - 2 * 3_600_000, "Auto top-off", "Failed", "bad", 0, 5000),
    (NOW_MS - 3 * 3_600_000, "Auto top-off", "In progress", "busy", 0, 5000),
    (NOW_MS - 6 * DAY_MS, "Auto top-off", "Paid", "good", 200, 5000),
    (NOW_MS - 9 * DAY_MS, "Purchase", "Paid", "good", 1000, 25000),
    (NOW_MS - 12 * DAY_MS, "Refund", "Refunded", "plain", -100, -2500),
    (NOW_MS - 21 * DAY_MS, "Monthly allotment", "Reset", "plain", 500, None),
)

#: at, from, to, outcome, tone, credits
CALLS = tuple(
    (NOW_MS - minutes * 60_000, caller, NUMBERS[0][0], outcome, tone, used)
    for minutes, caller, outcome, tone, used in (
        (3, "+1 917 555 0148", "Answered", "good", 1),
        (41, "+1 347 555 0199", "Hung up immediately", "plain", 1),
        (95, "+1 718 555 0123", "Dropped", "bad", 0),
        (180, "+44 20 7946 0018", "In progress", "busy", 1),
        (1500, "+1 917 555 0161", "No answer, credit returned", "plain", 0),
    )
)

PACKS = (
    ("100", "100 credits", "$25.00"),
    ("500", "500 credits", "$125.00"),
    ("1000", "1,000 credits", "$250.00"),
    ("other", "Another number", "$0.25 each"),
)

PROBLEMS = {
    "threshold": "Enter a whole number of credits, such as 50.",
    "amount": "Top up at least 2 credits: a card can't be charged less than $0.50.",
}
