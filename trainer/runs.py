"""The run folder: plan, split, history, result and weights of one training.

=====================  ==========================================================================
file                   content
=====================  ==========================================================================
``begun.json``         `Begun`: which images, since when; what a resumed training needs
``plan.json``          the training plan, as carried out
``fingerprint.json``   what the images are (`trainer.preparing.fingerprint`)
``split.csv``          ``file,label,group,part`` of every image; groups by a number
``history.jsonl``      a line per epoch, or per setting of a head that was tried
``folds.jsonl``        metrics of each further split, where the plan asks for several
``result.json``        a `RunResult`; of a failed run it says why
``predictions.csv``    what the model says of every image
``report.html``        all of it to look at
``MODEL_CARD.md``      what the model is for, and how good it is
``model.safetensors``  the network, and its head where that is a linear layer
``head.skops``         any other head
=====================  ==========================================================================
"""

import contextlib
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from filelock import FileLock, Timeout
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from evidence.records import Record
from evidence.vocabulary import Approach, Head
from recommender.plan import FeatureDepth, PlannedBackbone, TrainingPlan
from trainer.errors import TrainingError
from trainer.images import ImageSet
from trainer.measures.bootstrap import Interval
from trainer.measures.operating_point import OperatingPoint
from trainer.places import new_file
from trainer.preparing.data_summary import DataSummary
from trainer.reading.private import numbered
from trainer.targets import Labels

MODEL_FILE = "model.safetensors"
BEGUN_FILE = "begun.json"
LOCK_FILE = ".lock"

R = TypeVar("R", bound=Record)


class Begun(Record):
    """What a training that was stopped has to know to go on.

    Attributes
    ----------
    data : str
        Folder of the images, absolute, without which nothing can be gone on with. No other file of
        the run, nor the store, names it: a folder may be called like a patient.
    data_digest : str
        `ImageSet.digest` of what was found there.
    plan_digest : str
        `TrainingPlan.digest` of ``plan.json``.
    order : tuple of str
        Of ordinal grades.
    device : str
        As asked for.
    """

    schema_version: Literal[1] = 1
    run_id: str
    started_at: str
    data: str
    data_digest: str
    plan_digest: str
    order: tuple[str, ...] = ()
    device: str = "auto"


class Resampled(Record):
    """A metric over several resamples of the images: mean, standard deviation, extremes."""

    n: int
    mean: float
    deviation: float
    smallest: float
    largest: float


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
        What it took at most on its device (`trainer.tuning.memory`); None where not known.
    features : str or None
        Where a frozen backbone was read (`trainer.stages`); None where it was fine-tuned.
    temperature : float or None
        Logits are divided by it, so that probabilities are calibrated; None where they are not.
    labels : Labels or None
        What the outputs of the model mean; None for classes, of which `classes` says enough.
    by_class : dict
        Part -> class -> metric -> interval.
    warnings : tuple of str
        What a reader must know; of files they tell the name at most, never the folder.
    error : str
        Of a failed run, likewise.
    operating_point : OperatingPoint or None
        Where the plan asks for a sensitivity.
    resampled : dict
        Metric -> its mean over further splits, where the plan asks for them.
    data : DataSummary or None
        What was noticed of the images.
    n_resumed : int
        How often the run was gone on with after it was stopped; `seconds` are those of the last.
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
    features: FeatureDepth | None = None
    temperature: float | None = Field(default=None, gt=0)
    labels: Labels | None = None
    by_class: dict[str, dict[str, dict[str, Interval]]] = Field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    resampled: dict[str, Resampled] = Field(default_factory=dict)
    data: DataSummary | None = None
    n_resumed: int = 0


