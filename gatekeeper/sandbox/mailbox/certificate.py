"""A self-signed certificate for the mailbox's STARTTLS."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

VALID_DAYS = 2
OPENSSL_TIMEOUT_S = 30


class CertificateError(RuntimeError):
    """No certificate could be made on this machine."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate for localhost and 127.0.0.1, and its key, as PEM files."""

    certificate_path: Path
    key_path: Path

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of a server that shows this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate_path, self.key_path)
        return context


def make_certificate(directory: Path) -> Certificate:
    """Make a self-signed certificate in `directory` with the openssl program.

    Python's standard library can't make one. Raises CertificateError when the program is missing
    or fails.
    """
    made = Certificate(directory / "mailbox.crt", directory / "mailbox.key")
    command = [
        *("openssl", "req", "-x509", "-nodes", "-days", str(VALID_DAYS)),
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(made.key_path), "-out", str(made.certificate_path)),
    ]
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            command, check=True, capture_output=True, text=True, timeout=OPENSSL_TIMEOUT_S
        )
    except FileNotFoundError as error:
        raise CertificateError(
            "STARTTLS needs a certificate, and the openssl program that makes it is not installed"
        ) from error
    except subprocess.CalledProcessError as error:
        raise CertificateError(f"openssl could not make a certificate: {error.stderr}") from error
    return made
