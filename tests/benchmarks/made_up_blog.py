"""A made-up blog of any size, the same at each run: texts of several subjects, and readers who like some of them.

A subject has words of its own beside those that every text has; an article is about one subject, sometimes about two. Words and
articles are as unequal as they are in life (Zipf); a reader reads mostly within two subjects, mostly in a few weeks of the year.
"""

from dataclasses import dataclass

import numpy as np
from related_split import NEGATIVES, Split

from orchestration.core.related_reading import DAY, Reads

VOCABULARY = 40_000
WORDS_PER_SUBJECT = 400
WORDS = 300
READS_PER_READER = 10


@dataclass(frozen=True)
class Blog:
    readers: int
    texts: list[str]
    reads: Reads


def blog(articles: int, reads: int) -> Blog:
    draw = np.random.default_rng(20261122)
    subjects = max(8, articles // 50)
    first, second = draw.integers(subjects, size=(2, articles))
    second = np.where(draw.random(articles) < 0.8, first, second)
    texts = _texts(draw, first, second, subjects)
    return Blog(reads // READS_PER_READER, texts, _reads(draw, first, second, subjects, reads))


def hide(whole: Blog, every: int) -> Split:
    """A split that asks for all reads of every so manieth article, and learns from the others."""
    draw = np.random.default_rng(7)
    reads, articles = whole.reads, len(whole.texts)
    hidden = reads.article % every == 0
    read_by = np.zeros((whole.readers, articles), dtype=bool)
    read_by[reads.reader, reads.article] = True
    negatives = np.empty((hidden.sum(), NEGATIVES), dtype=int)
    for row, reader in enumerate(reads.reader[hidden]):
        # other new articles only: against known ones a new one would win or lose by being new
        pool = np.flatnonzero(~read_by[reader] & (np.arange(articles) % every == 0))
        negatives[row] = draw.choice(pool, NEGATIVES, replace=False)
    return Split(
        whole.readers,
        articles,
        Reads(reads.reader[~hidden], reads.article[~hidden], reads.last_at[~hidden]),
        reads.reader[hidden],
        reads.article[hidden],
        negatives,
    )


def _texts(draw: np.random.Generator, first: np.ndarray, second: np.ndarray, subjects: int) -> list[str]:
    words = np.array([f"w{_letters(number)}" for number in range(VOCABULARY)])
    own = draw.integers(VOCABULARY, size=(subjects, WORDS_PER_SUBJECT))
    texts = []
    for one, other in zip(first, second, strict=True):
        common = _unequal(draw, VOCABULARY, WORDS // 2)
        telling = [own[subject][_unequal(draw, WORDS_PER_SUBJECT, WORDS // 4)] for subject in (one, other)]
        texts.append(" ".join(words[np.concatenate([common, *telling])]))
    return texts


def _reads(draw: np.random.Generator, first: np.ndarray, second: np.ndarray, subjects: int, count: int) -> Reads:
    articles, readers = len(first), count // READS_PER_READER
    by_subject = [np.flatnonzero((first == subject) | (second == subject)) for subject in range(subjects)]
    likes = draw.integers(subjects, size=(readers, 2))
    # some read a lot, most little
    reader = (draw.random(round(count * 1.6)) ** 1.5 * readers).astype(np.int64)
    article = _unequal(draw, articles, len(reader))
    liked = likes[reader, draw.integers(2, size=len(reader))]
    for subject, of_it in enumerate(by_subject):
        mine = np.flatnonzero((liked == subject) & (draw.random(len(reader)) < 0.8))
        if len(of_it):
            article[mine] = of_it[_unequal(draw, len(of_it), len(mine))]
    last_at = (draw.random(readers)[reader] * 335 + draw.random(len(reader)) * 30) * DAY
    _, once = np.unique(reader * articles + article, return_index=True)
    once = np.sort(draw.permutation(once)[:count])
    return Reads(reader[once], article[once], last_at[once].astype(np.int64))


def _unequal(draw: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Numbers below `size`, the first ones often, the last ones seldom."""
    return (size ** draw.random(count) - 1).astype(np.int64).clip(0, size - 1)


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
