"""A wave is killed before and after every outside call and every commit of the ledger, and started again."""

from contextlib import contextmanager

import pytest

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
    # Every third of them, so that it takes seconds: before and after calls and commits come up alike.
    for number in range(counting.seen % 3, counting.seen, 3):
        readers = sorted([f"ann{number}@shop.test", f"bob{number}@shop.test"])
        wave_id = shop.plan(*readers)
        with pytest.raises(Kill):
            run(shop, wave_id, Killer(number))
        assert run(shop, wave_id, Killer()).state == "settled", f"killed at point {number}"
        assert shop.mailed(wave_id) == readers, f"killed at point {number}"
        assert set(shop.outcomes(wave_id).values()) == {"sent"}, f"killed at point {number}"
