"""Weights of the parts, fitted by leaving data sets out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

from recommender.configuration import Configuration, Observation, Task
from recommender.controlled import (
    FITTED,
    POOLED,
    Controlled,
    Settings,
    fit,
    groups,
    thinned,
    usable,
)
from recommender.parts import LITERATURE, PARTS
from recommender.weights import UNFITTED, Weights

Array = npt.NDArray[np.float64]
#: Parts of the literature for configurations on a task.
PartsOf = Callable[[Task, Sequence[Configuration]], Mapping[str, Array]]

#: Column of the controlled comparisons, which are always taken in: they are the mean rank.
CONTROLLED = PARTS.index("controlled")
#: Fewest origins of data sets from which weights are fitted.
MIN_ORIGINS = 3


def fit_weights(
    observations: Sequence[Observation],
    parts_of: PartsOf,
    settings: Settings | None = None,
    without: Collection[str] = (),
) -> Weights:
    """Weights with which the parts foretell data sets that were left out.

    Parameters
    ----------
    observations : sequence of Observation
        Controlled results and runs.
    parts_of : callable
        Parts that do not rest on the observations.
    settings : Settings or None
        Of the pooled comparisons; None to fit them too.
    without : collection of str
        Parts that may not be used, to see what they add.

    Notes
    -----
    Non-negative least squares of the scores within each block on the parts. Data sets of one
    origin count once and are left out together. A part of the literature is taken in, the most
    useful first, only where it lowers the error on what is left out by more than a standard error.
    """
    known = thinned(usable(observations), POOLED)
    origins = groups([one.task.source for one in known])
    if len(origins) < MIN_ORIGINS:
        return UNFITTED
    chosen = fit(known) if settings is None else settings
    model = Controlled(known, chosen)
    table = design(model, parts_of)
    weight = row_weights(known)
    allowed = [column for column, name in enumerate(PARTS) if name not in without]
    parts = _choose(table, allowed, model.scores, weight, origins)
    points, spread = _worth(known, table @ parts)
    return Weights(
        parts=dict(zip(PARTS, (round(float(w), 3) for w in parts), strict=True)),
        settings=chosen, points=points, spread_points=spread, n_origins=len(origins),
    )  # fmt: skip


def foretold_better(table: Sequence[Observation], elsewhere: Sequence[Observation]) -> bool:
    """Whether results from elsewhere help to foretell a table's data sets.

    Each origin of the table is left out in turn; they help where they lower the error by more
    than a standard error, as the parts of the literature must.
    """
    both = thinned(usable([*table, *elsewhere]), FITTED)
    inside = {one.table for one in table}
    own = [n for n, one in enumerate(both) if one.table in inside]
    alone = Controlled(tuple(both[n] for n in own), Settings())
    errors = (alone.scores - alone.left_out()) ** 2
    gain = errors - (alone.scores - Controlled(both, Settings()).left_out()[own]) ** 2
    each = [gain[rows].mean() for rows in groups([one.task.source for one in alone.observations])]
    return _beyond_chance(np.array(each))


def _beyond_chance(gain: Array) -> bool:
    """A mean gain of more than a standard error over the origins, shape (D,); of one none is."""
    return len(gain) > 1 and bool(gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)))


def design(model: Controlled, parts_of: PartsOf) -> Array:
    """Each part for each observation, centred within its block, shape (N, P) as in `PARTS`."""
    found = np.zeros((len(model.observations), len(PARTS)))
    found[:, 0] = model.left_out()
    for rows in groups([one.block for one in model.observations]):
        inside = [model.observations[i] for i in rows]
        parts = parts_of(inside[0].task, [one.configuration for one in inside])
        for column, name in enumerate(LITERATURE, 1):
            found[rows, column] = parts[name]
        found[rows] -= found[rows].mean(0)
    return found


def row_weights(observations: Sequence[Observation]) -> Array:
    """Each origin counts once, however many values it has, shape (N,)."""
    found = np.zeros(len(observations))
    for rows in groups([one.task.source for one in observations]):
        found[rows] = 1 / len(rows)
    return found


def nonnegative(table: Array, target: Array, weight: Array) -> Array:
    """Least squares without negative coefficients, by trying every set of positive ones.

    Returns
    -------
    ndarray, shape (P,)
    """
    n_parts = table.shape[1]
    best, least = np.zeros(n_parts), float((weight * target**2).sum())
    root = np.sqrt(weight)
    for size in range(1, n_parts + 1):
        for columns in map(list, combinations(range(n_parts), size)):
            found = np.linalg.lstsq(root[:, None] * table[:, columns], root * target, rcond=None)[0]
            error = float((weight * (target - table[:, columns] @ found) ** 2).sum())
            if (found > 0).all() and error < least:
                best = np.zeros(n_parts)
                best[columns], least = found, error
    return best


def _choose(
    table: Array,
    allowed: Sequence[int],
    target: Array,
    weight: Array,
    origins: Sequence[npt.NDArray[np.int64]],
) -> Array:
    """Weights with only those parts that help on left-out data sets."""

    def errors_of(columns: list[int]) -> Array:
        return _left_out_errors(table[:, columns], target, weight, origins)

    columns = [column for column in allowed if column == CONTROLLED]
    errors = errors_of(columns)
    while left := [column for column in allowed if column not in columns]:
        tried = {column: errors_of([*columns, column]) for column in left}
        best = min(left, key=lambda column: float(tried[column].mean()))
        gain = errors - tried[best]
        if not _beyond_chance(gain):
            break
        columns, errors = [*columns, best], tried[best]
    found = np.zeros(table.shape[1])
    found[columns] = nonnegative(table[:, columns], target, weight)
    # Comparisons that foretell nothing are still a better order than that of the names.
    if CONTROLLED in columns and not found.any():
        found[CONTROLLED] = 1.0
    return found


def _left_out_errors(
    table: Array, target: Array, weight: Array, origins: Sequence[npt.NDArray[np.int64]]
) -> Array:
    """Mean squared error on each origin with the weights of the others, shape (D,)."""
    errors = []
    for rows in origins:
        others = np.ones(len(target), dtype=bool)
        others[rows] = False
        found = nonnegative(table[others], target[others], weight[others])
        errors.append(((target[rows] - table[rows] @ found) ** 2).mean())
    return np.array(errors)


def _worth(observations: Sequence[Observation], score: Array) -> tuple[float, float]:
    """Points of AUC per unit of score, and the spread of what is left, on left-out data sets."""
    gains, scores = [], []
    for rows in groups([one.block for one in observations]):
        if observations[rows[0]].metric == "auc":
            values = np.array([observations[i].value for i in rows])
            gains.append(100 * (values - values.mean()))
            scores.append(score[rows] - score[rows].mean())
    if not gains:
        return 0.0, 0.0
    gain, known = np.concatenate(gains), np.concatenate(scores)
    slope = max(float(gain @ known / max(known @ known, 1e-12)), 0.0)
    return round(slope, 3), round(float((gain - slope * known).std()), 3)
