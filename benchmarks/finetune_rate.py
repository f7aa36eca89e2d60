"""Full fine-tuning beside a bare loop over random tensors with the same network: the limit.

One epoch of our training (batches from a memory map of decoded images, augmentation, validation,
checkpoint) and one bare epoch (the same numbers of training steps and of forward passes on one
tensor that lies in memory, same optimiser) take turns in one process; the first of each warms up.
Rates are training images by the time of a whole epoch, validation included on both sides.

The peak of memory is that of a process for each side, beyond what the process took with its
network before the first step; the bare one without our advice to the C library.

Usage: python benchmarks/finetune_rate.py [--images 320] [--epochs 5] [--batch 32] [--threads 2]
"""

import argparse
import gc
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from grid import planned
from torch.nn import functional

from evidence.records import TaskProfile
from recommender.plan import TrainingPlan
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.checkpoint import Checkpoint
from trainer.finetune import Classifier, Part, count_features, fine_tune
from trainer.loop import WEIGHT_DECAY
from trainer.memory import keep_freed_memory
from trainer.weights import find_weights

CPU = torch.device("cpu")
N_CLASSES = 3
#: Share of the images that is validated on.
VALIDATION = 0.2


class Epoch(NamedTuple):
    """What an epoch took."""

    wall_s: float
    cpu_s: float


class Watch:
    """Seconds since it was last looked at."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def look(self) -> Epoch:
        """On the wall and of this process; starts anew."""
        wall, cpu = time.perf_counter(), time.process_time()
        found = Epoch(wall - self._wall, cpu - self._cpu)
        self._wall, self._cpu = wall, cpu
        return found


def network(name: str) -> tuple[Classifier, Preprocessing]:
    """A classifier with the weights of an installed package."""
    backbone = planned(name)
    built = build_backbone(backbone, find_weights(backbone))
    steps = preprocessing(backbone, built)
    return Classifier(built, count_features(built, steps.input_px), N_CLASSES), steps


def ours(asked: argparse.Namespace, folder: Path, n_epochs: int, after: Callable[[], None]) -> None:
    """Fine-tune on a memory map of random pixels; `after` is called at the end of each epoch."""
    classifier, steps = network(asked.backbone)
    rng, px, n = np.random.default_rng(0), steps.input_px, asked.images
    path = folder / "pixels.npy"
    np.save(path, rng.integers(0, 256, (n, px, px, 3), dtype=np.uint8))
    pixels, targets = np.load(path, mmap_mode="r"), rng.permutation(np.arange(n) % N_CLASSES)
    held_out = round(n * VALIDATION)
    plan = TrainingPlan(
        profile=TaskProfile(modality="ultrasound", n_images=n, n_classes=N_CLASSES),
        backbone=planned(asked.backbone), approach="fine_tuning_from_scratch", head="linear",
        augmentation=asked.augmentation, epochs=n_epochs, batch_size=asked.batch,
    )  # fmt: skip
    train = Part(pixels[held_out:], targets[held_out:])
    validation = Part(pixels[:held_out], targets[:held_out])
    fine_tune(
        classifier, train, validation, plan, steps, CPU,
        lambda _line: after(), lambda *_: None,
        checkpoint=Checkpoint(folder / "checkpoint.safetensors"),
    )  # fmt: skip


class Bare:
    """Forward, loss, backward and step on the same random batch, again and again."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self._classifier, steps = network(asked.backbone)
        self._classifier.to(memory_format=torch.channels_last)
        shape = asked.batch, 3, steps.input_px, steps.input_px
        self._images = torch.randn(shape).contiguous(memory_format=torch.channels_last)
        self._targets = torch.randint(0, N_CLASSES, (asked.batch,))
        held_out = round(asked.images * VALIDATION)
        self._sizes = [sizes(n, asked.batch) for n in (asked.images - held_out, held_out)]
        self._optimizer = torch.optim.AdamW(
            self._classifier.parameters(), weight_decay=WEIGHT_DECAY, fused=True
        )

    def epoch(self) -> None:
        """As many images as an epoch of ours, trained on and validated on."""
        train, validation = self._sizes
        self._classifier.train()
        for size in train:
            self._optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(
                self._classifier(self._images[:size]), self._targets[:size]
            )
            loss.backward()
            self._optimizer.step()
        self._classifier.eval()
        with torch.inference_mode():
            for size in validation:
                self._classifier(self._images[:size])


def sizes(n: int, batch: int) -> list[int]:
    """Sizes of the batches of an epoch."""
    return [len(part) for part in np.array_split(np.arange(n), -(-n // batch))]


def rates(asked: argparse.Namespace) -> None:
    """Epochs in turn, their medians and ratio."""
    keep_freed_memory()
    bare, watch = Bare(asked), Watch()
    found: dict[str, list[Epoch]] = {"ours": [], "bare": []}

    def after() -> None:
        found["ours"].append(watch.look())
        bare.epoch()
        found["bare"].append(watch.look())

    with tempfile.TemporaryDirectory() as folder:
        ours(asked, Path(folder), asked.epochs + 1, after)
    n = asked.images - round(asked.images * VALIDATION)
    for measure in Epoch._fields:
        seconds = {
            side: statistics.median(getattr(epoch, measure) for epoch in epochs[1:])
            for side, epochs in found.items()
        }
        say(
            f"{measure:7}  ours {n / seconds['ours']:8.2f} images/s   bare "
            f"{n / seconds['bare']:8.2f} images/s   ratio {seconds['bare'] / seconds['ours']:.3f}"
        )


def growth_mb(asked: argparse.Namespace) -> tuple[float, float]:
    """What one side takes beyond its network, and in all; in a process of its own."""
    if asked.peak == "bare":
        work: Callable[[], object] = Bare(asked).epoch
    else:
        keep_freed_memory()
        network(asked.backbone)

        def work() -> None:
            with tempfile.TemporaryDirectory() as folder:
                ours(asked, Path(folder), 1, lambda: None)

    gc.collect()
    before = resident_mb("VmRSS")
    work()
    most = resident_mb("VmHWM")
    return most - before, most


def resident_mb(field: str) -> float:
    """A line of what Linux says of this process, in 10^6 bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    msg = "the peak of memory is known on Linux only"
    raise SystemExit(msg)


def peaks(arguments: list[str]) -> None:
    """Both sides in processes of their own, and the ratios."""
    found = {}
    for side in ("ours", "bare"):
        command = [sys.executable, __file__, *arguments, "--peak", side]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[side] = [float(each) for each in said.split()]
    for number, what in enumerate(("beyond the network", "in all")):
        mine, limit = found["ours"][number], found["bare"][number]
        say(f"peak memory {what:18}  ours {mine:8.0f} MB   bare {limit:8.0f} MB   "
            f"ratio {mine / limit:.3f}")  # fmt: skip


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure rates, then peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--backbone", choices=["lite0", "lite1", "lite2"], default="lite0")
    parser.add_argument("--augmentation", choices=["none", "online"], default="online")
    parser.add_argument("--peak", choices=["ours", "bare"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.peak:
        say(" ".join(f"{each:.1f}" for each in growth_mb(asked)))
        return
    say(
        f"{platform.machine()}, {asked.threads} threads, torch {torch.__version__}, "
        f"{asked.backbone}, {asked.images} images, batches of {asked.batch}, "
        f"{asked.epochs} epochs in turn, augmentation {asked.augmentation}"
    )
    rates(asked)
    peaks(sys.argv[1:])


if __name__ == "__main__":
    main()
