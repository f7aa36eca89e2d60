"""Whether a probe chooses as well as the whole grid, for a tenth of its compute.

For each image set and seed of a grid (`benchmarks/grid.py`) the probe gets the same images, groups
and split, without the test part, and the CPU seconds that are a share of the grid's. What it
chooses is looked up in the grid: its AUC on the test part, as a mean over the seeds, beside the
best configuration of the grid and the mean of all.

The compute of the grid is the sum over its configurations of one seed, features charged once per
backbone; of each configuration the cheapest seed counts, since waiting for other work on the
machine makes CPU seconds longer. The candidates stand in the order of the advice for these images
before the probe, with all comparisons on the same images taken out of the store.

Usage: python benchmarks/probe.py data/runs.csv DATA... [--share 0.09] [--threads 1]
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
from grid import IMAGED, grouped, read

from evidence import queries
from evidence.records import Corpus
from evidence.store import Store
from evtl.asking import TaskOptions, question
from evtl.probing import candidates
from recommender.plan import TrainingPlan
from trainer.images import ImageSet
from trainer.probing.probe import configuration, probe
from trainer.probing.probe_report import Configuration, ProbeReport, Trial, decide
from trainer.tuning.memory import keep_freed_memory

#: Backbone, approach and head.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Cell:
    """Test AUC and CPU seconds of a configuration on one seed."""

    auc: float
    cpu_s: float


Grid = Mapping[int, Mapping[Key, Cell]]


def of_set(rows: Sequence[Mapping[str, str]], name: str) -> Grid:
    """The grid of one image set: seed -> configuration -> result; whole seeds only.

    Without random weights, which take a third of the compute and win nowhere.
    """
    found: dict[int, dict[Key, Cell]] = {}
    for row in rows:
        if row["dataset"] == name and row["initialisation"] == "pretrained":
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


def without(name: str, corpus: Corpus) -> Corpus:
    """A corpus but for the comparisons on the images of one data set."""
    origins = {one.dataset: one.origin for one in corpus.controlled}
    kept = tuple(one for one in corpus.controlled if one.origin != origins.get(name, name))
    return replace(corpus, controlled=kept)


def planned_by_advice(
    name: str, images: ImageSet, grid: Grid, corpus: Corpus
) -> tuple[TrainingPlan, ...]:
    """Every configuration of the grid, in the order of advice that never saw these images."""
    modality, anatomy = IMAGED[name]
    options = TaskOptions(modality=modality, anatomy=anatomy, goal="accuracy")
    asked = question(options, corpus, images)
    backbones = frozenset(key[0] for key in keys(grid))
    advised = candidates(replace(asked, backbones=backbones), without(name, corpus))
    pretrained = [plan for plan in advised if plan.initialisation == "pretrained"]
    return tuple(plan for plan in pretrained if key_of(configuration(plan)) in keys(grid))


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


def run(
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    corpus: Corpus,
    share: float,
    *,
    verbose: bool,
) -> None:
    """Probe one image set with each seed, and print what came of it."""
    grid = of_set(rows, folder.name)
    row = next(row for row in rows if row["dataset"] == folder.name)
    images, whole = grouped(folder, int(row["n_images"])), compute(grid)
    epochs = max(int(row["epochs"] or 0) for row in rows)
    advised = planned_by_advice(folder.name, images, grid, corpus)
    chosen: list[float] = []
    for seed, cells in grid.items():
        as_in_grid = {"epochs": epochs, "seed": seed}
        plans = [plan.model_copy(update=as_in_grid) for plan in advised]
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
    with tempfile.TemporaryDirectory() as place:
        corpus = queries.corpus(Store(f"sqlite:///{place}/evtl.db"))
        for folder in asked.data:
            run(folder, rows, corpus, asked.share, verbose=asked.verbose)


if __name__ == "__main__":
    main()
