"""Full fine-tuning beside a bare loop over random tensors with the same network: the limit.

One epoch of our training (batches from a memory map of decoded images, augmentation, validation,
checkpoint) and one bare epoch (the same numbers of training steps and of forward passes on one
tensor that lies in memory, same optimiser) take turns in one process; the first of each warms up.
Rates are training images by the time of a whole epoch, validation included on both sides.

The peak of memory is that of a process for each side, beyond what the process took with its
network before the first step. Both sides give the C library our advice to keep freed memory
(`trainer.tuning.memory`), which trades memory for speed; ``plain`` is the bare loop without it.

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
from typing import Literal, NamedTuple

import numpy as np
import torch
from grid import planned
from torch.nn import functional

from evidence.records import TaskProfile
from recommender.plan import PlannedBackbone, TrainingPlan
from trainer.backbones import Preprocessing, build_backbone, preprocessing
from trainer.features import autocast
from trainer.finetune import Classifier, Part, count_features, fine_tune
from trainer.tuning.checkpoint import Checkpoint
from trainer.tuning.feeding import Pixels
from trainer.tuning.loop import WEIGHT_DECAY
from trainer.tuning.memory import keep_freed_memory
from trainer.weights import find_weights

CPU = torch.device("cpu")
N_CLASSES = 3
SIDES = ("ours", "bare", "plain")
#: Share of the images that is validated on.
VALIDATION = 0.2


class Epoch(NamedTuple):
    """What an epoch took."""

    wall_s: float
    cpu_s: float


class Case(NamedTuple):
    """What is trained, on how many images, and where.

    Without its weights a network starts at random; its speed is the same.
    """

    backbone: PlannedBackbone
    n_images: int
    batch_size: int
    augmentation: Literal["none", "online"] = "online"
    device: torch.device = CPU

    def network(self) -> tuple[Classifier, Preprocessing]:
        """A classifier on the CPU."""
        built = build_backbone(self.backbone, find_weights(self.backbone))
        steps = preprocessing(self.backbone, built)
        return Classifier(built, count_features(built, steps.input_px), N_CLASSES), steps

    @property
    def n_validation(self) -> int:
        """Images that are validated on."""
        return round(self.n_images * VALIDATION)


class Watch:
    """Seconds since it was last looked at."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.look()

    def look(self) -> Epoch:
        """On the wall and of this process; starts anew."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = Epoch(time.perf_counter(), time.process_time())
        before, self._before = getattr(self, "_before", now), now
        return Epoch(now.wall_s - before.wall_s, now.cpu_s - before.cpu_s)


def random_pixels(path: Path, n: int, px: int) -> Pixels:
    """A memory map like that of the cache."""
    rng = np.random.default_rng(0)
    np.save(path, rng.integers(0, 256, (n, px, px, 3), dtype=np.uint8))
    found: Pixels = np.load(path, mmap_mode="r")
    return found


def ours(case: Case, folder: Path, n_epochs: int, after: Callable[[], None]) -> None:
    """Fine-tune on a memory map of random pixels; `after` is called at the end of each epoch."""
    classifier, steps = case.network()
    n, held_out = case.n_images, case.n_validation
    pixels = random_pixels(folder / "pixels.npy", n, steps.input_px)
    targets = np.random.default_rng(0).permutation(np.arange(n) % N_CLASSES)
    plan = TrainingPlan(
        profile=TaskProfile(modality="ultrasound", n_images=n, n_classes=N_CLASSES),
        backbone=case.backbone, approach="fine_tuning_from_scratch", head="linear",
        augmentation=case.augmentation, epochs=n_epochs, batch_size=case.batch_size,
    )  # fmt: skip
    fine_tune(
        classifier,
        Part(pixels[held_out:], targets[held_out:]),
        Part(pixels[:held_out], targets[:held_out]),
        plan, steps, case.device, lambda _line: after(), lambda *_: None,
        checkpoint=Checkpoint(folder / "checkpoint.safetensors"),
    )  # fmt: skip


class Bare:
    """Forward, loss, backward and step on the same random batch, again and again."""

    def __init__(self, case: Case) -> None:
        self._device = case.device
        self._classifier, steps = case.network()
        self._classifier.to(case.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        shape = case.batch_size, 3, steps.input_px, steps.input_px
        images = torch.randn(shape, device=case.device)
        self._images = images.contiguous(memory_format=torch.channels_last)
        self._targets = torch.randint(0, N_CLASSES, (case.batch_size,), device=case.device)
        held_out = case.n_validation
        self._sizes = [sizes(n, case.batch_size) for n in (case.n_images - held_out, held_out)]
        self._optimizer = torch.optim.AdamW(
            self._classifier.parameters(), weight_decay=WEIGHT_DECAY, fused=True
        )

    def epoch(self) -> None:
        """As many images as an epoch of ours, trained on and validated on."""
        train, validation = self._sizes
        self._classifier.train()
        for size in train:
            self._optimizer.zero_grad(set_to_none=True)
            with autocast(self._device):
                outputs = self._classifier(self._images[:size])
            loss = functional.cross_entropy(outputs.float(), self._targets[:size])
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
        self._classifier.eval()
        with torch.inference_mode(), autocast(self._device):
            for size in validation:
                self._classifier(self._images[:size])


def sizes(n: int, batch: int) -> list[int]:
    """Sizes of the batches of an epoch."""
    return [len(part) for part in np.array_split(np.arange(n), -(-n // batch))]


def in_turn(case: Case, n_epochs: int) -> dict[str, Epoch]:
    """Medians of the epochs of both sides, which take turns; the first of each warms up."""
    bare, watch = Bare(case), Watch(case.device)
    found: dict[str, list[Epoch]] = {"ours": [], "bare": []}

    def after() -> None:
        found["ours"].append(watch.look())
        bare.epoch()
        found["bare"].append(watch.look())

    with tempfile.TemporaryDirectory() as folder:
        ours(case, Path(folder), n_epochs + 1, after)
    return {
        side: Epoch(*map(statistics.median, zip(*epochs[1:], strict=True)))
        for side, epochs in found.items()
    }


def rates(case: Case, n_epochs: int) -> None:
    """Images per second of both sides, and the ratio."""
    keep_freed_memory()
    found = in_turn(case, n_epochs)
    n = case.n_images - case.n_validation
    for measure in Epoch._fields:
        mine, limit = (getattr(found[side], measure) for side in ("ours", "bare"))
        say(f"{measure:7}  ours {n / mine:8.2f} images/s   bare {n / limit:8.2f} images/s   "
            f"ratio {limit / mine:.3f}")  # fmt: skip


class Alone(NamedTuple):
    """What one side took in a process of its own: beyond its network, in all, and per image."""

    growth_mb: float
    most_mb: float
    images_per_cpu_s: float


def alone(case: Case, side: str) -> Alone:
    """Two epochs of one side; the second one is timed."""
    if side != "plain":
        keep_freed_memory()
    bare = None if side == "ours" else Bare(case)
    if bare is None:
        case.network()
    gc.collect()
    before, watch = resident_mb("VmRSS"), Watch(case.device)
    epochs: list[Epoch] = []
    if bare is None:
        with tempfile.TemporaryDirectory() as folder:
            ours(case, Path(folder), 2, lambda: epochs.append(watch.look()))
    else:
        for _ in range(2):
            bare.epoch()
            epochs.append(watch.look())
    most = resident_mb("VmHWM")
    return Alone(most - before, most, (case.n_images - case.n_validation) / epochs[-1].cpu_s)


def resident_mb(field: str) -> float:
    """A line of what Linux says of this process, in 10^6 bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    msg = "the peak of memory is known on Linux only"
    raise SystemExit(msg)


def peaks(arguments: list[str]) -> None:
    """Every side in a process of its own, and the ratios to the bare one."""
    found = {}
    for side in SIDES:
        command = [sys.executable, __file__, *arguments, "--alone", side]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found[side] = Alone(*map(float, said.split()))
    for what in Alone._fields:
        values = "   ".join(f"{side} {getattr(found[side], what):8.1f}" for side in SIDES)
        ratio = getattr(found["ours"], what) / getattr(found["bare"], what)
        say(f"alone: {what:18} {values}   ours / bare {ratio:.3f}")


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
    parser.add_argument("--alone", choices=SIDES, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    case = Case(planned(asked.backbone), asked.images, asked.batch, asked.augmentation)
    if asked.alone:
        say(" ".join(f"{each:.2f}" for each in alone(case, asked.alone)))
        return
    say(
        f"{platform.machine()}, {asked.threads} threads, torch {torch.__version__}, "
        f"{asked.backbone}, {asked.images} images, batches of {asked.batch}, "
        f"{asked.epochs} epochs in turn, augmentation {asked.augmentation}"
    )
    rates(case, asked.epochs)
    peaks(sys.argv[1:])


if __name__ == "__main__":
    main()
