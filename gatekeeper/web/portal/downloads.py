"""CSV as a download, one at a time, and made before any of it is sent.

Whoever reads a download slowly, or not at all, holds no thread by it then, no database connection,
and nobody else's turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Final

from flask import Response

#: Some 100,000 calls. It is memory of this process until the client has taken it.
MAX_BYTES: Final = 16 * 1024 * 1024
_TURN_TIMEOUT_S: Final = 0.2
_turn: Final = BoundedSemaphore(1)


class DownloadBusy(Exception):
    """Another download is being made."""


class DownloadTooLong(Exception):
    """It would be longer than what is handed over as one file."""


def csv_download(lines: Iterator[str], name: str) -> Response:
    """Answer with lines of CSV as a file.

    Raises DownloadBusy, DownloadTooLong, and what reading the lines raises.
    """
    if not _turn.acquire(timeout=_TURN_TIMEOUT_S):
        raise DownloadBusy
    try:
        content = _read_whole(lines)
    finally:
        _turn.release()
    answer = Response(content, mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _read_whole(lines: Iterator[str]) -> bytes:
    content = bytearray()
    for line in lines:
        content += line.encode()
        if len(content) > MAX_BYTES:
            raise DownloadTooLong
    return bytes(content)
