"""What every configuration of the embedded backbones reaches on a folder of images.

Each backbone x approach x initialisation x head is trained by the trainer itself, as ``evtl train``
does, in a process of its own that begins with empty caches: same images, same split, groups
(patients, or clusters of near-duplicates where ``split.csv`` names them) kept whole. The test part
is looked at once per configuration. `data/runs.csv` is what this wrote.

A fifth of 400 images tells no hundredth of an AUC. With ``--more N`` up to N of the images beyond
the cap are tested on too, those of other groups; what is learned from stays the same.

Rows are appended to OUT as they come, and what is there already is not run again.

Usage: python benchmarks/grid.py OUT DATA... [--seeds 0,1,2] [--epochs 6] [--cap N] [--more N]
       [--backbones lite0,lite2] [--threads 1]
"""

import argparse
import csv
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

from evidence.records import TaskProfile
from evidence.vocabulary import Approach, Head
from recommender.plan import BLOCKS, PlannedBackbone, TrainingPlan
from trainer.images import ImageSet, read_images
from trainer.preparing.near_duplicates import find_near_duplicates, with_alike
from trainer.preparing.splits import split_images
from trainer.runs import RunResult
from trainer.training import train

METRICS = ("auc", "accuracy", "balanced_accuracy")
COLUMNS = (
    "run_id", "dataset", "n_images", "n_classes", "seed", "backbone", "approach", "initialisation",
    "n_blocks", "head", "epochs",
    *(f"{metric}{part}" for metric in METRICS for part in ("", "_low", "_high")),
    "seconds", "cpu_s", "peak_memory_mb", "device", "versions",
)  # fmt: skip
INPUT_PX = {"lite0": 224, "lite1": 240, "lite2": 260}
#: Modality and anatomy of the sets.
IMAGED = {
    "busi_breast_us": ("ultrasound", "breast"),
    "odir_cataract_fundus": ("fundus", "eye"),
    "pneumonia_xray_28px": ("xray", "lung"),
}
Row = dict[str, str | int | float | None]


class Setting(NamedTuple):
    """What a configuration is beside its backbone."""

    approach: Approach
    head: Head
    initialisation: str = "pretrained"
    n_blocks: int | None = None


SETTINGS = (
    Setting("feature_extractor", "linear"),
    Setting("feature_extractor_hybrid", "svm"),
    Setting("feature_extractor_hybrid", "random_forest"),
    Setting("feature_extractor_hybrid", "knn"),
    Setting("feature_extractor_hybrid", "lda"),
    Setting("fine_tuning", "linear", n_blocks=BLOCKS),
    Setting("fine_tuning_from_scratch", "linear"),
    Setting("fine_tuning_from_scratch", "linear", "random"),
)


def grouped(folder: Path, cap: int | None) -> ImageSet:
    """The images with the groups that ``split.csv`` names, at most `cap` of them."""
    whole = whole_set(folder)
    return whole if cap is None or len(whole.files) <= cap else sample(whole, cap)


def whole_set(folder: Path) -> ImageSet:
    """The images with the groups that ``split.csv`` names, and no split."""
    images = read_images(folder)
    with (folder / "split.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    groups = tuple(
        rows[name].get("group_id") or rows[name].get("dup_cluster") or name for name in images.files
    )
    return replace(images, groups=groups, splits=None)


def sample(images: ImageSet, n: int) -> ImageSet:
    """A random part of the images with the shares of the classes kept, always the same part."""
    rng = random.Random(0)
    kept: list[int] = []
    for label in images.classes:
        members = [i for i, name in enumerate(images.labels) if name == label]
        kept += rng.sample(members, round(n * len(members) / len(images.labels)))
    return images.pick(sorted(kept))


def tested_on_more(images: ImageSet, whole: ImageSet, plan: TrainingPlan, n: int) -> ImageSet:
    """The images in the parts that `plan` gives them, and up to `n` others of `whole` to test on.

    Left out is what is of a group with `images` or alike to one of them.
    """
    parts = dict(zip(images.files, split_images(alike(images), plan), strict=True))
    units = dict(zip(whole.files, alike(whole).units(), strict=True))
    known = {units[name] for name in images.files}
    other = [i for i, name in enumerate(whole.files) if units[name] not in known]
    more = whole.pick(other)
    more = more if len(other) <= n else sample(more, n)
    parts |= dict.fromkeys(more.files, "test")
    both = whole.pick([i for i, name in enumerate(whole.files) if name in parts])
    return replace(both, splits=tuple(parts[name] for name in both.files))


