"""Every verb runs on one node of a cluster: none touches keys of two slots."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import ResponseError

from gatekeeper.domain.account import Card, NewAccount, TopoffSettings, new_account_id
from gatekeeper.domain.call import CallEnd, CallId, Decision
from gatekeeper.domain.checkout import CheckoutMode
from gatekeeper.domain.correction import CorrectionCause, Reversal
from gatekeeper.domain.incident import FailureReason
from gatekeeper.domain.person import Member, Role
from gatekeeper.jobs import checkout_task
from gatekeeper.ledger.checkouts import NewCheckout, PaidPurchase, SavedCard
from gatekeeper.ledger.client import connect
from gatekeeper.ledger.corrections import CreditedPayment
from gatekeeper.ledger.ledger import Ledger
from gatekeeper.ledger.sign_ins import sign_in_task
from gatekeeper.ledger.topoffs import Payment
from gatekeeper.sandbox.stack import free_port
from gatekeeper.sandbox.valkey import EmbeddedValkey
from tests.conftest import wait_until

ACCOUNT_SID = "AC" + "1" * 32
NUMBER = "+15550001111"


@pytest.fixture
def cluster_ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A server in cluster mode that owns every slot and refuses cross-slot scripts."""
    # By default its second port lies 10,000 above the first, which may not be a port any more.
    arguments = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    with EmbeddedValkey(tmp_path, extra_args=arguments) as server:
        client = connect(server.url, timeout_s=10, max_connections=2)
        client.cluster("ADDSLOTSRANGE", "0", "16383")
        wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok")
        with pytest.raises(ResponseError, match="slot"):
            client.eval("return 1", 2, "gk:{0}:a", "gk:{1}:a")
        yield Ledger(client, shards=16)
        client.close()


def _let_somebody_in(ledger: Ledger, account_id: str) -> None:
    ledger.members.set_member(account_id, Member("b@example.com", Role.VIEWER))
    link_id = ledger.sign_ins.request_link("b@example.com", "/")
    ledger.owed.strike_owed(link_id, sign_in_task(link_id))
    assert ledger.sign_ins.use_link(link_id) is not None
    token = ledger.sessions.start("b@example.com", "")
    assert ledger.sessions.use(token) is not None
    ledger.sessions.end_all("b@example.com")
    assert ledger.members.accounts_of("b@example.com") == [account_id]


def _visit_checkout(ledger: Ledger, account_id: str) -> None:
    purchase, setup = f"{account_id}-00000000000a", f"{account_id}-00000000000b"
    ledger.checkouts.open_checkout(
        NewCheckout(purchase, "cs_1", "cus_1", 7, 70, "usd"), look_at_ms=0
    )
    mark = ledger.owed.mark(account_id, checkout_task(purchase))
    assert mark is not None
    assert ledger.owed.postpone_owed(account_id, checkout_task(purchase), mark=mark, due_ms=1)
    ledger.checkouts.note_checkout(setup, CheckoutMode.SETUP, session="cs_2")
    saved = SavedCard(Card("cus_1", "pm_2", "visa", "4242", ""), 1)
    ledger.checkouts.save_card(setup, saved)
    payment = Payment("pi_7", 70, "usd", "cus_1", "4242")
    ledger.checkouts.credit_purchase(PaidPurchase(purchase, 7, payment, "pm_1", "", saved))
    ledger.checkouts.forget(setup)
    ledger.customers.forget(account_id, "cus_of_nobody")


def test_a_whole_story_on_a_cluster(cluster_ledger: Ledger) -> None:
    ledger, account_id = cluster_ledger, new_account_id()
    calls = [CallId(ACCOUNT_SID, f"CA{n:032x}") for n in range(4)]
    ledger.accounts.open_account(NewAccount(account_id, "Able", "a@example.com", 3))
    ledger.numbers.assign_number(NUMBER, account_id)
    ledger.accounts.set_card(account_id, Card("cus_1", "pm_1", "visa", "4242", ""))
    ledger.accounts.set_topoff(account_id, TopoffSettings(True, 3, 10))
    ledger.calls.admit_call(account_id, calls[0], NUMBER)
    ledger.calls.settle_call(
        account_id, calls[0], NUMBER, CallEnd.BUSY, duration_s=None, debit_unknown=True
    )
    ledger.calls.admit_offline(account_id, calls[1], NUMBER, Decision.ANSWER)
    topoff_id = ledger.accounts.account(account_id).topoff_id
    ledger.topoffs.begin_charge(topoff_id, price_minor=10, currency="usd")
    ledger.topoffs.record_intent(topoff_id, "pi_1")
    ledger.topoffs.next_attempt(topoff_id, 1)
    ledger.topoffs.fail_topoff(
        topoff_id, payment_intent="pi_1", reason=FailureReason.INTERNAL_ERROR, cool_downs_s=(1,)
    )
    ledger.topoffs.request_topoff(account_id, topoff_id)
    ledger.topoffs.settle_topoff(
        topoff_id, Payment("pi_1", 100, "usd", "cus_1", ""), price_minor=10
    )
    ledger.topoffs.look_at_threshold(account_id)
    refund = Reversal("re_1", CorrectionCause.REFUND, 1, 10, is_out=True)
    ledger.corrections.correct_payment(
        account_id, CreditedPayment(topoff_id, "pi_1", 10, 100, "usd"), [refund]
    )
    _visit_checkout(ledger, account_id)
    ledger.accounts.add_credits(account_id, 5, reference="r", cause="test")
    ledger.accounts.remove_credits(account_id, 5, reference="q", cause="test")
    ledger.accounts.update_account(account_id, name="Baker")
    shard = ledger.keys.shard_of(account_id)
    for task in ledger.owed.claim_owed(shard, lease_s=0, limit=100):
        ledger.owed.enqueued_owed(task, tries=1, back_in_s=0)
        ledger.owed.strike_owed(account_id, task.task)
    ledger.owed.strike_owed(account_id, f"cycle:{account_id}")
    ledger.numbers.release_number(NUMBER, account_id)
    _let_somebody_in(ledger, account_id)
    assert [task for task, _ in ledger.owed.tasks(shard)] == []
    assert ledger.accounts.account(account_id).balance == 3 + 10 + 7 - 1
