"""Speed of questions to a SYNTHETIC store of a million arms.

The store is filled with made-up studies (four arms each) beside the shipped corpus. Each command
runs as a whole process, in turn with a bare ``python -c pass`` that shows what a process costs on
this machine; the figure is the median of its wall times.

Usage: python benchmarks/large_store.py [N_ARMS] [RUNS] [DATABASE_URL]
"""

import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, text

from evidence import schema
from evidence.store import Store

ARMS_PER_STUDY = 4
EVTL = [sys.executable, "-c", "from evtl.cli import main; main()"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "evtl sql, family": [
        *EVTL, "sql",
        "select family, count(*) from study_features group by 1 order by 2 desc",
    ],
    "evtl sql, arms": [
        *EVTL, "sql",
        "select family, count(*) from arm join backbone on backbone.name = arm.backbone group by 1",
    ],
    "evtl studies": [*EVTL, "studies", "--modality", "ultrasound"],
}  # fmt: skip
MODALITIES = ("xray", "ct", "mri", "ultrasound", "fundus", "oct", "endoscopy", "microscopy")
PLACES = ("breast", "lung", "brain", "eye", "skin", "liver", "thyroid", "tooth")
APPROACHES = ("feature_extractor", "fine_tuning_from_scratch")


def fill(store: Store, n_arms: int) -> None:
    """Add synthetic studies until there are about `n_arms` arms more."""
    with store.begin() as connection:
        backbones = list(connection.scalars(select(schema.backbone.c.name)))
        last = connection.execute(select(func.max(schema.extraction.c.id))).scalar_one()
        for batch in batches(range(last + 1, last + 1 + n_arms // ARMS_PER_STUDY), 20_000):
            for table, rows in synthetic(batch, backbones).items():
                connection.execute(table.insert(), rows)
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))  # as its autovacuum does after a while


def batches(numbers: range, size: int) -> Iterator[range]:
    """The numbers in portions."""
    return (numbers[start : start + size] for start in range(0, len(numbers), size))


def synthetic(numbers: range, backbones: list[str]) -> dict[Any, list[dict[str, Any]]]:
    """Rows of made-up studies, the same for the same numbers."""
    draw = random.Random(numbers.start)
    unsaid = {c.name: "" for c in schema.extraction.c if not c.nullable}
    studies, extractions, places, tasks, datasets, arms, values = ([] for _ in range(7))
    for number in numbers:
        key = f"synthetic-{number}"
        studies.append(
            {"key": key, "first_author": "Synthetic", "year": draw.randint(2012, 2025),
             "title": f"Synthetic study {number}", "venue": "", "cited_from": "synthetic"}
        )  # fmt: skip
        extractions.append(
            unsaid | {
                "id": number, "review": "kora2022", "study": key, "status": "extracted",
                "locator_table": "synthetic", "position": number, "reading": "inferred",
                "year": 2020, "modality": draw.choice(MODALITIES), "augmentation": "unknown",
                "visualization": "unknown",
            }
        )  # fmt: skip
        places.append({"extraction": number, "position": 1, "anatomy": draw.choice(PLACES)})
        tasks.append({"extraction": number, "position": 1, "task": "classification"})
        datasets.append(
            {"extraction": number, "class_type": "binary", "n_classes": 2,
             "n_images": draw.randint(100, 100_000)}
        )  # fmt: skip
        chosen = draw.sample(backbones, ARMS_PER_STUDY)
        for position, backbone in enumerate(chosen, 1):
            arms.append(
                {"extraction": number, "position": position,
                 "role": "winner" if position == 1 else "benchmark", "backbone": backbone,
                 "approach": draw.choice(APPROACHES), "initialisation": "pretrained",
                 "head": "linear", "layers_unfrozen": ""}
            )  # fmt: skip
        value = round(draw.uniform(0.7, 0.99), 3)
        values.append(
            {"extraction": number, "position": 1, "arm": 1, "split": "unspecified",
             "metric": "auc", "operator": "=", "value": value, "notation": f"auc={value}"}
        )  # fmt: skip
    return {
        schema.study: studies, schema.extraction: extractions,
        schema.extraction_anatomy: places, schema.extraction_task: tasks,
        schema.dataset: datasets, schema.arm: arms, schema.evaluation: values,
    }  # fmt: skip


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Fill a store, run every command in turn, print the medians."""
    n_arms = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    n_runs = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[3] if len(sys.argv) > 3 else f"sqlite:///{Path(folder) / 'large.sqlite'}"
        fill(Store(url), n_arms)
        environment = os.environ | {"EVTL_DATABASE_URL": url}
        times: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(n_runs):
            for name, command in COMMANDS.items():
                times[name].append(seconds(command, environment))
    sys.stdout.write(f"{n_arms} synthetic arms, {os.cpu_count()} cores, {platform.machine()}\n")
    for name, found in times.items():
        sys.stdout.write(
            f"{name}: median {statistics.median(found):.2f} s, "
            f"{min(found):.2f} to {max(found):.2f}\n"
        )


if __name__ == "__main__":
    main()
