"""AI Calling: the calls that went out, on pages that are otherwise those of AI Receptionist."""

from __future__ import annotations

import csv
import re

import pytest

from gatekeeper.domain.call import Direction
from tests.web.portal.billing_desk import NUMBER, words_of
from tests.web.portal.calls_desk import OTHER_NUMBER, ROW, CallsDesk
from tests.web.portal.conftest import OWNER, STRANGER, VIEWER, Scene

OUT = Direction.OUTBOUND


class CallingDesk(CallsDesk):
    """Able's account before AI Calling."""

    @property
    def path(self) -> str:
        return f"/a/{self.id}/calling/calls"

    @property
    def incoming_path(self) -> str:
        return super().path


@pytest.fixture
def desk(scene: Scene) -> CallingDesk:
    return CallingDesk(scene)


def test_no_calls_yet(desk: CallingDesk) -> None:
    desk.purchased(1)
    desk.called()
    said = desk.copied().says()
    assert "No outgoing calls yet" in said
    assert "takes a credit, as a call that comes in does" in said
    assert "CSV" not in said


def test_each_product_lists_its_own_calls(desk: CallingDesk, scene: Scene) -> None:
    desk.purchased(3)
    came, went = desk.called(), desk.called(direction=OUT)
    desk.copied()
    browser = scene.signed_in(VIEWER)
    for path, own in ((desk.path, went), (desk.incoming_path, came)):
        assert ROW.findall(browser.open(path).text) == [own]
        header, *rows = csv.reader(browser.open(f"{path}.csv").text.splitlines())
        assert [row[0] for row in rows] == [own]
        direction = "outbound" if own == went else "inbound"
        assert [row[header.index("direction")] for row in rows] == [direction]
    assert "To number" in words_of(browser.open(desk.incoming_path).text)
    assert "From number" in words_of(browser.open(desk.path).text)


def test_calls_are_filtered(desk: CallingDesk, scene: Scene) -> None:
    desk.purchased(2)
    first = desk.called(direction=OUT)
    second = desk.called(direction=OUT, number=OTHER_NUMBER, duration_s=1)
    dropped = desk.called(direction=OUT)
    desk.called()
    desk.copied()
    browser = scene.signed_in(OWNER)
    assert desk.listed(browser) == [dropped, second, first]
    assert desk.listed(browser, number=OTHER_NUMBER) == [second]
    assert desk.listed(browser, outcome="dropped") == [dropped]
    assert desk.listed(browser, reason="purchased", number=NUMBER) == [first]
    answer = desk.get(browser, "?day=x")
    assert answer.status_code == 400
    assert f'action="{desk.path}"' in answer.text


def test_a_call_is_explained_in_its_own_section(desk: CallingDesk, scene: Scene) -> None:
    desk.purchased(2)
    came, went = desk.called(), desk.called(direction=OUT, duration_s=65)
    desk.copied()
    browser = scene.signed_in(OWNER)
    said = desk.why(went, browser)
    assert "The call was answered from purchased credits (1 left before it)" in said
    assert f"From number {NUMBER}" in said
    assert "Length 1 min 5 s" in said
    for path, call_sid in ((desk.path, came), (desk.incoming_path, went)):
        led = browser.open(f"{path}/{call_sid}")
        assert led.status_code == 302
        assert led.location.endswith(f"/{call_sid}")
        assert browser.open(led.location).status_code == 200
    assert scene.signed_in(STRANGER).open(f"{desk.path}/{went}").status_code == 404


def test_it_stands_in_the_navigation_and_sells_credits(desk: CallingDesk, scene: Scene) -> None:
    call_sid = desk.copied().called(direction=OUT)
    desk.copied()
    for path, current in ((desk.path, "page"), (f"{desk.path}/{call_sid}", "true")):
        html = scene.signed_in(OWNER).open(path).text
        assert re.search(rf'href="{desk.path}" aria-current="{current}">AI Calling<', html)
        assert ">Buy Credits</a>" in html
        assert 'class="tabs"' not in html
        assert ">Buy Credits</a>" not in scene.signed_in(VIEWER).open(path).text


def test_usage_says_that_it_counts_both(desk: CallingDesk, scene: Scene) -> None:
    desk.purchased(2)
    desk.called()
    desk.called(direction=OUT)
    desk.copied()
    said = words_of(scene.signed_in(OWNER).open(f"/a/{desk.id}/settings/billing").text)
    assert "Calls of AI Receptionist and AI Calling together." in said
    assert re.search(r"Caller answered, full conversation 2 2", said)
