"""E-mail handed to real SMTP servers, that behave and that don't."""

from __future__ import annotations

import socket
import ssl
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekeeper.mail.compose import Recipient, compose
from gatekeeper.mail.smtp import MailServerUnavailable, RecipientRefused, SmtpRelay
from gatekeeper.mail.smtp_errors import translate
from gatekeeper.mail.smtp_session import Deadline
from gatekeeper.mail.smtp_url import MailServer, Security
from gatekeeper.sandbox.mailbox import Behaviour, Mailbox
from tests.mail.emails import OWNER, SENDER, SUCCEEDED
from tests.mail.scripted_server import (
    HOST,
    Answer,
    ScriptedServer,
    hang_up,
    say,
    stay_silent,
    trickle,
)

MESSAGE = compose(SUCCEEDED, OWNER, SENDER)
PATIENCE_S = 30.0  # far more than any of these conversations takes


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


def self_signed(directory: Path, names: str) -> Path:
    """Make a key and a certificate for some names, in one file."""
    key, certificate, both = (directory / name for name in ("key.pem", "cert.pem", "both.pem"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-subj", "/CN=test", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


def tls_contexts(pem: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the context of a server that shows the certificate, and of a client that trusts it."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return tls_contexts(self_signed(tmp_path_factory.mktemp("tls"), "IP:127.0.0.1"))


def send(port: int, *, timeout_s: float = PATIENCE_S) -> None:
    SmtpRelay.from_url(f"smtp://{HOST}:{port}", timeout_s=timeout_s).send(MESSAGE)


# --- a server that takes e-mail -----------------------------------------------------------------


def test_a_message_arrives_as_it_was_composed(mailbox: Mailbox) -> None:
    SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    (delivery,) = mailbox.deliveries.all()
    assert delivery.mail_from == "no-reply@mail.example"
    assert delivery.recipients == ("owner@rossi.example",)
    assert delivery.message_id == MESSAGE["Message-ID"]
    assert delivery.header("Subject") == "Auto top-off: 200 credits added"
    assert "AI Receptionist → Settings" in (delivery.text or "")
    assert "AI Receptionist → Settings" in (delivery.html or "")


def test_a_host_is_tried_at_each_of_its_addresses(mailbox: Mailbox) -> None:
    """The mailbox listens on 127.0.0.1 alone, while localhost may be ::1 first."""
    SmtpRelay.from_url(mailbox.smtp_url.replace(HOST, "localhost")).send(MESSAGE)
    assert len(mailbox.deliveries.all()) == 1


def test_a_password_is_used() -> None:
    with Mailbox(user="gate keeper", password="p@ss:/w%rd") as mailbox:
        SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
        assert len(mailbox.deliveries.all()) == 1


def test_a_check_logs_in_and_leaves_nothing() -> None:
    with Mailbox(user="gate keeper", password="p@ss:/w%rd") as mailbox:
        SmtpRelay.from_url(mailbox.smtp_url).check()
        assert mailbox.deliveries.all() == []
        wrong = mailbox.smtp_url.replace("p%40ss", "other")
        with pytest.raises(MailServerUnavailable, match="user name and password") as caught:
            SmtpRelay.from_url(wrong).check()
        assert "other" not in str(caught.value)


def test_a_check_is_bounded_in_time() -> None:
    with ScriptedServer({"EHLO": trickle}) as server:
        relay = SmtpRelay.from_url(f"smtp://{HOST}:{server.port}", timeout_s=0.2)
        with pytest.raises(MailServerUnavailable, match=r"did not finish in 0\.2 s"):
            relay.check()


def test_starttls_and_password() -> None:
    with Mailbox(user="gatekeeper", password="s3cret", starttls=True) as mailbox:
        trusted = ssl.create_default_context(cafile=str(mailbox.certificate_path))
        url = mailbox.smtp_url.replace("smtp://", "smtp+starttls://")
        SmtpRelay.from_url(url, tls_context=trusted).send(MESSAGE)
        assert len(mailbox.deliveries.all()) == 1


def test_tls_from_the_first_byte(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server_tls, client_tls = tls
    with ScriptedServer(tls=server_tls) as server:
        SmtpRelay.from_url(f"smtps://{HOST}:{server.port}", tls_context=client_tls).send(MESSAGE)
        assert server.messages == 1


def test_starttls_is_used_where_it_is_offered() -> None:
    with Mailbox(starttls=True) as mailbox:
        trusted = ssl.create_default_context(cafile=str(mailbox.certificate_path))
        SmtpRelay(_opportunistic(mailbox.smtp_url), PATIENCE_S, trusted).send(MESSAGE)
        assert len(mailbox.deliveries.all()) == 1


def test_starttls_is_not_missed_where_it_is_only_hoped_for(mailbox: Mailbox) -> None:
    SmtpRelay(_opportunistic(mailbox.smtp_url), PATIENCE_S).send(MESSAGE)
    assert len(mailbox.deliveries.all()) == 1


def _opportunistic(url: str) -> MailServer:
    return MailServer(HOST, int(url.rpartition(":")[2]), Security.STARTTLS_IF_OFFERED)


def test_an_international_address_needs_a_server_that_takes_it(mailbox: Mailbox) -> None:
    message = compose(SUCCEEDED, Recipient("Bücher", "bücher@rossi.example", "UTC"), SENDER)
    SmtpRelay.from_url(mailbox.smtp_url).send(message)
    assert mailbox.deliveries.all()[0].recipients == ("bücher@rossi.example",)
    with ScriptedServer() as server, pytest.raises(RecipientRefused, match="ASCII") as caught:
        SmtpRelay.from_url(f"smtp://{HOST}:{server.port}").send(message)
    assert_discreet(caught.value)


# --- a server that refuses ----------------------------------------------------------------------


def test_a_recipient_refused_for_good(mailbox: Mailbox) -> None:
    mailbox.behaviour = Behaviour(refuse=frozenset({OWNER.email}))
    with pytest.raises(RecipientRefused) as caught:
        SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    assert_discreet(caught.value)
    assert mailbox.deliveries.all() == []


def test_a_server_that_asks_to_try_again_later(mailbox: Mailbox) -> None:
    mailbox.behaviour = Behaviour(temporary_failure=True)
    with pytest.raises(MailServerUnavailable, match=r"\(451\)"):
        SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    mailbox.behaviour = Behaviour()
    SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    assert len(mailbox.deliveries.all()) == 1


REFUSED, UNAVAILABLE = RecipientRefused, MailServerUnavailable


@pytest.mark.parametrize(
    ("command", "reply", "failure"),
    [
        # About the recipient, for good.
        ("RCPT", "550 <owner@rossi.example> no such user", REFUSED),
        ("RCPT", "550 5.1.1 <owner@rossi.example>: Recipient address rejected", REFUSED),
        ("RCPT", "550-5.1.1 The email account owner@rossi.example\r\n550 5.1.1 is gone", REFUSED),
        ("RCPT", "553 5.1.3 bad address", REFUSED),
        ("RCPT", "552 5.2.2 mailbox full", REFUSED),
        ("RCPT", "550 5.4.1 Recipient address rejected: Access denied", REFUSED),
        (".", "552 5.2.2 <owner@rossi.example> mailbox full", REFUSED),
        # About the recipient, for now.
        ("RCPT", "450 4.2.0 <owner@rossi.example>: greylisted", UNAVAILABLE),
        ("RCPT", "451 try again", UNAVAILABLE),
        ("RCPT", "421 closing", UNAVAILABLE),
        # About us, at the recipient as Postfix does it.
        ("RCPT", "554 5.7.1 <owner@rossi.example>: Relay access denied", UNAVAILABLE),
        ("RCPT", "553 5.1.8 <no-reply@mail.example>: Sender address rejected", UNAVAILABLE),
        ("RCPT", "504 5.5.2 Helo command rejected", UNAVAILABLE),
        ("RCPT", "503 bad sequence of commands", UNAVAILABLE),
        ("RCPT", "530 authentication required", UNAVAILABLE),
        # About us or the server, elsewhere.
        ("connection", "554 no service", UNAVAILABLE),
        ("connection", "owner@rossi.example", UNAVAILABLE),
        ("EHLO", "421 too busy", UNAVAILABLE),
        ("MAIL", "550 5.1.8 sender refused", UNAVAILABLE),
        ("MAIL", "452 4.3.1 disk full", UNAVAILABLE),
        ("DATA", "554 5.5.1 no valid recipients", UNAVAILABLE),
        (".", "554 5.7.1 <owner@rossi.example>: message looks like spam", UNAVAILABLE),
        (".", "550 5.4.5 daily quota exceeded", UNAVAILABLE),
        (".", "554 message rejected", UNAVAILABLE),
        (".", "451 4.7.1 try later", UNAVAILABLE),
    ],
)
def test_whose_fault_a_refusal_is(command: str, reply: str, failure: type[Exception]) -> None:
    with ScriptedServer({command: say(reply)}) as server, pytest.raises(failure) as caught:
        send(server.port)
    assert type(caught.value) is failure
    assert_discreet(caught.value)


# --- a server that isn't there, or doesn't answer -----------------------------------------------


def test_a_server_that_is_down() -> None:
    with ScriptedServer() as server:
        port = server.port
    with pytest.raises(MailServerUnavailable, match=f"{HOST}:{port} can't be reached: .*refused"):
        send(port)


def test_a_host_without_an_address() -> None:
    failure = translate(
        socket.gaierror(socket.EAI_NONAME, "unknown"), "mail server x:25", Deadline(PATIENCE_S)
    )
    assert isinstance(failure, MailServerUnavailable)
    assert str(failure) == "mail server x:25 has a host name that can't be resolved"


@pytest.mark.parametrize("answer", [stay_silent, trickle])
@pytest.mark.parametrize("command", ["connection", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_never_finishes_holds_nobody(command: str, answer: Answer) -> None:
    late = pytest.raises(MailServerUnavailable, match=r"did not finish in 0\.2 s")
    with ScriptedServer({command: answer}) as server, late:
        send(server.port, timeout_s=0.2)


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_tls_handshake_that_never_finishes_holds_nobody(scheme: str) -> None:
    script: dict[str, Answer] = {"connection": stay_silent}
    if scheme == "smtp+starttls":
        script = {
            "EHLO": say("250-scripted\r\n250 STARTTLS"),
            "STARTTLS": _begin_tls_then(stay_silent),
        }
    with ScriptedServer(script) as server:
        relay = SmtpRelay.from_url(f"{scheme}://{HOST}:{server.port}", timeout_s=0.2)
        with pytest.raises(MailServerUnavailable, match=r"did not finish in 0\.2 s"):
            relay.send(MESSAGE)


def _begin_tls_then(answer: Answer) -> Answer:
    def begin(connection: socket.socket) -> None:
        say("220 go ahead")(connection)
        answer(connection)

    return begin


@pytest.mark.parametrize("command", ["connection", "EHLO", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_up(command: str) -> None:
    cut_off = pytest.raises(MailServerUnavailable, match="closed the connection")
    with ScriptedServer({command: hang_up}) as server, cut_off:
        send(server.port)


@pytest.mark.parametrize("farewell", [stay_silent, trickle, hang_up, say("500 what?")])
def test_what_was_taken_counts_as_sent_whatever_the_farewell(farewell: Answer) -> None:
    with ScriptedServer({"QUIT": farewell}) as server:
        send(server.port)
    assert server.messages == 1


def test_a_repetition_after_a_lost_answer_is_recognised(mailbox: Mailbox) -> None:
    mailbox.behaviour = Behaviour(lose_reply=True)
    with pytest.raises(MailServerUnavailable):
        SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    mailbox.behaviour = Behaviour()
    SmtpRelay.from_url(mailbox.smtp_url).send(MESSAGE)
    first, _ = mailbox.deliveries.all()
    assert mailbox.deliveries.copies(first) == 2


# --- encryption and passwords -------------------------------------------------------------------


@pytest.mark.parametrize("url", ["smtp+starttls://{}", "smtp+starttls://u:s3cretpass@{}"])
def test_without_starttls_nothing_is_said(url: str) -> None:
    with ScriptedServer({"EHLO": say("250-scripted\r\n250 AUTH PLAIN")}) as server:
        relay = SmtpRelay.from_url(url.format(f"{HOST}:{server.port}"))
        with pytest.raises(MailServerUnavailable, match="STARTTLS"):
            relay.send(MESSAGE)
    assert {command.split()[0].upper() for command in server.commands} == {"EHLO"}


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.STARTTLS_IF_OFFERED])
def test_a_certificate_of_unknown_origin_is_not_trusted(security: Security) -> None:
    with Mailbox(user="u", password="s3cretpass", starttls=True) as mailbox:
        port = int(mailbox.smtp_url.rpartition(":")[2])
        server = MailServer(HOST, port, security, "u", "s3cretpass")
        with pytest.raises(MailServerUnavailable, match="certificate that can't be trusted"):
            SmtpRelay(server, PATIENCE_S).send(MESSAGE)
        assert mailbox.deliveries.all() == []


def test_a_certificate_for_another_name_is_not_trusted(tmp_path: Path) -> None:
    server_tls, client_tls = tls_contexts(self_signed(tmp_path, "DNS:mail.example"))
    with ScriptedServer(tls=server_tls) as server:
        relay = SmtpRelay.from_url(f"smtps://{HOST}:{server.port}", tls_context=client_tls)
        with pytest.raises(MailServerUnavailable, match="certificate that can't be trusted"):
            relay.send(MESSAGE)
    assert server.commands == []


def test_tls_to_a_server_that_speaks_none() -> None:
    with ScriptedServer() as server:
        relay = SmtpRelay.from_url(f"smtps://{HOST}:{server.port}")
        with pytest.raises(MailServerUnavailable, match="could not agree on TLS"):
            relay.send(MESSAGE)


def test_a_wrong_password() -> None:
    with Mailbox(user="gatekeeper", password="right") as mailbox:
        url = mailbox.smtp_url.replace("right", "s3cretpass")
        with pytest.raises(
            MailServerUnavailable, match=r"user name and password \(535\)"
        ) as caught:
            SmtpRelay.from_url(url).send(MESSAGE)
    assert_discreet(caught.value)


@pytest.mark.parametrize(
    ("offered", "challenge"),
    [("250 scripted", ""), ("250 AUTH GSSAPI", ""), ("250 AUTH CRAM-MD5", "334 %%%")],
    ids=["no_login", "unknown_login", "odd_challenge"],
)
def test_a_login_that_cannot_work(offered: str, challenge: str) -> None:
    script = {"EHLO": say(f"250-scripted\r\n{offered}"), "AUTH": say(challenge)}
    with ScriptedServer(script) as server:
        relay = SmtpRelay.from_url(f"smtp://u:s3cretpass@{HOST}:{server.port}", timeout_s=2)
        with pytest.raises(MailServerUnavailable) as caught:
            relay.send(MESSAGE)
    assert_discreet(caught.value)
    assert server.messages == 0


def test_a_relay_does_not_show_its_credentials() -> None:
    relay = SmtpRelay.from_url("smtps://s3cretuser:s3cretpass@mail.example")
    assert "s3cret" not in repr(relay)
    assert "mail.example" in repr(relay)


def test_a_url_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match="must start with") as caught:
        SmtpRelay.from_url("imap://u:s3cretpass@mail.example")
    assert "s3cret" not in str(caught.value)


def assert_discreet(failure: BaseException) -> None:
    """Check that neither a log nor a dashboard learns an address or a password from it."""
    assert failure.__context__ is None
    shown = "".join(traceback.format_exception(failure))
    for secret in ("rossi.example", "s3cret"):
        assert secret not in shown
    assert f"mail server {HOST}" in str(failure)
