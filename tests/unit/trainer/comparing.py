"""Run folders with predictions, for tests of what compares them."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from recommender.plan import Target
from tests.unit.trainer.toys import plan_of
from trainer.measures.predictions_file import Predicted, write_predictions
from trainer.runs import RunFolder, RunResult
from trainer.targets import Labels

Status = Literal["finished", "failed"]
N = 90
CLASSES = ("benign", "malignant")
BINARY = Labels(target="classes", names=CLASSES)


def predicted(seed: int, skill: float, names: tuple[str, ...] = CLASSES) -> Predicted:
    """Images in groups of two, a third of them for the test; `skill` is how well they are told."""
    targets = np.random.default_rng(0).integers(0, len(names), N)
    noise = np.random.default_rng(seed).normal(size=(N, len(names)))
    logits = noise + skill * np.eye(len(names))[targets]
    part = ("test", "test", "train", "train", "validation", "train")
    return Predicted(
        files=tuple(f"{number:03}.png" for number in range(N)),
        parts=tuple(part[number % 6] for number in range(N)),
        labels=tuple(names[target] for target in targets),
        groups=tuple(f"patient {number // 2}" for number in range(N)),
        names=names,
        predictions=Labels(target="classes", names=names).predict(logits),
    )


def run(
    path: Path, images: Predicted, target: Target = "classes", status: Status = "finished"
) -> Path:
    folder = RunFolder.create(path)
    folder.write_plan(plan_of(target=target))
    result = RunResult(
        run_id=path.name, status=status, started_at="2026-01-01T00:00:00Z", seconds=1,
        backbone_recommended="resnet50", backbone="resnet50", approach="feature_extractor",
        head="linear", seed=0, error="" if status == "finished" else "out of memory",
    )  # fmt: skip
    folder.write_result(result)
    write_predictions(path / "predictions.csv", images)
    return path


def changed(images: Predicted, **fields: Any) -> Predicted:
    return Predicted(**{**vars(images), **fields})
