"""Which articles go with which: from what readers read together, and from what the texts say.

    reads  ──► occasions: all of a reader's reading, and what of it fell into one month, week, day ──► co-reading ┐
    texts  ──► each article's most telling words (TF-IDF) ──► likeness ──────────────────────────────────────────┴─► score

Two articles score by how many readers read both. A reader of few says more than a reader of everything, and what was read on one
day more than what was read in one year. Popularity is taken out only in part: what many read is a fair guess as well. This is
RP3beta (Paudel et al., "Updatable, Accurate, Diverse, and Scalable Recommendations for Interactive Applications", 2017) with
occasions beside readers. It is sparse: it costs what there is to read, not the cube of the catalogue.

Likeness counts as a few reads together would: it is all that a new article has, and says less and less as its readers become
known. What a reader is recommended is the sum of the scores of what they read. `make bench-related` measures exactly this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

# How many relatives of an article take part in a recommendation.
RELATIVES = 200
# Of somebody who reads without end, the last so many articles count: work grows with the square of it.
READS_PER_READER = 200

# The settings below were chosen on parts of Deskdrop's train.parquet, never on its test.parquet.
DAY = 86_400
# length of an occasion in seconds (none: all of a reader's reading) → what two reads within one are worth
OCCASIONS = {None: 1.0, 30 * DAY: 0.3, 7 * DAY: 0.15, DAY: 0.15}
# Reads of an occasion with n articles count n^-…; a score is divided by (reads of the one)^… and (reads of the other)^…
BUSY, FROM, TO = 0.8, 0.8, 0.4

# Two texts that are the same count as this much co-reading: some ten people who read both, and ten articles each.
LIKENESS = 2.0
WORDS_PER_ARTICLE = 60
_WORD = r"(?u)\b[^\W\d_][\w/-]+"
# Below this, two texts share little more than a figure of speech.
LEAST_LIKENESS = 0.05

BLOCK = 1_000
DECIMALS = 9


@dataclass(frozen=True)
class Reads:
    """What was read: three arrays of one length, one entry for each reader and article, in any fixed order.

    `reader` is any number that stands for a reader, `article` a position in the catalogue, `last_at` seconds since 1970.
    """

    reader: np.ndarray
    article: np.ndarray
    last_at: np.ndarray


@dataclass(frozen=True)
class Relatives:
    """Arrays of one length, by article and then by rank: positions in the catalogue, `rank` from 1, `score`, and whether
    the likeness of the texts made more of the score than reading did."""

    article: np.ndarray
    rank: np.ndarray
    relative: np.ndarray
    score: np.ndarray
    is_by_text: np.ndarray


def relatives(reads: Reads, texts: Sequence[str], kept: int = RELATIVES) -> Relatives:
    """The `kept` closest relatives of each article; fewer where fewer have anything to do with it.

    `texts` has one text an article, in the order of the catalogue; ties go to the article that comes first there. The same
    arguments give the same answer: nothing is drawn by lot, scores are rounded to 9 decimals.
    """
    if not len(texts):
        return Relatives(*np.zeros((5, 0), dtype=np.int64))
    occasions = _occasions(_latest(reads), len(texts))
    weighted = sparse.diags_array(_weights(occasions)) @ occasions.articles
    read_count = np.maximum(np.bincount(reads.article, minlength=len(texts)), 1)
    words = telling_words(texts)
    found = []
    by_article = occasions.articles.tocsc()
    for block in _blocks(len(texts)):
        together = (by_article[:, block].T @ weighted).toarray()
        alike = LIKENESS * _likeness(words, block)
        damping = read_count[block, None] ** FROM * read_count[None, :] ** TO
        score = np.round((together + alike) / damping, DECIMALS)
        score[np.arange(len(block)), block] = 0
        found += [_closest(article, score[row], alike[row] > together[row], kept) for row, article in enumerate(block)]
    return Relatives(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def telling_words(texts: Sequence[str]) -> sparse.csr_array:
    """A row a text: TF-IDF weights of its most telling words, of length 1; empty where a text has no word that tells.

    Words that more than a third of the texts have tell nothing. A treatment is a word as well, whatever is in it.
    """
    try:
        vectors = TfidfVectorizer(
            token_pattern=_WORD, max_df=_most(len(texts)), sublinear_tf=True, dtype=np.float32
        ).fit_transform(texts)
    except ValueError:  # scikit-learn's way to say that no word is left
        return sparse.csr_array((len(texts), 1), dtype=np.float32)
    vectors = sparse.csr_array(vectors)
    for row in range(vectors.shape[0]):
        weights = vectors.data[vectors.indptr[row] : vectors.indptr[row + 1]]
        if len(weights) > WORDS_PER_ARTICLE:
            weights[np.argsort(-weights, kind="stable")[WORDS_PER_ARTICLE:]] = 0
    vectors.eliminate_zeros()
    length = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(length, 1e-9)) @ vectors)


@dataclass(frozen=True)
class _Occasions:
    """`articles`: a row an occasion, 1 where an article was read on it. `worth`: what the kind of each is worth."""

    articles: sparse.csr_array
    worth: np.ndarray


def _occasions(reads: Reads, articles: int) -> _Occasions:
    rows, columns, worths = [], [], []
    first_row = 0
    for length, worth in OCCASIONS.items():
        period = np.zeros_like(reads.last_at) if length is None else reads.last_at // length
        row = _numbered(reads.reader, period)
        # on an occasion with one article nothing was read together
        kept = np.bincount(row)[row] > 1
        row = _numbered(row[kept])
        count = int(row.max(initial=-1)) + 1
        rows.append(row + first_row)
        columns.append(reads.article[kept])
        worths.append(np.full(count, worth))
        first_row += count
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.csr_array((np.ones(len(row)), (row, column)), shape=(first_row, articles))
    return _Occasions(matrix, np.concatenate(worths))


def _weights(occasions: _Occasions) -> np.ndarray:
    size = np.diff(occasions.articles.indptr)
    return occasions.worth / size**BUSY


def _latest(reads: Reads) -> Reads:
    """The reads without those that are beyond a reader's last READS_PER_READER."""
    order = np.lexsort((reads.article, -reads.last_at, reads.reader))
    reader = reads.reader[order]
    starts = np.flatnonzero(np.r_[True, reader[1:] != reader[:-1]]) if len(reader) else np.zeros(0, int)
    place = np.arange(len(reader)) - np.repeat(starts, np.diff(np.r_[starts, len(reader)]))
    order = order[place < READS_PER_READER]
    return Reads(reads.reader[order], reads.article[order], reads.last_at[order])


