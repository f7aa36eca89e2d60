"""A network of three blocks, images that it can learn, and a short training of it."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recommender.plan import TrainingPlan
from tests.unit.trainer.toys import TOY_PX, plan_of
from trainer.backbones import Preprocessing
from trainer.finetune import Outcome, fine_tune
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.classifier import Classifier, Part

CPU = torch.device("cpu")
STEPS = Preprocessing(TOY_PX, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear")
BLOCKS = ("stem", "body", "top")


class DeepToy(nn.Module):
    """Three blocks of convolution, batch normalisation and dropout: ``(N, 3, H, W)`` -> (N, 4)."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        for name, channels in zip(BLOCKS, (3, 4, 4), strict=True):
            layers = nn.Conv2d(channels, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()
            self.add_module(name, nn.Sequential(*layers, nn.Dropout(dropout)))

    def forward(self, images: Tensor) -> Tensor:
        """Features of a batch."""
        for block in self.children():
            images = block(images)
        return images.mean((2, 3))


def deep_toy(dropout: float = 0.1) -> Classifier:
    """The same every time, and torch's generator is where it was."""
    torch.manual_seed(0)
    return Classifier(DeepToy(dropout), 4, 2)


def tuning_plan(seed: int = 0, **fields: object) -> TrainingPlan:
    """Full fine-tuning of three epochs with high rates."""
    base: dict[str, object] = {
        "approach": "fine_tuning_from_scratch",
        "epochs": 3,
        "batch_size": 8,
        "backbone_learning_rate": 0.01,
        "head_learning_rate": 0.05,
    }
    return plan_of(seed, **(base | fields))


def bright_or_dark(n: int, seed: int = 0) -> Part:
    """Images that are bright or dark, and which of both."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 2
    low = np.where(targets == 1, 130, 0)[:, None, None, None]
    pixels = rng.integers(0, 120, (n, TOY_PX, TOY_PX, 3)) + low
    return Part(pixels.astype(np.uint8), targets.astype(np.int64))


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def forget(_line: dict[str, Any]) -> None:
    """History that nobody keeps."""


def tune(
    classifier: Classifier,
    plan: TrainingPlan,
    *,
    on_epoch: Callable[[dict[str, Any]], None] = forget,
    checkpoint: Checkpoint | None = None,
    train: Part | None = None,
) -> Outcome:
    """Train on thirty images."""
    return fine_tune(
        classifier, train or bright_or_dark(30), bright_or_dark(10, 1), plan, STEPS, CPU, on_epoch,
        quiet, checkpoint=checkpoint,
    )  # fmt: skip


def state_of(module: nn.Module) -> dict[str, Tensor]:
    """A copy of its weights."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two states are bit for bit the same."""
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """The system refuses to make a file larger, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
