"""What every configuration of the embedded backbones reaches on a folder of images.

Each backbone (EfficientNet-Lite0 to Lite2) x approach x head is trained on the same splits, with
groups kept whole (patients, or clusters of near-duplicates where ``split.csv`` names them). The
test part is looked at once per configuration. Compute is CPU time of the process, so that other
work on the machine does not count; features are extracted once per backbone and their time is
charged to each head that uses them.

Rows are appended to OUT as they come, and what is there already is not run again.

Usage: python benchmarks/grid.py OUT DATA... [--seeds 0,1,2] [--epochs 6] [--cap N]
       [--backbones lite0,lite1,lite2]
"""

import argparse
import csv
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from evidence.records import TaskProfile
from recommender.plan import PROBED, PlannedBackbone, TrainingPlan
from trainer import heads
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.features import extract
from trainer.finetune import Classifier, Part, count_features, fine_tune, logits_of
from trainer.images import ImageSet, decode, read_images
from trainer.measures.areas import macro_auc
from trainer.preparing.splits import split_images
from trainer.tuning.memory import keep_freed_memory
from trainer.weights import find_weights

COLUMNS = (
    "dataset", "n_images", "n_classes", "seed", "backbone", "approach", "head", "epochs",
    "auc", "accuracy", "balanced_accuracy", "cpu_s",
)  # fmt: skip
INPUT_PX = {"lite0": 224, "lite1": 240, "lite2": 260}
CPU = torch.device("cpu")
Row = dict[str, str | int | float]
Values = tuple[float, float, float]


def silent(_stage: str, _done: int, _total: int) -> None:
    """No progress bar."""


def grouped(folder: Path, cap: int | None) -> ImageSet:
    """The images with the groups that ``split.csv`` names, at most `cap` of them."""
    images = read_images(folder)
    with (folder / "split.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream)}
    groups = tuple(
        rows[name].get("group_id") or rows[name].get("dup_cluster") or name for name in images.files
    )
    whole = replace(images, groups=groups, splits=None)
    return whole if cap is None or len(groups) <= cap else sample(whole, cap)


def sample(images: ImageSet, n: int) -> ImageSet:
    """A random part of the images with the shares of the classes kept, always the same part."""
    rng = random.Random(0)
    kept: list[int] = []
    for label in images.classes:
        members = [i for i, name in enumerate(images.labels) if name == label]
        kept += rng.sample(members, round(n * len(members) / len(images.labels)))
    return pick(images, sorted(kept))


def pick(images: ImageSet, index: Sequence[int]) -> ImageSet:
    """Some of the images."""

    def of(values: tuple[str, ...] | None) -> tuple[str, ...]:
        return tuple((values or ())[i] for i in index)

    return replace(
        images, files=of(images.files), labels=of(images.labels), groups=of(images.groups),
        digests=of(images.digests),
    )  # fmt: skip


def planned(name: str) -> PlannedBackbone:
    """An embedded backbone."""
    return PlannedBackbone(
        name=f"EfficientNet-Lite{name[-1]}", library="timm",
        model=f"tf_efficientnet_{name}.in1k", input_px=INPUT_PX[name],
    )  # fmt: skip


def values(targets: np.ndarray, probabilities: np.ndarray) -> Values:
    """Macro AUC, accuracy and balanced accuracy."""
    right = probabilities.argmax(1) == targets
    per_class = [right[targets == label].mean() for label in np.unique(targets)]
    return macro_auc(targets, probabilities), float(right.mean()), float(np.mean(per_class))


def configurations(
    images: ImageSet, name: str, seed: int, epochs: int, done: set[tuple[str, str]]
) -> Iterator[tuple[str, str, Values, float]]:
    """Approach, head, values of the test part and CPU seconds, of what is not `done`."""
    weights = find_weights(planned(name))
    if weights is None:
        msg = f"the weights of {name} are not installed"
        raise SystemExit(msg)
    started = time.process_time()
    network = build_backbone(planned(name), weights)
    steps = preprocessing(planned(name), network)
    pixels = decode(images, steps, silent)
    decoding = time.process_time() - started
    profile = TaskProfile(
        modality="ultrasound", n_images=len(images.files), n_classes=len(images.classes)
    )
    plan = TrainingPlan(
        profile=profile, backbone=planned(name), approach="fine_tuning_from_scratch", head="linear",
        augmentation="online", epochs=epochs, seed=seed,
    )  # fmt: skip
    parts = np.asarray(split_images(images, plan))
    started = time.process_time()
    features = extract(network, pixels, steps, CPU, silent)
    extraction = decoding + time.process_time() - started
    test = parts == "test"
    for approach, head in PROBED:
        if (approach, head) in done:
            continue
        started = time.process_time()
        if approach.startswith("feature_extractor"):
            fitted = heads.fit_head(head, features, images.targets, parts.tolist(), seed)
            found = fitted.head.predict_proba(features[test])
            spent = extraction
        else:
            found = tuned(plan, network, pixels, images, parts, steps)
            spent = decoding
        seconds = spent + time.process_time() - started
        yield approach, head, values(images.targets[test], np.asarray(found)), seconds


def tuned(
    plan: TrainingPlan, network: torch.nn.Module, pixels: np.ndarray, images: ImageSet,
    parts: np.ndarray, steps: Preprocessing,
) -> np.ndarray:  # fmt: skip
    """Probabilities of the test part after full fine-tuning; the network is changed."""
    torch.manual_seed(plan.seed)
    n_features = count_features(network, steps.input_px)
    classifier = Classifier(network, n_features, len(images.classes))
    train, validation, test = (
        Part(pixels[parts == part], images.targets[parts == part])
        for part in ("train", "validation", "test")
    )
    fine_tune(classifier, train, validation, plan, steps, CPU, lambda _line: None, silent)
    return logits_of(classifier, test.pixels, steps, CPU).double().softmax(1).numpy()


def rows(
    folder: Path, images: ImageSet, seed: int, backbones: Sequence[str], epochs: int, out: Path
) -> Iterator[Row]:
    """Every row of one set and seed that `out` does not hold yet."""
    about: Row = {
        "dataset": folder.name, "n_images": len(images.files), "n_classes": len(images.classes),
        "seed": seed, "epochs": epochs,
    }  # fmt: skip
    for name in backbones:
        backbone = planned(name).name
        done = {
            (row["approach"], row["head"])
            for row in (read(out) if out.exists() else ())
            if all(row[key] == str(value) for key, value in {**about, "backbone": backbone}.items())
        }
        if set(PROBED) <= done:
            continue
        for approach, head, found, seconds in configurations(images, name, seed, epochs, done):
            measured = dict(zip(COLUMNS[8:11], (round(v, 5) for v in found), strict=True))
            yield {
                **about, "backbone": backbone, "approach": approach, "head": head, **measured,
                "cpu_s": round(seconds, 2),
            }  # fmt: skip


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
    parser.add_argument("--backbones", default="lite0,lite1,lite2")
    asked = parser.parse_args()
    keep_freed_memory()
    with asked.out.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        if not stream.tell():
            writer.writeheader()
        for seed in map(int, asked.seeds.split(",")):
            for folder in asked.data:
                images = grouped(folder, asked.cap)
                names = asked.backbones.split(",")
                for row in rows(folder, images, seed, names, asked.epochs, asked.out):
                    writer.writerow(row)
                    stream.flush()


if __name__ == "__main__":
    main()
