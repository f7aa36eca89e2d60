"""A checkpoint is all of the last one written, or all of the one before."""

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.trainer.test_lora import transformer
from tests.unit.trainer.tuning import deep_toy, files_of_at_most, same, state_of, tune, tuning_plan
from trainer.errors import TrainingError
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.classifier import Classifier

TENSORS = {
    "model/a": torch.arange(6.0).view(2, 3),
    "best/a": torch.ones(1),
    "model/b/c": torch.ones(2),
}
FACTS = {"epoch": 3, "losses": [0.1, 1 / 3], "best_score": -math.inf, "lines": [{"epoch": 1}]}


def kept(path: Path) -> Checkpoint:
    return Checkpoint(path / "checkpoint.safetensors", every_s=0, share=math.inf)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    checkpoint = kept(tmp_path)
    assert checkpoint.load() is None
    assert checkpoint.lines() == ()
    checkpoint.save(TENSORS, FACTS)
    saved = checkpoint.load()
    assert saved is not None
    assert saved.facts == FACTS
    assert same(saved.of("model"), {"a": TENSORS["model/a"], "b/c": TENSORS["model/b/c"]})
    assert checkpoint.lines() == ({"epoch": 1},)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]
    checkpoint.discard()
    assert checkpoint.load() is None


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(tmp_path: Path) -> None:
    checkpoint = kept(tmp_path)
    checkpoint.save(TENSORS, FACTS)
    large = {"model/a": torch.zeros(100_000)}
    with (
        files_of_at_most(10_000),
        pytest.raises(
            TrainingError, match=r"cannot be written .*, the one before it is kept; make"
        ),
    ):
        checkpoint.save(large, {"lines": []})
    assert checkpoint.lines() == ({"epoch": 1},)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_a_training_that_meets_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    plain, resumed = deep_toy(), deep_toy()
    tune(plain, tuning_plan())
    with ExitStack() as disk:

        def fill(line: dict[str, Any]) -> None:
            if line["epoch"] == 2:
                disk.enter_context(files_of_at_most(1000))

        with pytest.raises(TrainingError, match="make room on the disk, then resume"):
            tune(deep_toy(), tuning_plan(), on_epoch=fill, checkpoint=kept(tmp_path))
    assert [line["epoch"] for line in kept(tmp_path).lines()] == [1]
    tune(resumed, tuning_plan(), checkpoint=kept(tmp_path))
    assert same(state_of(resumed), state_of(plain))


APPROACHES: dict[str, dict[str, Any]] = {
    "last blocks": {"approach": "fine_tuning", "n_blocks": 2},
    "gradual": {"gradual": True},
    "random": {"initialisation": "random"},
    "low rank": {"approach": "fine_tuning", "lora_rank": 2},
    "offline": {"augmentation": "offline"},
}


@pytest.mark.parametrize("approach", APPROACHES)
@pytest.mark.parametrize("after", [1, 2])
def test_each_approach_goes_on_where_it_was_stopped(
    tmp_path: Path, approach: str, after: int
) -> None:
    def network() -> Classifier:
        torch.manual_seed(0)
        return Classifier(transformer(), 12, 2) if approach == "low rank" else deep_toy()

    def stop(line: dict[str, Any]) -> None:
        if line["epoch"] > after:
            raise KeyboardInterrupt

    plan = tuning_plan(epochs=4, **APPROACHES[approach])
    whole, resumed = network(), network()
    tune(whole, plan)
    with pytest.raises(KeyboardInterrupt):
        tune(network(), plan, on_epoch=stop, checkpoint=kept(tmp_path))
    assert [line["epoch"] for line in kept(tmp_path).lines()] == list(range(1, after + 1))
    tune(resumed, plan, checkpoint=kept(tmp_path))
    assert same(state_of(resumed), state_of(whole))


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    tune(deep_toy(), tuning_plan(), checkpoint=kept(tmp_path))
    with pytest.raises(TrainingError, match="is of another plan or of other images"):
        tune(deep_toy(), tuning_plan(seed=1), checkpoint=kept(tmp_path))


def test_a_training_that_had_ended_is_not_trained_again(tmp_path: Path) -> None:
    first, second = deep_toy(), deep_toy()
    told: list[dict[str, Any]] = []
    outcome = tune(first, tuning_plan(), checkpoint=kept(tmp_path))
    assert tune(second, tuning_plan(), on_epoch=told.append, checkpoint=kept(tmp_path)) == outcome
    assert not told
    assert same(state_of(first), state_of(second))


def test_within_an_epoch_it_is_written_after_some_seconds_and_else_when_the_epoch_ends(
    tmp_path: Path,
) -> None:
    now = [0.0]
    checkpoint = Checkpoint(tmp_path / "c.safetensors", every_s=60, clock=lambda: now[0])
    now[0] = 59
    assert not checkpoint.due(epoch_ended=False)
    assert checkpoint.due(epoch_ended=True)
    now[0] = 60
    assert checkpoint.due(epoch_ended=False)


def test_writing_takes_no_more_than_its_share_of_the_time(tmp_path: Path) -> None:
    times = iter([0, 100, 102, 150, 201, 203])
    checkpoint = Checkpoint(
        tmp_path / "c.safetensors", every_s=1, share=0.02, clock=lambda: next(times)
    )
    checkpoint.save(TENSORS, FACTS)
    assert not checkpoint.due(epoch_ended=True)
    assert not checkpoint.due(epoch_ended=False)
    assert checkpoint.due(epoch_ended=False)


def test_a_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    checkpoint = kept(tmp_path)
    checkpoint.path.write_bytes(b"nothing of the kind")
    with pytest.raises(TrainingError, match=r"is damaged .*; remove it to start anew"):
        checkpoint.load()
