"""How the mailbox is told to misbehave."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

DELAY_S_MAX = 60


class Behaviour(BaseModel):
    """The faults the mailbox shows from now on; the default is none.

    `refuse`: recipients refused for good at RCPT, with `refuse_code`.
    `temporary_failure`: every message gets 451 at MAIL, "try again later".
    `hang`: MAIL is never answered; once it is switched off the waiting sessions go on.
    `delay_s`: how long the answer to a message's content is held back.
    `lose_reply`: the message is kept, but the connection breaks before the sender hears so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    refuse: Annotated[frozenset[str], Field(strict=False)] = frozenset()
    refuse_code: Annotated[int, Field(ge=500, le=599)] = 550
    temporary_failure: bool = False
    hang: bool = False
    delay_s: Annotated[float, Field(ge=0, le=DELAY_S_MAX)] = 0.0
    lose_reply: bool = False

    def refuses(self, address: str) -> bool:
        """Whether mail to `address` is refused; upper and lower case are the same."""
        return address.casefold() in {refused.casefold() for refused in self.refuse}
