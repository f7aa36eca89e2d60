"""A training survives a loss that is no number, and memory that runs out."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recommender.plan import Target
from tests.unit.trainer.tuning import (
    CPU,
    STEPS,
    DeepToy,
    bright_or_dark,
    deep_toy,
    quiet,
    same,
    state_of,
    tune,
    tuning_plan,
)
from trainer.errors import TrainingError
from trainer.finetune import fine_tune
from trainer.targets import Labels
from trainer.tuning.classifier import Classifier, Part, logits_of
from trainer.tuning.memory import fitting_memory


class Small(DeepToy):
    """Memory for a few images only; with none, one still goes forward without a gradient."""

    def __init__(self, room: int) -> None:
        super().__init__(dropout=0.0)
        self.room = room

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch that fits."""
        if len(images) > max(self.room, not torch.is_grad_enabled()):
            msg = "out of memory"
            raise torch.OutOfMemoryError(msg)
        return super().forward(images)


def small(room: int) -> Classifier:
    torch.manual_seed(0)
    return Classifier(Small(room), 4, 2)


def unequal(n: int) -> Part:
    """Three dark images for each bright one."""
    part = bright_or_dark(n)
    kept = np.flatnonzero((part.targets == 0) | (np.arange(n) % 6 == 1))
    return Part(part.pixels[kept], part.targets[kept])


LABELS: dict[Target, tuple[Labels, Any]] = {
    "classes": (Labels(target="classes", names=("a", "b")), lambda t: t),
    "ordinal": (Labels(target="ordinal", names=("a", "b", "c")), lambda t: t * 2),
    "multi_label": (
        Labels(target="multi_label", names=("a", "b")),
        lambda t: np.stack([t, 1 - t], 1).astype(np.float32),
    ),
    "number": (
        Labels(target="number", names=("value",), centre=5.0, spread=2.0),
        lambda t: (t * 4 + 3).astype(np.float32),
    ),
}


@pytest.mark.parametrize("target", LABELS)
def test_a_batch_that_does_not_fit_is_trained_in_parts_with_the_same_result(target: Target) -> None:
    """Weights of classes and a last part that is smaller are accounted for."""
    labels, encode = LABELS[target]
    found, outcomes = [], []
    for room in (64, 3):
        torch.manual_seed(0)
        classifier = Classifier(Small(room), 4, labels.n_outputs)
        parts = [Part(p.pixels, encode(p.targets)) for p in (unequal(45), bright_or_dark(10, 1))]
        plan = tuning_plan(epochs=2, batch_size=8, target=target)
        outcomes.append(
            fine_tune(
                classifier, parts[0], parts[1], plan, STEPS, CPU, lambda _line: None, quiet,
                labels=labels,
            )
        )  # fmt: skip
        found.append(state_of(classifier))
    for name, value in found[0].items():
        # Sums in another order, which AdamW's division by small numbers makes larger.
        assert torch.allclose(found[1][name], value, atol=1e-4), name
    assert outcomes[0].notes == ()
    assert "memory ran out: batches of 8 images" in outcomes[1].notes[0]
    assert outcomes[1].notes[0].endswith("2 at a time")


def test_the_gradient_of_a_batch_in_parts_is_that_of_the_whole() -> None:
    """Without weighing the parts by their classes it would not be."""
    norms = []
    for room in (64, 5):
        lines: list[dict[str, Any]] = []
        plan = tuning_plan(epochs=1, batch_size=30, backbone_learning_rate=1e-9)
        tune(small(room), plan, on_epoch=lines.append, train=unequal(45))
        norms.append(lines[0]["train_loss"])
    assert norms[1] == pytest.approx(norms[0], rel=1e-6)


def test_outputs_are_given_in_as_many_parts_as_memory_asks_for() -> None:
    part = bright_or_dark(20)
    whole, parts = (logits_of(small(room), part.pixels, STEPS, CPU) for room in (64, 3))
    assert torch.allclose(whole, parts, atol=1e-5)


def test_memory_that_has_no_room_for_one_image_is_an_error() -> None:
    with pytest.raises(TrainingError, match="memory runs out with a single image"):
        tune(small(0), tuning_plan())


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def work(_size: int) -> None:
        msg = "shapes cannot be multiplied"
        raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        fitting_memory(work, 8)


def test_what_the_cpu_says_when_memory_runs_out_is_understood() -> None:
    def work(size: int) -> int:
        if size > 2:
            msg = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory"
            raise RuntimeError(msg)
        return size * 10

    assert fitting_memory(work, 8) == (20, 2)


def test_a_loss_that_is_no_number_stops_with_the_weights_of_the_best_epoch() -> None:
    classifier, states = deep_toy(), []

    def break_it(line: dict[str, Any]) -> None:
        states.append(state_of(classifier))
        if line["epoch"] == 2:
            with torch.no_grad():
                classifier.head.weight.fill_(float("nan"))

    outcome = tune(classifier, tuning_plan(), on_epoch=break_it)
    assert "stopped in epoch 3: the loss is not a number" in outcome.notes[0]
    assert outcome.notes[0].endswith(f"the weights of epoch {outcome.best_epoch} are kept")
    assert same(state_of(classifier), states[outcome.best_epoch - 1])


def test_a_first_epoch_without_a_number_is_an_error() -> None:
    classifier = deep_toy()
    with torch.no_grad():
        classifier.head.bias.fill_(float("inf"))
    with pytest.raises(TrainingError, match="not a number; lower the learning rates"):
        tune(classifier, tuning_plan())


def test_a_score_that_is_not_defined_keeps_the_last_weights() -> None:
    """Validation images of a single class have no AUC; the training still counts."""
    classifier, part = deep_toy(), bright_or_dark(20)
    one = Part(part.pixels[::2], part.targets[::2])
    before = state_of(classifier)
    plan = tuning_plan()
    outcome = fine_tune(classifier, part, one, plan, STEPS, CPU, lambda _line: None, quiet)
    assert outcome.best_epoch == 3
    assert not same(state_of(classifier), before)
