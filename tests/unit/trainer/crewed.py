"""Trainings by two processes and by one; run as a program of its own, which forks them.

Usage: python -m tests.unit.trainer.crewed FOLDER

Each case leaves a folder: ``said-RANK.txt`` with how a process ended, and what it trained.
"""

import json
import math
import os
import signal
import socket
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import accelerate.utils  # noqa: F401  (before the processes are forked: it takes a second)
import torch
from safetensors.torch import save_file

from tests.unit.trainer.test_lora import transformer
from tests.unit.trainer.test_never_lost import small, unequal
from tests.unit.trainer.toys import LITE0, plan_of
from tests.unit.trainer.tuning import CPU, deep_toy, forget, state_of, tune, tuning_plan
from trainer import processes
from trainer.assisting import assist
from trainer.images import read_images
from trainer.processes import crew
from trainer.synthetic import write_sample
from trainer.training import train
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.classifier import Classifier

Told = Callable[[dict[str, Any]], None]
LENET = LITE0.model_copy(
    update={"name": "LeNet-5", "library": "evtl", "model": "lenet5", "input_px": 32}
)
PLANS: dict[str, dict[str, Any]] = {
    "online": {"augmentation": "online", "transforms": ("small_rotation", "zoom", "colour")},
    "gradual": {"gradual": True, "epochs": 4},
    "low rank": {"approach": "fine_tuning", "lora_rank": 2},
    "last blocks": {"approach": "fine_tuning", "n_blocks": 1},
}
RUNS: dict[str, dict[str, Any]] = {
    "tuned": {
        "backbone": LENET, "approach": "fine_tuning_from_scratch", "initialisation": "random",
        "augmentation": "online", "epochs": 3, "batch_size": 7, "n_folds": 2,
    },
    "frozen": {"backbone": LITE0.model_copy(update={"input_px": 32})},
    "copied": {
        "backbone": LITE0.model_copy(update={"input_px": 32}), "augmentation": "offline",
        "n_copies": 2, "head": "knn", "approach": "feature_extractor_hybrid",
    },
}  # fmt: skip


def by(n: int, folder: Path, work: Callable[[Path], None]) -> None:
    """Do some work in so many processes, each forked, until all have ended."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = [os.fork() or _end(rank, n, port, folder, work) for rank in range(n)]
    os.waitpid(children[0], 0)
    for child in children[1:]:
        # One that hangs has been given up by the main process.
        if (folder / "hangs").exists():
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _end(rank: int, n: int, port: int, folder: Path, work: Callable[[Path], None]) -> int:
    """Work as one of several, say how it ended, and never return."""
    if n > 1:
        os.environ |= {"RANK": f"{rank}", "WORLD_SIZE": f"{n}", "LOCAL_RANK": f"{rank}"}
        os.environ |= {"LOCAL_WORLD_SIZE": f"{n}", "MASTER_ADDR": "127.0.0.1"}
        os.environ["MASTER_PORT"] = f"{port}"
    said = "done"
    try:
        work(folder)
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    (folder / f"said-{rank}.txt").write_text(said)
    os._exit(0)


def without_dropout() -> Classifier:
    """What two processes draw is not what one draws."""
    return deep_toy(0.0)


def tuned(
    folder: Path,
    *,
    network: Callable[[], Classifier] = without_dropout,
    on_epoch: Told = forget,
    every_step: bool = False,
    **fields: Any,
) -> None:
    """Train a toy; the main process leaves its weights and what it noted."""
    with crew.together():
        crew.start(CPU)
        classifier, checkpoint = network(), None
        if every_step:
            checkpoint = Checkpoint(folder / "checkpoint.safetensors", every_s=0, share=math.inf)
        plan = tuning_plan(**fields)
        outcome = tune(
            classifier, plan, on_epoch=on_epoch, checkpoint=checkpoint, train=unequal(45)
        )
        if crew.leads:
            state = {name: value.contiguous() for name, value in state_of(classifier).items()}
            save_file(state, folder / "weights.safetensors")
            (folder / "notes.json").write_text(json.dumps(outcome.notes))


def run(folder: Path, images: Path, name: str) -> None:
    """A whole run, as the command line makes it."""
    if int(os.environ.get("RANK", "0")):
        assist()
    else:
        train(plan_of(**RUNS[name]), read_images(images), folder / "run", device="cpu")


def in_second(work: Callable[[], None], rank: int = 1) -> Told:
    """Something that happens to one process after the second epoch."""

    def tell(line: dict[str, Any]) -> None:
        if line["epoch"] == 2 and rank in {crew.rank, -1}:
            work()

    return tell


def tiny_transformer() -> Classifier:
    """The same every time."""
    torch.manual_seed(0)
    return Classifier(transformer(), 12, 2)


def short_of_memory() -> Classifier:
    """Room for two images at once in the second process."""
    return small(2 if crew.rank else 64)


def broken() -> Classifier:
    """Its loss is not a number."""
    classifier = without_dropout()
    torch.nn.init.constant_(classifier.head.bias, math.inf)
    return classifier


def equal(folder: Path) -> None:
    """One process and two, whose results are compared."""
    write_sample(folder / "images", n_images=40, seed=0)
    for n in (1, 2):
        for name, fields in PLANS.items():
            network = tiny_transformer if name == "low rank" else without_dropout
            by(n, folder / name / str(n), partial(tuned, network=network, **fields))
        by(n, folder / "memory" / str(n), partial(tuned, network=short_of_memory))
        for name in RUNS:
            by(n, folder / name / str(n), partial(run, images=folder / "images", name=name))


def ended(folder: Path) -> None:
    """Trainings that one of two processes does not survive."""

    def fail() -> None:
        msg = "no room on the moon"
        raise ValueError(msg)

    def hang() -> None:
        (folder / "hung" / "hangs").touch()
        signal.pause()

    # What runs in the background of a shell may have been told to ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    stop = partial(signal.raise_signal, signal.SIGINT)
    die = partial(signal.raise_signal, signal.SIGKILL)
    by(2, folder / "failed", partial(tuned, on_epoch=in_second(fail)))
    by(2, folder / "main failed", partial(tuned, on_epoch=in_second(fail, 0)))
    by(2, folder / "killed", partial(tuned, on_epoch=in_second(die)))
    by(2, folder / "interrupted", partial(tuned, on_epoch=in_second(stop, -1)))
    by(2, folder / "not a number", partial(tuned, network=broken))
    by(2, folder / "too many", partial(tuned, batch_size=1))
    processes.TIMEOUT = timedelta(seconds=5)
    by(2, folder / "hung", partial(tuned, on_epoch=in_second(hang)))


def resumed(folder: Path) -> None:
    """Two processes that are left alone, and two whose main one is killed, and that go on."""
    training = partial(
        tuned, network=partial(deep_toy, 0.3), every_step=True, augmentation="online",
        initialisation="random",
    )  # fmt: skip
    by(2, folder / "whole", training)
    die = in_second(partial(signal.raise_signal, signal.SIGKILL), 0)
    by(2, folder / "gone on", partial(training, on_epoch=die))
    (folder / "gone on" / "said-1.txt").rename(folder / "gone on" / "said-before.txt")
    by(2, folder / "gone on", training)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for part in (equal, resumed, ended):
        part(Path(sys.argv[1]))
