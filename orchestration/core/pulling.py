"""Reading what changed in a shop while it goes on changing.

Pages that are counted (page 2, page 3 …) move under the reader's hands: a document that is changed meanwhile goes to the end, all
after it move up by one, and the first of the next page is never seen. So no page is counted here: each call asks for what changed
after the last that was seen, oldest first: a second earlier than need be, since many may share that second, and without those
seen in it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

# Times of WordPress are whole seconds.
SECOND = timedelta(seconds=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cursor:
    """How far a source was read. `seen`: id → when changed, of the documents that an overlapping read meets again."""

    upto: datetime = BEGINNING
    seen: Mapping[str, datetime] = field(default_factory=dict)

    def is_news(self, document_id: str, changed_at: datetime) -> bool:
        return self.seen.get(document_id) != changed_at

    def moved(self, page: Iterable[tuple[str, datetime]], overlap: timedelta) -> "Cursor":
        """The cursor when a page has safely landed."""
        seen = {**self.seen, **dict(page)}
        upto = max([self.upto, *seen.values()])
        return Cursor(upto, {one: at for one, at in seen.items() if at > upto - overlap})


@dataclass(frozen=True)
class Walk:
    """Where a read is: it asks for what changed after `after`, but for the ids of `seen`."""

    after: datetime
    seen: Mapping[str, datetime] = field(default_factory=dict)

    @classmethod
    def from_cursor(cls, cursor: Cursor, overlap: timedelta) -> "Walk":
        """A read that begins `overlap` before the cursor: clocks differ, and a change may be seen later than it is dated."""
        return cls(max(BEGINNING, cursor.upto - overlap))

    def further(self, page: Iterable[tuple[str, datetime]]) -> "Walk":
        """The next call after a page that was not empty."""
        seen = {**self.seen, **dict(page)}
        after = max(self.after, max(seen.values()) - SECOND)
        return Walk(after, {one: at for one, at in seen.items() if at > after})
