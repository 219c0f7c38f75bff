"""What the mailbox has received."""

import email
import email.policy
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as it was handed over in one SMTP transaction."""

    number: int
    received_at: datetime
    mail_from: str
    recipients: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None

    def header(self, name: str) -> str:
        """Return the first header of that name, or an empty string."""
        wanted = name.casefold()
        return next((value for key, value in self.headers if key.casefold() == wanted), "")

    @property
    def message_id(self) -> str:
        """The Message-ID header, with its angle brackets."""
        return self.header("Message-ID")

    def is_copy_of(self, other: "Delivery") -> bool:
        """Whether both are the same message (by Message-ID) to the same people."""
        if self is other:
            return True
        return bool(self.message_id) and (self.message_id, set(self.recipients)) == (
            other.message_id,
            set(other.recipients),
        )


@dataclass(slots=True)
class Deliveries:
    """Every delivery since the last `clear`, in the order of arrival. Safe to use from threads."""

    _kept: list[Delivery] = field(default_factory=list)
    _last_number: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, mail_from: str, recipients: Sequence[str], content: bytes) -> Delivery:
        """Keep a message.

        Raises LookupError when a part of it is in an unknown character set.
        """
        message = email.message_from_bytes(content, policy=email.policy.default)
        headers = tuple((name, str(value)) for name, value in message.items())
        text, html = _body(message, "plain"), _body(message, "html")
        with self._changed:
            self._last_number += 1
            delivery = Delivery(
                number=self._last_number,
                received_at=datetime.now(UTC),
                mail_from=mail_from,
                recipients=tuple(recipients),
                headers=headers,
                text=text,
                html=html,
            )
            self._kept.append(delivery)
            self._changed.notify_all()
        return delivery

    def all(self) -> list[Delivery]:
        """Return every delivery, oldest first."""
        with self._changed:
            return list(self._kept)

    def find(self, number: int) -> Delivery | None:
        """Return the delivery of that number, if it is still there."""
        return next((each for each in self.all() if each.number == number), None)

    def copies(self, delivery: Delivery) -> int:
        """How often this message arrived, this delivery included: more than one is a duplicate."""
        return sum(each.is_copy_of(delivery) for each in self.all())

    def clear(self) -> None:
        """Forget every delivery. Numbers are not used again."""
        with self._changed:
            self._kept.clear()

    def wait_for(self, count: int, timeout_s: float) -> list[Delivery]:
        """Return the deliveries once there are at least `count`.

        Raises TimeoutError when there are fewer after `timeout_s`.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._kept) >= count, timeout_s):
                raise TimeoutError(
                    f"{len(self._kept)} of {count} messages arrived within {timeout_s:g} s"
                )
            return list(self._kept)


def _body(message: EmailMessage, subtype: str) -> str | None:
    part = message.get_body(preferencelist=(subtype,))
    return None if part is None else str(part.get_content())
