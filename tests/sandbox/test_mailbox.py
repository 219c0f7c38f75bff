"""The mailbox: what a sender is told, what a reader is shown, and its faults."""

import html
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage

import pytest
import requests

from gatekeeper.sandbox.mailbox import Behaviour, CertificateError, Mailbox

TIMEOUT_S = 5


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as running:
        yield running


def message(
    subject: str = "Top-off", text: str = "200 credits", html: str | None = None, to: str = "a@b.c"
) -> EmailMessage:
    made = EmailMessage()
    made["From"] = "Gatekeeper <billing@gate.example>"
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = "<topoff-1@gate.example>"
    made.set_content(text)
    if html is not None:
        made.add_alternative(html, subtype="html")
    return made


def port_of(mailbox: Mailbox) -> int:
    return int(mailbox.smtp_url.rpartition(":")[2])


def connect(mailbox: Mailbox) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port_of(mailbox), timeout=TIMEOUT_S)


def send(mailbox: Mailbox, mail: EmailMessage | None = None) -> None:
    with connect(mailbox) as client:
        client.send_message(mail or message())


def send_twice(mailbox: Mailbox) -> None:
    send(mailbox)
    send(mailbox)


def get(mailbox: Mailbox, path: str) -> requests.Response:
    return requests.get(mailbox.http_url + path, timeout=TIMEOUT_S)


def put_behaviour(mailbox: Mailbox, **behaviour: object) -> requests.Response:
    url = f"{mailbox.http_url}/_sandbox/behaviour"
    return requests.put(url, json=behaviour, timeout=TIMEOUT_S)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true"
        time.sleep(0.005)


# What arrives can be read.


def test_a_message_can_be_read_as_json(mailbox: Mailbox) -> None:
    send(mailbox, message(text="200 crédits", html="<p>200 credits</p>"))
    [read] = get(mailbox, "/messages.json").json()
    assert read["id"] == 1
    assert read["message_id"] == "<topoff-1@gate.example>"
    assert read["copies"] == 1
    assert read["mail_from"] == "billing@gate.example"
    assert read["recipients"] == ["a@b.c"]
    assert read["from"] == "Gatekeeper <billing@gate.example>"
    assert read["to"] == "a@b.c"
    assert read["subject"] == "Top-off"
    assert read["text"].strip() == "200 crédits"
    assert read["html"].strip() == "<p>200 credits</p>"
    assert ["Subject", "Top-off"] in read["headers"]


def test_a_message_without_html_has_none(mailbox: Mailbox) -> None:
    send(mailbox)
    [read] = get(mailbox, "/messages.json").json()
    assert read["html"] is None


def test_the_list_names_every_message_newest_first(mailbox: Mailbox) -> None:
    assert "No messages yet" in get(mailbox, "/").text
    send(mailbox, message(subject="First"))
    send(mailbox, message(subject="Second"))
    page = get(mailbox, "/").text
    assert re.findall(r'<a href="/messages/(\d+)">(\w+)</a>', page) == [
        ("2", "Second"),
        ("1", "First"),
    ]


def test_a_page_shows_one_message(mailbox: Mailbox) -> None:
    send(mailbox)
    page = get(mailbox, "/messages/1")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<pre>200 credits" in page.text
    assert "&lt;topoff-1@gate.example&gt;" in page.text
    assert get(mailbox, "/messages/2").status_code == 404


def test_every_delivery_of_a_repeated_message_counts_its_copies(mailbox: Mailbox) -> None:
    send(mailbox)
    send(mailbox)
    other = message(to="d@e.f")
    send(mailbox, other)
    read = get(mailbox, "/messages.json").json()
    assert [(each["message_id"], each["copies"]) for each in read] == [
        ("<topoff-1@gate.example>", 2),
        ("<topoff-1@gate.example>", 2),
        ("<topoff-1@gate.example>", 1),  # the same message to someone else is no duplicate
    ]


def test_messages_without_an_id_are_not_copies_of_each_other(mailbox: Mailbox) -> None:
    mail = message()
    del mail["Message-ID"]
    send(mailbox, mail)
    send(mailbox, mail)
    assert [each["copies"] for each in get(mailbox, "/messages.json").json()] == [1, 1]


def test_deleting_forgets_all_and_reuses_no_number(mailbox: Mailbox) -> None:
    send(mailbox)
    deleted = requests.delete(f"{mailbox.http_url}/messages", timeout=TIMEOUT_S)
    assert deleted.status_code == 204
    assert get(mailbox, "/messages.json").json() == []
    send(mailbox)
    assert [each["id"] for each in get(mailbox, "/messages.json").json()] == [2]


def test_waiting_returns_once_enough_has_arrived(mailbox: Mailbox) -> None:
    sender = threading.Thread(target=send_twice, args=(mailbox,))
    sender.start()
    assert len(mailbox.deliveries.wait_for(2, TIMEOUT_S)) == 2
    sender.join()
    with pytest.raises(TimeoutError, match="2 of 3 messages"):
        mailbox.deliveries.wait_for(3, 0)


