"""The run folder: plan, split, history, result and weights of one training.

=====================  ==========================================================================
file                   content
=====================  ==========================================================================
``plan.json``          the training plan, as carried out
``split.csv``          ``file,label,group,part`` of every image
``history.jsonl``      a line per epoch, or per setting of a head that was tried
``result.json``        a `RunResult`; of a failed run it says why
``model.safetensors``  the network, and its head where that is a linear layer
``head.skops``         any other head
=====================  ==========================================================================
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from evidence.records import Record
from evidence.vocabulary import Approach, Head
from recommender.plan import PlannedBackbone, TrainingPlan
from trainer.bootstrap import Interval
from trainer.errors import TrainingError
from trainer.images import ImageSet
from trainer.targets import Labels

MODEL_FILE = "model.safetensors"


class RunResult(Record):
    """What a training was and what it measured.

    Attributes
    ----------
    metrics : dict
        Split -> metric -> value with its 95% bootstrap interval.
    backbone_recommended, backbone : str
        What the plan asked for and what was trained, with `fallback_reason` where they differ.
    weights : str
        Where the pretrained weights came from, with their SHA-256.
    digests : dict
        SHA-256 of plan, data and model.
    seconds : float
        Wall time of the whole training.
    peak_memory_mb : float or None
        What it took at most on its device (`trainer.memory.PeakMemory`); None where not known.
    temperature : float or None
        Logits are divided by it, so that probabilities are calibrated; None where they are not.
    labels : Labels or None
        What the outputs of the model mean; None for classes, of which `classes` says enough.
    """

    schema_version: Literal[1] = 1
    run_id: str
    status: Literal["finished", "failed"]
    started_at: str
    seconds: float
    classes: tuple[str, ...] = ()
    positive_class: str | None = None
    n_images: int = 0
    n_per_part: dict[str, int] = Field(default_factory=dict)
    backbone_recommended: str
    backbone: str = ""
    planned_backbone: PlannedBackbone | None = None
    fallback_reason: str = ""
    weights: str = ""
    approach: Approach
    head: Head
    head_setting: str = ""
    seed: int
    device: str = ""
    metrics: dict[str, dict[str, Interval]] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str = ""
    peak_memory_mb: float | None = None
    temperature: float | None = Field(default=None, gt=0)
    labels: Labels | None = None


class RunFolder:
    """A run on disk; every file appears whole or not at all, but for the growing history."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """Make a new folder.

        Raises
        ------
        TrainingError
            It is there already and not empty, or cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                msg = f"run folder {path} is not empty; name another with --out"
                raise TrainingError(msg)
        except OSError as error:
            msg = f"run folder {path}: {error.strerror}"
            raise TrainingError(msg) from error
        return cls(path)

    def write_plan(self, plan: TrainingPlan) -> None:
        """Keep the plan as carried out."""
        self._replace("plan.json", plan.model_dump_json(indent=2).encode())

    def write_split(self, images: ImageSet, parts: Sequence[str]) -> None:
        """Keep which image is in which part."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "label", "group", "part"])
        groups = images.groups or [""] * len(parts)
        writer.writerows(zip(images.files, images.labels, groups, parts, strict=True))
        self._replace("split.csv", text.getvalue().encode())

    def append_history(self, line: Mapping[str, Any]) -> None:
        """Add a line, at once readable."""
        try:
            with (self.path / "history.jsonl").open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            msg = f"{self.path / 'history.jsonl'} cannot be written: {error.strerror}"
            raise TrainingError(msg) from error

    def write_result(self, result: RunResult) -> None:
        """Keep the result."""
        self._replace("result.json", result.model_dump_json(indent=2).encode())

    def write_model(self, state: Mapping[str, Tensor]) -> None:
        """Keep the network's tensors."""
        draft = self.path / ".model.safetensors.tmp"
        try:
            save_file({name: tensor.cpu().contiguous() for name, tensor in state.items()}, draft)
            draft.replace(self.path / MODEL_FILE)
        except (OSError, SafetensorError) as error:
            draft.unlink(missing_ok=True)
            msg = f"the model cannot be written to {self.path}: {error}"
            raise TrainingError(msg) from error

    def read_result(self) -> RunResult:
        """Read the result.

        Raises
        ------
        TrainingError
            The folder is no run, or not finished.
        """
        try:
            text = (self.path / "result.json").read_text(encoding="utf-8")
            return RunResult.model_validate_json(text)
        except OSError as error:
            msg = f"{self.path} is no run folder: result.json: {error.strerror}"
            raise TrainingError(msg) from error
        except (ValidationError, UnicodeDecodeError) as error:
            msg = f"{self.path / 'result.json'} cannot be read: {str(error)[:300]}"
            raise TrainingError(msg) from error

    def read_model(self) -> dict[str, Tensor]:
        """Read the network's tensors.

        Raises
        ------
        TrainingError
            The file is missing or broken.
        """
        try:
            return dict(load_file(self.path / MODEL_FILE))
        except (OSError, SafetensorError) as error:
            msg = f"{self.path / MODEL_FILE} cannot be read: {error}"
            raise TrainingError(msg) from error

    def model_digest(self) -> str:
        """SHA-256 of the network's file, and of the head's where there is one.

        Raises
        ------
        TrainingError
            A file is missing.
        """
        digest = hashlib.sha256()
        try:
            for path in (self.path / MODEL_FILE, self.head_file):
                if path == self.path / MODEL_FILE or path.is_file():
                    digest.update(path.read_bytes())
        except OSError as error:
            msg = f"{self.path / MODEL_FILE} cannot be read: {error.strerror}"
            raise TrainingError(msg) from error
        return digest.hexdigest()

    @property
    def head_file(self) -> Path:
        """Where a head that is no linear layer is kept."""
        return self.path / "head.skops"

    def _replace(self, name: str, content: bytes) -> None:
        draft = self.path / f".{name}.tmp"
        try:
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(self.path / name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            msg = f"{self.path / name} cannot be written: {error.strerror}"
            raise TrainingError(msg) from error
