"""Advice followed on tables of measured values, as text."""

from collections.abc import Iterator, Mapping, Sequence

from evtl.render import table, wrapped
from evtl.table_services import AblationEvaluation, BenchmarkEvaluation
from recommender.plan import RANDOM_WEIGHTS
from recommender.table_evaluation import MeanOutcome, TableEvaluation

NOTES = (
    "Each data set is left out in turn; the constants see the other data sets of the table only. "
    "regret: how far the chosen value is from the best; top3: how often fewer than three were "
    "better; tau: weighted Kendall correlation of the whole order. In brackets 95% bootstrap "
    "intervals over data sets, which are few.",
)


def tables(found: BenchmarkEvaluation) -> str:
    """Every controlled table."""
    return "\n\n".join([*(_table(one) for one in found.tables), *map(wrapped, NOTES)])


def results(found: TableEvaluation) -> str:
    """One table with the choice on each data set."""
    return "\n\n".join([_table(found), _datasets(found), *_asides(found), *map(wrapped, NOTES)])


def ablations(found: AblationEvaluation) -> str:
    """Every controlled table without each part."""
    parts = [f"{one.table}\n\n{_rows({'whole': one.whole, **one.ablated})}" for one in found.tables]
    return "\n\n".join([*parts, *map(wrapped, NOTES)])


def _table(found: TableEvaluation) -> str:
    better = " (less is better)" if found.less_is_better else ""
    head = f"{found.table}, {found.metric}{better}: {found.n_datasets} data sets"
    return f"{head}\n\n{_rows(found.means)}"


def _rows(means: Mapping[str, MeanOutcome]) -> str:
    columns = ["", "regret", "top3", "tau"]
    cells = [
        [
            name.replace("_", " "),
            _with(one.regret, one.regret_interval, 4),
            _with(one.top3, one.top3_interval, 2),
            _with(one.tau, one.tau_interval, 2),
        ]
        for name, one in means.items()
    ]
    return table(columns, cells)


def _with(value: float, interval: Sequence[float], digits: int) -> str:
    low, high = interval
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _datasets(found: TableEvaluation) -> str:
    columns = ["data set", "backbone", "approach", "head", "value", "best", "regret"]
    cells = []
    for one in found.datasets:
        if one.choice is None or one.value is None or one.regret is None:
            cells.append(
                [one.dataset, "insufficient evidence", "", "", "", f"{one.best_value:g}", ""]
            )
            continue
        choice = one.choice
        values = [f"{one.value:g}", f"{one.best_value:g}", f"{one.regret:.4g}"]
        approach = (
            f"{choice.approach}, {RANDOM_WEIGHTS}"
            if choice.initialisation == "random"
            else choice.approach
        )
        cells.append([one.dataset, choice.backbone, approach, choice.head, *values])
    return table(columns, cells)


def _asides(found: TableEvaluation) -> Iterator[str]:
    if tied := [f"{one.dataset} ({one.n_tied})" for one in found.datasets if one.n_tied > 1]:
        yield wrapped(
            "Tied for the first place (how many): the first by name is shown, with the mean value "
            f"and regret of all that tie: {', '.join(tied)}"
        )
    if found.unknown:
        names = ", ".join(found.unknown)
        yield wrapped(f"Of no known family, judged by this table alone: {names}")
    if found.not_ranked:
        yield wrapped(f"Not ranked, for nothing is known of them: {'; '.join(found.not_ranked)}")
    yield from map(wrapped, found.notes)
