"""What a route of the API is, and how a request finds its own."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from gatekeeper.sandbox.stripe.errors import Json, unknown_url
from gatekeeper.sandbox.stripe.params import Reader
from gatekeeper.sandbox.stripe.state import Call


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: str
    path: str  # with {names} for ids
    handler: Callable[[Call], Json]
    params: Reader  # reads the parameters; `expand` has been taken out before
    returns: str  # the kind of object that it returns, or that its list holds
    listing: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression with a named group for each id."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))


def match(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Find the route of a request, and the ids in its path.

    Raises StripeError (404) when there is none.
    """
    for route in routes:
        found = route.pattern.fullmatch(path)
        if found and route.method == method:
            return route, found.groupdict()
    raise unknown_url(method, path)
