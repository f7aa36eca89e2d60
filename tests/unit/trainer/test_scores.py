"""Which epoch is kept, and how sure a score of a validation part is."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.trainer.tuning import (
    CPU,
    STEPS,
    bright_or_dark,
    deep_toy,
    quiet,
    tune,
    tuning_plan,
)  # fmt: skip
from trainer.finetune import fine_tune
from trainer.targets import Labels
from trainer.tuning import loop
from trainer.tuning.scores import standard_error

TWO = Labels(target="classes", names=("a", "b"))


@pytest.mark.parametrize(("scores", "kept"), [
    ((0.80, 0.90, 0.86), 3),  # as good as the highest, as far as can be told
    ((0.80, 0.90, 0.84), 2),
    ((0.90, 0.86, 0.84), 2),
    ((0.90, 0.80, 0.96), 3),
    ((0.90, 0.80, 0.90), 3),
])  # fmt: skip
def test_the_latest_epoch_within_a_standard_error_of_the_highest_is_kept(
    monkeypatch: pytest.MonkeyPatch, scores: tuple[float, ...], kept: int
) -> None:
    told: Iterator[float] = iter(scores)
    monkeypatch.setattr(Labels, "score", lambda *_: next(told))
    monkeypatch.setattr(loop, "standard_error", lambda *_: 0.05)
    outcome = tune(deep_toy(), tuning_plan())
    assert outcome.best_epoch == kept
    assert outcome.best_score == scores[kept - 1]


def test_the_error_of_an_auc_is_that_of_hanley_and_mcneil() -> None:
    """Equation 1 of Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747."""
    rng = np.random.default_rng(0)
    truth = np.arange(300) % 2
    said = rng.normal(truth * 1.2)
    chance = 1 / (1 + np.exp(-said))
    area = TWO.score(truth, np.stack([1 - chance, chance], 1))
    n = 150
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (n - 1) * (first + second - 2 * area**2)
    found = standard_error(TWO, truth, np.stack([1 - chance, chance], 1), seed=0)
    assert found == pytest.approx((spread / n**2) ** 0.5, rel=0.2)


def test_units_that_are_copies_make_a_score_less_sure() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(30) % 2, 4)
    chance = np.repeat(1 / (1 + np.exp(-rng.normal(np.arange(30) % 2))), 4)
    said = np.stack([1 - chance, chance], 1)
    units = [str(number // 4) for number in range(120)]
    alone, whole = (standard_error(TWO, truth, said, 0, each) for each in ((), units))
    assert whole > 1.5 * alone


def test_a_perfect_ranking_of_a_handful_is_not_certain() -> None:
    """One swapped pair less could be chance."""
    truth = np.arange(10) % 2
    said = np.stack([1.0 - truth, truth], 1)
    assert TWO.score(truth, said) == 1
    assert standard_error(TWO, truth, said, seed=0) == 0.1
    alone = np.zeros(4, int)  # nor is a score that no resample has
    assert standard_error(TWO, alone, np.full((4, 2), 0.5), seed=0) == 0.125


def test_patients_of_the_validation_part_are_told_to_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[str, ...]] = []

    def spy(*words: object) -> float:
        told.append(words[-1])  # type: ignore[arg-type]
        return 0.0

    monkeypatch.setattr(loop, "standard_error", spy)
    part = bright_or_dark(20)
    patients = replace(part, units=tuple(str(number // 2) for number in range(20)))
    fine_tune(deep_toy(), part, patients, tuning_plan(), STEPS, CPU, lambda _line: None, quiet)
    assert told
    assert set(told) == {patients.units}
