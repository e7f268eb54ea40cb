"""A wave is killed around its outside calls and the ledger's commits, or loses answers, and is started again."""

import sqlite3
from contextlib import closing, contextmanager

import pytest

from orchestration.core.errors import MailchimpUnknown, NotReadyToSend
from orchestration.resources.ledger import Ledger


class Kill(BaseException):
    """As sudden as SIGKILL as far as our code can see: nothing of ours catches it."""


class Killer:
    """Counts the points it is asked at, and kills at one of them."""

    def __init__(self, at=None):
        self.at = at
        self.seen = 0

    def point(self):
        if self.seen == self.at:
            self.at = None
            raise Kill
        self.seen += 1


class KillableGateway:
    """A gateway that may die before each call, and after it before its answer arrives."""

    def __init__(self, gateway, killer):
        self._gateway = gateway
        self._killer = killer

    def __getattr__(self, name):
        method = getattr(self._gateway, name)
        if name == "in_parallel" or not callable(method):
            return method

        def call(*args, **kwargs):
            self._killer.point()
            answer = method(*args, **kwargs)
            self._killer.point()
            return answer

        return call


class KillableLedger(Ledger):
    """A ledger that may die before each of its transactions, and right after its commit."""

    killer = Killer()

    @contextmanager
    def _writing(self):
        self.killer.point()
        with super()._writing() as con:
            yield con
        self.killer.point()


def run(shop, wave_id, killer):
    ledger = KillableLedger(shop.settings)
    ledger.killer = killer
    return shop.resume(wave_id, ledger=ledger, gateway=KillableGateway(shop.gateway, killer))


def test_killed_at_any_point_and_started_again_everybody_gets_one_email(shop):
    counting = Killer()
    run(shop, shop.plan("ann@shop.test", "bob@shop.test"), counting)
    assert counting.seen > 60
    # Every fourth of them, so that it takes seconds: before and after calls and commits come up alike.
    for number in range(counting.seen % 4, counting.seen, 4):
        readers = sorted([f"ann{number}@shop.test", f"bob{number}@shop.test"])
        wave_id = shop.plan(*readers)
        with pytest.raises(Kill):
            run(shop, wave_id, Killer(number))
        assert run(shop, wave_id, Killer()).state == "settled", f"killed at point {number}"
        assert shop.mailed(wave_id) == readers, f"killed at point {number}"
        assert set(shop.outcomes(wave_id).values()) == {"sent"}, f"killed at point {number}"
        assert len(shop.gateway.find_campaigns(f"pennypost {wave_id}")) == 1, f"killed at point {number}"
        assert shop.gateway.find_segments(wave_id) == [], f"killed at point {number}"


class Losing:
    """A gateway that loses the answer to one call a few times, having done the work or not."""

    def __init__(self, gateway, call, *, times, done):
        self._gateway = gateway
        self._call = call
        self._times = times
        self._done = done
        self.lost = 0

    def __getattr__(self, name):
        method = getattr(self._gateway, name)
        if name != self._call:
            return method

        def call(*args, **kwargs):
            if self.lost == self._times:
                return method(*args, **kwargs)
            self.lost += 1
            if self._done:
                method(*args, **kwargs)
            raise MailchimpUnknown("the answer was lost")

        return call


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("call", ["create_campaign", "send"])
def test_a_lost_answer_is_looked_up_in_the_same_run(shop, call, done):
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    losing = Losing(shop.gateway, call, times=1, done=done)
    assert shop.resume(wave_id, gateway=losing).state == "settled"
    assert losing.lost == 1
    assert shop.mailed() == ["ann@shop.test", "bob@shop.test"]
    assert len(shop.gateway.find_campaigns(f"pennypost {wave_id}")) == 1
    assert shop.ledger.intents(wave_id, call, ["intent"]) == []


@pytest.mark.parametrize("call", ["create_campaign", "send", "sent_to", "members_of", "set_segment_members"])
def test_answers_that_stay_lost_stop_the_wave_and_it_goes_on_later(shop, call):
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    with pytest.raises(MailchimpUnknown):
        shop.resume(wave_id, gateway=Losing(shop.gateway, call, times=9, done=False))
    assert shop.ledger.wave(wave_id).state in ("planned", "sending", "sent")
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == ["ann@shop.test", "bob@shop.test"]


def test_whoever_leaves_while_the_send_is_in_doubt_is_left_out_of_the_second_one(shop):
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    with pytest.raises(MailchimpUnknown):
        shop.resume(wave_id, gateway=Losing(shop.gateway, "send", times=9, done=False))
    shop.unwilling.add(shop.contact(wave_id, "bob@shop.test"))
    assert shop.resume(wave_id).state == "settled"
    assert shop.mailed() == ["ann@shop.test"]


def test_a_send_in_doubt_that_somebody_stopped_in_mailchimp_frees_nobody(shop):
    wave_id = shop.plan("ann@shop.test", "bob@shop.test")
    with pytest.raises(MailchimpUnknown):
        shop.resume(wave_id, gateway=Losing(shop.gateway, "send", times=9, done=False))
    in_mailchimp(shop, "update campaigns set status = 'canceled'")
    with pytest.raises(NotReadyToSend, match="is canceled"):
        shop.resume(wave_id)
    in_mailchimp(shop, "update campaigns set is_deleted = 1")
    with pytest.raises(NotReadyToSend, match="count as written to"):
        shop.resume(wave_id)
    assert set(shop.outcomes(wave_id).values()) == {"recipient"}


def in_mailchimp(shop, statement):
    with closing(sqlite3.connect(shop.settings.sandbox_path)) as con, con:
        con.execute(statement)
