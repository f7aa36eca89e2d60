"""A run folder -> the model that it trained, ready to be applied to images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from recommender.plan import TrainingPlan
from trainer import heads
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.errors import TrainingError
from trainer.features import autocast, to_input
from trainer.measures.calibration import apply_temperature
from trainer.runs import MODEL_FILE, RunFolder, RunResult
from trainer.stages import read_at
from trainer.targets import Labels, Predictions
from trainer.tuning.classifier import Classifier, count_features

#: Names of the linear head's tensors in a run's model file.
HEAD_WEIGHT = "head.weight"
BACKBONE = "backbone."


@dataclass(frozen=True)
class TrainedModel:
    """What a finished run trained.

    Attributes
    ----------
    run : pathlib.Path
        Its folder.
    result : RunResult
        What the run says of itself.
    plan : TrainingPlan
        What was carried out.
    network : torch.nn.Module
        In eval mode: ``(N, 3, px, px)`` -> logits ``(N, C)`` where the head is linear
        (a `Classifier`), else features ``(N, D)``.
    head : object
        A fitted scikit-learn head on the features; None where the head is linear.
    steps : Preprocessing
        How images are brought to the network.
    """

    run: Path
    result: RunResult
    plan: TrainingPlan
    network: nn.Module
    head: Any
    steps: Preprocessing

    def to(self, device: torch.device) -> "TrainedModel":
        """Move the network there, ready to be applied; returns the same model."""
        self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def outputs(self, pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
        """Logits, or features where the head is not linear.

        Parameters
        ----------
        pixels : ndarray, shape (N, px, px, 3)
            As `trainer.images.load_image` gives them.
        device : torch.device
            Where the network is.

        Returns
        -------
        Tensor, shape (N, C) or (N, D)
        """
        with torch.inference_mode(), autocast(device):
            found: Tensor = self.network(to_input(pixels, self.steps, device))
            return found.float().cpu()

    @property
    def labels(self) -> Labels:
        """What the outputs mean."""
        return self.result.labels or Labels(target="classes", names=self.result.classes)

    def answers(self, pixels: npt.NDArray[np.uint8], device: torch.device) -> Predictions:
        """What the model says of each image.

        Returns
        -------
        ndarray, shape (N, C) or (N,)
            As `trainer.targets.Labels.predict`: probabilities, or numbers in their unit.
        """
        return self.said(self.outputs(pixels, device).numpy())

    def said(self, outputs: npt.NDArray[np.float32]) -> Predictions:
        """The same from `outputs`: logits, or features where the head is not linear."""
        if self.head is None:
            found = self.labels.predict(outputs)
        else:
            found = heads.predict(self.head, outputs)
        return apply_temperature(found, self.result.temperature or 1.0, self.labels)


def load_model(run: Path) -> TrainedModel:
    """Rebuild the model of a finished run.

    Raises
    ------
    TrainingError
        The run did not finish, a file of it is missing, broken or not as the run wrote it, or
        the files contradict each other.
    """
    folder = RunFolder(run)
    result = folder.read_result()
    if result.status != "finished" or result.planned_backbone is None:
        msg = f"run {result.run_id} did not finish: {result.error}"
        raise TrainingError(msg)
    plan = _plan(folder, result)
    if folder.model_digest() != result.digests.get("model"):
        msg = f"{run}: the model is not the one that the run wrote (its digest differs)"
        raise TrainingError(msg)
    bare = build_backbone(result.planned_backbone, None)
    steps = preprocessing(result.planned_backbone, bare)
    network = _with_state(folder, result, bare)
    head = None if isinstance(network, Classifier) else heads.load_head(folder.head_file)
    model = TrainedModel(run, result, plan, network.eval(), head, steps)
    _check_outputs(model)
    return model


def _plan(folder: RunFolder, result: RunResult) -> TrainingPlan:
    plan = folder.read_plan()
    if plan.digest != result.digests.get("plan"):
        msg = (
            f"{folder.path / 'plan.json'} is not the plan that the run carried out (its digest "
            "differs); to train an edited plan: evtl train DATA --plan FILE"
        )
        raise TrainingError(msg)
    return plan


def _with_state(folder: RunFolder, result: RunResult, backbone: nn.Module) -> nn.Module:
    state = folder.read_model()
    own = {n.removeprefix(BACKBONE): t for n, t in state.items() if n.startswith(BACKBONE)}
    network = read_at(backbone, result.features or "last")
    try:
        backbone.load_state_dict(own)
        if HEAD_WEIGHT in state:
            n_classes, n_features = state[HEAD_WEIGHT].shape
            network = Classifier(network, n_features, n_classes)
            network.head.load_state_dict({n: state[f"head.{n}"] for n in ("weight", "bias")})
    except (RuntimeError, KeyError) as error:
        msg = f"{folder.path / MODEL_FILE} does not fit {result.backbone}: {str(error)[:300]}"
        raise TrainingError(msg) from error
    return network


def _check_outputs(model: TrainedModel) -> None:
    labels = model.labels
    if labels.target != model.plan.target:
        msg = f"{model.run}: plan.json learns {model.plan.target}, result.json {labels.target}"
        raise TrainingError(msg)
    if isinstance(model.network, Classifier):
        source, width = model.network.backbone, model.network.head.in_features
    else:
        source, width = model.network, int(model.head.n_features_in_)
    if (found := count_features(source, model.steps.input_px)) != width:
        msg = (
            f"{model.run}: the head takes {width} features, the network gives {found}: result.json "
            "or the files of the model are not as the run wrote them"
        )
        raise TrainingError(msg)
    if isinstance(model.network, Classifier):
        fits = model.network.head.out_features == labels.n_outputs
    else:
        tried = model.said(np.zeros((1, int(model.head.n_features_in_)), np.float32))
        fits = labels.target == "number" or tried.shape[1] == len(labels.names)
    named = len(labels.names)
    if fits and labels.target != "number" and model.result.classes != labels.names:
        fits, named = False, len(model.result.classes)
    if not fits:
        msg = f"{model.run}: result.json names {named} classes, the model has others"
        raise TrainingError(msg)
