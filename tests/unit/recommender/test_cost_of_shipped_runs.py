"""Runs that ship stand in where there are none of our own; epochs count; ladders say nothing."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.records import Backbone, Corpus, RunRecord, ShippedRun
from evidence.vocabulary import Approach
from recommender.cost import held_bytes, kind_of, learn, training_macs
from recommender.plan import EPOCHS

FROZEN: Approach = "feature_extractor"
PARTIAL: Approach = "fine_tuning"
TUNED: Approach = "fine_tuning_from_scratch"
#: Networks and images of a few runs.
SEVERAL = (("ResNet-18", 200), ("ResNet-50", 100), ("VGG-16", 1000))


@pytest.fixture
def backbones(corpus: Corpus) -> dict[str, Backbone]:
    return {backbone.name: backbone for backbone in corpus.backbones}


def own_run(**fields: object) -> RunRecord:
    base: dict[str, object] = {
        "run_id": "x", "started_at": "2026-01-01", "status": "finished", "folder": "x",
        "modality": "ultrasound", "anatomy": None, "task": "classification", "n_images": 100,
        "n_classes": 2, "backbone_recommended": "ResNet-50", "backbone": "ResNet-50",
        "weights": "x", "approach": FROZEN, "head": "linear", "seed": 0,
        "device": "a machine of ours", "seconds": 10.0, "metrics": {}, "digests": {},
        "versions": {},
    }  # fmt: skip
    return RunRecord.model_validate(base | fields)


def shipped_run(**fields: object) -> ShippedRun:
    base = dict.fromkeys(ShippedRun.model_fields) | {
        "schema_version": 1, "run_id": "x", "dataset": "x", "n_images": 100, "n_classes": 2,
        "seed": 0, "backbone": "ResNet-50", "approach": FROZEN, "initialisation": "pretrained",
        "head": "linear", "auc": 0.9, "accuracy": 0.9, "balanced_accuracy": 0.9, "seconds": 10.0,
        "cpu_s": 10.0, "device": "cpu", "versions": "x",
    }  # fmt: skip
    return ShippedRun.model_validate(base | fields)


def several(
    backbones: dict[str, Backbone], approach: Approach, *, slower: float = 1, epochs: int = EPOCHS
) -> list[ShippedRun]:
    """Runs that took 5 s and 300 MB, and for each unit of size the same."""
    return [
        shipped_run(
            approach=approach, backbone=name, n_images=n,
            epochs=None if approach == FROZEN else epochs,
            cpu_s=slower * (5 + 2e-11 * training_macs(backbones[name], approach, n, epochs)),
            peak_memory_mb=300 + 1.5e-6 * held_bytes(backbones[name], approach, n),
        )
        for name, n in SEVERAL
    ]  # fmt: skip


@pytest.mark.parametrize("approach", [FROZEN, PARTIAL, TUNED])
def test_without_runs_of_our_own_those_that_ship_decide(
    backbones: dict[str, Backbone], approach: Approach
) -> None:
    learned = learn((), backbones, several(backbones, approach))
    asked = backbones["DenseNet-121"], approach, 5000
    seconds, memory = learned.seconds(*asked), learned.memory_mb(*asked)
    assert seconds is not None
    assert memory is not None
    assert seconds.value == pytest.approx(5 + 2e-11 * training_macs(*asked))
    assert memory.value == pytest.approx(300 + 1.5e-6 * held_bytes(*asked))
    assert (seconds.source, seconds.n_runs, memory.source) == ("shipped", 3, "shipped")


def test_one_run_of_our_own_decides_alone(backbones: dict[str, Backbone]) -> None:
    own = own_run(seconds=77.0, peak_memory_mb=999.0)
    learned = learn([own], backbones, several(backbones, FROZEN))
    asked = backbones["ResNet-50"], FROZEN, 100
    seconds, memory = learned.seconds(*asked), learned.memory_mb(*asked)
    assert seconds is not None
    assert memory is not None
    assert (seconds.value, memory.value) == pytest.approx((77, 999))
    assert (seconds.n_runs, seconds.source) == (memory.n_runs, memory.source) == (1, "own")


def test_what_we_never_ran_takes_as_much_more_as_what_we_did(
    backbones: dict[str, Backbone],
) -> None:
    """A machine on which frozen trainings take a third of the time."""
    own = [
        own_run(backbone=run.backbone, n_images=run.n_images, seconds=run.cpu_s / 3)
        for run in several(backbones, FROZEN)
    ]
    shipped = several(backbones, FROZEN) + several(backbones, TUNED)
    asked = backbones["DenseNet-121"], TUNED, 5000
    found = learn(own, backbones, shipped).seconds(*asked)
    assert found is not None
    assert found.value == pytest.approx((5 + 2e-11 * training_macs(*asked)) / 3)
    assert (found.source, found.n_runs) == ("shipped_at_own_pace", 3)


def test_a_failed_run_of_our_own_changes_nothing(backbones: dict[str, Backbone]) -> None:
    shipped = several(backbones, FROZEN)
    failed = own_run(status="failed", seconds=0.1)
    assert learn([failed], backbones, shipped) == learn((), backbones, shipped)


def test_a_part_of_the_backbone_is_another_kind_of_training(
    backbones: dict[str, Backbone],
) -> None:
    shipped = several(backbones, PARTIAL) + several(backbones, TUNED, slower=4)
    learned = learn((), backbones, shipped)
    asked = backbones["ResNet-50"], 500
    partial, tuned = (learned.seconds(asked[0], how, asked[1]) for how in (PARTIAL, TUNED))
    assert partial is not None
    assert tuned is not None
    assert (partial.n_runs, tuned.n_runs) == (3, 3)
    assert partial.spread == pytest.approx(1)
    assert tuned.value > 3 * partial.value


def test_seconds_grow_with_the_epochs(backbones: dict[str, Backbone]) -> None:
    shipped = [run for epochs in (2, 6, 20) for run in several(backbones, TUNED, epochs=epochs)]
    learned = learn((), backbones, shipped)
    asked = backbones["DenseNet-121"], TUNED, 5000
    for epochs in (1, EPOCHS, 50):
        found = learned.seconds(*asked, epochs)
        assert found is not None
        assert found.value == pytest.approx(5 + 2e-11 * training_macs(*asked, epochs))
    assert learned.seconds(*asked) == learned.seconds(*asked, EPOCHS)


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_frozen_trainings_know_no_epochs_and_others_never_take_less_with_more(
    corpus: Corpus, one: int, other: int
) -> None:
    network = next(b for b in corpus.backbones if b.name == "ResNet-50")
    less, more = sorted((one, other))
    assert training_macs(network, TUNED, 100, less) <= training_macs(network, TUNED, 100, more)
    assert training_macs(network, FROZEN, 100, less) == training_macs(network, FROZEN, 100, more)


def test_our_own_runs_count_the_epochs_that_they_were_trained(
    backbones: dict[str, Backbone],
) -> None:
    """One of before, which does not say, is taken to have had as many as a plan has by default."""
    asked = backbones["ResNet-50"], TUNED, 100
    for epochs, factor in ((None, 1), (EPOCHS, 1), (2 * EPOCHS, 0.5)):
        run = own_run(approach=TUNED, seconds=60.0, epochs=epochs)
        found = learn([run], backbones).seconds(*asked)
        assert found is not None
        assert found.value == pytest.approx(60 * factor)


def test_a_run_up_a_ladder_says_nothing_of_frozen_trainings(
    backbones: dict[str, Backbone],
) -> None:
    climbed = own_run(seconds=5000.0, epochs=12)
    asked = backbones["ResNet-50"], FROZEN, 100
    assert learn([climbed], backbones).seconds(*asked) is None
    found = learn([climbed, own_run()], backbones).seconds(*asked)
    assert found is not None
    assert (found.value, found.n_runs) == pytest.approx((10, 1))


def test_of_shipped_runs_those_on_the_commonest_device_count_in_any_order(
    backbones: dict[str, Backbone],
) -> None:
    runs = several(backbones, FROZEN)
    runs += [run.model_copy(update={"device": "GPU", "seconds": 0.1}) for run in runs[:2]]
    expected = learn((), backbones, runs[:3])
    Random(0).shuffle(runs)
    assert learn((), backbones, runs) == expected


def test_what_ships_tells_a_new_user_what_each_kind_of_training_takes(
    corpus: Corpus, backbones: dict[str, Backbone]
) -> None:
    learned = learn((), backbones, corpus.shipped)
    for approach in {run.approach for run in corpus.shipped}:
        found = learned.seconds(backbones["ResNet-50"], approach, 500)
        assert found is not None
        kind = [r for r in corpus.shipped if kind_of(r.approach) == kind_of(approach)]
        assert (found.source, found.value > 0) == ("shipped", True)
        assert 0 < found.n_runs <= len(kind)
