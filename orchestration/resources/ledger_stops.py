"""What stops all sends, kept in the ledger: somebody's pause, and breakers that tripped, until somebody releases them."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import func, insert, select, update

from orchestration.resources.ledger_feedback import LedgerFeedback
from orchestration.resources.ledger_schema import changes, stops


@dataclass(frozen=True)
class Stop:
    """One stop, and its release if there was one. Times are of the business clock.

    `released_change` is the last change of recipients that whoever released it could know of.
    """

    kind: str
    what: str
    who: str
    stopped_at: datetime
    released_at: datetime | None
    released_by: str | None
    released_why: str | None
    released_change: int | None


_STOP = [stops.c[f.name] for f in fields(Stop)]


class LedgerStops(LedgerFeedback):
    """What the switch and the breakers ask of the ledger, and write to it."""

    def stop(self, kind: str, what: str, *, who: str, at: datetime) -> bool:
        """Stop all sends. False when there is such a stop already: the first reason stays."""
        with self._writing() as con:
            there = con.execute(select(stops.c.id).where(stops.c.kind == kind, stops.c.released_at.is_(None))).first()
            if there is None:
                con.execute(insert(stops).values(kind=kind, what=what, who=who, stopped_at=at))
            return there is None

    def release(self, kinds: Collection[str], *, who: str, why: str, at: datetime) -> list[Stop]:
        """End the open stops of these kinds; gives them."""
        with self._writing() as con:
            meant = stops.c.kind.in_(kinds) & stops.c.released_at.is_(None)
            ids = list(con.execute(select(stops.c.id).where(meant)).scalars())
            last = select(func.coalesce(func.max(changes.c.id), 0)).scalar_subquery()
            released = {"released_at": at, "released_by": who, "released_why": why, "released_change": last}
            con.execute(update(stops).where(meant).values(**released))
            rows = con.execute(select(*_STOP).where(stops.c.id.in_(ids)).order_by(stops.c.id))
            return [Stop(**row._mapping) for row in rows]

    def stops(self, *, open_only: bool = True) -> list[Stop]:
        """The stops there are, or all there ever were, the oldest first."""
        query = select(*_STOP).order_by(stops.c.id)
        if open_only:
            query = query.where(stops.c.released_at.is_(None))
        with self._reading() as con:
            return [Stop(**row._mapping) for row in con.execute(query)]

    def forgiven(self) -> dict[str, int]:
        """kind → the last change that the last release of that kind forgave."""
        query = select(stops.c.kind, func.max(stops.c.released_change)).group_by(stops.c.kind)
        with self._reading() as con:
            return {kind: change or 0 for kind, change in con.execute(query)}
