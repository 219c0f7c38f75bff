"""What an SMTP URL is read as, and what a bad one tells."""

from __future__ import annotations

import traceback

import pytest

from gatekeeper.mail.smtp_url import MailServer, Security, parse_smtp_url


@pytest.mark.parametrize(
    ("url", "host", "port", "security"),
    [
        ("smtps://mail.example", "mail.example", 465, Security.TLS),
        ("smtps://u:p@mail.example:2465", "mail.example", 2465, Security.TLS),
        ("smtp+starttls://u:p@mail.example", "mail.example", 587, Security.STARTTLS),
        ("smtp+starttls://localhost", "localhost", 587, Security.STARTTLS),
        ("smtp://mail.example", "mail.example", 25, Security.STARTTLS_IF_OFFERED),
        ("smtp://mail.example:2525/", "mail.example", 2525, Security.STARTTLS_IF_OFFERED),
        ("SMTP://MAIL.example", "mail.example", 25, Security.STARTTLS_IF_OFFERED),
        ("smtp://localhost:1025", "localhost", 1025, Security.NONE),
        ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, Security.NONE),
        ("smtp://127.9.9.9", "127.9.9.9", 25, Security.NONE),
        ("smtp://[::1]:1025", "::1", 1025, Security.NONE),
        ("smtp://u:p@127.0.0.1", "127.0.0.1", 25, Security.NONE),
        ("smtp://10.0.0.1", "10.0.0.1", 25, Security.STARTTLS_IF_OFFERED),
    ],
)
def test_scheme_and_host_decide_port_and_encryption(
    url: str, host: str, port: int, security: Security
) -> None:
    server = parse_smtp_url(url)
    assert (server.host, server.port, server.security) == (host, port, security)


@pytest.mark.parametrize("host", ["mail.example", "10.0.0.1", "localhost.example", "[2001:db8::1]"])
def test_a_password_never_crosses_a_network_in_the_clear(host: str) -> None:
    assert parse_smtp_url(f"smtp://u:p@{host}").security is Security.STARTTLS


def test_credentials_are_percent_decoded() -> None:
    server = parse_smtp_url("smtps://me%40firm.example:p%40%3A%2F%3F%23%25s@mail.example")
    assert (server.username, server.password) == ("me@firm.example", "p@:/?#%s")


def test_credentials_are_not_shown() -> None:
    server = parse_smtp_url("smtps://s3cretuser:s3cretpass@mail.example")
    for shown in (repr(server), str(server), f"{server}"):
        assert "s3cret" not in shown
        assert "mail.example" in shown


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "must start with"),
        ("mail.example", "must be scheme://"),
        ("s3cret", "must be scheme://"),
        ("http://u:s3cret@mail.example", "must start with"),
        ("smtp+tls://u:s3cret@mail.example", "must start with"),
        ("smtp:u:s3cret@mail.example", "must be scheme://"),
        ("smtp://", "no usable host"),
        ("smtp://u:s3cret@", "no usable host"),
        ("smtp://u:s3cret@:25", "no usable host"),
        ("smtp://u:s3cret@mail..example", "no usable host"),
        (f"smtp://u:s3cret@{'a' * 64}.example", "no usable host"),
        ("smtp://u:s3cret@mail.example:port", "number from 1 to 65535"),
        ("smtp://u:s3cret@mail.example:0", "number from 1 to 65535"),
        ("smtp://u:s3cret@mail.example:65536", "number from 1 to 65535"),
        ("smtp://u:s3cret@mail.example:-1", "number from 1 to 65535"),
        ("smtp://u:s3cret/more@mail.example", "percent-encoded"),
        ("smtp://u:s3cret?more@mail.example", "percent-encoded"),
        ("smtp://u:s3cret#more@mail.example", "percent-encoded"),
        ("smtp://u:s3cret[more@mail.example", "percent-encoded"),
        ("smtp://u:s3cret@mail.example?starttls=never", "nothing after the port"),
        ("smtp://s3cret@mail.example", "without a password"),
        ("smtp://s3cret:@mail.example", "without a password"),
        ("smtp://:s3cret@mail.example", "without a password"),
        ("smtp://u:s3cret%C3%A9@mail.example", "must be ASCII"),
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as caught:
        parse_smtp_url(url)
    assert "s3cret" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_servers_are_told_apart_by_host_and_port() -> None:
    assert str(MailServer("mail.example", 587, Security.STARTTLS)) == "mail server mail.example:587"