# What was written by others stays text.

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_hostile_text_is_escaped_on_both_pages(mailbox: Mailbox) -> None:
    send(mailbox, message(subject=HOSTILE, text=HOSTILE, html=f"<b>{HOSTILE}</b>"))
    for path in ("/", "/messages/1"):
        page = get(mailbox, path).text
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


def test_html_is_shown_in_a_sandbox_that_only_opens_links(mailbox: Mailbox) -> None:
    send(mailbox, message(html='<p class="x">Hello</p>'))
    page = get(mailbox, "/messages/1")
    [frame] = re.findall(r"<iframe [^>]+>", page.text)
    assert re.findall(r'sandbox="([^"]*)"', frame) == [
        "allow-popups allow-popups-to-escape-sandbox"
    ]
    srcdoc = html.unescape(re.findall(r'srcdoc="([^"]*)"', frame)[0])
    assert srcdoc.startswith('<!doctype html><base target="_blank"><p class="x">Hello</p>')
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "'unsafe-eval'" not in policy


def test_web_addresses_in_a_text_are_links_and_nothing_else_is(mailbox: Mailbox) -> None:
    text = 'See (http://gate.example/a?b=1&c=2). javascript:alert(1) https://x.example/"onclick=y'
    send(mailbox, message(text=text))
    page = get(mailbox, "/messages/1").text
    assert html.unescape(re.sub(r"<[^>]+>", "", page.partition("<pre>")[2])).startswith(text)
    assert re.findall(r'<a href="([^"]*)" target="_blank" rel="noopener noreferrer">', page) == [
        "http://gate.example/a?b=1&amp;c=2",
        "https://x.example/",
    ]


def test_another_host_name_is_refused(mailbox: Mailbox) -> None:
    url = f"{mailbox.http_url}/messages.json"
    answer = requests.get(url, headers={"Host": "evil.example"}, timeout=TIMEOUT_S)
    assert answer.status_code == 400


# It misbehaves as told.


def test_one_recipient_is_refused_and_the_others_get_theirs(mailbox: Mailbox) -> None:
    assert put_behaviour(mailbox, refuse=["No@one.example"]).status_code == 200
    with connect(mailbox) as client:
        refused = client.send_message(message(to="no@one.example, a@b.c"))
    assert refused == {"no@one.example": (550, b"5.1.1 This recipient is refused")}
    [read] = get(mailbox, "/messages.json").json()
    assert read["recipients"] == ["a@b.c"]


def test_the_code_of_a_refusal_can_be_chosen(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, refuse=["a@b.c"], refuse_code=552)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(mailbox)
    assert refused.value.recipients["a@b.c"][0] == 552
    assert get(mailbox, "/messages.json").json() == []


def test_a_temporary_failure_keeps_nothing_and_passes(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, temporary_failure=True)
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        send(mailbox)
    assert refused.value.smtp_code == 451
    put_behaviour(mailbox)
    send(mailbox)
    assert len(get(mailbox, "/messages.json").json()) == 1


def test_a_hanging_session_is_visible_and_goes_on_when_released(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, hang=True)
    sender = threading.Thread(target=send, args=(mailbox,))
    sender.start()
    wait_until(lambda: get(mailbox, "/_sandbox/behaviour").json()["held"] == 1)
    assert get(mailbox, "/messages.json").json() == []
    put_behaviour(mailbox, hang=False)
    sender.join(TIMEOUT_S)
    assert len(get(mailbox, "/messages.json").json()) == 1
    assert get(mailbox, "/_sandbox/behaviour").json()["held"] == 0


def test_a_sender_that_gives_up_is_no_longer_held(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, hang=True)
    client = connect(mailbox)
    client.ehlo()
    client.putcmd("MAIL", "FROM:<a@b.c>")
    wait_until(lambda: mailbox.held == 1)
    client.close()
    wait_until(lambda: mailbox.held == 0)


def test_a_lost_reply_keeps_the_message_but_the_sender_sees_a_failure(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, lose_reply=True)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        send(mailbox)
    put_behaviour(mailbox)
    send(mailbox)
    assert [each["copies"] for each in get(mailbox, "/messages.json").json()] == [2, 2]


def test_a_delay_keeps_the_message_and_holds_the_reply_back(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, delay_s=30)
    client = connect(mailbox)
    client.ehlo()
    client.mail("a@b.c")
    client.rcpt("d@e.f")
    client.putcmd("DATA")
    assert client.getreply()[0] == 354
    client.send(b"Subject: slow\r\n\r\ntext\r\n.\r\n")
    assert len(mailbox.deliveries.wait_for(1, TIMEOUT_S)) == 1
    assert client.sock is not None
    client.sock.settimeout(0.1)
    with pytest.raises(smtplib.SMTPServerDisconnected, match="timed out"):
        client.getreply()


