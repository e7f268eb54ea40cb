"""The trickle as a watcher of the landing folder finds it."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime

from orchestration.demo.trickle import trickle
from orchestration.settings import PROJECT_DIR


def _run(folder, files):
    """Let the trickle write that many files, without waiting between them."""
    stop = threading.Event()
    lines = []

    def say(line):
        lines.append(line)
        if len(lines) == files:
            stop.set()

    assert trickle(folder, 0.001, stop, say, coupons_dir=folder / "coupons") == files
    return lines


def test_a_round_brings_a_signup_views_an_order_and_its_buyers_opt_in(tmp_path, read_landing):
    began = datetime.now(UTC)
    lines = _run(tmp_path, 5)
    landed = read_landing(tmp_path)
    assert len(lines) == len(list(tmp_path.glob("*/trickle-*.jsonl"))) == 5
    newsletter, checkout = sorted(landed.rows["signups"], key=lambda row: row["occurred_at"])
    assert (newsletter["basis"], checkout["basis"]) == ("consent", "soft_opt_in")
    pending, processing = landed.rows["orders"]
    assert (pending["status"], processing["status"]) == ("pending", "processing")
    assert processing["email"] == checkout["email"]
    assert processing["subtotal"] > 100 and processing["country"] == "GB"
    newest = max(datetime.fromisoformat(row["occurred_at"]) for rows in landed.rows.values() for row in rows)
    assert began <= newest <= datetime.now(UTC)


def test_people_and_events_do_not_repeat_within_a_run_nor_in_the_next(tmp_path, read_landing):
    _run(tmp_path, 20)
    _run(tmp_path, 20)
    landed = read_landing(tmp_path)
    addresses = [row["email"] for row in landed.rows["signups"]]
    assert len(addresses) == len(set(addresses)) == 16
    assert all(address.endswith(".test") for address in addresses)
    for rows in landed.rows.values():
        assert len({row["event_id"] for row in rows}) == len(rows)


def test_the_newcomer_reads_two_articles_that_are_theirs(tmp_path, read_landing):
    _run(tmp_path, 5)
    landed = read_landing(tmp_path)
    newcomer = min(landed.rows["signups"], key=lambda row: row["occurred_at"])
    read = [row["article_id"] for row in landed.rows["article_views"] if row["email"] == newcomer["email"]]
    assert len(set(read)) == 2


def test_somebody_orders_with_a_code_that_came_since_the_start_and_each_code_once(tmp_path, read_landing):
    (tmp_path / "coupons").mkdir()
    old = tmp_path / "coupons" / "welcome-w0.csv"
    old.write_text("post_title,coupon_amount\nBEFORE\n")
    os.utime(old, (0, 0))
    new = tmp_path / "coupons" / "welcome-w1.csv"
    new.write_text("post_title,coupon_amount\nK7MW,10\nX4RJ,10\n")
    os.utime(new, (4e9, 4e9))
    _run(tmp_path, 17)
    (tmp_path / "coupons").rename(tmp_path.with_name("taken"))
    orders = [
        row for row in read_landing(tmp_path).rows["orders"] if row["status"] == "pending" and row["coupon_codes"]
    ]
    assert sorted(code for row in orders for code in row["coupon_codes"]) == ["k7mw", "x4rj"]
    assert all(abs(row["discount"] - row["subtotal"] / 10) < 0.01 for row in orders)


def test_a_trickle_told_to_stop_before_it_starts_writes_nothing(tmp_path):
    stop = threading.Event()
    stop.set()
    assert trickle(tmp_path, 10, stop, print, coupons_dir=tmp_path / "coupons") == 0
    assert not list(tmp_path.iterdir())


def test_the_command_tells_of_each_file_and_ends_well_when_asked_to_stop(tmp_path):
    env = {"LANDING": str(tmp_path), "PYTHONPATH": str(PROJECT_DIR)}
    command = [sys.executable, "-m", "orchestration.demo", "trickle", "--every", "60"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as running:
        first = running.stdout.readline()
        running.terminate()
        rest, _ = running.communicate(timeout=10)
    assert first.startswith("A newsletter signup → signups/trickle-")
    assert rest == "Stopped. Files written: 1\n"
    assert running.returncode == 0
