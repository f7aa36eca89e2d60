"""Regret on SYNTHETIC tables whose structure is known, beside the best fixed choice.

Twelve data sets and 18 configurations (six backbones by three approaches) are made up: additive
effects and noise alone, or fine-tuning that gains with the number of images, or a family that is
better on one modality than on another. The advice sees nothing but the table's other data sets.

Usage: python benchmarks/synthetic_tables.py [TABLES]      (of each kind; default 5)
"""

import random
import statistics
import sys

import numpy as np

from recommender.configuration import Configuration, Observation, Task
from recommender.parts import LITERATURE
from recommender.table_evaluation import Surroundings, evaluate_table

IMAGED = (
    ("ultrasound", "breast"), ("ct", "lung"), ("ct", "abdomen"), ("mri", "brain"),
    ("xray", "lung"), ("fundus", "eye"), ("oct", "eye"), ("dermoscopy", "skin"),
    ("microscopy", "colon"),
)  # fmt: skip
BACKBONES = (
    ("ResNet-18", "ResNet"), ("ResNet-50", "ResNet"), ("DenseNet-121", "DenseNet"),
    ("VGG-16", "VGGNet"), ("ViT-Base-16", "ViT"), ("ConvNeXt-Tiny", "ConvNeXt"),
)  # fmt: skip
APPROACHES = (
    ("feature_extractor", "linear"), ("feature_extractor_hybrid", "svm"),
    ("fine_tuning_from_scratch", "linear"),
)  # fmt: skip
KINDS = ("additive", "approach by size", "family by modality")


def table(kind: str, seed: int) -> list[Observation]:
    """One made-up table; standard deviations: backbones 1, approaches 0.5, noise 0.5."""
    rng = random.Random(f"{kind}{seed}")
    main = {name: rng.gauss(0, 1) for name, _ in BACKBONES}
    main |= {approach: rng.gauss(0, 0.5) for approach, _ in APPROACHES}
    own: dict[tuple[str, str], float] = {}
    rows = []
    for number in range(12):
        task = _task(number, rng)
        scale = 10 ** rng.uniform(-1, 0)
        for backbone, family in BACKBONES:
            for approach, head in APPROACHES:
                value = main[backbone] + main[approach] + rng.gauss(0, 0.5)
                if kind == KINDS[1] and approach.startswith("fine"):
                    value += 1.5 * (np.log10(task.n_images or 1) - 3.2)
                if kind == KINDS[2]:
                    value += own.setdefault((task.modality or "", family), rng.gauss(0, 1))
                one = Configuration(backbone, family, approach, head)  # type: ignore[arg-type]
                rows.append(Observation("synthetic", task, one, "auc", 0.8 + 0.05 * value * scale))
    return rows


def _task(number: int, rng: random.Random) -> Task:
    modality, anatomy = rng.choice(IMAGED)
    n_images = int(10 ** rng.uniform(1.7, 4.7))
    return Task(f"set {number}", modality, anatomy, n_images, rng.choice((2, 2, 2, 3, 5, 8)))


def main() -> None:
    """Print mean regrets and their ratio for each kind."""
    n_tables = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    silent = Surroundings(
        (), lambda _task, c: {name: np.zeros(len(c)) for name in LITERATURE}, lambda _one: 0.0
    )
    for kind in KINDS:
        means = [evaluate_table(table(kind, seed), silent).means for seed in range(n_tables)]
        ours, fixed = (
            statistics.fmean(one[name].regret for one in means)
            for name in ("recommender", "best_fixed")
        )
        sys.stdout.write(
            f"{kind}: {n_tables} tables, regret {ours:.4f}, best fixed choice {fixed:.4f}, "
            f"ratio {ours / fixed:.2f}\n"
        )


if __name__ == "__main__":
    main()
