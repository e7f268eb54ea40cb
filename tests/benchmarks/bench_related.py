"""Related reading: hits on Deskdrop beside popularity and EASE^R, what a new article gets from its text, and time and memory.

    make bench-related      or      python tests/benchmarks/bench_related.py [--deskdrop FOLDER] [--on train] [--skip-size]

The Deskdrop figures rank a reader's held-out article among 100 that they never touched, and count hits in the first 5 and 10.
`--on train` holds out parts of train instead, as settings are chosen. Ours is the product's: the relatives that are kept of each
article, summed over what the reader read, and what is popular where that says nothing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import made_up_blog
import numpy as np
from bench_side import ROOT, Ratio, gigabytes, say
from related_split import Split, deskdrop
from scipy import sparse

from orchestration.core.related_reading import DAY, Reads, relatives

ARTICLES, READS = 20_000, 5_000_000
SECONDS, MEMORY = 120, 4
EASE_LAMBDA = 200  # Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", 2019
AT_LEAST = 0.60


def popularity(split: Split) -> np.ndarray:
    return np.tile(_reads_of(split).astype(float), (split.readers, 1))


def ease(split: Split) -> np.ndarray:
    history = _history(split)
    gram = (history.T @ history).toarray()
    gram[np.diag_indices(split.articles)] += EASE_LAMBDA
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return history @ weights


def ours(split: Split, texts: list[str] | None = None) -> np.ndarray:
    found = relatives(split.reads, texts or [""] * split.articles)
    shape = (split.articles, split.articles)
    scores = sparse.csr_array((found.score, (found.article, found.relative)), shape=shape)
    # where it says nothing: what is popular, far below any score
    return (_history(split) @ scores).toarray() + 1e-9 * _reads_of(split)


def recall(score: np.ndarray, split: Split) -> dict[int, float]:
    """Share of the asked articles that are in the first 5 and 10 of 101, where equal scores lie in any order."""
    asked = score[split.asked_reader, split.asked_article][:, None]
    others = score[split.asked_reader[:, None], split.negatives]
    better, equal = (others > asked).sum(axis=1), (others == asked).sum(axis=1)
    return {first: float(np.clip((first - better) / (equal + 1), 0, 1).mean()) for first in (5, 10)}


def deskdrop_figures(folder: Path, on: str) -> list[Ratio]:
    split = deskdrop(folder)
    splits = [split] if on == "test" else [split.part(seed) for seed in (1, 2, 3)]
    say(f"Deskdrop, on {on}: {split.readers:,} readers, {split.articles:,} articles, {len(split.reads.reader):,} reads")
    hits = {}
    for method in (popularity, ease, ours):
        began = time.process_time()
        each = [recall(method(part), part) for part in splits]
        hits[method] = {first: float(np.mean([one[first] for one in each])) for first in (5, 10)}
        say(
            f"  {method.__name__:<12} recall@5 {hits[method][5]:.3f}   recall@10 {hits[method][10]:.3f}   "
            f"({(time.process_time() - began) / len(splits):.1f} s of CPU)"
        )
    return [
        Ratio("Deskdrop recall@5, above EASE^R", hits[ours][5], round(hits[ease][5], 3), at_most=False, unit=""),
        Ratio("Deskdrop recall@10, above EASE^R", hits[ours][10], round(hits[ease][10], 3), at_most=False, unit=""),
        Ratio("Deskdrop recall@10", hits[ours][10], AT_LEAST, at_most=False, unit=""),
    ]


def stability(split: Split) -> None:
    """How many of a reader's first ten are the same a day later, for readers who read nothing in between."""
    today = np.quantile(split.reads.last_at, 0.8)
    firsts = [_first_ten(split, split.reads.last_at <= until) for until in (today, today + DAY)]
    in_between = split.reads.reader[(split.reads.last_at > today) & (split.reads.last_at <= today + DAY)]
    readers = np.setdiff1d(split.reads.reader[split.reads.last_at <= today], in_between)
    kept = np.mean([len(np.intersect1d(firsts[0][reader], firsts[1][reader])) / 10 for reader in readers])
    say(f"from one day to the next {kept:.1%} of a reader's first ten stay ({len(readers):,} readers)")


def _first_ten(split: Split, known: np.ndarray) -> np.ndarray:
    reads = split.reads
    then = replace(split, reads=Reads(reads.reader[known], reads.article[known], reads.last_at[known]))
    score = ours(then)
    score[then.reads.reader, then.reads.article] = -1
    return np.argsort(-score, axis=1, kind="stable")[:, :10]


def cold_start() -> None:
    """Articles of the made-up blog whose reads are hidden, each asked for by those who read it. Their texts are known."""
    blog = made_up_blog.blog(articles=2_000, reads=60_000)
    split = made_up_blog.hide(blog, every=10)
    say(
        f"new articles: {len(np.unique(split.asked_article))} of a made-up blog of {split.articles:,}, "
        f"{len(split.asked_reader):,} hidden reads"
    )
    for name, score in (
        ("chance", np.zeros((split.readers, split.articles))),
        ("by reads only", ours(split)),
        ("with texts", ours(split, blog.texts)),
    ):
        hits = recall(score, split)
        say(f"  {name:<14} recall@5 {hits[5]:.3f}   recall@10 {hits[10]:.3f}")


def size_run(scale: float) -> list[Ratio]:
    say(f"size: {round(ARTICLES * scale):,} articles, {round(READS * scale):,} reads, made up")
    done = subprocess.run(
        [sys.executable, __file__, "--size-side", str(scale)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    say(
        f"  {figures['relatives']:,} relatives in {figures['wall']:.0f} s ({figures['cpu']:.0f} s of CPU), "
        f"peak {gigabytes(figures['peak_bytes']):.1f} GB, {gigabytes(figures['data_bytes']):.1f} GB of it before it began"
    )
    return [
        Ratio("related reading, 20,000 articles, 5 M reads: seconds", figures["wall"], SECONDS, unit="s"),
        Ratio("related reading: peak memory", gigabytes(figures["peak_bytes"]), MEMORY, unit="GB"),
    ]


def size_side(scale: float) -> None:
    blog = made_up_blog.blog(articles=round(ARTICLES * scale), reads=round(READS * scale))
    data_bytes = _peak_bytes()
    began, worked = time.perf_counter(), time.process_time()
    found = relatives(blog.reads, blog.texts)
    figures = {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - worked,
        "relatives": len(found.score),
        "peak_bytes": _peak_bytes(),
        "data_bytes": data_bytes,
    }
    print(json.dumps(figures))


def _history(split: Split) -> sparse.csr_array:
    reads = split.reads
    shape = (split.readers, split.articles)
    return sparse.csr_array((np.ones(len(reads.reader)), (reads.reader, reads.article)), shape=shape)


def _reads_of(split: Split) -> np.ndarray:
    return np.bincount(split.reads.article, minlength=split.articles)


def _peak_bytes() -> int:
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deskdrop", type=Path, default=ROOT.parent / "shared" / "data" / "deskdrop")
    parser.add_argument("--on", choices=("test", "train"), default="test")
    parser.add_argument("--scale", type=float, default=1.0, help="of the size run")
    parser.add_argument("--skip-size", action="store_true")
    parser.add_argument("--size-side", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size_side:
        size_side(arguments.size_side)
        return
    ratios = deskdrop_figures(arguments.deskdrop, arguments.on)
    stability(deskdrop(arguments.deskdrop))
    cold_start()
    if not arguments.skip_size:
        ratios += size_run(arguments.scale)
    for ratio in ratios:
        print(ratio.told())


if __name__ == "__main__":
    main()
