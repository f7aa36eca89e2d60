"""What a probe has measured so far, each trial beside the best of its kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from trainer.errors import TrainingError
from trainer.probing.probe_report import (
    Configuration,
    Fidelity,
    Paired,
    Skipped,
    Trial,
    frozen_first_to_last,
    named,
    ranked,
)
from trainer.probing.trials import Bench, Measured
from trainer.tuning.budget import OutOfBudgetError

OUT_OF_BUDGET = "out of budget"

#: A measurement and the seconds that it took.
Timed = tuple[Measured, float]


class Ledger:
    """Trials and the reasons for those that are missing.

    Parameters
    ----------
    candidates : sequence of Configuration
        In the order that they had before the probe.
    bench : Bench
        Knows which images belong together.
    """

    def __init__(self, candidates: Sequence[Configuration], bench: Bench) -> None:
        self.candidates = tuple(candidates)
        self.trials: list[Trial] = []
        self._bench = bench
        self._reasons: dict[Configuration, str] = {}
        self._measured: dict[Fidelity, dict[Configuration, Timed]] = {}

    def carry_out(self, each: Configuration, work: Callable[[], object]) -> bool:
        """Whether the work was done; otherwise its reason is kept."""
        try:
            work()
        except OutOfBudgetError:
            self.skip(each, OUT_OF_BUDGET)
            return False
        except TrainingError as error:
            self.skip(each, str(error))
            return False
        return True

    def skip(self, each: Configuration, reason: str) -> None:
        """Say why something was not tried; what was said first stands."""
        self._reasons.setdefault(each, reason)

    def skipped(self) -> Iterable[Skipped]:
        """Candidates without a trial."""
        tried = {named(trial) for trial in self.trials}
        for each in self.candidates:
            if each not in tried:
                reason = self._reasons.get(each, OUT_OF_BUDGET)
                yield Skipped(**each.model_dump(), reason=reason)

    def add_frozen(
        self, fidelity: Fidelity, measured: Mapping[Configuration, Timed]
    ) -> list[Configuration]:
        """Keep frozen trials, paired with the best of all of this fidelity.

        Returns
        -------
        list of Configuration
            Those that were measured now, best first.
        """
        known = self._measured.setdefault(fidelity, {})
        known |= measured
        if not measured:
            return []
        best = max(known, key=lambda each: known[each][0].auc)
        trials = [
            self._trial(each, fidelity, timed, None if each == best else (best, known[best][0]))
            for each, timed in known.items()
        ]
        self.trials = [t for t in self.trials if t.fidelity != fidelity] + trials
        return [named(t) for t in ranked(trials, self.candidates) if named(t) in measured]

    def add_tuned(
        self,
        each: Configuration,
        fidelity: Fidelity,
        timed: Timed,
        reference: tuple[Configuration, Measured],
    ) -> Trial:
        """Keep a fine-tuning, paired with a frozen reference on the same images."""
        trial = self._trial(each, fidelity, timed, reference)
        self.trials.append(trial)
        return trial

    def best_frozen(self) -> Configuration:
        """The frozen candidate that came out first, else what the backbones were compared with."""
        order = [named(t) for t in frozen_first_to_last(self.trials, self.candidates)]
        return next((each for each in order if each in self.candidates), order[0])

    def _trial(
        self,
        each: Configuration,
        fidelity: Fidelity,
        timed: Timed,
        other: tuple[Configuration, Measured] | None,
    ) -> Trial:
        measured, seconds = timed
        return Trial(
            **each.model_dump(),
            fidelity=fidelity,
            value=round(measured.auc, 6),
            se=round(self._bench.standard_error(measured), 6),
            paired=other and self._paired(measured, *other),
            seconds=round(seconds, 3),
        )

    def _paired(self, measured: Measured, against: Configuration, other: Measured) -> Paired:
        apart = measured.minus(other)
        error = apart.standard_error(self._bench.units)
        return Paired(against=against, difference=round(apart.auc, 6), se=round(error, 6))