def _numbered(*keys: np.ndarray) -> np.ndarray:
    """Numbers from 0 for the different tuples of keys, in their order."""
    order = np.lexsort(keys[::-1])
    changes = np.zeros(len(order), dtype=bool)
    for key in keys:
        changes[1:] |= key[order][1:] != key[order][:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(changes)
    return numbers


def _likeness(words: sparse.csr_array, block: np.ndarray) -> np.ndarray:
    alike = (words[block] @ words.T).toarray().astype(np.float64)
    alike[alike < LEAST_LIKENESS] = 0
    return alike


def _closest(article: int, score: np.ndarray, is_by_text: np.ndarray, kept: int) -> tuple[np.ndarray, ...]:
    count = min(kept, len(score))
    least = max(np.partition(score, -count)[-count], 10.0**-DECIMALS)
    candidates = np.flatnonzero(score >= least)
    best = candidates[np.argsort(-score[candidates], kind="stable")[:kept]]
    return np.full(len(best), article), np.arange(1, len(best) + 1), best, score[best], is_by_text[best]


def _blocks(articles: int) -> Iterator[np.ndarray]:
    for start in range(0, articles, BLOCK):
        yield np.arange(start, min(start + BLOCK, articles))


def _most(texts: int) -> int:
    return max(2, texts // 3)
