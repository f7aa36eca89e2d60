"""Use cases that judge the advice on tables of measured values. Nothing here prints."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt

from evidence import queries
from evidence.backbone_names import BackboneNames
from evidence.records import Backbone, Corpus, Record, TaskProfile
from evidence.store import Store
from evidence.vocabulary import Approach
from recommender.configuration import OWN_RUNS, Configuration, Observation, Task
from recommender.controlled import usable
from recommender.cost import learn
from recommender.errors import RecommendationError
from recommender.grounds import observed
from recommender.neighbours import Choosable, shares
from recommender.parts import LITERATURE, Literature
from recommender.plan import CARRIED_OUT
from recommender.pricing import PRICES, Demand, memory_prices
from recommender.records import Goal
from recommender.results_table import read_results
from recommender.table_evaluation import (
    Ablation,
    MeanOutcome,
    Surroundings,
    TableEvaluation,
    evaluate_table,
)

Array = npt.NDArray[np.float64]

#: What of a configuration is counted in the reviews.
CHOSEN: tuple[Choosable, ...] = ("backbone", "family", "approach", "initialisation", "head")
#: Images for which the price of computing is taken, whatever the data set.
USUAL = 1000
#: Of which memory must be known, if it is to be known of any configuration.
APPROACHES = tuple(dict.fromkeys(way.approach for way in CARRIED_OUT))
#: Fewest data sets of a table that is judged.
MIN_DATASETS = 3
#: What the recommender does without, in turn.
ABLATIONS: Mapping[str, Ablation] = {
    "without controlled comparisons": Ablation(parts=frozenset({"controlled"})),
    "without the store's other tables": Ablation(store=False),
    "without likeness of tasks": Ablation(similarity=False),
    "without neighbours": Ablation(parts=frozenset({"neighbours"})),
    "without rules": Ablation(parts=frozenset({"rules"})),
    "without head-to-head": Ablation(parts=frozenset({"head_to_head"})),
    "neighbours alone": Ablation(parts=frozenset({"controlled", "rules", "head_to_head"})),
    "rules alone": Ablation(parts=frozenset({"controlled", "neighbours", "head_to_head"})),
    "head-to-head alone": Ablation(parts=frozenset({"controlled", "neighbours", "rules"})),
}


class AblatedTable(Record):
    """One table with and without each part."""

    table: str
    whole: MeanOutcome
    ablated: dict[str, MeanOutcome]


class BenchmarkEvaluation(Record):
    """Every controlled table of the store, each data set left out in turn."""

    schema_version: int = 1
    tables: tuple[TableEvaluation, ...]


class AblationEvaluation(Record):
    """What each part adds on every controlled table."""

    schema_version: int = 1
    tables: tuple[AblatedTable, ...]


def surroundings(corpus: Corpus, goal: Goal = "accuracy") -> Surroundings:
    """What does not depend on a table: the store, the reviews, the price of computing."""

    @cache
    def literature_of(task: Task) -> Literature:
        profile = TaskProfile.model_validate(
            {
                "modality": task.modality, "anatomy": task.anatomy, "n_images": task.n_images,
                "n_classes": None if task.kind == "regression" else task.n_classes,
                "task": task.kind,
            }
        )  # fmt: skip
        return Literature.on(profile, corpus)

    def parts_of(task: Task, configurations: Sequence[Configuration]) -> Mapping[str, Array]:
        if task.modality is None or task.n_images is None:
            return {name: np.zeros(len(configurations)) for name in LITERATURE}
        return literature_of(task._replace(name="", origin="")).parts(configurations)

    return Surroundings(observed(corpus), parts_of, _popularity(corpus), _price(corpus, goal))


def _popularity(corpus: Corpus) -> Callable[[Configuration], float]:
    everywhere = {what: shares((), corpus.arms, what) for what in CHOSEN}
    return lambda one: fmean(
        found.get(getattr(one, what), 0.0) for what, found in everywhere.items()
    )


def _price(corpus: Corpus, goal: Goal) -> Callable[[Configuration], float]:
    """Points that time and memory count; a network that was not counted costs as the middle."""
    counted = {b.name: b for b in corpus.backbones if b.n_macs}
    if not PRICES[goal] or not counted:
        return lambda _one: 0.0
    middle = sorted(counted.values(), key=lambda b: b.n_macs or 0)[len(counted) // 2]
    learned = learn(corpus.runs, counted)

    @cache
    def price(backbone: Backbone, approach: Approach) -> float:
        demands = [Demand.of(backbone, each, USUAL, learned) for each in (approach, *APPROACHES)]
        return demands[0].price(goal) + memory_prices(demands, goal)[0]

    return lambda one: price(counted.get(one.backbone, middle), one.approach)


def _tables(corpus: Corpus) -> tuple[tuple[Observation, ...], ...]:
    """Controlled tables that compare what can be recommended, each metric on its own."""
    cells = [one for one in observed(corpus) if one.table != OWN_RUNS]
    names = sorted({(one.table, one.metric) for one in cells})
    found = (usable([o for o in cells if (o.table, o.metric) == name]) for name in names)
    return tuple(rows for rows in found if len({o.task.name for o in rows}) >= MIN_DATASETS)


def evaluate_benchmarks() -> BenchmarkEvaluation:
    """Regret of the advice on every controlled table of the store.

    Raises
    ------
    RecommendationError
        The store holds no table of three data sets or more.
    """
    corpus = queries.corpus(Store())
    around = surroundings(corpus)
    tables = _tables(corpus)
    if not tables:
        msg = f"insufficient evidence: the store holds no table of {MIN_DATASETS} data sets or more"
        raise RecommendationError(msg)
    return BenchmarkEvaluation(
        tables=tuple(evaluate_table(rows, _besides(around, rows)) for rows in tables)
    )


def ablate() -> AblationEvaluation:
    """What each part adds, on every controlled table of the store.

    Raises
    ------
    RecommendationError
        The store holds no table of three data sets or more.
    """
    corpus = queries.corpus(Store())
    around = surroundings(corpus)
    whole = evaluate_benchmarks()
    return AblationEvaluation(
        tables=tuple(
            AblatedTable(
                table=f"{found.table}, {found.metric}",
                whole=found.means["recommender"],
                ablated={
                    name: evaluate_table(rows, _besides(around, rows), ablation).means[
                        "recommender"
                    ]
                    for name, ablation in ABLATIONS.items()
                },
            )
            for rows, found in zip(_tables(corpus), whole.tables, strict=True)
        )
    )


def _besides(around: Surroundings, rows: Sequence[Observation]) -> Surroundings:
    """The surroundings without the cells that are judged."""
    table = rows[0].table
    kept = tuple(one for one in around.store if one.table != table)
    return Surroundings(kept, around.parts_of, around.popularity, around.price)


def evaluate_results(
    results: Path, tasks: Path, metric: str | None = None, goal: Goal = "accuracy"
) -> TableEvaluation:
    """Regret of the advice on anyone's table.

    Raises
    ------
    RecommendationError
        A file is no such table; lists every bad line.
    """
    corpus = queries.corpus(Store())
    names = BackboneNames(corpus.backbones)

    def resolve(text: str) -> tuple[str, str] | None:
        found = names.find(text)
        return None if found is None else (found.name, found.family)

    table = read_results(results, tasks, resolve).of_metric(metric)
    rows = table.observations
    found = evaluate_table(
        rows,
        surroundings(corpus, goal),
        spelled=lambda dataset, one: table.written[dataset, rows[0].metric, one],
    )
    return found.model_copy(update={"unknown": table.unknown, "notes": table.notes})
