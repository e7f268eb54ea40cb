"""Launches campaigns, and polls for feedback, in processes that can be killed at a point.

A test starts it and tells it what to do, line by line.

It is started once, because the imports take seconds, and forks for each launch: what runs and dies is a real process, killed
by a real SIGKILL. In: one JSON object a line (`Launch`). Out: one a line, {"signal", "error", "points"}.

A point is a moment just before or just after a call to Mailchimp, or a commit of the ledger. The names of the points passed
are written as they come, so that they are known of a process that was killed, too.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import pyarrow.dataset  # noqa: F401, DuckDB imports it with the first table it is given: here once, not in each launch
import requests
from sqlalchemy.engine import default

from orchestration.components import delivery_audience
from orchestration.components.ahead import prepare
from orchestration.components.campaign_run import run_campaign
from orchestration.components.catalogue import all_campaigns
from orchestration.components.feedback import Feedback
from orchestration.components.services import Services
from orchestration.resources.mailchimp import Gateway
from orchestration.resources.mailchimp_calls import Pauses
from orchestration.resources.mailchimp_feedback import FeedbackGateway
from tests import signatures

# A sandbox on loopback does in milliseconds what Mailchimp does in minutes.
WAITS = delivery_audience.Waits(
    poll=0.02, create_limit=0.5, send_limit=0.5, send_tries=3, sent_limit=20, report_limit=5, lock=30
)
PAUSES = Pauses(0.01, 0.05, 4)


class Points:
    """Counts the points that are passed, and kills this process at one of them."""

    def __init__(self, kill_at: int | None, log: int) -> None:
        self._kill_at = kill_at
        self._log = log
        self._passed = 0
        self._lock = threading.Lock()

    def passed(self, name: str) -> None:
        with self._lock:
            os.write(self._log, f"{name}\n".encode())
            if self._passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            self._passed += 1

    def around(self, function, name):
        def surrounded(*args, **kwargs):
            said = name(*args, **kwargs)
            self.passed(f"before {said}")
            answer = function(*args, **kwargs)
            self.passed(f"after {said}")
            return answer

        return surrounded


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(_launch(json.loads(line))), flush=True)


def _launch(told: dict) -> dict:
    with tempfile.TemporaryFile() as points, tempfile.TemporaryFile() as error:
        child = os.fork()
        if child == 0:
            _be_launched(told, points.fileno(), error.fileno())
        _, status = os.waitpid(child, 0)
        points.seek(0)
        error.seek(0)
        return {
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            "error": error.read().decode(),
            "points": points.read().decode().splitlines(),
        }


def _be_launched(told: dict, points_log: int, error_log: int) -> None:
    """Never returns."""
    try:
        os.environ.update(told["env"])
        points = Points(told["kill_at"], points_log)
        requests.Session.send = points.around(requests.Session.send, lambda _, asked, **__: _endpoint(asked))
        default.DefaultDialect.do_commit = points.around(default.DefaultDialect.do_commit, lambda *_: "commit")
        delivery_audience.Waits.of = classmethod(lambda *_: WAITS)
        for mutation in told["mutations"]:
            MUTATIONS[mutation]()
        services = Services.from_env()
        services.__dict__["gateway"] = Gateway(services.settings, PAUSES)
        if told["campaign"] is None:
            Feedback(
                services.settings,
                services.ledger,
                services.gateway,
                FeedbackGateway(services.settings, PAUSES),
                services.warehouse,
                "test",
            ).poll()
        else:
            [campaign] = [one for one in all_campaigns() if one.name == told["campaign"]]
            run_campaign(services, campaign, "send", who="test")
        os._exit(0)
    except BaseException:
        os.write(error_log, traceback.format_exc().encode())
        os._exit(1)


def _endpoint(asked: requests.PreparedRequest) -> str:
    return f"{asked.method} {asked.path_url.partition('?')[0].removeprefix('/3.0')}"


def _no_look_by_title() -> None:
    Gateway.find_campaigns = lambda *_: []


def _no_look_at_the_status() -> None:
    Gateway.status = lambda *_: "save"


def _forgets_who_got_it() -> None:
    """The planner's own look at the history fails to see anything; the unique constraint is what is left."""
    from orchestration.resources.ledger_planning import Planning

    look = Planning.history

    def sees_nothing(self):
        reader = look(self)
        nothing = reader.schema.empty_table()
        reader.close()
        return nothing.to_reader()

    Planning.history = sees_nothing


MUTATIONS = {
    "no look by title": _no_look_by_title,
    "no look at the status": _no_look_at_the_status,
    "forgets who got it": _forgets_who_got_it,
}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    signatures.not_checked_again()
    prepare()
    sys.modules["pandas"] = None  # DuckDB looks for it with every query, and each look goes through all of sys.path
    main()
