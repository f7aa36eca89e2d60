"""A plan carried out on prepared images: what the model says of each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recommender.plan import TrainingPlan
from trainer import heads
from trainer.augmentation import Copies, write_copies
from trainer.backbones import Chosen, Preprocessing, build_backbone, preprocessing
from trainer.budget import Deadline
from trainer.checkpoint import Checkpoint
from trainer.feature_cache import cached_features
from trainer.features import extract
from trainer.finetune import Classifier, Part, count_features, fine_tune, logits_of
from trainer.images import Progress
from trainer.pixel_cache import cached_pixels
from trainer.preparation import Prepared
from trainer.targets import Encoded, Labels, Predictions

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Work:
    """What every step of one training needs.

    Attributes
    ----------
    folder : pathlib.Path
        Where copies of images and checkpoints are kept.
    on_line : callable
        Given each line of the history.
    """

    plan: TrainingPlan
    data: Prepared
    chosen: Chosen
    folder: Path
    device: torch.device
    progress: Progress
    on_line: Callable[[Mapping[str, Any]], None]
    deadline: Deadline

    def index(self, part: str) -> npt.NDArray[np.intp]:
        """Numbers of the images of a part."""
        return np.flatnonzero(np.asarray(self.data.parts) == part)


@dataclass(frozen=True)
class Fitted:
    """A fitted model and what it says of all images.

    Attributes
    ----------
    predictions : ndarray, shape (N, C) or (N,)
        As `trainer.targets.Labels.predict`, calibrated where `temperature` is given.
    validation : ndarray
        Of the validation part by a model that did not learn from it: to calibrate by and to choose
        a threshold on.
    state : dict of str to Tensor
        Of the network, and of its head where that is a linear layer.
    head : object or None
        Any other head.
    """

    predictions: Predictions
    validation: Predictions
    labels: Labels
    setting: str
    state: State
    head: Any | None = None
    temperature: float | None = None
    notes: tuple[str, ...] = ()


def fit(work: Work) -> Fitted:
    """Carry out the approach of the plan.

    Raises
    ------
    TrainingError
        The plan does not fit the network or the images, or the training cannot go on.
    """
    torch.manual_seed(work.plan.seed)
    network = build_backbone(work.chosen.backbone, work.chosen.weights)
    steps = preprocessing(work.chosen.backbone, network)
    return (_fit_head if work.plan.frozen else _fine_tune)(work, network, steps)


def _encoded(work: Work) -> tuple[Labels, Encoded]:
    """What is learned, standardised by the training part, and the targets of all images."""
    targets = work.data.labels.encode(work.data.images.labels)
    return work.data.labels.fitted(targets[work.index("train")]), targets


def _copies(work: Work, pixels: Pixels) -> Copies | None:
    """Changed copies of the training part, where the plan wants them beforehand."""
    if work.plan.augmentation != "offline":
        return None
    train = np.asarray(pixels[work.index("train")])
    return write_copies(work.folder / "copies", train, work.plan, work.progress)


def _fit_head(work: Work, network: nn.Module, steps: Preprocessing) -> Fitted:
    """Features once, then a head; the network is kept as it came."""
    labels, targets = _encoded(work)
    features = cached_features(
        network, work.chosen.backbone.model, work.data.images, steps, work.device, work.progress
    )
    more, origin = _copied_features(work, network, steps)
    rows = np.concatenate([features, more]) if len(more) else features
    selection = heads.fit_head(
        work.plan.head, rows, np.concatenate([targets, targets[origin]]),
        [*work.data.parts, *("train" for _ in origin)], work.plan.seed,
        labels=labels, class_weights=work.plan.class_weights,
    )  # fmt: skip
    for line in selection.tried:
        work.on_line(line)
    state = {f"backbone.{name}": tensor for name, tensor in network.state_dict().items()}
    linear = work.plan.head == "linear"
    if linear:
        weight, bias = heads.as_linear_layer(selection.head)
        state |= {"head.weight": weight, "head.bias": bias}
    fitted = Fitted(
        predictions=heads.predictions(selection.head, features, labels),
        validation=selection.validation,
        labels=labels,
        setting=selection.chosen,
        state=state,
        head=None if linear else selection.head,
    )
    return _calibrated(work, fitted, targets) if linear else fitted


def _copied_features(
    work: Work, network: nn.Module, steps: Preprocessing
) -> tuple[Features, npt.NDArray[np.intp]]:
    """Features of the copies beside the images themselves, and the image that each is of."""
    none = np.empty((0, 0), dtype=np.float32), np.empty(0, dtype=np.intp)
    if work.plan.augmentation != "offline":
        return none
    found = _copies(work, cached_pixels(work.data.images, steps, work.progress))
    if found is None:
        return none
    train = work.index("train")
    more = extract(network, found.pixels[len(train) :], steps, work.device, work.progress)
    return more, train[found.origin[len(train) :]]


def _fine_tune(work: Work, network: nn.Module, steps: Preprocessing) -> Fitted:
    labels, targets = _encoded(work)
    pixels = cached_pixels(work.data.images, steps, work.progress)
    classifier = Classifier(network, count_features(network, steps.input_px), labels.n_outputs)
    train, validation = work.index("train"), work.index("validation")
    outcome = fine_tune(
        classifier, _training_part(work, pixels, targets, train),
        Part(pixels[validation], targets[validation]), work.plan, steps, work.device,
        work.on_line, work.progress,
        checkpoint=Checkpoint(work.folder / "checkpoint.safetensors"), labels=labels,
    )  # fmt: skip
    outputs = logits_of(classifier, pixels, steps, work.device).numpy()
    predictions = labels.predict(outputs)
    fitted = Fitted(
        predictions=predictions,
        validation=predictions[validation],
        labels=labels,
        setting=f"epochs={work.plan.epochs}",
        state=dict(classifier.state_dict()),
        notes=outcome.notes,
    )
    return _calibrated(work, fitted, targets)


def _training_part(
    work: Work, pixels: Pixels, targets: Encoded, train: npt.NDArray[np.intp]
) -> Part:
    if found := _copies(work, pixels):
        return Part(found.pixels, targets[train][found.origin])
    return Part(pixels[train], targets[train])
