"""Seconds and memory come from our own runs, on the machine used last, where there are some."""

from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from evidence.records import Backbone, Corpus, RunRecord
from evidence.vocabulary import Approach
from recommender.cost import Learned, Line, fit, held_bytes, kind_of, learn, training_macs

FROZEN: Approach = "feature_extractor"
TUNED: Approach = "fine_tuning_from_scratch"
SIZES = st.floats(1e6, 1e15)
VALUES = st.floats(0.01, 1e6)
POINTS = st.lists(st.tuples(SIZES, VALUES), min_size=1, max_size=8)


@pytest.fixture
def make_run() -> Callable[..., RunRecord]:
    def make(**fields: object) -> RunRecord:
        base: dict[str, object] = {
            "run_id": "x", "started_at": "2026-01-01", "status": "finished", "folder": "x",
            "modality": "ultrasound", "anatomy": None, "task": "classification", "n_images": 100,
            "n_classes": 2, "backbone_recommended": "ResNet-50", "backbone": "ResNet-50",
            "weights": "x", "approach": FROZEN, "head": "linear", "seed": 0,
            "device": "cpu", "seconds": 10.0, "metrics": {}, "digests": {}, "versions": {},
        }  # fmt: skip
        return RunRecord.model_validate(base | fields)

    return make


@pytest.fixture
def backbones(corpus: Corpus) -> dict[str, Backbone]:
    return {backbone.name: backbone for backbone in corpus.backbones}


def noiseless(
    make: Callable[..., RunRecord], backbones: dict[str, Backbone], approach: Approach
) -> list[RunRecord]:
    """Runs that took 5 s and 300 MB, and for each unit of size the same."""
    return [
        make(
            approach=approach, backbone=name, n_images=n,
            seconds=5 + 2e-11 * training_macs(backbones[name], approach, n),
            peak_memory_mb=300 + 1.5e-6 * held_bytes(backbones[name], approach, n),
        )
        for name, n in (("ResNet-18", 200), ("ResNet-50", 100), ("VGG-16", 1000))
    ]  # fmt: skip


# ---- the line


@given(POINTS)
def test_it_is_the_non_negative_least_squares_of_the_relative_errors(
    points: list[tuple[float, float]],
) -> None:
    found = fit(points)
    assert found.start >= 0
    assert found.slope >= 0
    assert found.start + found.slope > 0
    unit = max(size for size, _ in points)
    rows = np.array([[1 / value, size / unit / value] for size, value in points])
    _, best = nnls(rows, np.ones(len(points)))
    errors = [found.at(size).value / value - 1 for size, value in points]
    # Sizes that hardly differ are taken as one size; the two lines then are equally good.
    assert np.linalg.norm(errors) == pytest.approx(best, rel=1e-4, abs=1e-4)


@given(st.floats(0, 1e3), st.floats(0.01, 1e3), st.lists(SIZES, min_size=2, max_size=8))
def test_runs_without_noise_are_met_exactly(start: float, slope: float, sizes: list[float]) -> None:
    unit = max(sizes)
    found = fit([(size, start + slope * size / unit) for size in sizes])
    for size in sizes:
        expected = start + slope * size / unit
        assert found.at(size).value == pytest.approx(expected, rel=1e-4)


@given(POINTS, SIZES, SIZES)
def test_more_work_never_takes_less(
    points: list[tuple[float, float]], one: float, other: float
) -> None:
    found = fit(points)
    less, more = sorted((one, other))
    assert 0 <= found.at(less).value <= found.at(more).value


@given(SIZES, VALUES)
def test_a_single_run_is_scaled(size: float, value: float) -> None:
    found = fit([(size, value)])
    assert (found.start, found.n_runs, found.spread) == (0, 1, None)
    assert found.at(3 * size).value == pytest.approx(3 * value)


@given(POINTS.filter(lambda points: len(points) > 1))
def test_every_run_lies_within_the_spread_of_the_others(points: list[tuple[float, float]]) -> None:
    found = fit(points)
    assert found.spread is not None
    for left_out, (size, value) in enumerate(points):
        others = fit([point for n, point in enumerate(points) if n != left_out])
        ratio = others.at(size).value / value
        assert max(ratio, 1 / ratio) <= found.spread * (1 + 1e-3)


