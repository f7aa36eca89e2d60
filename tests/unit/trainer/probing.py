"""A probe on toys: small images, networks that take time by a clock of their own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from recommender.plan import PROBED, PlannedBackbone, TrainingPlan
from tests.unit.trainer.toys import TOY_PX, plan_of
from trainer import candidates
from trainer.backbones import Preprocessing
from trainer.images import ImageSet, read_images
from trainer.probing import halving, trials
from trainer.weights import Weights


@dataclass
class Clock:
    """Seconds that pass only when a toy works."""

    now: float = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@dataclass
class Toys:
    """Networks by name: what they see, what an image costs them, how much they have seen."""

    clock: Clock
    kinds: dict[str, str]
    cost_s: dict[str, float] = field(default_factory=dict)
    step_ratio: float = 3.0
    passed: dict[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def build(self, backbone: PlannedBackbone, _weights: Weights) -> nn.Module:
        """A network that has not been trained."""
        torch.manual_seed(0)
        return Toy(backbone.name, self)

    def find(self, backbone: PlannedBackbone) -> Weights | None:
        """Weights of every network that is not missing."""
        return None if backbone.name in self.missing else Weights("package", Path("toy"))

    def plans(self, seed: int = 0) -> list[TrainingPlan]:
        """Every configuration, backbones in the order of `kinds`."""
        return [
            plan_of(
                backbone=PlannedBackbone(name=name, library="timm", model="toy", input_px=TOY_PX),
                approach=approach, head=head, augmentation="none", epochs=4,
                batch_size=8, head_learning_rate=0.01, seed=seed,
            )
            for name in self.kinds for approach, head in PROBED
        ]  # fmt: skip


class Toy(nn.Module):
    """Mean brightness (``sees``), noise (``blind``), or a contrast that has to be learned."""

    def __init__(self, name: str, toys: Toys) -> None:
        super().__init__()
        self.name, self.toys = name, toys
        self.gain = nn.Parameter(torch.ones(3))
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(N, 3)``."""
        work = self.toys.step_ratio if self.training else 1.0
        self.toys.clock.now += work * len(images) * self.toys.cost_s.get(self.name, 0.01)
        if not self.training:
            self.toys.passed[self.name] = self.toys.passed.get(self.name, 0) + len(images)
        noise = torch.randn(len(images), 3, generator=self.generator)
        if self.toys.kinds[self.name] == "blind":
            return noise * self.gain
        return (images.mean((1, 2, 3))[:, None] + 0.05 * noise) * self.gain


def write_images(root: Path, n: int = 120) -> ImageSet:
    """Dark images and bright ones, two of each patient, a fifth given as the test part."""
    rng = np.random.default_rng(0)
    lines = ["file,label,group,split"]
    for number in range(n):
        label = "bright" if number // 2 % 2 else "dark"
        pixels = rng.normal(140 if label == "bright" else 110, 25, (TOY_PX, TOY_PX, 3))
        shade = rng.normal(0, 12)
        content = (pixels + shade).clip(0, 255).astype(np.uint8)
        Image.fromarray(content).save(root / f"{number:03d}.png")
        split = "test" if number // 2 % 5 == 0 else "train"
        lines.append(f"{number:03d}.png,{label},p{number // 2},{split}")
    (root / "labels.csv").write_text("\n".join(lines), encoding="utf-8")
    return read_images(root)


@pytest.fixture
def images(tmp_path: Path) -> ImageSet:
    """120 images, 96 of them to learn from."""
    root = tmp_path / "images"
    root.mkdir()
    return write_images(root)


@pytest.fixture
def make_toys(monkeypatch: pytest.MonkeyPatch, steps: Preprocessing) -> Callable[..., Toys]:
    """Toys in the place of the real backbones."""

    def make(**fields: object) -> Toys:
        kinds = {"sees": "sees", "blind": "blind"}
        toys = Toys(Clock(), **{"kinds": kinds} | fields)  # type: ignore[arg-type]
        monkeypatch.setattr(halving, "find_weights", toys.find)
        monkeypatch.setattr(candidates, "N_TREES", 10)
        monkeypatch.setattr(trials, "build_backbone", toys.build)
        monkeypatch.setattr(trials, "preprocessing", lambda _backbone, _network: steps)
        return toys

    return make
