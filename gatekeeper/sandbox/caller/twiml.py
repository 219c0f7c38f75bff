"""TwiML as a caller experiences it: parsed strictly, then performed."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from xml.parsers import expat

from gatekeeper.sandbox.caller.transport import BODY_BYTES_MAX
from gatekeeper.sandbox.caller.twiml_rules import RULES, ElementRule

# Source: https://www.twilio.com/docs/api/errors
TOO_LARGE_ERROR: Final = 11750
PARSE_ERROR: Final = 12100
SCHEMA_ERROR: Final = 12200
CONTENT_TYPE_ERROR: Final = 12300
CONTENT_TYPES: Final = frozenset({"text/xml", "application/xml"})

Destination = Literal["redirect", "stream", "conversation_relay", "number", "sip"]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The call was never picked up: `reason` is `rejected` or `busy`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """The caller heard `text` and the call was ended. All empty when nothing was said."""

    text: str = ""
    language: str = ""
    voice: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """The caller got through, after hearing `text` if there was any.

    `parameters` are those of a stream or a conversation relay.
    """

    kind: Destination
    target: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing could be performed: the caller heard Twilio's own "application error"."""

    error_code: int
    detail: str


@dataclass(frozen=True, slots=True)
class Empty:
    """The call was picked up and ended without a word: an empty <Response/>."""


Outcome = Rejected | Dropped | Answered | Failed | Empty


class TwimlError(Exception):
    """A document that Twilio would not perform, with Twilio's error code."""

    def __init__(self, error_code: int, detail: str) -> None:
        super().__init__(f"{error_code}: {detail}")
        self.error_code = error_code
        self.detail = detail


@dataclass(slots=True)
class Element:
    """An element of a TwiML document."""

    name: str
    attributes: dict[str, str]
    children: "list[Element]" = field(default_factory=list)
    text: str = ""


def experience(content_type: str, body: bytes) -> Outcome:
    """Return what a caller experiences when a webhook is answered with `body`."""
    try:
        return perform(parse(content_type, body))
    except TwimlError as error:
        return Failed(error.error_code, error.detail)


def parse(content_type: str, body: bytes) -> Element:
    """Return the checked <Response>. Raises TwimlError for anything that is not allowed."""
    if len(body) > BODY_BYTES_MAX:
        raise TwimlError(TOO_LARGE_ERROR, f"more than {BODY_BYTES_MAX} bytes")
    if content_type.partition(";")[0].strip().lower() not in CONTENT_TYPES:
        raise TwimlError(CONTENT_TYPE_ERROR, f"content type {content_type!r}")
    response = _Reader().read(body)
    if response.name != "Response":
        raise TwimlError(SCHEMA_ERROR, f"<{response.name}> instead of <Response>")
    _check(response)
    return response


def perform(response: Element) -> Outcome:
    """Return what a caller experiences from a checked <Response>."""
    if not response.children:
        return Empty()
    spoken: list[Element] = []
    for verb in response.children:
        match verb.name:
            case "Say":
                spoken.append(verb)
            case "Reject" if verb is response.children[0]:
                return Rejected(verb.attributes.get("reason", "rejected"))
            case "Redirect" | "Connect" | "Dial":
                return _answered(verb, spoken)
            case "Hangup" | "Reject":  # <Reject> after another verb comes too late to reject
                break
    return _dropped(spoken)


def _answered(verb: Element, spoken: list[Element]) -> Answered:
    text = _spoken_text(spoken)
    if verb.name == "Redirect":
        return Answered("redirect", verb.text.strip(), text=text)
    if not verb.children:
        return Answered("number", verb.text.strip(), text=text)
    noun = verb.children[0]
    parameters = {each.attributes["name"]: each.attributes["value"] for each in noun.children}
    kinds: dict[str, Destination] = {
        "Stream": "stream",
        "ConversationRelay": "conversation_relay",
        "Number": "number",
        "Sip": "sip",
    }
    target = noun.attributes["url"] if verb.name == "Connect" else noun.text.strip()
    return Answered(kinds[noun.name], target, parameters, text)


def _dropped(spoken: list[Element]) -> Dropped:
    first = spoken[0].attributes if spoken else {}
    return Dropped(_spoken_text(spoken), first.get("language", ""), first.get("voice", ""))


def _spoken_text(spoken: list[Element]) -> str:
    return " ".join(say.text.strip() for say in spoken)


class _Reader:
    """Builds the tree of elements from expat's events."""

    def __init__(self) -> None:
        self._document = Element("", {})
        self._open = [self._document]

    def read(self, body: bytes) -> Element:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(body, True)
        except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: encodings
            raise TwimlError(PARSE_ERROR, str(error)) from error
        return self._document.children[0]

    def _refuse_doctype(self, *_declaration: object) -> None:
        raise TwimlError(PARSE_ERROR, "a document type declaration")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        for value in attributes.values():
            _refuse_control_characters(value)
        element = Element(name, attributes)
        self._open[-1].children.append(element)
        self._open.append(element)

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        _refuse_control_characters(text)
        self._open[-1].text += text


def _refuse_control_characters(text: str) -> None:
    # XML itself forbids most of them, but not U+007F to U+009F, which no voice can speak.
    for character in text:
        if unicodedata.category(character) == "Cc" and character not in "\t\r\n":
            raise TwimlError(PARSE_ERROR, f"control character U+{ord(character):04X}")


def _check(element: Element) -> None:
    rule = RULES[element.name]
    _check_attributes(element, rule)
    _check_content(element, rule)
    for child in element.children:
        _check(child)


def _check_attributes(element: Element, rule: ElementRule) -> None:
    for name, value in element.attributes.items():
        if name not in rule.attributes:
            raise TwimlError(SCHEMA_ERROR, f"<{element.name}> has no attribute {name!r}")
        if not rule.attributes[name](value):
            raise TwimlError(SCHEMA_ERROR, f"<{element.name} {name}={value!r}>")
    missing = rule.required - element.attributes.keys()
    if missing:
        raise TwimlError(SCHEMA_ERROR, f"<{element.name}> lacks {', '.join(sorted(missing))}")
    length = sum(map(len, element.attributes.values()))
    if rule.attribute_chars_max is not None and length >= rule.attribute_chars_max:
        raise TwimlError(SCHEMA_ERROR, f"<{element.name}> is longer than Twilio passes on")


def _check_content(element: Element, rule: ElementRule) -> None:
    for child in element.children:
        if child.name not in rule.children | rule.nouns:
            raise TwimlError(SCHEMA_ERROR, f"<{child.name}> within <{element.name}>")
    text = element.text.strip()
    if rule.nouns and len(element.children) + bool(text) != 1:
        raise TwimlError(SCHEMA_ERROR, f"<{element.name}> needs exactly one noun")
    if text and rule.text is None:
        raise TwimlError(SCHEMA_ERROR, f"text within <{element.name}>")
    if rule.text is not None and not element.children and not rule.text(text):
        raise TwimlError(SCHEMA_ERROR, f"<{element.name}> with the text {text[:80]!r}")
