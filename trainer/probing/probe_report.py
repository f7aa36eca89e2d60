"""What a probe measured, and which configuration its trials speak for."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from evidence.records import Record
from evidence.vocabulary import Approach, Head, Initialisation

#: Standard errors by which one may lie below another by chance: one-sided 95%.
BY_CHANCE = 1.645
#: Share of a whole training from which on a fine-tuning that lies behind speaks against itself: a
#: few steps, in which the learning rate rises and falls, can leave a network worse than they found
#: it that a whole training makes better.
ENOUGH = 0.5


class Configuration(Record):
    """What may be trained."""

    backbone: str
    approach: Approach
    head: Head
    initialisation: Initialisation = "pretrained"

    @property
    def frozen(self) -> bool:
        """The backbone stays as it is."""
        return self.approach.startswith("feature_extractor")


class Fidelity(Record):
    """How much of the data and of the training a trial used.

    Attributes
    ----------
    images : int
        Cross-validated, or of a fine-tuning those learned from.
    epochs : int
        0 for a frozen backbone.
    folds : int
        Measured on.
    share : float
        Of the passes over images that a whole training takes.
    """

    images: int
    epochs: int
    folds: int
    share: float = Field(gt=0, le=1)


class Paired(Record):
    """AUC of a trial minus that of another configuration on the same images."""

    against: Configuration
    difference: float
    se: float


class Trial(Configuration):
    """One measured trial.

    Attributes
    ----------
    value, se : float
        Macro AUC on images that the trial did not learn from, and its standard error with groups
        as the unit.
    paired : Paired or None
        Of a frozen trial against the best one of the same fidelity, None for that one itself; of
        a fine-tuning against the best frozen configuration, fitted to the same images.
    seconds : float
        By the clock of the budget, without features that were there already.
    """

    fidelity: Fidelity
    metric: Literal["auc"] = "auc"
    value: float
    se: float
    paired: Paired | None
    seconds: float


class Skipped(Configuration):
    """A candidate that was not tried, and why."""

    reason: str


class ProbeReport(Record):
    """Everything that a probe measured; `candidates` are in their order before it.

    Attributes
    ----------
    n_images : int
        Images that could be learned from: the test part is left out.
    budget_s, spent_s : float
        By the clock of the budget.
    wall_s, cpu_s : float
        The same time by the clock on the wall and by the processor time of the process.
    """

    schema_version: Literal[1] = 1
    seed: int
    n_images: int
    budget_s: float
    spent_s: float
    wall_s: float
    cpu_s: float
    candidates: tuple[Configuration, ...] = Field(min_length=1)
    trials: tuple[Trial, ...]
    skipped: tuple[Skipped, ...]


def named(other: Configuration) -> Configuration:
    """Only what is tried, of a trial or of what was skipped."""
    return Configuration.model_validate(
        {name: getattr(other, name) for name in Configuration.model_fields}
    )


def ranked(trials: Sequence[Trial], order: Sequence[Configuration]) -> list[Trial]:
    """Frozen trials of one fidelity: the best and its equals in the order before, then the rest.

    Equal is what lies below the best by no more than chance (`BY_CHANCE` standard errors of the
    difference on the same images): the highest of several values that differ by chance is no
    better choice than the one that was ahead before. Breiman et al. 1984
    (doi:10.1201/9781315139470) do so within one standard error, to prefer the simpler.
    """

    def before(trial: Trial) -> int:
        place = named(trial)
        return order.index(place) if place in order else len(order)

    def equal(trial: Trial) -> bool:
        return not _below(trial)

    equals = sorted(filter(equal, trials), key=before)
    return equals + sorted((t for t in trials if not equal(t)), key=lambda t: -t.value)


def decide(report: ProbeReport) -> tuple[Configuration, ...]:
    """All candidates, the one that the trials speak for first.

    1. Frozen: those that were tried on most come first, in the order of `ranked`.
    2. Fine-tuned: those that survived most rungs come first, then those with the larger
       difference from the frozen reference.
    3. Fine-tuning leads where it lies above the frozen reference on the same images, and frozen
       where a fine-tuning lies below it of which `ENOUGH` was carried out. Otherwise, and where
       only one of the two was tried, the approach that was ahead before leads; fine-tunings that
       told nothing keep the order that they had before.
    4. Candidates that were not tried follow, in the order before.
    """
    frozen = frozen_first_to_last(report.trials, report.candidates)
    tuned = _tuned_first_to_last(report)
    tuning_leads = not report.candidates[0].frozen
    if frozen and tuned and tells(tuned[0]):
        tuning_leads = difference(tuned[0]) >= 0
    leading, other = (tuned, frozen) if tuning_leads else (frozen, tuned)
    # What was not tried, or told nothing, keeps the order that it had before.
    untold = not leading or (tuning_leads and frozen and not tells(tuned[0]))
    ahead = [each for each in report.candidates if each.frozen != tuning_leads]
    first = ahead if other and untold else map(named, leading)
    order = dict.fromkeys([*first, *map(named, other), *report.candidates])
    return tuple(each for each in order if each in report.candidates)


def frozen_first_to_last(trials: Sequence[Trial], order: Sequence[Configuration]) -> list[Trial]:
    """The frozen trials on most images and folds of each configuration, the best first.

    Configurations that were tried on more stand before those that were dropped earlier.
    """
    frozen = sorted((trial for trial in trials if trial.frozen), key=_tried_on)
    best_known = {named(trial): trial for trial in frozen}
    levels: dict[tuple[int, int], list[Trial]] = {}
    for trial in best_known.values():
        levels.setdefault(_tried_on(trial), []).append(trial)
    return [each for level in sorted(levels, reverse=True) for each in ranked(levels[level], order)]


def _tried_on(trial: Trial) -> tuple[int, int]:
    return trial.fidelity.images, trial.fidelity.folds


def _tuned_first_to_last(report: ProbeReport) -> list[Trial]:
    """The last trial of each fine-tuned configuration: of most rungs first."""
    rungs = Counter(named(trial) for trial in report.trials)
    last = {named(trial): trial for trial in report.trials if not trial.frozen}
    return sorted(last.values(), key=lambda t: (-rungs[named(t)], -difference(t)))


def difference(trial: Trial) -> float:
    """From what it was paired with; 0 where it was paired with nothing."""
    return trial.paired.difference if trial.paired else 0.0


def tells(tuned: Trial) -> bool:
    """Whether a fine-tuning says how a whole one would stand to its frozen reference."""
    return difference(tuned) >= 0 or tuned.fidelity.share >= ENOUGH


def _below(trial: Trial) -> bool:
    """A trial lies below what it is paired with, by more than chance explains."""
    pair = trial.paired
    return pair is not None and pair.difference < -BY_CHANCE * pair.se
