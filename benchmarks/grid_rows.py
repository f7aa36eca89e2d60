"""Means over the seeds of a grid (`benchmarks/grid.py`) as rows of `data/benchmarks.csv`.

Only configurations that were run on every seed of their data set are written.

Usage: python benchmarks/grid_rows.py TABLE GRID.csv [GRID.csv ...]
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

from grid import read

COLUMNS = (
    "table", "dataset", "backbone", "approach", "initialisation", "pretraining", "head", "metric",
    "value", "cpu_s",
)  # fmt: skip
#: What is kept: other metrics of the same trainings would count them again.
METRICS = ("auc",)


def main() -> None:
    """Write the rows."""
    table, paths = sys.argv[1], map(Path, sys.argv[2:])
    rows = [row for path in paths for row in read(path)]
    seeds = defaultdict(set)
    found = defaultdict(list)
    for row in rows:
        seeds[row["dataset"]].add(row["seed"])
        found[row["dataset"], row["backbone"], row["approach"], row["head"]].append(row)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key, same in sorted(found.items()):
        dataset, backbone, approach, head = key
        if len(same) < len(seeds[dataset]):
            continue
        cpu_s = round(fmean(float(row["cpu_s"]) for row in same), 1)
        for metric in METRICS:
            value = round(fmean(float(row[metric]) for row in same), 5)
            config = (backbone, approach, "pretrained", "imagenet", head)
            writer.writerow([table, dataset, *config, metric, value, cpu_s])


if __name__ == "__main__":
    main()
