"""The loop that trains a whole network from pretrained weights."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from recommender.plan import TrainingPlan
from trainer.areas import macro_auc
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.features import autocast, batches, to_input
from trainer.images import Progress

#: AdamW's decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101).
WEIGHT_DECAY = 0.05
#: Share of all steps in which the learning rate rises from zero.
WARM_UP = 0.1
#: Share of each target spread over all classes (Szegedy et al. 2016, arXiv:1512.00567).
LABEL_SMOOTHING = 0.1
#: Largest gradient norm.
MAX_NORM = 1.0
#: Ranges of the online augmentation: zoom, rotation, shift, contrast. No flips: sides may matter.
ZOOM, ROTATION_DEG, SHIFT, CONTRAST = (0.8, 1.0), 10.0, 0.05, 0.2

Pixels = npt.NDArray[np.uint8]
Epoch = dict[str, Any]


class Classifier(nn.Module):
    """A backbone and a linear head: ``(N, 3, H, W)`` -> logits ``(N, C)``.

    Batch normalisation keeps the statistics of the pretraining, in training too: some dozens of
    small batches, all that a small set gives, do not move the running means to where the weights
    have gone, and what is evaluated would then not be what was trained.
    """

    def __init__(self, backbone: nn.Module, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(n_features, n_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch."""
        logits: Tensor = self.head(self.backbone(images))
        return logits

    def train(self, mode: bool = True) -> Self:
        """Switch everything but the batch normalisation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self


@dataclass(frozen=True)
class Part:
    """Pixels ``(N, px, px, 3)`` and targets ``(N,)`` of one part of the split."""

    pixels: Pixels
    targets: npt.NDArray[np.int64]


def count_features(network: nn.Module, input_px: int) -> int:
    """Length of the feature vector that a backbone gives."""
    network.eval()
    with torch.inference_mode():
        return int(network(torch.zeros(1, 3, input_px, input_px)).shape[1])


def fine_tune(
    classifier: Classifier,
    train: Part,
    validation: Part,
    plan: TrainingPlan,
    steps: Preprocessing,
    device: torch.device,
    on_epoch: Callable[[Epoch], None],
    progress: Progress,
) -> None:
    """Train everything and leave the weights of the epoch with the highest validation AUC.

    Of equal epochs the last is kept.

    Raises
    ------
    TrainingError
        The loss became infinite or not a number.
    """
    classifier.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    loop = _Loop.start(classifier, train, plan, steps, device)
    best, best_auc = _copy_state(classifier), 0.0
    for epoch in range(1, plan.epochs + 1):
        started = time.perf_counter()
        train_loss = loop.train_epoch(epoch, train, progress)
        loss, auc = loop.validate(validation)
        line: Epoch = {"epoch": epoch, "train_loss": train_loss, "validation_loss": loss}
        line |= {"validation_auc": auc, "learning_rate": loop.schedule.get_last_lr()[0]}
        on_epoch(line | {"seconds": round(time.perf_counter() - started, 3)})
        # The loss rises with confidence long before the ranking of the images suffers.
        if auc >= best_auc:
            best, best_auc = _copy_state(classifier), auc
    classifier.load_state_dict(best)


@dataclass(frozen=True)
class _Loop:
    """What every step of one fine-tuning shares."""

    classifier: Classifier
    plan: TrainingPlan
    steps: Preprocessing
    device: torch.device
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LambdaLR
    generator: torch.Generator
    class_weight: Tensor

    @classmethod
    def start(
        cls,
        classifier: Classifier,
        train: Part,
        plan: TrainingPlan,
        steps: Preprocessing,
        device: torch.device,
    ) -> "_Loop":
        optimizer = torch.optim.AdamW(
            [
                {"params": classifier.backbone.parameters(), "lr": plan.backbone_learning_rate},
                {"params": classifier.head.parameters(), "lr": plan.head_learning_rate},
            ],
            weight_decay=WEIGHT_DECAY,
        )
        n_steps = math.ceil(len(train.targets) / plan.batch_size) * plan.epochs
        return cls(
            classifier=classifier,
            plan=plan,
            steps=steps,
            device=device,
            optimizer=optimizer,
            schedule=torch.optim.lr_scheduler.LambdaLR(optimizer, _warm_cosine(n_steps)),
            generator=torch.Generator(device=device).manual_seed(plan.seed),
            class_weight=_class_weight(train.targets, classifier.head.out_features).to(device),
        )

    def train_epoch(self, epoch: int, train: Part, progress: Progress) -> float:
        """One pass in an order of its own; returns the mean loss."""
        order = np.random.default_rng((self.plan.seed, epoch)).permutation(len(train.targets))
        n_batches = math.ceil(len(order) / self.plan.batch_size)
        self.classifier.train()
        losses = []
        for number, part in enumerate(batches(len(order), self.plan.batch_size), 1):
            images = to_input(train.pixels[order[part]], self.steps, self.device)
            if self.plan.augmentation == "online":
                images = augment(images, self.generator)
            targets = torch.from_numpy(train.targets[order[part]]).to(self.device)
            losses.append(self._step(images, targets))
            done = (epoch - 1) * n_batches + number
            progress("training", done, self.plan.epochs * n_batches)
        return float(np.mean(losses))

    def _step(self, images: Tensor, targets: Tensor) -> float:
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device):
            logits = self.classifier(images).float()
            loss = functional.cross_entropy(
                logits, targets, weight=self.class_weight, label_smoothing=LABEL_SMOOTHING
            )
        if not torch.isfinite(loss):
            msg = "the training loss is not a number; lower the learning rates in the plan"
            raise TrainingError(msg)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.classifier.parameters(), MAX_NORM)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach())

    def validate(self, part: Part) -> tuple[float, float]:
        """Unweighted loss and macro AUC of images that are not trained on."""
        logits = logits_of(self.classifier, part.pixels, self.steps, self.device)
        loss = functional.cross_entropy(logits, torch.from_numpy(part.targets))
        return float(loss), macro_auc(part.targets, logits.double().softmax(1).numpy())


def _warm_cosine(n_steps: int) -> Callable[[int], float]:
    warm = max(1, round(n_steps * WARM_UP))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, n_steps - warm)))

    return factor


def _class_weight(targets: npt.NDArray[np.int64], n_classes: int) -> Tensor:
    """Inverse class frequency with mean 1 over the images."""
    counts = np.bincount(targets, minlength=n_classes)
    return torch.tensor(len(targets) / (n_classes * np.maximum(counts, 1)), dtype=torch.float32)


def _copy_state(classifier: Classifier) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone() for name, value in classifier.state_dict().items()}


def logits_of(
    classifier: Classifier, pixels: Pixels, steps: Preprocessing, device: torch.device
) -> Tensor:
    """Logits ``(N, C)`` on the CPU, in eval mode."""
    classifier.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    with torch.inference_mode(), autocast(device):
        parts = [
            classifier(to_input(pixels[part], steps, device)).float().cpu()
            for part in batches(len(pixels), 32)
        ]
    return torch.cat(parts)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Zoom, rotate, shift and change the contrast of each image of ``(B, 3, H, W)`` on its own."""
    n = len(images)

    def draw(low: float, high: float) -> Tensor:
        span = torch.rand(n, generator=generator, device=images.device)
        return low + (high - low) * span

    angle = draw(-ROTATION_DEG, ROTATION_DEG).deg2rad()
    zoom, across, down = draw(*ZOOM), draw(-SHIFT, SHIFT), draw(-SHIFT, SHIFT)
    theta = torch.stack(
        [
            torch.stack([zoom * angle.cos(), -zoom * angle.sin(), across], 1),
            torch.stack([zoom * angle.sin(), zoom * angle.cos(), down], 1),
        ],
        1,
    )
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    mean = moved.mean((1, 2, 3), keepdim=True)
    contrast = draw(1 - CONTRAST, 1 + CONTRAST).view(n, 1, 1, 1)
    return ((moved - mean) * contrast + mean).contiguous(memory_format=torch.channels_last)