def test_runs_of_one_size_are_scaled_and_their_spread_is_said() -> None:
    found = fit([(1e9, 10.0), (1e9, 15.0)])
    assert found.start == 0
    assert found.spread == pytest.approx(1.5)


# ---- what runs say


def test_without_runs_nothing_is_claimed(backbones: dict[str, Backbone]) -> None:
    learned = learn((), backbones)
    assert learned.seconds(backbones["ResNet-50"], FROZEN, 100) is None
    assert learned.memory_mb(backbones["ResNet-50"], FROZEN, 100) is None


@pytest.mark.parametrize("approach", [FROZEN, TUNED])
def test_a_start_up_and_a_speed_are_found_again(
    make_run: Callable[..., RunRecord], backbones: dict[str, Backbone], approach: Approach
) -> None:
    learned = learn(noiseless(make_run, backbones, approach), backbones)
    asked = backbones["DenseNet-121"], approach, 5000
    seconds, memory = learned.seconds(*asked), learned.memory_mb(*asked)
    assert seconds is not None
    assert memory is not None
    assert seconds.value == pytest.approx(5 + 2e-11 * training_macs(*asked))
    assert memory.value == pytest.approx(300 + 1.5e-6 * held_bytes(*asked))
    assert (seconds.n_runs, memory.n_runs) == (3, 3)
    assert seconds.spread == pytest.approx(1)


def test_frozen_runs_say_nothing_of_trained_backbones(
    make_run: Callable[..., RunRecord], backbones: dict[str, Backbone]
) -> None:
    learned = learn([make_run(approach="feature_extractor_hybrid", head="svm")], backbones)
    assert learned.seconds(backbones["VGG-16"], FROZEN, 100) is not None
    assert learned.seconds(backbones["VGG-16"], TUNED, 100) is None


def test_only_finished_runs_of_the_device_used_last_count(
    make_run: Callable[..., RunRecord], backbones: dict[str, Backbone]
) -> None:
    runs = [
        make_run(seconds=28.0),
        make_run(seconds=0.1, device="a GPU of another machine"),
        make_run(seconds=0.1, status="failed", started_at="2026-03-01"),
        make_run(seconds=0.1, backbone="custom"),
        make_run(seconds=0.1, backbone="unheard of"),
        make_run(seconds=28.0, started_at="2026-02-01"),
    ]
    Random(0).shuffle(runs)
    found = learn(runs, backbones).seconds(backbones["ResNet-50"], FROZEN, 100)
    assert found is not None
    assert found.n_runs == 2
    assert found.value == pytest.approx(28)


def test_runs_that_did_not_measure_their_memory_still_give_seconds(
    make_run: Callable[..., RunRecord], backbones: dict[str, Backbone]
) -> None:
    learned = learn([make_run(), make_run(peak_memory_mb=900.0)], backbones)
    asked = backbones["ResNet-50"], FROZEN, 100
    seconds, memory = learned.seconds(*asked), learned.memory_mb(*asked)
    assert seconds is not None
    assert memory is not None
    assert (seconds.n_runs, memory.n_runs) == (2, 1)
    assert memory.value == pytest.approx(900)


@given(
    st.builds(Line, st.floats(0, 1e3), st.floats(0, 1), st.just(1), st.none()),
    st.sampled_from([FROZEN, TUNED]),
    st.lists(st.integers(1, 10**9), min_size=2, max_size=2),
    st.data(),
)
def test_more_images_never_take_less(
    corpus: Corpus, line: Line, approach: Approach, sizes: list[int], data: st.DataObject
) -> None:
    lines = {kind_of(approach): line}
    learned = Learned(lines, lines)
    backbone = data.draw(st.sampled_from([b for b in corpus.backbones if b.library]))
    for estimate in (learned.seconds, learned.memory_mb):
        few, many = (estimate(backbone, approach, n) for n in sorted(sizes))
        assert few is not None
        assert many is not None
        assert 0 <= few.value <= many.value


def test_a_backbone_without_counted_operations_has_no_cost(corpus: Corpus) -> None:
    custom = next(b for b in corpus.backbones if b.name == "custom")
    with pytest.raises(ValueError, match="no counted operations"):
        training_macs(custom, FROZEN, 10)
    with pytest.raises(ValueError, match="no counted parameters"):
        held_bytes(custom, FROZEN, 10)
