"""A training that is killed between any two lines, and goes on; run as a program of its own.

Usage: python -m tests.unit.trainer.killing FOLDER
"""

import json
import math
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import torch

import trainer
from tests.unit.trainer.tuning import deep_toy, state_of, tune, tuning_plan
from trainer.tuning.checkpoint import Checkpoint

N_POINTS = 20
SOURCES = str(Path(trainer.__file__).parent)


def training(folder: Path) -> None:
    """Train from where the checkpoint is; leave the weights and the history in the folder."""
    folder.mkdir(exist_ok=True)
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", every_s=0, share=math.inf)
    classifier, history = deep_toy(dropout=0.3), folder / "history.jsonl"
    history.write_text("".join(f"{json.dumps(line)}\n" for line in checkpoint.lines()))

    def tell(line: dict[str, Any]) -> None:
        with history.open("a", encoding="utf-8") as stream:
            stream.write(f"{json.dumps(line)}\n")

    plan = tuning_plan(augmentation="online", initialisation="random", layer_decay=0.7)
    tune(classifier, plan, on_epoch=tell, checkpoint=checkpoint)
    weights = {name: value.numpy().tobytes().hex() for name, value in state_of(classifier).items()}
    (folder / "weights.json").write_text(json.dumps(weights))


def each_line(work: Callable[[], None], on_line: Callable[[], None]) -> None:
    """Do some work, and something before each line of the trainer that is carried out."""

    def local(_frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            on_line()
        return local

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        return local if frame.f_code.co_filename.startswith(SOURCES) else None

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)


def killed_at(line: int, work: Callable[[], None]) -> None:
    """Do some work in a process of its own, which is killed before a line that it comes to."""
    child = os.fork()
    if not child:
        left = [line]

        def count() -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        each_line(work, count)
        os._exit(0)  # which the parent takes for an error: it should have been killed
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status):
        msg = f"the training was not killed at line {line}"
        raise RuntimeError(msg)


def main() -> None:
    """One training that is left alone, and one that is killed and resumed for each point."""
    torch.set_num_threads(1)
    folder, lines = Path(sys.argv[1]), [0]

    def count() -> None:
        lines[0] += 1

    each_line(lambda: training(folder / "whole"), count)
    points = random.Random(0).sample(range(1, lines[0]), N_POINTS)
    for number, line in enumerate(points):
        own = folder / f"killed-{number:02d}"
        killed_at(line, partial(training, own))
        training(own)


if __name__ == "__main__":
    main()
