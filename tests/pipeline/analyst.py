"""An analyst with a loop: compares who is in a segment with whose stay in it is open, until a line comes in.

Prints JSON: how often it asked, of how many builds, and what went wrong.
"""

import json
import select
import sys

from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings

DISAGREE = """
with members as (select contact_id, segment, entered_at from marts.segment_members),
open_stays as (select contact_id, segment, entered_at from marts.segment_history where left_at is null)
select
    (select count(*) from members),
    (select count(*) from (from members except from open_stays)),
    (select count(*) from (from open_stays except from members)),
    (select max(build_no) from raw.builds)
"""


def main() -> None:
    warehouse = Warehouse(Settings.from_env())
    asked, builds, wrong = 0, set(), []
    while not select.select([sys.stdin], [], [], 1)[0]:
        asked += 1
        try:
            with warehouse.reader() as con:
                members, only_members, only_stays, build = con.execute(DISAGREE).fetchone()
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
            continue
        builds.add(build)
        if only_members or only_stays or not members:
            wrong.append(
                f"build {build}: {members} members, {only_members} without a stay, {only_stays} stays too many"
            )
    json.dump({"asked": asked, "builds": sorted(builds, key=str), "wrong": wrong}, sys.stdout)


if __name__ == "__main__":
    main()
