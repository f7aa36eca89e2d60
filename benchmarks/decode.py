"""Images from the cache beside decoding them: milliseconds an image.

Images of a camera's size are drawn and written as JPEG and PNG; files of a folder can be given
instead. Each is decoded to 224 by one thread as training does, JPEG also at full size (without
draft decoding), and its pixels are read from the memory map in random batches.

Usage: python benchmarks/decode.py [FOLDER] [--images 24] [--rounds 5]
"""

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from trainer.backbones import Preprocessing
from trainer.images import load_image, read_images
from trainer.reading.pixel_cache import cached_pixels
from trainer.tuning.feeding import iterate

STEPS = Preprocessing(224, (0.5,) * 3, (0.5,) * 3, "bicubic")
SIZE = 2048, 1536
CPU = torch.device("cpu")


def draw(folder: Path, n: int) -> None:
    """Smooth shapes with grain in two classes, once as JPEG and once as PNG."""
    rng = np.random.default_rng(0)
    for number in range(n):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), dtype=np.int16)
        pixels = (smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)
        for kind in ("jpg", "png"):
            place = folder / kind / "ab"[number % 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(place / f"{number}.{kind}", quality=90)


def milliseconds(work: Callable[[], object], n: int, rounds: int) -> float:
    """Median over rounds, per image, of the CPU time of this process."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        found.append(1000 * (time.process_time() - started) / n)
    return statistics.median(found)


def whole_jpeg(path: Path) -> Image.Image:
    """As Pillow decodes without being told what size is needed."""
    with Image.open(path) as opened:
        return opened.convert("RGB").resize((STEPS.input_px,) * 2, Image.Resampling.BICUBIC)


def measure(folder: Path, rounds: int) -> None:
    """Every way for the images of a folder, and the ratios to decoding."""
    images = read_images(folder)
    paths = [images.path(number) for number in range(len(images.files))]
    jpeg = all(path.suffix.lower() in {".jpg", ".jpeg"} for path in paths)
    pixels = cached_pixels(images, STEPS, lambda *_: None)
    parts = np.array_split(np.random.default_rng(0).permutation(len(paths)), -(-len(paths) // 32))
    ways: dict[str, Callable[[], object]] = {
        "decoded": lambda: [load_image(path, STEPS) for path in paths],
        "found in the cache": lambda: cached_pixels(images, STEPS, lambda *_: None),
        "read from the map": lambda: [pixels[part] for part in parts],
        "read and normalised": lambda: list(
            iterate(pixels, images.targets, parts, STEPS, CPU)
        ),
    }  # fmt: skip
    if jpeg:
        ways = {"decoded without draft": lambda: [whole_jpeg(path) for path in paths], **ways}
    found = {name: milliseconds(work, len(paths), rounds) for name, work in ways.items()}
    say(f"{folder.name}: {len(paths)} images")
    for name, took in found.items():
        say(f"  {name:24}{took:9.3f} ms   {took / found['decoded']:.4f} of decoding")


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Measure a given folder, or drawn images of both kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    say(f"{platform.machine()}, Python {platform.python_version()}, CPU time of one thread")
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVTL_CACHE_DIR"] = f"{place}/cache"
        if asked.folder:
            measure(asked.folder, asked.rounds)
            return
        draw(Path(place), asked.images)
        for kind in ("jpg", "png"):
            measure(Path(place) / kind, asked.rounds)


if __name__ == "__main__":
    main()
