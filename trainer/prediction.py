"""A finished run and new images -> probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evidence.records import Record
from recommender.plan import PlannedBackbone
from trainer import heads
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.errors import TrainingError
from trainer.features import choose_device, extract
from trainer.finetune import Classifier
from trainer.images import load_image
from trainer.manifest import SUFFIXES
from trainer.runs import RunFolder


class Prediction(Record):
    """Probability of each class for one image, and the class that is most probable."""

    file: str
    predicted: str
    probabilities: dict[str, float]


def predict(run: Path, paths: Sequence[Path], *, device: str = "auto") -> tuple[Prediction, ...]:
    """Apply a finished run to images, or to every image below a folder.

    Raises
    ------
    TrainingError
        The run is not finished or its files are broken; an image cannot be read.
    """
    folder = RunFolder(run)
    result = folder.read_result()
    if result.status != "finished" or result.planned_backbone is None:
        msg = f"run {result.run_id} did not finish: {result.error}"
        raise TrainingError(msg)
    if folder.model_digest() != result.digests.get("model"):
        msg = f"{run}: the model is not the one that the run wrote (its digest differs)"
        raise TrainingError(msg)
    files = _files(paths)
    probabilities = _probabilities(folder, result.planned_backbone, files, device)
    if probabilities.shape[1] != len(result.classes):
        msg = f"{run}: result.json names {len(result.classes)} classes, the model has others"
        raise TrainingError(msg)
    return tuple(
        Prediction(
            file=str(path),
            predicted=result.classes[int(row.argmax())],
            probabilities={
                name: round(float(p), 6) for name, p in zip(result.classes, row, strict=True)
            },
        )
        for path, row in zip(files, probabilities, strict=True)
    )


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not inside:
                msg = f"{path} holds no images ({', '.join(sorted(SUFFIXES))})"
                raise TrainingError(msg)
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            msg = f"{path}: no such file or folder"
            raise TrainingError(msg)
    return found


def _probabilities(
    folder: RunFolder, backbone: PlannedBackbone, files: Sequence[Path], device: str
) -> npt.NDArray[np.float64]:
    network = build_backbone(backbone, None)
    steps = preprocessing(backbone, network)
    state = folder.read_model()
    linear = "head.weight" in state
    model = network
    if linear:
        n_classes, n_features = state["head.weight"].shape
        model = Classifier(network, n_features, n_classes)
    else:
        state = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        msg = f"{folder.path / 'model.safetensors'} does not fit {backbone.name}: {error}"
        raise TrainingError(msg) from error
    pixels = np.stack([_named(path, steps) for path in files])
    outputs = extract(model, pixels, steps, choose_device(device), lambda *_: None)
    if linear:
        shifted = np.exp(outputs - outputs.max(1, keepdims=True), dtype=np.float64)
        return np.asarray(shifted / shifted.sum(1, keepdims=True))
    return np.asarray(heads.load_head(folder.head_file).predict_proba(outputs), dtype=np.float64)


def _named(path: Path, steps: Preprocessing) -> npt.NDArray[np.uint8]:
    try:
        return load_image(path, steps)
    except TrainingError as error:
        msg = f"{path.parent}: {error}"
        raise TrainingError(msg) from error
