"""Whether a probe chooses as well as the whole grid, for a tenth of its compute.

For each image set and seed of a grid (`benchmarks/grid.py`) the probe gets the same images, groups
and split, without the test part, and the CPU seconds that are a share of the grid's. What it
chooses is looked up in the grid: its AUC on the test part, as a mean over the seeds, beside the
best configuration of the grid and the mean of all.

The compute of the grid is the sum over its configurations of one seed, features charged once per
backbone; of each configuration the cheapest seed counts, since waiting for other work on the
machine makes CPU seconds longer. The candidates stand in an order that says nothing of the data:
small backbones first, approaches and heads as `recommender.plan.CARRIED_OUT` lists them.

Usage: python benchmarks/probe.py GRID.csv DATA... [--share 0.09] [--threads 1]
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from grid import grouped, planned, read

from evidence.records import TaskProfile
from recommender.plan import CARRIED_OUT, TrainingPlan
from trainer.memory import keep_freed_memory
from trainer.probe import probe
from trainer.probe_report import Configuration, ProbeReport, Trial, decide

#: Backbone, approach and head.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Cell:
    """Test AUC and CPU seconds of a configuration on one seed."""

    auc: float
    cpu_s: float


Grid = Mapping[int, Mapping[Key, Cell]]


def of_set(rows: Sequence[Mapping[str, str]], name: str) -> Grid:
    """The grid of one image set: seed -> configuration -> result; whole seeds only."""
    found: dict[int, dict[Key, Cell]] = {}
    for row in rows:
        if row["dataset"] == name:
            key = row["backbone"], row["approach"], row["head"]
            cell = Cell(float(row["auc"]), float(row["cpu_s"]))
            found.setdefault(int(row["seed"]), {})[key] = cell
    most = max(map(len, found.values()))
    return {seed: cells for seed, cells in sorted(found.items()) if len(cells) == most}


def compute(grid: Grid) -> float:
    """CPU seconds of all configurations, features charged once per backbone."""
    cheapest = {key: min(cells[key].cpu_s for cells in grid.values()) for key in keys(grid)}
    total = sum(cheapest.values())
    for backbone in {key[0] for key in cheapest}:
        frozen = [s for k, s in cheapest.items() if k[0] == backbone and k[1].startswith("feature")]
        # The fastest head is hardly more than the features that each of them was charged with.
        total -= min(frozen) * (len(frozen) - 1)
    return total


def keys(grid: Grid) -> Sequence[Key]:
    """All configurations."""
    return list(next(iter(grid.values())))


def candidates(
    backbones: Sequence[str], n_images: int, epochs: int, seed: int
) -> list[TrainingPlan]:
    """Every configuration of the grid, in an order that says nothing of the data."""
    return [
        TrainingPlan(
            profile=TaskProfile(modality="ultrasound", n_images=n_images),
            backbone=planned(f"lite{name[-1]}"), approach=approach, head=head,
            augmentation="online" if approach == "fine_tuning_from_scratch" else "none",
            epochs=epochs, seed=seed,
        )
        for name in sorted(backbones) for approach, head in CARRIED_OUT
    ]  # fmt: skip


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def describe(trial: Trial) -> str:
    """One line of a report."""
    pair, used = trial.paired, trial.fidelity
    beside = f" {pair.difference:+.4f} (se {pair.se:.4f})" if pair else ""
    return (
        f"    {trial.backbone} {trial.approach} {trial.head}: {used.images} images, "
        f"{used.epochs} epochs, {used.folds} folds: {trial.value:.4f} (se {trial.se:.4f}){beside}"
        f" {trial.seconds:.1f} s"
    )


def run(folder: Path, rows: Sequence[Mapping[str, str]], share: float, *, verbose: bool) -> None:
    """Probe one image set with each seed, and print what came of it."""
    grid = of_set(rows, folder.name)
    row = next(row for row in rows if row["dataset"] == folder.name)
    images, whole = grouped(folder, int(row["n_images"])), compute(grid)
    chosen: list[float] = []
    for seed, cells in grid.items():
        names = {key[0] for key in cells}
        plans = candidates(sorted(names), len(images.files), int(row["epochs"]), seed)
        report = probe(
            plans, images, share * whole, seed=seed, device="cpu", clock=time.process_time
        )
        first = next(each for each in decide(report) if key_of(each) in cells)
        chosen.append(cells[key_of(first)].auc)
        say(summary(folder.name, seed, report, chosen[-1], whole, key_of(first)))
        for trial in report.trials if verbose else ():
            say(describe(trial))
    means = {key: mean(cells[key].auc for cells in grid.values()) for key in keys(grid)}
    best = max(means, key=lambda key: means[key])
    say(
        f"{folder.name}, mean of {len(grid)} seeds: chosen {mean(chosen):.4f}, best of the grid "
        f"{means[best]:.4f} ({' '.join(best)}), difference {mean(chosen) - means[best]:+.4f}, "
        f"mean of the grid {mean(means.values()):.4f}"
    )


def key_of(each: Configuration) -> Key:
    """Backbone, approach and head of a configuration."""
    return each.backbone, each.approach, each.head


def summary(name: str, seed: int, report: ProbeReport, auc: float, whole: float, first: Key) -> str:
    """One line per probe."""
    return (
        f"{name} seed {seed}: {' '.join(first)}: test AUC {auc:.4f}; {len(report.trials)} trials, "
        f"{len(report.skipped)} skipped; {report.cpu_s:.1f} of {whole:.0f} CPU s "
        f"({report.cpu_s / whole:.1%}), {report.wall_s:.1f} s"
    )


def main() -> None:
    """Probe every set of the grid that is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("grid", type=Path)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--share", type=float, default=0.09)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    asked = parser.parse_args()
    keep_freed_memory()
    # Threads that wait for each other count as CPU seconds.
    torch.set_num_threads(asked.threads)
    rows = read(asked.grid)
    for folder in asked.data:
        run(folder, rows, asked.share, verbose=asked.verbose)


if __name__ == "__main__":
    main()
