"""Seconds come from our own runs, on the machine used last, and only where there are some."""

from collections.abc import Callable

import pytest

from evidence.records import Corpus, RunRecord
from recommender.cost import seconds_per_mac, training_macs


@pytest.fixture
def make_run() -> Callable[..., RunRecord]:
    def make(**fields: object) -> RunRecord:
        base: dict[str, object] = {
            "run_id": "x", "started_at": "2026-01-01", "status": "finished", "folder": "x",
            "modality": "ultrasound", "anatomy": None, "task": "classification", "n_images": 100,
            "n_classes": 2, "backbone_recommended": "ResNet-50", "backbone": "ResNet-50",
            "weights": "x", "approach": "feature_extractor", "head": "linear", "seed": 0,
            "device": "cpu", "seconds": 10.0, "metrics": {}, "digests": {}, "versions": {},
        }  # fmt: skip
        return RunRecord.model_validate(base | fields)

    return make


def test_without_runs_no_time_is_claimed(corpus: Corpus) -> None:
    assert seconds_per_mac((), {b.name: b for b in corpus.backbones}) == {}


def test_the_largest_run_of_the_last_device_sets_the_speed(
    corpus: Corpus, make_run: Callable[..., RunRecord]
) -> None:
    backbones = {b.name: b for b in corpus.backbones}
    runs = [
        make_run(n_images=100, seconds=10.0),
        make_run(n_images=1000, seconds=28.0),
        make_run(n_images=1000, seconds=0.1, device="a GPU of another machine"),
        make_run(n_images=1000, seconds=0.1, status="failed"),
        make_run(n_images=200, seconds=12.0),
    ]
    macs = training_macs(backbones["ResNet-50"], "feature_extractor", 1000)
    assert seconds_per_mac(runs, backbones) == {"feature_extractor": pytest.approx(28.0 / macs)}


def test_a_backbone_without_counted_operations_has_no_cost(corpus: Corpus) -> None:
    custom = next(b for b in corpus.backbones if b.name == "custom")
    with pytest.raises(ValueError, match="no counted operations"):
        training_macs(custom, "feature_extractor", 10)
