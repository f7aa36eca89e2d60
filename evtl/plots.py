"""What each plot shows: rows of the store -> figures of `evidence`, and the same as a table."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from evidence import figures, forest, queries, reported
from evidence.arm_table import ArmTable
from evidence.errors import NothingToDrawError
from evidence.figures import ApproachCount, GapCell, SearchEnd, Win, YearCount
from evidence.records import ArmRecord, Record
from evidence.reported import Reported
from evidence.store import Store, opened
from evidence.synthesis import pool
from evidence.vocabulary import ANATOMY, MODALITY, Metric
from evtl import gap_services
from evtl.gap_services import Cell
from recommender.headtohead import family_wins

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["gap-map", "forest", "benchmarks", "years", "sizes", "approaches"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: Upper ends of the bins of the original number of images, as Morid 2022 (Figure 5) sets them.
SIZE_BINS = ((999, "below 1,000"), (10_000, "1,000 to 10,000"), (None, "above 10,000"))
#: Gives the cells of a gap map.
Cells = Callable[[], Sequence[Cell]]


class PlotOptions(Record):
    """What is drawn of: canonical modality and anatomy, with narrower terms, and a metric."""

    modality: str | None = None
    anatomy: str | None = None
    metric: Metric = "auc"

    @classmethod
    def typed(
        cls, modality: str | None, anatomy: str | None, metric: Metric = "auc"
    ) -> "PlotOptions":
        """Options as people type them.

        Raises
        ------
        UnknownTermError
            A word is in no vocabulary.
        """
        return cls(
            modality=MODALITY.resolve(modality) if modality is not None else None,
            anatomy=ANATOMY.resolve(anatomy) if anatomy is not None else None,
            metric=metric,
        )


class PlotTable(Record):
    """The numbers of a plot, for those who do not see it.

    Attributes
    ----------
    numeric : tuple of str
        Columns that hold numbers.
    notes : tuple of str
        What has to be said of the numbers.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn, and its numbers."""

    table: PlotTable
    draw: Callable[[], "Figure"]


def plot(kind: Kind, options: PlotOptions, out: Path) -> None:
    """Draw a plot to a file.

    Raises
    ------
    EvidenceError
        Nothing fits the options, the file's ending is none that is drawn, or it cannot be written.
    """
    figures.save(made(kind, options, lambda: gap_services.certain().cells).draw(), out)


def made(kind: Kind, options: PlotOptions, cells: Cells) -> Plot:
    """A plot, not drawn yet.

    Raises
    ------
    NothingToDrawError
        Nothing fits the options.
    """
    store = opened()
    with store.connect() as connection:
        kept = tuple(arm for arm in queries.arms(connection) if _fits(arm, options))
    if not kept:
        msg = "no study fits; evtl studies shows what there is"
        raise NothingToDrawError(msg)
    return _MAKERS[kind](_Scene(store, kept, options, cells))


@dataclass(frozen=True)
class _Scene:
    """What a plot is drawn of: arms that fit the options."""

    store: Store
    arms: tuple[ArmRecord, ...]
    options: PlotOptions
    cells: Cells


def _fits(arm: ArmRecord, options: PlotOptions) -> bool:
    modality, anatomy = options.modality, options.anatomy
    imaged = modality is None or (
        arm.modality is not None and MODALITY.is_within(arm.modality, modality)
    )
    shown = anatomy is None or any(ANATOMY.is_within(place, anatomy) for place in arm.anatomy)
    return imaged and shown


def _gap_map(scene: _Scene) -> Plot:
    modality, anatomy = scene.options.modality, scene.options.anatomy
    cells = [
        GapCell(
            modality=MODALITY.label(cell.modality),
            anatomy=ANATOMY.label(cell.anatomy),
            n_studies=cell.n_studies,
            n_compared=cell.n_compared,
            certainty=cell.certainty,
        )
        for cell in scene.cells()
        if (modality is None or MODALITY.is_within(cell.modality, modality))
        and (anatomy is None or ANATOMY.is_within(cell.anatomy, anatomy))
    ]
    rows = [
        (c.modality, c.anatomy, str(c.n_studies), str(c.n_compared), c.certainty or "not known yet")
        for c in cells
    ]
    columns = ("modality", "anatomy", "studies", "comparing networks", "certainty of advice")
    return Plot(_table(columns, rows, columns[2:4]), lambda: figures.gap_map(cells))


def _results(scene: _Scene) -> tuple[Reported, ...]:
    keys = {arm.study.key for arm in scene.arms}
    with scene.store.connect() as connection:
        found = reported.results(connection, scene.options.metric)
    kept = tuple(result for result in found if result.study_key in keys)
    if not kept:
        msg = f"no study here reports {scene.options.metric}; another metric may be reported"
        raise NothingToDrawError(msg)
    return kept


def _forest(scene: _Scene) -> Plot:
    results = _results(scene)
    pooled = pool(results)
    columns, *rows = forest.table(results, pooled)
    table = _table(columns, rows, ("test n", "images"), forest.notes(pooled))
    return Plot(table, lambda: forest.forest(results, pooled))


def _sizes(scene: _Scene) -> Plot:
    results = _results(scene)
    rows = [
        (result.label, result.metric, forest.value(result), f"{result.n_images:,}")
        for result in forest.sized(results)
    ]
    columns = ("study", "metric", "value", "images")
    return Plot(_table(columns, rows, ("images",)), lambda: forest.sizes(results))


def _benchmarks(scene: _Scene) -> Plot:
    wins = [Win(**win._asdict()) for win in sorted(family_wins(ArmTable.of(scene.arms)))]
    pairs = Counter((win.winner, win.loser) for win in wins)
    studies = Counter({(win.winner, win.loser, win.study_key) for win in wins})
    of_pair = Counter((winner, loser) for winner, loser, _ in studies)
    rows = [(*pair, str(n), str(of_pair[pair])) for pair, n in sorted(pairs.items())]
    columns = ("did better", "than", "pairs", "studies")
    return Plot(_table(columns, rows, columns[2:]), lambda: figures.benchmarks(wins))


def _years(scene: _Scene) -> Plot:
    first: dict[str, tuple[int, str]] = {}
    for arm in scene.arms:
        if arm.study.year is not None:
            first.setdefault(arm.study.key, (arm.study.year, arm.review))
    counts = sorted(Counter(first.values()).items())
    with scene.store.connect() as connection:
        ends = queries.search_ends(connection)
    rows = [(str(year), review, str(n)) for (year, review), n in counts]
    notes = [f"The search of {review} ended {date}." for review, date in ends.items()]
    return Plot(
        _table(("year", "review", "studies"), rows, ("studies",), notes),
        lambda: figures.years(
            [YearCount(year=year, review=review, n=n) for (year, review), n in counts],
            [SearchEnd(review=review, date=date) for review, date in ends.items()],
        ),
    )


def _approaches(scene: _Scene) -> Plot:
    found = {
        (arm.study.key, arm.approach, _bin(arm.n_images))
        for arm in scene.arms
        if arm.role != "benchmark" and arm.n_images
    }
    counts = Counter((approach, size) for _, approach, size in found)
    order: Sequence[str] = [label for _, label in SIZE_BINS]
    ranked = sorted(counts.items(), key=lambda item: (order.index(item[0][1]), item[0][0]))
    rows = [(size, approach, str(n)) for (approach, size), n in ranked]
    return Plot(
        _table(("original images", "approach", "studies"), rows, ("studies",)),
        lambda: figures.approaches(
            [ApproachCount(approach=approach, size=size, n=n) for (approach, size), n in ranked]
        ),
    )


def _bin(n_images: int | None) -> str:
    return next(label for end, label in SIZE_BINS if end is None or (n_images or 0) <= end)


def _table(
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    numeric: tuple[str, ...],
    notes: Sequence[str] = (),
) -> PlotTable:
    return PlotTable(columns=columns, rows=tuple(rows), numeric=numeric, notes=tuple(notes))


#: Name of a plot -> what makes it.
_MAKERS: dict[Kind, Callable[[_Scene], Plot]] = {
    "gap-map": _gap_map,
    "forest": _forest,
    "benchmarks": _benchmarks,
    "years": _years,
    "sizes": _sizes,
    "approaches": _approaches,
}
