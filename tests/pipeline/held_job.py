"""A job that holds the warehouse's pool until it is killed, run as our jobs are."""

import time

import dagster as dg

from orchestration.resources.liveness import one_process
from orchestration.settings import Settings


@dg.op(pool="warehouse")
def hold_the_pool():
    (Settings.from_env().data_dir / "held").touch()
    time.sleep(300)


@dg.job(executor_def=one_process)
def held():
    hold_the_pool()


@dg.op(pool="warehouse")
def take_the_pool():
    (Settings.from_env().data_dir / "taken").touch()


@dg.job(executor_def=one_process)
def next_one():
    take_the_pool()
