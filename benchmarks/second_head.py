"""Seconds from a folder of images to a fitted head: with an empty cache, and for a second head.

What is timed is all that a training does before its head is fitted: reading and hashing the files,
building the network, pixels and features (made, or found in the cache), the head. Importing the
libraries is not.

Usage: python benchmarks/second_head.py DATA [--images 400] [--heads linear,svm,lda]
       [--threads 2]
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from grid import planned

from evidence.records import TaskProfile
from evidence.vocabulary import Head
from recommender.plan import TrainingPlan
from trainer import heads
from trainer.backbones import build_backbone, preprocessing
from trainer.feature_cache import cached_features
from trainer.images import read_images
from trainer.preparing.splits import split_images
from trainer.stages import depth_of, read_at
from trainer.tuning.memory import keep_freed_memory
from trainer.weights import find_weights

BACKBONE = planned("lite0")


def stages(data: Path, n_images: int, head: Head) -> dict[str, float]:
    """Seconds of each stage."""
    instants = [time.perf_counter()]
    images = read_images(data)
    picked = np.random.default_rng(0).permutation(len(images.files))[:n_images]
    images = images.pick(sorted(picked.tolist()))
    instants.append(time.perf_counter())
    network = build_backbone(BACKBONE, find_weights(BACKBONE))
    steps = preprocessing(BACKBONE, network)
    instants.append(time.perf_counter())
    source = read_at(network, depth_of(network, "stages"))
    features = cached_features(
        source, BACKBONE.model, images, steps, torch.device("cpu"), lambda *_: None
    )
    instants.append(time.perf_counter())
    plan = TrainingPlan(
        profile=TaskProfile(modality="ultrasound", n_images=len(images.files)),
        backbone=BACKBONE, approach="feature_extractor", head="linear", augmentation="none",
    )  # fmt: skip
    heads.fit_head(head, features, images.targets, split_images(images, plan), 0)
    instants.append(time.perf_counter())
    names = ("files", "network", "features", head)
    return dict(zip(names, np.diff(instants).tolist(), strict=True))


def main() -> None:
    """Time each head in turn; the first finds nothing in the cache."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--heads", default="linear,svm,lda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    sys.stdout.write(
        f"{platform.machine()}, {asked.threads} threads, torch {torch.__version__}, "
        f"{asked.data.name}, at most {asked.images} images, {BACKBONE.name}\n"
    )
    with tempfile.TemporaryDirectory() as place:
        os.environ["EVTL_CACHE_DIR"] = place
        for head in asked.heads.split(","):
            found = stages(asked.data, asked.images, head)
            parts = ", ".join(f"{name} {seconds:.2f}" for name, seconds in found.items())
            sys.stdout.write(f"{head:16}{sum(found.values()):7.2f} s  ({parts})\n")


if __name__ == "__main__":
    main()
