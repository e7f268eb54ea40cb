"""Related reading on a handful of made-up reads and texts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.related_reading import DAY, READS_PER_READER, Reads, relatives

NO_TEXTS = [""] * 6


def reads(*told: tuple[int, int, float]) -> Reads:
    """(reader, article, day) each."""
    reader, article, day = (np.array(column) for column in zip(*told, strict=True)) if told else (np.zeros(0, int),) * 3
    return Reads(reader.astype(np.int64), article.astype(np.int64), (day * DAY).astype(np.int64))


def ranked(found, article: int) -> list[int]:
    return found.relative[found.article == article].tolist()


def score(found, article: int, relative: int) -> float:
    return float(found.score[(found.article == article) & (found.relative == relative)][0])


def test_what_is_read_together_is_related_and_nothing_else():
    found = relatives(reads((1, 0, 5), (1, 1, 200), (2, 2, 5), (2, 3, 5)), NO_TEXTS)
    assert ranked(found, 0) == [1]
    assert ranked(found, 3) == [2]
    assert ranked(found, 5) == []
    assert not found.is_by_text.any()


def test_a_reader_of_few_says_more_than_a_reader_of_everything():
    few = [(1, 0, 1), (1, 1, 100)]
    everything = [(2, article, 100 * article) for article in range(6) if article != 1]
    found = relatives(reads(*few, *everything), NO_TEXTS)
    assert ranked(found, 0)[0] == 1


def test_what_is_read_on_one_day_belongs_together_more_than_what_is_read_in_one_year():
    found = relatives(reads((1, 0, 10), (1, 1, 10.1), (1, 2, 200)), NO_TEXTS)
    assert ranked(found, 0) == [1, 2]


def test_what_everybody_reads_is_related_to_everything_only_so_much():
    """0 and 1 share both their readers; 0 and 5 as well, but 5 has ten more."""
    told = [(reader, article, 100 * article) for reader in (1, 2) for article in (0, 1, 5)]
    told += [(reader, article, 100 * article) for reader in range(3, 13) for article in (4, 5)]
    assert ranked(relatives(reads(*told), NO_TEXTS), 0) == [1, 5]


def test_a_new_article_has_relatives_on_its_first_day():
    texts = [
        "a peel week day by day: peel, flake, moisturise",
        "lips in winter: balm and wax against chapped lips",
        "choosing a first peel: acids, strength, flake",
        "led masks and what their colours mean",
        "rough elbows, rough knees",
        "lip masks: wax and oil for winter lips",
    ]
    found = relatives(reads((1, 0, 5), (1, 3, 5), (2, 0, 7), (2, 3, 7)), texts)
    assert ranked(found, 2)[0] == 0
    assert ranked(found, 5)[0] == 1
    assert 2 in ranked(found, 0)
    assert found.is_by_text[(found.article == 2) & (found.relative == 0)].all()
    assert not found.is_by_text[(found.article == 0) & (found.relative == 3)].any()


def test_the_better_an_article_is_known_the_less_its_text_says():
    texts = ["peel acid flake", "peel acid flake", "lip wax", "sun", "scalp", "knees"]
    few = reads((1, 0, 5), (1, 3, 5))
    many = reads(*[(reader, article, 5) for reader in range(1, 40) for article in (0, 3)])
    assert ranked(relatives(few, texts), 0)[0] == 1
    assert ranked(relatives(many, texts), 0)[0] == 3


def test_a_word_that_every_text_has_says_nothing():
    assert ranked(relatives(reads(), ["article"] * 6), 0) == []
    assert ranked(relatives(reads(), [""] * 6), 0) == []


def test_no_articles_no_relatives():
    assert len(relatives(reads(), []).rank) == 0


def test_ties_go_to_the_article_that_comes_first():
    told = [(1, article, 100 * article) for article in (3, 1, 4, 2)]
    assert ranked(relatives(reads(*told), NO_TEXTS), 1) == [2, 3, 4]


def test_only_the_closest_are_kept_and_ranked_from_one():
    told = [(reader, article, 100 * article) for reader in range(3) for article in range(6)]
    found = relatives(reads(*told), NO_TEXTS, kept=2)
    assert found.rank.tolist() == [1, 2] * 6
    assert (np.diff(found.score)[::2] <= 0).all()


def test_of_somebody_who_reads_without_end_the_last_articles_count():
    told = [(1, article, article) for article in range(READS_PER_READER + 5)]
    found = relatives(reads(*told), [""] * (READS_PER_READER + 5))
    assert ranked(found, 4) == []
    assert ranked(found, 5)[0] == 6


@pytest.mark.parametrize("by_reads", [True, False])
def test_scores_add_up_over_what_somebody_read(by_reads):
    """A reader of 0 and 1 would rather read 2, which goes with both, than 3, which goes with one."""
    texts = ["peel acid", "peel led", "acid led", "acid wax"] if not by_reads else [""] * 4
    told = [(1, 0, 1), (1, 2, 90), (2, 1, 1), (2, 2, 90), (3, 0, 1), (3, 3, 90)] if by_reads else []
    found = relatives(reads(*told), texts)
    sums = {
        article: sum(score(found, one, article) for one in (0, 1) if article in ranked(found, one))
        for article in (2, 3)
    }
    assert sums[2] > sums[3]


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 400)), max_size=40, unique_by=lambda r: r[:2]
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_in_which_reads_are_told_makes_no_difference(told, draw):
    texts = ["peel acid", "peel led", "led acid", "lips wax", "wax lips", "scalp"]
    shuffled = draw.sample(told, len(told))
    one, other = relatives(reads(*told), texts), relatives(reads(*shuffled), texts)
    for column in ("article", "rank", "relative", "score", "is_by_text"):
        assert getattr(one, column).tolist() == getattr(other, column).tolist()
    assert (one.article != one.relative).all()
