"""A place with something on every page: images, a run that finished, a store that was changed."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.browser.serving import environment
from tests.unit.trainer.crewed import LENET
from tests.unit.trainer.toys import plan_of
from trainer.synthetic import write_sample

#: Seconds that a training of the smallest network may take on a slow machine.
TRAINED_S = 300


def furnish(place: Path, template: Path) -> str:
    """Fill a place, by what a person would do in a terminal; returns the name of its run."""
    shutil.copy(template, place / "evtl.sqlite")
    write_sample(place / "images" / "breast", n_images=40, seed=0)
    return trained(place, "images/breast")


def trained(place: Path, images: str) -> str:
    """Name of a run of the smallest network on a set of images, with report and heat maps."""
    plan = plan_of(
        backbone=LENET, approach="fine_tuning_from_scratch", initialisation="random",
        epochs=2, batch_size=8, n_folds=0,
    )  # fmt: skip
    (place / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "evtl", "train", images, "--plan", "plan.json", "--device", "cpu"],
        cwd=place, env=environment(place), check=True, capture_output=True, timeout=TRAINED_S,
    )  # fmt: skip
    (run,) = (place / "runs").iterdir()
    return run.name
