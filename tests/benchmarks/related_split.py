"""Deskdrop as others have measured on it: a reader's held-out article among 100 that the reader never touched.

`Split` is all of it as arrays. Its `part()` holds out a fifth of each reader's train reads in the same way: settings are chosen
there.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from orchestration.core.related_reading import Reads

NEGATIVES = 100


@dataclass(frozen=True)
class Split:
    """Reads to learn from, and questions: `asked` pairs of reader and article, `negatives` a row of articles each."""

    readers: int
    articles: int
    reads: Reads
    asked_reader: np.ndarray
    asked_article: np.ndarray
    negatives: np.ndarray

    def part(self, seed: int) -> "Split":
        """A split within this one's reads; its questions are never looked at."""
        draw = np.random.default_rng(seed)
        reads = self.reads
        held_out = np.zeros(len(reads.reader), dtype=bool)
        touched = [set() for _ in range(self.readers)]
        for number, reader in enumerate(reads.reader):
            touched[reader].add(int(reads.article[number]))
        for reader in range(self.readers):
            mine = np.flatnonzero(reads.reader == reader)
            held_out[draw.permutation(mine)[: max(1, round(len(mine) / 5))]] = True
        negatives = [
            [article for article in draw.permutation(self.articles) if article not in touched[reader]][:NEGATIVES]
            for reader in reads.reader[held_out]
        ]
        return Split(
            self.readers,
            self.articles,
            Reads(reads.reader[~held_out], reads.article[~held_out], reads.last_at[~held_out]),
            reads.reader[held_out],
            reads.article[held_out],
            np.array(negatives),
        )


def deskdrop(folder: Path) -> Split:
    """The published split: train.parquet (person, article, strength, last_at), test.parquet (person, article, negatives[])."""
    with duckdb.connect() as con:
        for name in ("train", "test"):
            con.execute(f"create view {name} as from '{folder / name}.parquet'")
        con.execute(
            """
            create table people as select person, row_number() over (order by person) - 1 as number
            from (select person from train union select person from test);
            create table articles as select article, row_number() over (order by article) - 1 as number
            from (
                select article from train union select article from test
                union select unnest(negatives) from test
            )
            """
        )
        reads = con.execute(
            """
            select people.number as reader, articles.number as article, epoch(last_at)::bigint as last_at
            from train join people using (person) join articles using (article) order by all
            """
        ).fetchnumpy()
        asked = con.execute(
            """
            select reader, article, list(negative order by place) as negatives
            from (
                select p.number as reader, a.number as article, n.number as negative, place
                from (select person, article, unnest(negatives) as negative, generate_subscripts(negatives, 1) as place from test)
                join people as p using (person)
                join articles as a using (article)
                join articles as n on negative = n.article
            )
            group by reader, article
            order by all
            """
        ).fetchnumpy()
        counts = con.execute("select (select count(*) from people), (select count(*) from articles)").fetchone()
    return Split(
        *counts,
        Reads(reads["reader"], reads["article"], reads["last_at"]),
        asked["reader"],
        asked["article"],
        np.array([list(row) for row in asked["negatives"]]),
    )
