"""What each plot shows: rows of the store -> figures of `evidence`."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evidence import figures, forest, queries, reported
from evidence.arm_table import ArmTable
from evidence.errors import EvidenceError
from evidence.figures import ApproachCount, GapCell, SearchEnd, Win, YearCount
from evidence.records import ArmRecord, Corpus, Record, TaskProfile
from evidence.reported import Reported
from evidence.store import Store
from evidence.synthesis import pool
from evidence.vocabulary import ANATOMY, MODALITY, Metric
from recommender.answering import recommend
from recommender.headtohead import family_wins
from recommender.ranking import Question

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Upper ends of the bins of the original number of images, as Morid 2022 (Figure 5) sets them.
SIZE_BINS = ((999, "below 1,000"), (10_000, "1,000 to 10,000"), (None, "above 10,000"))
#: Number of images for which a gap map says how certain the advice would be.
GAP_MAP_SIZE = 1000


class PlotOptions(Record):
    """What is drawn of: canonical modality and anatomy, with narrower terms, and a metric."""

    modality: str | None = None
    anatomy: str | None = None
    metric: Metric = "auc"


def plot(kind: str, options: PlotOptions, out: Path) -> None:
    """Draw one of `KINDS` to a file.

    Raises
    ------
    EvidenceError
        Nothing fits the options, the file's ending is none that is drawn, or it cannot be written.
    """
    store = Store()
    corpus = queries.corpus(store)
    with store.connect() as connection:
        kept = tuple(arm for arm in queries.arms(connection) if _fits(arm, options))
    if not kept:
        msg = "no study fits; evtl studies shows what there is"
        raise EvidenceError(msg)
    figures.save(KINDS[kind](_Scene(store, corpus, kept, options)), out)


@dataclass(frozen=True)
class _Scene:
    """What a plot is drawn of: the whole corpus, and its arms that fit the options."""

    store: Store
    corpus: Corpus
    arms: tuple[ArmRecord, ...]
    options: PlotOptions


def _fits(arm: ArmRecord, options: PlotOptions) -> bool:
    modality, anatomy = options.modality, options.anatomy
    imaged = modality is None or (
        arm.modality is not None and MODALITY.is_within(arm.modality, modality)
    )
    shown = anatomy is None or any(ANATOMY.is_within(place, anatomy) for place in arm.anatomy)
    return imaged and shown


def _gap_map(scene: _Scene) -> "Figure":
    studies: dict[tuple[str, str], set[str]] = {}
    compared: dict[tuple[str, str], set[str]] = {}
    for arm in scene.arms:
        for place in arm.anatomy:
            if arm.modality:
                studies.setdefault((arm.modality, place), set()).add(arm.study.key)
                if arm.role == "benchmark":
                    compared.setdefault((arm.modality, place), set()).add(arm.study.key)
    return figures.gap_map(
        [
            GapCell(
                modality=MODALITY.label(modality),
                anatomy=ANATOMY.label(anatomy),
                n_studies=len(keys),
                n_compared=len(compared.get((modality, anatomy), ())),
                certainty=_certainty(scene.corpus, modality, anatomy),
            )
            for (modality, anatomy), keys in sorted(studies.items())
        ]
    )


def _certainty(corpus: Corpus, modality: str, anatomy: str) -> figures.Level:
    profile = TaskProfile(modality=modality, anatomy=anatomy, n_images=GAP_MAP_SIZE)
    return recommend(Question(profile), corpus).certainty.level


def _results(scene: _Scene) -> tuple[Reported, ...]:
    keys = {arm.study.key for arm in scene.arms}
    with scene.store.connect() as connection:
        found = reported.results(connection, scene.options.metric)
    kept = tuple(result for result in found if result.study_key in keys)
    if not kept:
        msg = f"no study here reports {scene.options.metric}; another --metric may be reported"
        raise EvidenceError(msg)
    return kept


def _forest(scene: _Scene) -> "Figure":
    results = _results(scene)
    return forest.forest(results, pool(results))


def _sizes(scene: _Scene) -> "Figure":
    return forest.sizes(_results(scene))


def _benchmarks(scene: _Scene) -> "Figure":
    wins = family_wins(ArmTable.of(scene.arms))
    return figures.benchmarks([Win(**win._asdict()) for win in sorted(wins)])


def _years(scene: _Scene) -> "Figure":
    first: dict[str, tuple[int, str]] = {}
    for arm in scene.arms:
        if arm.study.year is not None:
            first.setdefault(arm.study.key, (arm.study.year, arm.review))
    counts = Counter(first.values())
    with scene.store.connect() as connection:
        ends = queries.search_ends(connection)
    return figures.years(
        [YearCount(year=year, review=review, n=n) for (year, review), n in sorted(counts.items())],
        [SearchEnd(review=review, date=date) for review, date in ends.items()],
    )


def _approaches(scene: _Scene) -> "Figure":
    rows = {
        (arm.study.key, arm.approach, _bin(arm.n_images))
        for arm in scene.arms
        if arm.role != "benchmark" and arm.n_images
    }
    counts = Counter((approach, size) for _, approach, size in rows)
    order: Sequence[str] = [label for _, label in SIZE_BINS]
    ranked = sorted(counts.items(), key=lambda item: (order.index(item[0][1]), item[0][0]))
    return figures.approaches(
        [ApproachCount(approach=approach, size=size, n=n) for (approach, size), n in ranked]
    )


def _bin(n_images: int | None) -> str:
    return next(label for end, label in SIZE_BINS if end is None or (n_images or 0) <= end)


#: Name of a plot -> what draws it.
KINDS: dict[str, Callable[[_Scene], "Figure"]] = {
    "gap-map": _gap_map,
    "forest": _forest,
    "benchmarks": _benchmarks,
    "years": _years,
    "sizes": _sizes,
    "approaches": _approaches,
}
