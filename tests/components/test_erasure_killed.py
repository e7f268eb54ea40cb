"""An erasure is killed, by SIGKILL and in a process of its own, and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestration.components.services import Services
from orchestration.resources.landing import ingest
from orchestration.resources.landing_look import look
from orchestration.settings import PROJECT_DIR

ANN, BOB = "ann@mail.test", "bob@mail.test"
STEPS = ("warehouse", "landing files", "lake", "ledger", "Mailchimp", "SQLite files")


def signup(event_id, email):
    row = {"event_id": event_id, "occurred_at": "2026-11-01T08:00:00Z", "email": email, "action": "subscribe"}
    return row | {"source": "form", "basis": "consent", "interests": []}


def order(event_id, email):
    money = {name: "10.00" for name in ("subtotal", "discount", "shipping", "tax", "total", "refunded")}
    row = {"event_id": event_id, "occurred_at": "2026-11-02T08:00:00Z", "order_id": event_id, "status": "completed"}
    row |= {"placed_at": "2026-11-02T08:00:00Z", "email": email, "currency": "GBP", "country": "GB"}
    return row | money | {"coupon_codes": [], "lines": []}


@pytest.fixture
def services(shop):
    """A shop with a few files landed, and a wave that was sent to Ann and Bob."""
    landing = shop.settings.landing_dir
    others = [f"p{number}@mail.test" for number in range(30)]
    for source, make in (("signups", signup), ("orders", order)):
        for name, people in (("a", [ANN, *others]), ("b", [BOB]), ("c", [ANN])):
            (landing / source).mkdir(parents=True, exist_ok=True)
            rows = [json.dumps(make(f"{source}-{name}-{number}", email)) for number, email in enumerate(people)]
            (landing / source / f"{name}.jsonl").write_text("\n".join(rows) + "\n")
    services = Services(shop.settings)
    ingest(services.settings, services.warehouse)
    shop.resume(shop.plan(ANN, BOB))
    return services


def start(services, die_at="nowhere") -> subprocess.Popen:
    env = os.environ | {
        "DATA_DIR": str(services.settings.data_dir),
        "SANDBOX_PORT": str(services.settings.sandbox_port),
        "AS_OF": services.settings.now().isoformat(),
        "PYTHONPATH": str(PROJECT_DIR),
        "CONTACT": ANN,
        "DIE_AT": die_at,
    }
    script = str(Path(__file__).with_name("erase_and_die.py"))
    return subprocess.Popen(
        [sys.executable, script], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def says(services, word: str) -> list[str]:
    files = (path for path in services.settings.data_dir.rglob("*") if path.is_file())
    return [path.name for path in files if word.encode() in path.read_bytes().lower()]


def finish(services) -> str:
    process = start(services)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


def check_all_of_ann_is_gone_and_nothing_else(services, shop):
    assert says(services, ANN) == []
    assert list((services.settings.data_dir / "erasing").iterdir()) == []
    assert look(services.settings, services.warehouse).new == []
    with services.warehouse.latest() as con:
        assert con.execute("select count(*), sum(total) from raw.orders").fetchone() == (33, 330)
        assert con.execute("select count(distinct email) from raw.signups").fetchone() == (31,)
    assert list(shop.gateway.members_of([ANN, BOB])) != []
    assert not shop.gateway.members_of([ANN])
    assert says(services, BOB)


def test_killed_after_each_step_the_next_start_goes_on_and_the_last_one_finishes(services, shop):
    for step in STEPS:
        process = start(services, f": {step} done")
        assert process.wait(timeout=120) == -signal.SIGKILL, step
        assert len(list((services.settings.data_dir / "erasing").glob("*.json"))) == 1
    out = finish(services)
    assert ANN not in out
    assert out.count("Erasure ") == 2  # the one that was killed, and the one that was asked for now
    check_all_of_ann_is_gone_and_nothing_else(services, shop)


def test_killed_while_it_rewrites_landing_files_nothing_is_ingested_twice(services, shop):
    process = start(services)
    landing = services.settings.landing_dir
    while process.poll() is None and not list(landing.rglob(".*.erasing.tmp")):
        time.sleep(0.001)
    process.kill()
    process.communicate()
    assert look(services.settings, services.warehouse).new == []
    finish(services)
    check_all_of_ann_is_gone_and_nothing_else(services, shop)
    assert list(landing.rglob("*.tmp")) == []