def alike(images: ImageSet) -> ImageSet:
    """The images with their near-duplicates named, as a training finds them."""
    return with_alike(images, find_near_duplicates(images, lambda *_: None))


def planned(name: str) -> PlannedBackbone:
    """An embedded backbone."""
    return PlannedBackbone(
        name=f"EfficientNet-Lite{name[-1]}", library="timm",
        model=f"tf_efficientnet_{name}.in1k", input_px=INPUT_PX[name],
    )  # fmt: skip


def plan_of(
    folder: Path, images: ImageSet, name: str, setting: Setting, seed: int, epochs: int
) -> TrainingPlan:
    """The plan of a configuration."""
    modality, anatomy = IMAGED[folder.name]
    profile = TaskProfile(
        modality=modality, anatomy=anatomy, n_images=len(images.files),
        n_classes=len(images.classes),
    )  # fmt: skip
    frozen = setting.approach.startswith("feature_extractor")
    fields = setting._asdict() | {"augmentation": "none" if frozen else "online"}
    return TrainingPlan.model_validate(
        {"profile": profile, "backbone": planned(name), "epochs": epochs, "seed": seed} | fields
    )


def trained(plan: TrainingPlan, images: ImageSet, n_threads: int) -> tuple[RunResult, float]:
    """Result and CPU seconds of a training in a process of its own, which begins with no cache."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_train, args=(theirs, plan, images, n_threads))
    process.start()
    theirs.close()
    found: tuple[RunResult, float] = ours.recv()
    process.join()
    return found


def _train(answer: Connection, plan: TrainingPlan, images: ImageSet, n_threads: int) -> None:
    torch.set_num_threads(n_threads)
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVTL_CACHE_DIR"] = f"{place}/cache"
        started = time.process_time()
        result, _ = train(plan, images, Path(place, "run"), device="cpu")
        answer.send((result, time.process_time() - started))


def row_of(folder: Path, plan: TrainingPlan, result: RunResult, cpu_s: float) -> Row:
    """One row of a result; its images are those of the plan, without more to test on."""
    found: Row = {
        "run_id": result.run_id, "dataset": folder.name, "n_images": plan.profile.n_images,
        "n_classes": len(result.classes), "seed": plan.seed, "backbone": result.backbone,
        "approach": plan.approach, "initialisation": plan.initialisation,
        "n_blocks": plan.n_blocks, "head": plan.head,
        "epochs": None if plan.frozen else plan.epochs,
        "seconds": result.seconds, "cpu_s": round(cpu_s, 2),
        "peak_memory_mb": result.peak_memory_mb, "device": result.device,
        "versions": "; ".join(f"{name} {v}" for name, v in sorted(result.versions.items())),
    }  # fmt: skip
    for metric in METRICS:
        of = result.metrics["test"][metric]
        found |= {metric: of.value, f"{metric}_low": of.low, f"{metric}_high": of.high}
    return found


def rows(folder: Path, images: ImageSet, seed: int, asked: argparse.Namespace) -> Iterator[Row]:
    """Every row of one set and seed that is not there yet."""
    done = {key_of(row) for row in read(asked.out) if row["dataset"] == folder.name}
    whole = whole_set(folder) if asked.more else images
    for name in asked.backbones.split(","):
        for setting in SETTINGS:
            key = (str(seed), planned(name).name, *map(str, (*setting[:3], setting.n_blocks or "")))
            if key not in done:
                plan = plan_of(folder, images, name, setting, seed, asked.epochs)
                shown = tested_on_more(images, whole, plan, asked.more) if asked.more else images
                yield row_of(folder, plan, *trained(plan, shown, asked.threads))


def key_of(row: Mapping[str, str]) -> tuple[str, ...]:
    """Seed, backbone and setting of a row."""
    names = ("seed", "backbone", "approach", "head", "initialisation", "n_blocks")
    return tuple(row[name] for name in names)


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a grid."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def main() -> None:
    """Run what is missing of the grid."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--cap", type=int)
    parser.add_argument("--more", type=int, default=0)
    parser.add_argument("--backbones", default="lite0,lite2")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    with asked.out.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        if not stream.tell():
            writer.writeheader()
            stream.flush()
        for seed in map(int, asked.seeds.split(",")):
            for folder in asked.data:
                for row in rows(folder, grouped(folder, asked.cap), seed, asked):
                    writer.writerow(row)
                    stream.flush()


if __name__ == "__main__":
    main()