class RunFolder:
    """A run on disk; every file appears whole or not at all, but for the growing history."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path / LOCK_FILE)

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

    @classmethod
    def stopped(cls, path: Path) -> "RunFolder":
        """The folder of a training that may be gone on with.

        Raises
        ------
        TrainingError
            No training was begun there.
        """
        if not (path / BEGUN_FILE).is_file():
            msg = (
                f"{path} holds no training that was begun ({BEGUN_FILE} is missing): start it anew"
            )
            raise TrainingError(msg)
        return cls(path)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from this run until the end of the block; may be nested.

        The system takes the lock back from a process that ends, however it ends.

        Raises
        ------
        TrainingError
            Another process works on the run, or the folder cannot be written.
        """
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            msg = f"{self.path}: another process works on this run; wait until it ends, or end it"
            raise TrainingError(msg) from error
        except OSError as error:
            msg = f"{self._lock.lock_file} cannot be written: {error.strerror}"
            raise TrainingError(msg) from error
        try:
            yield
        finally:
            self._lock.release()

    def write_begun(self, begun: Begun) -> None:
        """Keep what a resumed training needs; the first file of a run."""
        self.write(BEGUN_FILE, begun.model_dump_json(indent=2))

    def read_begun(self) -> Begun:
        """What a resumed training needs.

        Raises
        ------
        TrainingError
            The file is missing or broken.
        """
        return self._read(BEGUN_FILE, Begun)

    def write_plan(self, plan: TrainingPlan) -> None:
        """Keep the plan as carried out."""
        self.write("plan.json", plan.model_dump_json(indent=2))

    def write_split(self, images: ImageSet, parts: Sequence[str]) -> None:
        """Keep which image is in which part."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["file", "label", "group", "part"])
        groups = numbered(images.groups) if images.groups else [""] * len(parts)
        writer.writerows(zip(images.files, images.labels, groups, parts, strict=True))
        self.write("split.csv", text.getvalue())

    def append(self, name: str, line: Mapping[str, Any]) -> None:
        """Add a line of JSON to a file, at once readable; the line before may be cut off.

        Raises
        ------
        TrainingError
            The disk is full or does not allow it.
        """
        path = self.path / name
        try:
            cut = path.is_file() and path.read_bytes()[-1:] not in {b"", b"\n"}
            with path.open("a", encoding="utf-8") as stream:
                stream.write("\n" * cut + json.dumps(line) + "\n")
        except OSError as error:
            msg = f"{path} cannot be written: {error.strerror}"
            raise TrainingError(msg) from error

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Whole lines of a file that grows; the last may have been cut off by a kill."""
        path = self.path / name
        if not path.is_file():
            return []
        found = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def rewrite(self, name: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Set a file that grows to what is known to be true."""
        self.write(name, "".join(json.dumps(line) + "\n" for line in lines))

    def write_result(self, result: RunResult) -> None:
        """Keep the result."""
        self.write("result.json", result.model_dump_json(indent=2))

    def write_model(self, state: Mapping[str, Tensor]) -> None:
        """Keep the network's tensors."""
        try:
            with new_file(self.path / MODEL_FILE) as draft:
                content = {name: tensor.cpu().contiguous() for name, tensor in state.items()}
                # Others may read it as they may read the rest: safetensors would forbid it.
                draft.touch()
                allowed = draft.stat().st_mode
                save_file(content, draft)
                draft.chmod(allowed)
        except SafetensorError as error:
            msg = f"the model cannot be written to {self.path}: {error}"
            raise TrainingError(msg) from error

    def read_plan(self) -> TrainingPlan:
        """The plan that is carried out.

        Raises
        ------
        TrainingError
            The file is missing or broken.
        """
        return self._read("plan.json", TrainingPlan)

    def read_result(self) -> RunResult:
        """Read the result.

        Raises
        ------
        TrainingError
            The folder is no run, or not finished.
        """
        return self._read("result.json", RunResult)

    def finished(self) -> RunResult | None:
        """The result of a training that finished; None of any other."""
        if not (self.path / "result.json").is_file():
            return None
        result = self.read_result()
        return result if result.status == "finished" else None

    def _read(self, name: str, kind: type[R]) -> R:
        try:
            return kind.model_validate_json((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            msg = f"{self.path} is no run folder: {name}: {error.strerror}"
            raise TrainingError(msg) from error
        except (ValidationError, UnicodeDecodeError) as error:
            msg = f"{self.path / name} cannot be read: {str(error)[:300]}"
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

    def write(self, name: str, text: str) -> None:
        """Keep a file, whole or not at all.

        Raises
        ------
        TrainingError
            The disk is full or does not allow it.
        """
        with new_file(self.path / name) as draft:
            draft.write_text(text, encoding="utf-8")
