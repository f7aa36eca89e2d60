"""A plan carried out on prepared images: what the model says of each of them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from recommender.plan import FeatureDepth, TrainingPlan
from trainer import heads
from trainer.backbones import Chosen, Preprocessing, build_backbone
from trainer.feature_cache import cached_features
from trainer.features import extract
from trainer.finetune import Classifier, Part, count_features, fine_tune, logits_of
from trainer.images import Progress
from trainer.measures.calibration import apply_temperature, fit_temperature
from trainer.preparing.preparation import Prepared
from trainer.processes import crew
from trainer.stages import depth_of, read_at
from trainer.targets import Encoded, Labels, Predictions
from trainer.tuning.augmentation import Copies, write_copies
from trainer.tuning.budget import Deadline
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.climber import Ground
from trainer.tuning.feeding import Picked
from trainer.tuning.guard import Guard
from trainer.tuning.ladder import Step, ascend, climb, top

CHECKPOINT_FILE = "checkpoint.safetensors"
LADDER_FOLDER = "ladder"

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
    deadline : Deadline
        When a fine-tuning or a ladder has to be over.
    """

    plan: TrainingPlan
    data: Prepared
    chosen: Chosen
    steps: Preprocessing
    folder: Path
    device: torch.device
    progress: Progress
    on_line: Callable[[dict[str, Any]], None]
    deadline: Deadline


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
    features : str or None
        Where a frozen backbone was read.
    ladder : tuple of Step
        Steps that were taken, and what they gained.
    """

    predictions: Predictions
    validation: Predictions
    labels: Labels
    setting: str
    state: State
    head: Any | None = None
    features: FeatureDepth | None = None
    temperature: float | None = None
    notes: tuple[str, ...] = ()
    ladder: tuple[Step, ...] = ()
    refitted: bool = False


def fit(work: Work) -> Fitted:
    """Carry out the approach of the plan; every process of the training does so.

    Raises
    ------
    TrainingError
        The plan does not fit the network or the images, or the training cannot go on.
    """
    torch.manual_seed(work.plan.seed)
    network = build_backbone(work.chosen.backbone, work.chosen.weights)
    labels = work.data.labels
    targets = labels.encode(work.data.images.labels)
    labels = labels.fitted(targets[work.data.index("train")])
    carry_out = _climb if work.plan.ladder else _fit_head if work.plan.frozen else _fine_tune
    fitted = carry_out(work, network, labels, targets)
    held_out = targets[work.data.index("validation")]
    temperature = fit_temperature(fitted.validation, held_out, labels)
    return replace(
        fitted,
        predictions=apply_temperature(fitted.predictions, temperature, labels),
        validation=apply_temperature(fitted.validation, temperature, labels),
        temperature=None if labels.target == "number" else temperature,
    )


def _fit_head(work: Work, network: nn.Module, labels: Labels, targets: Encoded) -> Fitted:
    """Features once, then a head; the network is kept as it came."""
    data, plan = work.data, work.plan
    depth = depth_of(network, plan.features)
    source = read_at(network, depth)
    features = _features(work, source)
    more, origin = _copied_features(work, source, features.shape[1])
    rows, wanted = np.concatenate([features, more]), np.concatenate([targets, targets[origin]])
    parts = [*data.parts, *("train" for _ in origin)]
    selection = crew.from_main(
        lambda: heads.fit_head(
            plan.head, rows, wanted, parts, plan.seed,
            labels=labels, class_weights=plan.class_weights,
        )
    )  # fmt: skip
    for line in selection.tried:
        work.on_line(line)
    state = {f"backbone.{name}": tensor for name, tensor in network.state_dict().items()}
    linear = plan.head == "linear"
    if linear:
        weight, bias = heads.as_linear_layer(selection.head, labels)
        state |= {"head.weight": weight, "head.bias": bias}
    return Fitted(
        predictions=heads.predict(selection.head, features),
        validation=selection.validation,
        labels=labels,
        setting=selection.chosen,
        state=state,
        head=None if linear else selection.head,
        features=depth,
        refitted=True,
    )


def _features(work: Work, source: nn.Module) -> Features:
    name = work.chosen.backbone.model
    return cached_features(source, name, work.data.images, work.steps, work.device, work.progress)


def _copied_features(
    work: Work, source: nn.Module, width: int
) -> tuple[Features, npt.NDArray[np.intp]]:
    """Features of the copies beside the images themselves, and the image that each is of."""
    found, train = _copies(work), work.data.index("train")
    if found is None:
        return np.empty((0, width), dtype=np.float32), np.empty(0, dtype=np.intp)
    made = found.pixels[len(train) :]
    features = extract(source, made, work.steps, work.device, work.progress)
    return features, train[found.origin[len(train) :]]


def _copies(work: Work) -> Copies | None:
    """Changed copies of the training part, where the plan wants them beforehand."""
    if work.plan.augmentation != "offline":
        return None
    train = np.asarray(work.data.pixels[work.data.index("train")])
    folder = work.folder / "copies"
    return crew.in_turn(lambda: write_copies(folder, train, work.plan, work.progress))


def _fine_tune(work: Work, network: nn.Module, labels: Labels, targets: Encoded) -> Fitted:
    data = work.data
    n_features = count_features(network, work.steps.input_px)
    classifier = Classifier(network, n_features, labels.n_outputs)
    validation = data.index("validation")
    outcome = fine_tune(
        classifier, _training_part(work, targets),
        Part(
            Picked(data.pixels, validation), targets[validation],
            tuple(data.units[number] for number in validation),
        ),
        work.plan, work.steps, work.device, work.on_line, work.progress,
        checkpoint=Checkpoint(work.folder / CHECKPOINT_FILE), labels=labels,
        deadline=work.deadline, n_final=len(data.parts),
    )  # fmt: skip
    fitted = _of_classifier(work, classifier, labels)
    setting = f"epochs={work.plan.epochs}, kept {outcome.best_epoch}"
    return replace(fitted, setting=setting, notes=outcome.notes)


def _climb(work: Work, network: nn.Module, labels: Labels, targets: Encoded) -> Fitted:
    """Up the ladder as far as it pays; where no step does, the head on frozen features."""
    data, chosen = work.data, work.chosen
    watched = replace(work, progress=Guard(work.deadline, work.progress))
    frozen = _features(watched, read_at(network, depth_of(network, work.plan.features)))
    last = _features(watched, network)
    known = np.flatnonzero(np.asarray(data.parts) != "test")
    ground = Ground(
        data.images.pick(known.tolist()), data.pixels[known], frozen[known], last[known],
        partial(build_backbone, chosen.backbone, chosen.weights), work.plan, labels, work.steps,
        work.device, work.progress, work.folder / LADDER_FOLDER, work.deadline,
    )  # fmt: skip
    found, note = climb(ground)
    chosen_step, notes = found[top(found)], tuple(filter(None, [note]))
    if chosen_step.n_open:
        parts = [data.parts[number] for number in known]
        classifier, more = ascend(ground, parts, found, work.on_line)
        fitted, notes = _of_classifier(work, classifier, labels), (*notes, *more)
    else:
        fitted = _fit_head(work, network, labels, targets)
    setting = ", ".join(filter(None, (f"ladder: {chosen_step.name}", fitted.setting)))
    return replace(fitted, setting=setting, notes=(*fitted.notes, *notes), ladder=found)


def _of_classifier(work: Work, classifier: Classifier, labels: Labels) -> Fitted:
    outputs = logits_of(classifier, work.data.pixels, work.steps, work.device).numpy()
    predictions = labels.predict(outputs)
    validation = predictions[work.data.index("validation")]
    return Fitted(predictions, validation, labels, "", dict(classifier.state_dict()))


def _training_part(work: Work, targets: Encoded) -> Part:
    train = work.data.index("train")
    if found := _copies(work):
        return Part(found.pixels, targets[train][found.origin])
    return Part(Picked(work.data.pixels, train), targets[train])