def test_the_behaviour_reads_back_as_it_was_put(mailbox: Mailbox) -> None:
    put_behaviour(mailbox, refuse=["a@b.c"], refuse_code=551, delay_s=0.5)
    assert get(mailbox, "/_sandbox/behaviour").json() == {
        "behaviour": {
            "refuse": ["a@b.c"],
            "refuse_code": 551,
            "temporary_failure": False,
            "hang": False,
            "delay_s": 0.5,
            "lose_reply": False,
        },
        "held": 0,
    }
    assert mailbox.behaviour == Behaviour(refuse=frozenset({"a@b.c"}), refuse_code=551, delay_s=0.5)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b'{"refuse": "a@b.c"}',
        b'{"refuse_code": 250}',
        b'{"hang": "yes"}',
        b'{"delay_s": -1}',
        b'{"no_such_fault": true}',
    ],
)
def test_a_misshapen_behaviour_is_refused_and_changes_nothing(
    mailbox: Mailbox, body: bytes
) -> None:
    url = f"{mailbox.http_url}/_sandbox/behaviour"
    answer = requests.put(url, data=body, timeout=TIMEOUT_S)
    assert answer.status_code == 400
    assert answer.json()["error"] == "no such behaviour"
    assert mailbox.behaviour == Behaviour()


# AUTH and STARTTLS.


def test_with_a_password_mail_is_taken_only_after_login() -> None:
    with Mailbox(user="gate@keeper", password="p/w:1") as mailbox:
        assert mailbox.smtp_url.startswith("smtp://gate%40keeper:p%2Fw%3A1@127.0.0.1:")
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(mailbox)
        assert refused.value.smtp_code == 530
        with connect(mailbox) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("gate@keeper", "wrong")
            client.login("gate@keeper", "p/w:1")
            client.send_message(message())
        assert len(mailbox.deliveries.all()) == 1


def test_the_password_is_in_no_repr() -> None:
    mailbox = Mailbox(user="gate", password="hunter2")
    assert "hunter2" not in repr(mailbox) + repr(vars(mailbox))


def test_a_user_without_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="go together"):
        Mailbox(user="gate")


def test_with_starttls_mail_is_taken_only_encrypted() -> None:
    with Mailbox(starttls=True) as mailbox:
        assert mailbox.smtp_url == f"smtp+starttls://127.0.0.1:{port_of(mailbox)}"
        with pytest.raises(smtplib.SMTPSenderRefused) as refused:
            send(mailbox)
        assert refused.value.smtp_code == 530
        context = ssl.create_default_context(cafile=mailbox.certificate_path)
        with smtplib.SMTP("localhost", port_of(mailbox), timeout=TIMEOUT_S) as client:
            client.starttls(context=context)  # checks the certificate and the host name
            client.send_message(message())
        assert len(mailbox.deliveries.all()) == 1


def test_a_sender_that_does_not_know_the_certificate_refuses_it() -> None:
    with Mailbox(starttls=True) as mailbox:
        client = connect(mailbox)
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())
        client.close()


def test_starttls_without_openssl_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CertificateError, match=r"openssl program .* is not installed"):
        Mailbox(starttls=True).start()


# Starting and stopping.


def test_it_comes_back_on_the_same_ports_with_its_mail(mailbox: Mailbox) -> None:
    send(mailbox)
    urls = mailbox.smtp_url, mailbox.http_url
    mailbox.stop()
    with pytest.raises(ConnectionRefusedError):
        send(mailbox)
    mailbox.start()
    send(mailbox)
    assert (mailbox.smtp_url, mailbox.http_url) == urls
    assert len(get(mailbox, "/messages.json").json()) == 2


def test_it_stops_while_a_session_hangs(mailbox: Mailbox) -> None:
    mailbox.behaviour = Behaviour(hang=True)
    with socket.create_connection(("127.0.0.1", port_of(mailbox)), TIMEOUT_S) as session:
        session.sendall(b"EHLO there\r\nMAIL FROM:<a@b.c>\r\n")
        wait_until(lambda: mailbox.held == 1)
        mailbox.stop()
        while session.recv(1024):
            pass  # the greeting and the answer to EHLO; then the end


@pytest.mark.parametrize("which", ["smtp_port", "http_port"])
def test_a_taken_port_is_an_error_and_leaves_no_port_open(which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mailbox = Mailbox(**{which: listener.getsockname()[1]})
        with pytest.raises(OSError, match="in use"):
            mailbox.start()
    with pytest.raises(OSError, match="refused"):
        connect(mailbox)


def test_as_a_process_it_says_when_it_is_ready_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "gatekeeper.sandbox.mailbox"]
    with subprocess.Popen(
        [*command, "--smtp-port", "0", "--http-port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        found = re.fullmatch(
            r"mailbox ready: smtp://127\.0\.0\.1:(\d+) (http://127\.0\.0\.1:\d+)\n", ready
        )
        assert found is not None
        with smtplib.SMTP("127.0.0.1", int(found[1]), timeout=TIMEOUT_S) as client:
            client.send_message(message())
        assert len(requests.get(f"{found[2]}/messages.json", timeout=TIMEOUT_S).json()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
        assert process.stdout.read() == ""
