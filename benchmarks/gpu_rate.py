"""Training and feature extraction on a GPU from cached images, beside the rate without any data.

For each network one epoch of ours (batches from a memory map, copied and normalised as training
does, augmentation, validation) and one on a tensor that lies on the device take turns, in bf16 and
channels last on both sides; likewise the features of all images. Weights are random where they are
not installed, which does not change the speed.

Usage: python benchmarks/gpu_rate.py [--images 4096] [--epochs 5] [--batch 128]
       [--networks inception_v3,resnet50,densenet121,vgg16] [--augmentation none]
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import timm
import torch
from finetune_rate import Case, Watch, in_turn, random_pixels, say
from torch import Tensor

from recommender.plan import PlannedBackbone
from trainer.features import autocast
from trainer.tuning.feeding import inputs

INPUT_PX = {"inception_v3": 299}


def extraction(case: Case, n_rounds: int) -> tuple[float, float]:
    """Images per second of ours and of the network alone, in turn; the first of each warms up."""
    classifier, steps = case.network()
    classifier.eval().to(case.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = case.batch_size, 3, steps.input_px, steps.input_px
    fixed = torch.randn(shape, device=case.device).contiguous(memory_format=torch.channels_last)
    n_batches = case.n_images // case.batch_size

    def work(batches: Iterator[Tensor]) -> None:
        with torch.inference_mode(), autocast(case.device):
            for batch in batches:
                classifier.backbone(batch).float().cpu()

    with tempfile.TemporaryDirectory() as folder:
        n = n_batches * case.batch_size
        pixels = random_pixels(Path(folder) / "pixels.npy", n, steps.input_px)
        sides: tuple[Callable[[], Iterator[Tensor]], ...] = (
            lambda: inputs(pixels, case.batch_size, steps, case.device),
            lambda: (fixed for _ in range(n_batches)),
        )
        seconds: tuple[list[float], list[float]] = [], []
        for _ in range(n_rounds + 1):
            for side, took in zip(sides, seconds, strict=True):
                watch = Watch(case.device)
                work(side())
                took.append(watch.look().wall_s)
    mine, limit = (n / statistics.median(took[1:]) for took in seconds)
    return mine, limit


def line(name: str, what: str, mine: float, limit: float) -> None:
    """One row of the table."""
    say(f"{name:16}{what:12}{mine:12.0f}{limit:14.0f}{mine / limit:9.3f}")


def main() -> None:
    """Print the table, or say that there is no device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--networks", default="inception_v3,resnet50,densenet121,vgg16")
    parser.add_argument("--augmentation", choices=["none", "online"], default="online")
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("no CUDA device")
    device = torch.device("cuda")
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    say(
        f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, CUDA "
        f"{torch.version.cuda}, cuDNN {cudnn}, timm {timm.__version__}; "
        f"{asked.images} images, batches of {asked.batch}, augmentation {asked.augmentation}"
    )
    say(f"{'network':16}{'work':12}{'images/s':>12}{'without data':>14}{'ratio':>9}")
    for name in asked.networks.split(","):
        backbone = PlannedBackbone(
            name=name, library="timm", model=name, input_px=INPUT_PX.get(name, 224)
        )
        case = Case(backbone, asked.images, asked.batch, asked.augmentation, device)
        found = in_turn(case, asked.epochs)
        n = case.n_images - case.n_validation
        line(name, "training", n / found["ours"].wall_s, n / found["bare"].wall_s)
        line(name, "features", *extraction(case, asked.epochs))


if __name__ == "__main__":
    main()
