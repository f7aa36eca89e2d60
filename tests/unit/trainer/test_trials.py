"""Single measurements: groups on one side, runs that fit, errors that are not too small."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.trainer.probing import Toys, images, make_toys
from trainer import heads
from trainer.heads import Selection, fit_head
from trainer.images import ImageSet
from trainer.probing.trials import FOLDS, Bench, Extracted, Measured, ShortRun, mean
from trainer.tuning.budget import Budget
from trainer.weights import Weights

__all__ = ("images", "make_toys")
MakeToys = Callable[..., Toys]
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def bench_of(toys: Toys, images: ImageSet) -> tuple[Bench, Extracted]:
    """A bench with all features of one toy."""
    plan = toys.plans()[0]
    budget = Budget(1000.0, toys.clock)
    bench = Bench(images, plan, 0, torch.device("cpu"), budget, quiet)
    found = Extracted(plan.backbone, Weights("package", Path("toy")))
    bench.extract(found, len(bench.targets))
    return bench, found


def test_no_group_is_on_two_sides_of_a_measurement(
    images: ImageSet, make_toys: MakeToys, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def spy(
        head: str, features: np.ndarray, targets: np.ndarray, parts: list[str], seed: int
    ) -> Selection:
        seen.append(parts)
        return fit_head(head, features, targets, parts, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(heads, "fit_head", spy)
    toys = make_toys()
    bench, found = bench_of(toys, images)
    for fold in range(FOLDS):
        bench.cross_validate(found, "linear", 61, fold)
    run = ShortRun(n_images=41, n_held_out=30, epochs=1, seconds=100.0)
    bench.fine_tune(found, toys.plans()[5], run, found, "linear")
    # A fine-tuning is measured beside a frozen head, and begins with a linear one.
    assert len(seen) == FOLDS + 2
    for parts in seen:
        sides: dict[int, set[str]] = {}
        for unit, part in zip(bench.units, parts, strict=False):
            sides.setdefault(int(unit), set()).add(part)
        assert all(len(found) == 1 for found in sides.values())
        assert set().union(*sides.values()) == {"train", "validation", "test"}
    assert sum(part == "test" for part in seen[-1]) in (29, 30)


@SHARED
@given(st.floats(0.0, 300.0), st.integers(1, 120), st.floats(0.5, 50.0))
def test_a_short_run_is_predicted_to_fit(
    images: ImageSet, make_toys: MakeToys, seconds: float, n: int, step_ratio: float
) -> None:
    toys = make_toys()
    bench, found = bench_of(toys, images)
    bench.step_ratio = step_ratio
    plan = toys.plans()[5]
    run = bench.short_run(found, plan, n, seconds)
    if run is None:
        return
    assert run.n_images + run.n_held_out <= n
    assert run.n_held_out >= n / 3 - 1
    assert 1 <= run.epochs <= plan.epochs
    steps, forward = 0.8 * step_ratio + 0.2, found.seconds_per_image
    predicted = forward * (run.n_images * run.epochs * steps + run.n_held_out)
    assert predicted <= seconds * (1 + 1e-9)


def test_an_auc_of_one_is_not_certain(images: ImageSet, make_toys: MakeToys) -> None:
    bench, _ = bench_of(make_toys(), images)
    seen = np.zeros(120, dtype=bool)
    seen[:20] = True
    perfect = Measured(1.0, seen, np.zeros(120))
    assert perfect.standard_error(bench.units) == 0
    rarest = np.bincount(bench.targets[:20]).min()
    assert bench.standard_error(perfect) == pytest.approx(0.5 / rarest)


def test_images_of_one_patient_count_once() -> None:
    seen, moves = np.ones(8, dtype=bool), np.array([0.1, -0.1] * 4)
    alone = Measured(0.8, seen, moves)
    assert alone.standard_error(np.arange(8)) == pytest.approx(0.1 * np.sqrt(8))
    assert alone.standard_error(np.repeat(np.arange(4), 2)) == pytest.approx(0)
    same = Measured(0.8, seen, np.repeat([0.1, -0.1], 4))
    assert same.standard_error(np.repeat(np.arange(4), 2)) == pytest.approx(0.2 * np.sqrt(4))


def test_the_mean_of_folds_is_the_value_of_all_their_images() -> None:
    first = Measured(0.8, np.array([True, True, False, False]), np.array([0.2, -0.2, 0, 0]))
    second = Measured(0.9, np.array([False, False, True, True]), np.array([0, 0, 0.4, -0.4]))
    both = mean([first, second])
    assert both.auc == pytest.approx(0.85)
    assert both.seen.all()
    assert both.contributions == pytest.approx([0.1, -0.1, 0.2, -0.2])
    apart = both.minus(both)
    assert (apart.auc, apart.standard_error(np.arange(4))) == (0, 0)
