"""Warm recommendations over a SYNTHETIC store of a million arms, on one core.

The store is filled as `large_store` does it. A process of its own then loads it and the shipped
corpus and asks both the same questions in turn; what only the first question costs is shown apart.
The figures are medians of wall times and of processor times, which other work on the machine moves
less, and the largest memory of that process, loading included.

Usage: python benchmarks/million_arms.py [N_ARMS] [RUNS] [DATABASE_URL]
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from large_store import fill

from evidence import queries
from evidence.records import Corpus, TaskProfile
from evidence.store import Store
from recommender.answering import recommend
from recommender.ranking import Question

QUESTIONS = (
    TaskProfile(modality="ultrasound", n_images=800),
    TaskProfile(modality="ultrasound", anatomy="breast", n_images=780, n_classes=3),
    TaskProfile(modality="xray", anatomy="lung", n_images=5000, n_classes=2),
    TaskProfile(modality="mri", anatomy="brain", n_images=300, n_classes=2),
    TaskProfile(modality="fundus", n_images=90_000, n_augmented=200_000),
    TaskProfile(modality="ct", anatomy="liver", n_images=1000, task="regression"),
)
#: One thread, so that no library uses a core that the process may not.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Spent(NamedTuple):
    """Milliseconds of one recommendation, or the medians of several."""

    wall: float
    processor: float


def spent(profile: TaskProfile, corpus: Corpus) -> Spent:
    """What one recommendation takes."""
    clocks = time.perf_counter, time.process_time
    started = [clock() for clock in clocks]
    recommend(Question(profile), corpus)
    ended = [clock() for clock in clocks]
    return Spent(*(1000 * (end - start) for start, end in zip(started, ended, strict=True)))


def median(found: Sequence[Spent]) -> Spent:
    """Median of each time."""
    return Spent(*(statistics.median(times) for times in zip(*found, strict=True)))


def one_core() -> None:
    """Keep this process to one core, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def report(large: str, shipped: str, n_runs: int) -> Iterator[str]:
    """Lines of what was measured."""
    one_core()
    started = time.perf_counter()
    corpus = queries.corpus(Store(large))
    yield f"{len(corpus.arms)} arms loaded in {time.perf_counter() - started:.1f} s"
    yield f"first question {spent(QUESTIONS[0], corpus).wall:.0f} ms"
    small = queries.corpus(Store(shipped))
    rounds = [
        [(spent(profile, corpus), spent(profile, small)) for profile in QUESTIONS]
        for _ in range(n_runs + 1)
    ][1:]
    for profile, pairs in zip(QUESTIONS, zip(*rounds, strict=True), strict=True):
        ours, alone = (median(found) for found in zip(*pairs, strict=True))
        asked = f"{profile.modality}, {profile.anatomy}, {profile.n_images}"
        yield (
            f"{asked:28} {ours.wall:6.1f} ms, {ours.processor:6.1f} ms of processor time; "
            f"{ours.processor / alone.processor:.1f} times the corpus alone"
        )
    yield f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"


def main() -> None:
    """Fill a store, ask in a process of its own, print what it says."""
    n_arms = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    n_runs = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    with tempfile.TemporaryDirectory() as folder:
        shipped = f"sqlite:///{Path(folder) / 'shipped.sqlite'}"
        large = sys.argv[3] if len(sys.argv) > 3 else f"sqlite:///{Path(folder) / 'large.sqlite'}"
        fill(Store(large), n_arms)
        Store(shipped)
        ask = [sys.executable, __file__, "ask", large, shipped, str(n_runs)]
        sys.stdout.write(f"{platform.machine()}, one of {os.cpu_count()} cores, {n_runs} runs\n")
        sys.stdout.flush()
        subprocess.run(ask, env=os.environ | ONE_THREAD, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        for line in report(sys.argv[2], sys.argv[3], int(sys.argv[4])):
            sys.stdout.write(line + "\n")
    else:
        main()
