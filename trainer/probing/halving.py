"""The rungs of a probe: backbones on more images, heads on more folds, longer fine-tunings.

References
----------
Successive halving: Jamieson and Talwalkar 2016, arXiv:1502.07943.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from recommender.plan import TrainingPlan
from trainer.probing.ledger import Ledger, Timed
from trainer.probing.probe_report import Configuration, Fidelity, Trial, difference
from trainer.probing.trials import FOLDS, Bench, Extracted, Measured, ShortRun, mean
from trainer.weights import find_weights

#: Shares of the budget after which backbones and heads have been compared, with fine-tunings to
#: come (True) and without.
SHARES = {True: (0.35, 0.5), False: (0.7, 1.0)}
#: How many times a small sample an image set is before a head's speed is found on the small one.
FEW_TIMES = 4
#: Tries of one fine-tuning: a second one, shorter, where the first showed it to be slow.
TRIES = 2


def linear_on(found: Extracted) -> Configuration:
    """What backbones are compared with."""
    name = found.backbone.name
    return Configuration(backbone=name, approach="feature_extractor", head="linear")


class Halving:
    """Candidates are tried on little, the better half on more.

    Parameters
    ----------
    bench : Bench
        Measures.
    plans : mapping of Configuration to TrainingPlan
        The candidates, best first as far as is known before.
    ledger : Ledger
        Keeps the trials.
    """

    def __init__(
        self, bench: Bench, plans: Mapping[Configuration, TrainingPlan], ledger: Ledger
    ) -> None:
        self._bench, self._plans, self._ledger = bench, plans, ledger
        self._budget = bench.budget
        self._folds: dict[tuple[Configuration, int], list[Measured]] = {}

    def run(self) -> None:
        """Compare backbones, then heads, then fine-tunings."""
        tunings = any(not each.frozen for each in self._plans)
        backbones, heads = SHARES[tunings]
        order = self._compare_backbones(self._available(), backbones)
        if not order:
            return
        self._compare_heads(order[0], heads)
        if tunings:
            self._compare_tunings(order)

    def _available(self) -> list[Extracted]:
        """Backbones whose weights are here, in the order of the candidates."""
        found: dict[str, Extracted] = {}
        for each, plan in self._plans.items():
            if each.backbone in found:
                continue
            if weights := find_weights(plan.backbone):
                found[each.backbone] = Extracted(plan.backbone, weights)
            else:
                self._ledger.skip(each, "its weights are not on this machine")
        return list(found.values())

    def _compare_backbones(self, survivors: list[Extracted], share: float) -> list[Extracted]:
        """All that were looked at, best first: a linear head on more and more images."""
        n_rungs = max(1, math.ceil(math.log2(max(1, len(survivors)))))
        dropped: list[Extracted] = []
        for rung in range(1, n_rungs + 1):
            n = self._affordable(survivors, share * rung / n_rungs)
            survivors = self._screen(survivors, n)
            half = math.ceil(len(survivors) / 2)
            survivors, dropped = survivors[:half], survivors[half:] + dropped
            if n == len(self._bench.targets):
                break
        return survivors + dropped

    def _affordable(self, backbones: Sequence[Extracted], share: float) -> int:
        """Most images on which all of them can be compared; a first batch tells their speed."""
        n, first = len(self._bench.targets), self._bench.first
        for found in backbones:
            self._extract(found, first)

        def seconds(n: int) -> float:
            forward = sum((n - len(f.features)) * f.seconds_per_image for f in backbones)
            return forward + FOLDS * len(backbones) * (self._bench.head_seconds("linear", n) or 0)

        while n > first and seconds(n) > self._budget.left(share):
            n = max(first, int(n * 0.9))
        return n

    def _extract(self, found: Extracted, n: int) -> None:
        if self._budget.left():
            self._ledger.carry_out(linear_on(found), lambda: self._bench.extract(found, n))

    def _screen(self, backbones: Sequence[Extracted], n: int) -> list[Extracted]:
        """Backbones of which `n` images could be extracted, best first."""
        measured: dict[Configuration, Timed] = {}
        for found in backbones:
            self._extract(found, n)
            if len(found.features) >= n:
                self._cross_validate(found, linear_on(found), n, FOLDS, measured)
        order = self._ledger.add_frozen(self._frozen(n, FOLDS), measured)
        by_name = {found.backbone.name: found for found in backbones}
        return [by_name[each.backbone] for each in order]

    def _frozen(self, n: int, n_folds: int) -> Fidelity:
        return Fidelity(images=n, epochs=0, folds=n_folds, share=n / len(self._bench.targets))

    def _compare_heads(self, found: Extracted, share: float) -> None:
        """The heads on one backbone, on more and more folds."""
        n, frozen = len(found.features), [each for each in self._plans if each.frozen]
        arms = [each for each in frozen if each.backbone == found.backbone.name]
        for each in frozen:
            if each not in arms:
                self._ledger.skip(each, f"{found.backbone.name} came out ahead of its backbone")
        for n_folds in (1, FOLDS):
            measured: dict[Configuration, Timed] = {}
            for each in arms:
                if self._fits(found, each, n, n_folds, share):
                    self._cross_validate(found, each, n, n_folds, measured)
            order = self._ledger.add_frozen(self._frozen(n, n_folds), measured)
            arms = order[: math.ceil(len(order) / 2)]

    def _fits(
        self, found: Extracted, each: Configuration, n: int, n_folds: int, share: float
    ) -> bool:
        """Whether the folds to come fit into the share; a small fit tells the speed of a head."""
        bench, head = self._bench, each.head
        unknown = bench.head_seconds(head, n) is None
        if unknown and n > FEW_TIMES * bench.first and self._budget.left(share):
            self._ledger.carry_out(
                each, lambda: bench.cross_validate(found, head, bench.first, fold=0)
            )
        to_come = n_folds - len(self._folds.get((each, n), ()))
        left = self._budget.left(share)
        return left > 0 and to_come * (bench.head_seconds(head, n) or 0) <= left

    def _cross_validate(
        self,
        found: Extracted,
        each: Configuration,
        n: int,
        n_folds: int,
        measured: dict[Configuration, Timed],
    ) -> None:
        """Add the folds that are missing; what cannot be fitted is left out."""
        started, known = self._budget.spent, self._folds.setdefault((each, n), [])

        def extend() -> None:
            while len(known) < n_folds:
                known.append(self._bench.cross_validate(found, each.head, n, fold=len(known)))

        if self._ledger.carry_out(each, extend):
            measured[each] = mean(known[:n_folds]), self._budget.spent - started

    def _compare_tunings(self, order: Sequence[Extracted]) -> None:
        """Short fine-tunings on the best backbones, longer and longer."""
        reference = self._ledger.best_frozen()
        other = next(found for found in order if found.backbone.name == reference.backbone)
        tunings = [
            _Tuning(each, self._plans[each], found, other, reference)
            for found in order
            for each in self._plans
            if each.backbone == found.backbone.name and not each.frozen
        ]
        arms = self._starters(tunings)
        for rung in range(n_rungs := _n_rungs(len(arms))):
            results: list[tuple[float, _Tuning]] = []
            for number, each in enumerate(arms):
                seconds = self._budget.left() / (n_rungs - rung) / (len(arms) - number)
                if trial := self._tune(each, seconds):
                    results.append((difference(trial), each))
            results.sort(key=lambda result: -result[0])
            arms = [each for _, each in results[: math.ceil(len(results) / 2)]]

    def _starters(self, tunings: Sequence["_Tuning"]) -> Sequence["_Tuning"]:
        """As many of the first as can each have a run that is long enough in the first rung."""
        for k in range(len(tunings), 0, -1):
            seconds = self._budget.left() / _n_rungs(k) / k
            if all(self._short_run(each, seconds) for each in tunings[:k]):
                return tunings[:k]
        return []

    def _short_run(self, each: "_Tuning", seconds: float) -> ShortRun | None:
        n = min(len(each.found.features), len(each.other.features))
        heads = {"linear", each.reference.head}
        fits = sum(self._bench.head_seconds(head, n) or 0 for head in heads)
        return self._bench.short_run(each.found, each.plan, n, seconds - fits)

    def _tune(self, each: "_Tuning", seconds: float) -> Trial | None:
        """One short run within some seconds; again and shorter where its steps are slow."""
        measured: list[tuple[Measured, Measured]] = []
        until = self._budget.spent + seconds
        for _ in range(TRIES):
            started = self._budget.spent
            run = self._short_run(each, until - started)
            if run is None:
                break
            work = partial(self._fine_tune, each, run, measured)
            if self._ledger.carry_out(each.named, work):
                timed = measured[-1][0], self._budget.spent - started
                share = run.n_images * run.epochs / (len(self._bench.targets) * each.plan.epochs)
                fidelity = Fidelity(images=run.n_images, epochs=run.epochs, folds=1, share=share)
                pair = each.reference, measured[-1][1]
                return self._ledger.add_tuned(each.named, fidelity, timed, pair)
        return None

    def _fine_tune(
        self, each: "_Tuning", run: ShortRun, measured: list[tuple[Measured, Measured]]
    ) -> None:
        head = each.reference.head
        measured.append(self._bench.fine_tune(each.found, each.plan, run, each.other, head))


class _Tuning(NamedTuple):
    """A fine-tuning and the frozen configuration that it is measured beside."""

    named: Configuration
    plan: TrainingPlan
    found: Extracted
    other: Extracted
    reference: Configuration


def _n_rungs(n: int) -> int:
    """Halvings until one is left, and the rung of that one."""
    return math.ceil(math.log2(n)) + 1 if n else 0
