"""Measured trials of candidate configurations on the user's images, within a budget of seconds.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): many candidates are tried on
little, the better half on more. First backbones are compared, frozen and under a linear head, on
more and more images; then heads on the best backbone, on more and more folds; then short
fine-tunings, longer and longer, each beside the best frozen configuration on the same images.
Features are extracted once per backbone.

The test part of the plan's split is never opened.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from recommender.plan import PROBED, TrainingPlan
from trainer.errors import TrainingError
from trainer.features import choose_device
from trainer.images import ImageSet, Progress, unwatched
from trainer.preparing.splits import split_images
from trainer.probing.halving import Halving
from trainer.probing.ledger import Ledger
from trainer.probing.probe_report import Configuration, ProbeReport
from trainer.probing.trials import Bench
from trainer.tuning.budget import Budget


def probe(
    candidates: Sequence[TrainingPlan],
    images: ImageSet,
    budget_s: float,
    *,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = unwatched,
    clock: Callable[[], float] = time.perf_counter,
) -> ProbeReport:
    """Try candidates on the images outside the test part.

    Parameters
    ----------
    candidates : sequence of TrainingPlan
        In the order that they have without a probe, best first; all with the same split.
    images : ImageSet
        All images; those of the test part are neither decoded nor is their label used.
    budget_s : float
        Seconds by `clock`. What is predicted not to fit is not started, and what takes longer
        than predicted is stopped within a tenth of the budget.
    seed : int
        Of samples, folds, heads and short runs.
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    progress : callable
        Told of each stage: name, done, total.
    clock : callable
        Seconds; `time.process_time` counts the work of this process alone.

    Returns
    -------
    ProbeReport
        `trainer.probing.probe_report.decide` orders the candidates by it.

    Raises
    ------
    TrainingError
        There are no candidates, they split the images differently, the budget is not positive, or
        a class has too few groups outside the test part.
    """
    _check(candidates, budget_s)
    budget, wall, cpu = Budget(budget_s, clock), time.perf_counter(), time.process_time()
    parts = np.asarray(split_images(images, candidates[0]))
    learning = images.pick(np.flatnonzero(parts != "test").tolist())
    bench = Bench(learning, candidates[0], seed, choose_device(device), budget, progress)
    plans = {configuration(plan): plan for plan in candidates}
    ledger = Ledger(tuple(plans), bench)
    Halving(bench, _told_by_little(plans, ledger), ledger).run()
    return ProbeReport(
        seed=seed,
        n_images=len(learning.files),
        budget_s=budget_s,
        spent_s=round(budget.spent, 3),
        wall_s=round(time.perf_counter() - wall, 3),
        cpu_s=round(time.process_time() - cpu, 3),
        candidates=ledger.candidates,
        trials=tuple(ledger.trials),
        skipped=tuple(ledger.skipped()),
    )


def _told_by_little(
    plans: Mapping[Configuration, TrainingPlan], ledger: Ledger
) -> Mapping[Configuration, TrainingPlan]:
    """Those of which a short trial says something; why it does not is kept of the others."""
    for each in plans:
        if each.initialisation == "random":
            ledger.skip(each, "what random weights come to shows after a whole training only")
        elif each.approach == "fine_tuning":
            ledger.skip(each, "it lies between frozen and full fine-tuning, which are tried")
    return {each: plan for each, plan in plans.items() if _is_told_by_little(each)}


def _is_told_by_little(each: Configuration) -> bool:
    return each.initialisation != "random" and (each.approach, each.head) in PROBED


def _check(candidates: Sequence[TrainingPlan], budget_s: float) -> None:
    if not candidates:
        msg = "a probe needs at least one candidate"
        raise TrainingError(msg)
    if not (math.isfinite(budget_s) and budget_s > 0):
        msg = f"a probe needs a positive number of seconds; found {budget_s:g}"
        raise TrainingError(msg)
    if len({(p.seed, p.test_fraction, p.validation_fraction) for p in candidates}) > 1:
        msg = "the candidates of a probe must split the images alike: same seed and fractions"
        raise TrainingError(msg)


def configuration(plan: TrainingPlan) -> Configuration:
    """What a plan trains."""
    return Configuration(
        backbone=plan.backbone.name,
        approach=plan.approach,
        head=plan.head,
        initialisation=plan.initialisation,
    )
