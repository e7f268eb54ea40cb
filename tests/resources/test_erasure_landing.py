"""Landing files without a person's rows."""

from orchestration.core.erasure import Person, Span, Traces
from orchestration.resources.erasure_landing import scrub_landing
from orchestration.resources.forgotten import Forgotten

ADDRESS = "ivy@mail.test"
ROW = {
    "event_id": "s-1",
    "occurred_at": "2026-11-01T10:11:00Z",
    "email": ADDRESS,
    "action": "subscribe",
    "source": "x",
    "interests": [],
}


def test_the_file_that_the_collector_writes_into_is_left_to_it(shop):
    """Rewritten beside its writer, what is acknowledged next would go into a file that has no name any more."""
    landed = shop.drop("signups/a.jsonl", [ROW, ROW | {"email": "eve@mail.test"}])
    being_written = shop.drop(".collector/signups/b.jsonl", [ROW])
    shop.ingest()
    inode, content = being_written.stat().st_ino, being_written.read_bytes()
    person = Person(("c-1",), {ADDRESS: (Span("an-id"),)})
    with shop.warehouse.writer(why="a test") as con:
        scrub_landing(con, shop.settings, person, Traces([ADDRESS]), Forgotten(shop.settings, "k"))
    assert ADDRESS not in landed.read_text()
    assert (being_written.stat().st_ino, being_written.read_bytes()) == (inode, content)
