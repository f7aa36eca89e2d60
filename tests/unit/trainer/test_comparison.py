"""Two runs are compared on the images that neither has learned, or not at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evtl import render_comparison as render
from tests.unit.trainer.comparing import BINARY, N, changed, predicted, run
from trainer.errors import TrainingError
from trainer.measures.comparison import compare_predictions, compare_runs
from trainer.measures.predictions_file import Predicted
from trainer.metrics import measure


def test_the_better_run_is_said_to_be_better_on_the_test_images_alone(tmp_path: Path) -> None:
    poor, good = predicted(1, 0.3), predicted(2, 4.0)
    found = compare_runs(run(tmp_path / "poor", poor), run(tmp_path / "good", good))
    assert (found.n_images, found.n_groups, found.n_left_out) == (30, 15, 0)
    test = [number for number, part in enumerate(poor.parts) if part == "test"]
    targets = BINARY.encode([poor.labels[number] for number in test])
    groups = [poor.groups[number] for number in test]
    expected = [
        measure(targets, images.predictions[test], BINARY, groups, seed=0).overall
        for images in (poor, good)
    ]
    for row in found.differences:
        assert row.first == expected[0][row.metric].value, row
        assert row.second == expected[1][row.metric].value, row
    by_test = {row.test: row for row in found.differences if row.metric == "auc"}
    assert set(by_test) == {"delong", "bootstrap"}
    for row in by_test.values():
        assert row.low is not None
        assert row.p is not None
        assert row.low > 0
        assert row.p < 0.05


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    one = run(tmp_path / "one", predicted(1, 1.0))
    for row in compare_runs(one, one).differences:
        assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1), row


def test_swapping_the_runs_swaps_the_signs(tmp_path: Path) -> None:
    one, other = run(tmp_path / "a", predicted(1, 1.0)), run(tmp_path / "b", predicted(2, 1.5))
    there, back = compare_runs(one, other), compare_runs(other, one)
    for row, turned in zip(there.differences, back.differences, strict=True):
        assert row.difference == -(turned.difference or 0)
        assert row.p == pytest.approx(turned.p)
        assert row.low == pytest.approx(-(turned.high or 0), abs=1e-5)


def test_bootstrap_and_delong_agree_on_how_sure_a_difference_of_areas_is() -> None:
    one, other = predicted(1, 1.0), predicted(4, 1.8)
    rows = compare_predictions(one, other, BINARY, seed=0)
    delong, bootstrap = (row for row in rows if row.metric == "auc")
    assert (delong.test, bootstrap.test) == ("delong", "bootstrap")
    assert delong.difference == bootstrap.difference
    # forty-five groups: two estimates of the same standard error
    widths = [(row.high or 0) - (row.low or 0) for row in (delong, bootstrap)]
    assert widths[0] == pytest.approx(widths[1], rel=0.2)
    assert delong.p == pytest.approx(bootstrap.p, abs=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: changed(images, names=("a", "b")), "only runs of the same can be compared"),
        (lambda images: changed(images, parts=("train",) * N), "test images of .* are, or share"),
        (
            lambda images: changed(
                images,
                files=tuple(f"other {name}" for name in images.files),
                groups=tuple(f"other {name}" for name in images.groups),
            ),
            "share no test image",
        ),
        (lambda images: changed(images, labels=images.labels[::-1]), "have other labels"),
        (
            lambda images: changed(images, groups=images.files),
            "have other groups in the other run, the first 001.png: the runs are of different",
        ),
        (
            lambda images: changed(
                images,
                parts=tuple("train" if n % 2 else part for n, part in enumerate(images.parts)),
            ),
            "30 of 30 test images of .*one are, or share a group with, images that .*other was",
        ),
        (
            lambda images: changed(
                images,
                files=tuple(f"new {f}" if n % 2 else f for n, f in enumerate(images.files)),
                parts=tuple("train" if n % 2 else part for n, part in enumerate(images.parts)),
            ),
            "15 of 30 test images of .*one are, or share a group with, images that .*other was",
        ),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_with_the_reason(
    change: Callable[[Predicted], Predicted], message: str, tmp_path: Path
) -> None:
    one = run(tmp_path / "one", predicted(1, 1.0))
    other = run(tmp_path / "other", change(predicted(2, 1.0)))
    with pytest.raises(TrainingError, match=message):
        compare_runs(one, other)


def test_groups_may_have_other_names_in_the_other_run(tmp_path: Path) -> None:
    """Each run numbers those of its own images; the same images are in one group all the same."""
    images = predicted(1, 1.0)
    others = changed(predicted(2, 1.0), groups=tuple(f"x{group}" for group in images.groups))
    rows = [
        compare_runs(run(tmp_path / f"one {name}", images), run(tmp_path / name, other)).differences
        for name, other in (("same", predicted(2, 1.0)), ("other", others))
    ]
    assert rows[0] == rows[1]


def test_images_that_only_one_run_tested_are_counted_and_left_out(tmp_path: Path) -> None:
    images = predicted(1, 1.0)
    fewer = predicted(2, 1.0).pick([n for n in range(N) if n % 6 != 0])
    found = compare_runs(run(tmp_path / "one", images), run(tmp_path / "other", fewer))
    assert (found.n_images, found.n_left_out) == (15, 15)
    assert "15 that only one of them has were left out" in render.comparison(found)


def test_a_run_that_failed_is_refused_with_its_reason(tmp_path: Path) -> None:
    one = run(tmp_path / "one", predicted(1, 1.0), status="failed")
    with pytest.raises(TrainingError, match=r"one: the run did not finish \(out of memory\)"):
        compare_runs(one, one)


def test_numbers_are_compared_by_their_errors(tmp_path: Path) -> None:
    base = predicted(1, 1.0)
    numbers = np.random.default_rng(0).normal(100, 10, N)
    folders = [
        run(
            tmp_path / str(noise),
            changed(
                base,
                names=("value",),
                labels=tuple(map(repr, numbers.tolist())),
                predictions=numbers + noise * np.random.default_rng(noise).normal(size=N),
            ),
            target="number",
        )
        for noise in (8, 1)
    ]
    found = {row.metric: row for row in compare_runs(folders[0], folders[1]).differences}
    assert set(found) == {"mae", "rmse", "r2"}
    assert (found["rmse"].high or 0) < 0 < (found["r2"].low or 0)


def test_three_classes_are_compared_without_the_test_of_two(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    one = run(tmp_path / "one", predicted(1, 1.0, names))
    other = run(tmp_path / "other", predicted(2, 1.0, names))
    assert {row.test for row in compare_runs(one, other).differences} == {"bootstrap"}
