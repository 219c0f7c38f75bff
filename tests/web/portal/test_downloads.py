"""Downloads: one at a time, made whole, and no longer than what is handed over at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from gatekeeper.web.portal.downloads import (
    MAX_BYTES,
    DownloadBusy,
    DownloadTooLong,
    csv_download,
)
from tests.web.portal.conftest import OWNER, Scene

LINE = "a" * 1023 + "\n"


def test_one_is_made_at_a_time(scene: Scene) -> None:
    go_on, inside = threading.Event(), threading.Event()

    def slow() -> Iterator[str]:
        inside.set()
        go_on.wait(30)
        yield LINE

    browser = scene.signed_in(OWNER)
    first = threading.Thread(target=csv_download, args=(slow(), "first.csv"))
    first.start()
    assert inside.wait(30)
    try:
        with pytest.raises(DownloadBusy):
            csv_download(iter([LINE]), "second.csv")
        path = f"/a/{scene.able}/calls.csv"
        refused = browser.open(path)
        assert refused.status_code == 503, refused.text
        assert refused.headers["Retry-After"] == "60"
        assert "Another download is being made" in refused.text
        assert f'href="{path}"' in refused.text
        assert browser.is_signed_in
    finally:
        go_on.set()
        first.join()


def test_what_fails_in_the_midst_is_no_file_and_gives_its_turn_back() -> None:
    def broken() -> Iterator[str]:
        yield LINE
        raise ConnectionError

    for _ in range(2):
        with pytest.raises(ConnectionError):
            csv_download(broken(), "broken.csv")
    assert csv_download(iter([LINE]), "calls.csv").get_data(as_text=True) == LINE


def test_no_file_is_longer_than_the_bound() -> None:
    most = MAX_BYTES // len(LINE)
    assert csv_download(iter([LINE] * most), "calls.csv").content_length == MAX_BYTES
    with pytest.raises(DownloadTooLong):
        csv_download(iter([LINE] * (most + 1)), "calls.csv")
    assert csv_download(iter([LINE]), "calls.csv").content_length == len(LINE)
