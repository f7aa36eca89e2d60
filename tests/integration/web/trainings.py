"""Trainings that a page starts: a small set of images, small plans, and waiting with a bound."""

import csv
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from evtl.jobs.records import Wanted
from tests.unit.trainer.toys import LITE0, plan_of
from trainer.synthetic import write_sample

#: Seconds after which what should have happened is said not to have.
BOUND_S = 900.0
#: Small images make every step and every map of the report quick.
SMALL = LITE0.model_copy(update={"input_px": 32})
#: A training that goes on for an hour unless it is stopped.
ENDLESS = plan_of(
    backbone=SMALL, approach="fine_tuning_from_scratch", augmentation="online", epochs=9000
)


def sample(folder: Path, n_images: int = 30) -> Path:
    """A set of images."""
    write_sample(folder, n_images=n_images, seed=0)
    return folder


def leaky(folder: Path) -> Path:
    """A set whose given split has one image on both sides."""
    sample(folder)
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    of_class = {row["label"]: row for row in reversed(rows)}
    lines = [("file", "label", "split")]
    lines += [(row["file"], row["label"], "train") for row in rows]
    for number, (label, row) in enumerate(sorted(of_class.items())):
        name = f"{label}/Doe_Jane_{number}.png"
        shutil.copy(folder / row["file"], folder / name)
        lines.append((name, label, "test"))
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(lines)
    return folder


def wanted(data: Path) -> Wanted:
    """Of a worker: a plan beside it says the rest."""
    return Wanted(data=data, device="cpu")


def until(holds: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    pause, end = threading.Event(), time.monotonic() + BOUND_S
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        pause.wait(0.05)


class Workers:
    """Stands for `subprocess` in the dispatcher: remembers what was started."""

    DEVNULL = subprocess.DEVNULL

    def __init__(self) -> None:
        self.begun: list[subprocess.Popen[bytes]] = []

    def Popen(self, *how: object, **ways: object) -> "subprocess.Popen[bytes]":  # noqa: N802
        """Start a process, as `subprocess` does."""
        self.begun.append(subprocess.Popen(*how, **ways))  # type: ignore[call-overload]
        return self.begun[-1]

    def end(self) -> None:
        """Leave none behind, whatever a test found."""
        for each in self.begun:
            each.kill()
            each.wait(BOUND_S)
