"""Further splits of the same images, trained and tested like the first, as many as time allows."""

from dataclasses import replace
from typing import NamedTuple

from recommender.plan import TrainingPlan
from trainer.assisting import lead
from trainer.fitting import Work
from trainer.measures.measuring import values
from trainer.places import remove
from trainer.preparing.preparation import with_parts
from trainer.preparing.splits import resamples
from trainer.processes import crew
from trainer.runs import RunFolder
from trainer.tuning.budget import Deadline, OutOfBudgetError
from trainer.tuning.climber import forget
from trainer.tuning.guard import Guard

#: Of metrics that were measured, and where the trainings are kept while they run.
SPLITS_FILE, SPLITS_FOLDER = "folds.jsonl", "splits"

Row = dict[str, float | None]


class Further(NamedTuple):
    """Metrics of the test part of each further split, and what the budget cost, if anything."""

    rows: tuple[Row, ...]
    note: str


def n_further(plan: TrainingPlan) -> int:
    """Further splits that a plan asks for."""
    return 0 if plan.n_repeats == 1 and not plan.n_folds else plan.n_repeats * (plan.n_folds or 1)


def first_deadline(deadline: Deadline, plan: TrainingPlan) -> Deadline:
    """For the training that is kept: all the time, or half of it where more splits are asked for.

    Of ten folds an equal share each would leave the model that is kept a tenth of the time.
    """
    return deadline.part(deadline.free_s / 2) if n_further(plan) else deadline


def further_splits(work: Work, folder: RunFolder, deadline: Deadline, first_s: float) -> Further:
    """Train and test each further split that the plan asks for and there is time for.

    Those that were measured before the training was stopped are read back. The next one is begun
    where the longest before it would fit, and is given its share of the time.

    Parameters
    ----------
    deadline : Deadline
        Of the whole training.
    first_s : float
        Seconds that the training took that is kept.

    Raises
    ------
    TrainingError
        A class has too few groups for the folds, or a training cannot go on.
    """
    n = n_further(work.plan)
    splits = tuple(resamples(work.data.images, work.plan)) if n else ()
    done: list[Row] = folder.lines(SPLITS_FILE)[:n]
    if n:
        folder.rewrite(SPLITS_FILE, done)
    longest = first_s
    while len(done) < n and deadline.fits(longest):
        before = deadline.spent
        share = deadline.part(deadline.free_s / _n_fitting(deadline, longest, n - len(done)))
        work.progress("splits", len(done) + 1, n)
        place = folder.path / SPLITS_FOLDER / str(len(done))
        one = replace(work, deadline=share, folder=place)
        try:
            done.append(_measured(one, splits[len(done)]))
        except OutOfBudgetError:
            break
        folder.append(SPLITS_FILE, done[-1])
        remove(place)
        longest = max(longest, deadline.spent - before)
    told = (
        f"the budget of {deadline.budget_min:g} min left time for {len(done)} of {n} further splits"
    )
    return Further(tuple(done), told if len(done) < n else "")


def _n_fitting(deadline: Deadline, each_s: float, n: int) -> int:
    return n if not each_s else max(1, min(n, int(min(deadline.free_s / each_s, n))))


def _measured(work: Work, parts: tuple[str, ...]) -> Row:
    """Of a training of its own, which goes on from where it was stopped; no history is kept."""
    data, progress = with_parts(work.data, parts), work.progress
    # Several processes can only be stopped together, and have extracted the features by now.
    if work.plan.frozen and not work.plan.ladder and not crew.several:
        progress = Guard(work.deadline, progress)
    return values(lead(replace(work, data=data, progress=progress, on_line=forget)), data)
