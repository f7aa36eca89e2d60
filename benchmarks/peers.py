"""evtl beside autotimm, fastai and AutoGluon: the same images, backbone and weights.

Each tool gets the same folder of train, val and test images, EfficientNet-Lite0 with the weights of
the installed package and five epochs, and runs as a process of its own, in turn, once for each
seed; the seed draws the split. CPU seconds are those of the whole process and its children, from
the start of Python to the probabilities of the test images. evtl runs as ``evtl train``, with its
report and its store, once with an empty cache and once more for another head on the same images.
autotimm and fastai train a head on the frozen backbone; AutoGluon has no frozen backbone.

Environments are made where they are missing: ENVS/<peer>, some gigabytes each.

Usage: python benchmarks/peers.py DATA ENVS [--images 400] [--epochs 5] [--seeds 0,1,2]
       [--peers autotimm,fastai,autogluon] [--head linear] [--second svm] [--threads 2]
"""

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np
import timm
import torch
from grid import grouped, planned
from safetensors.torch import save_file

from evidence.records import TaskProfile
from recommender.plan import TrainingPlan
from trainer.backbones import build_backbone
from trainer.images import ImageSet
from trainer.measures.areas import macro_auc
from trainer.preparing.splits import split_images
from trainer.weights import find_weights, read_state, timm_config

HERE = Path(__file__).resolve().parent
FOLDERS = {"train": "train", "validation": "val", "test": "test"}
#: The versions that were looked at; torch and timm are ours where a peer allows it.
REQUIREMENTS = {
    "autotimm": ("autotimm==0.7.37", "torch", "torchvision", "timm"),
    "fastai": ("fastai==2.8.12", "torch", "torchvision", "timm"),
    # It imports pkg_resources, which later versions of setuptools left out.
    "autogluon": ("autogluon.multimodal==1.6.3", "setuptools==80.10.2"),
}
EVTL = [sys.executable, "-c", "from evtl.cli import main; main()", "train"]


class Result(NamedTuple):
    """What a tool took, and how well it ranks the test images."""

    cpu_s: float
    wall_s: float
    auc: float


def environment(envs: Path, peer: str) -> Path:
    """Python of a peer's environment, which is made if it is missing."""
    python = envs / peer / "bin" / "python"
    if not python.exists():
        say(f"making the environment of {peer}")
        venv.create(envs / peer, with_pip=True)
        wanted = [each if "=" in each else f"{each}=={ours(each)}" for each in REQUIREMENTS[peer]]
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted], check=True)
    return python


def ours(package: str) -> str:
    """Version that evtl runs with, without the name of a build."""
    return version(package).partition("+")[0]


def write_task(task: Path, images: ImageSet, parts: Sequence[str]) -> None:
    """Images in folders by part and class, and the weights in the form that each tool reads."""
    for name, label, part in zip(images.files, images.labels, parts, strict=True):
        place = task / "images" / FOLDERS[part] / label
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(images.root / name, place / Path(name).name)
    backbone = planned("lite0")
    weights = find_weights(backbone)
    if weights is None:
        msg = "the weights of lite0 are not installed"
        raise SystemExit(msg)
    # The package's tensors stand in timm's order under other names.
    names = timm.create_model(backbone.model, pretrained=False).state_dict()
    tensors = [tensor.contiguous() for tensor in read_state(weights).values()]
    save_file(dict(zip(names, tensors, strict=True)), task / "weights.safetensors")
    network = build_backbone(backbone, weights)
    (task / "checkpoint").mkdir()
    torch.save(network.state_dict(), task / "checkpoint" / "pytorch_model.bin")
    config = timm_config(backbone.model).to_dict()  # type: ignore[no-untyped-call]
    config |= {"num_features": 1280, "architecture": backbone.model.partition(".")[0]}
    (task / "checkpoint" / "config.json").write_text(json.dumps(config), encoding="utf-8")


def timed(command: Sequence[str | Path], variables: Mapping[str, str]) -> tuple[float, float]:
    """CPU seconds of a process and its children, and seconds on the wall."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        msg = f"{command[0]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        raise SystemExit(msg)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def run_peer(peer: str, python: Path, task: Path, asked: argparse.Namespace, seed: int) -> Result:
    """One training of a peer."""
    out = task / f"{peer}.json"
    driver = HERE / "peer_drivers.py"
    command: list[str | Path] = [
        python, driver, peer, task, out, str(asked.epochs), str(seed)
    ]  # fmt: skip
    cpu, wall = timed(command, threads(asked))
    files = sorted(path for path in (task / "images" / "test").rglob("*") if path.is_file())
    names = sorted({path.parent.name for path in files})
    targets = np.array([names.index(path.parent.name) for path in files])
    return Result(cpu, wall, macro_auc(targets, np.array(json.loads(out.read_text()))))


def run_evtl(task: Path, asked: argparse.Namespace, seed: int, head: str) -> Result:
    """One ``evtl train`` of a frozen backbone."""
    n = sum(path.is_file() for path in (task / "images").rglob("*"))
    plan = TrainingPlan(
        profile=TaskProfile(modality="ultrasound", n_images=n), backbone=planned("lite0"),
        approach="feature_extractor" if head == "linear" else "feature_extractor_hybrid",
        head=head, augmentation="none", seed=seed,
    )  # fmt: skip
    (task / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    run = task / f"run-{head}"
    variables = {
        "EVTL_DATABASE_URL": f"sqlite:///{task}/evtl.sqlite",
        "EVTL_CACHE_DIR": str(task / "cache"),
        "PYTHONPATH": str(HERE.parent),
    }
    command: list[str | Path] = [
        *EVTL, task / "images", "--plan", task / "plan.json", "--out", run, "--device", "cpu"
    ]  # fmt: skip
    cpu, wall = timed(command, threads(asked) | variables)
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    return Result(cpu, wall, result["metrics"]["test"]["auc"]["value"])


def threads(asked: argparse.Namespace) -> dict[str, str]:
    """How many threads each tool computes with; nothing is looked up in the network."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {"HF_HUB_OFFLINE": "1"} | dict.fromkeys(names, str(asked.threads))


def report(found: Mapping[str, Sequence[Result]]) -> None:
    """Medians of the seconds, means of the AUC, and ratios to the fastest peer."""
    peers = [name for name in found if not name.startswith("evtl")]
    medians = {
        name: (
            statistics.median(each.cpu_s for each in results),
            statistics.median(each.wall_s for each in results),
            statistics.mean(each.auc for each in results),
        )
        for name, results in found.items()
    }
    fastest = min(peers, key=lambda name: medians[name][0])
    say(f"{'':24}{'CPU s':>9}{'wall s':>9}{'AUC':>8}{f'CPU / {fastest}':>20}")
    for name, (cpu, wall, auc) in medians.items():
        say(f"{name:24}{cpu:9.1f}{wall:9.1f}{auc:8.4f}{cpu / medians[fastest][0]:20.3f}")


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run every tool in turn for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("envs", type=Path)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--peers", default=",".join(REQUIREMENTS))
    parser.add_argument("--head", default="linear")
    parser.add_argument("--second", default="svm")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    pythons = {peer: environment(asked.envs, peer) for peer in asked.peers.split(",")}
    images = grouped(asked.data, asked.images)
    say(
        f"{platform.machine()}, {asked.threads} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {asked.data.name}: {len(images.files)} images at 224, "
        f"{asked.epochs} epochs, seeds {asked.seeds}"
    )
    found: dict[str, list[Result]] = {}

    def keep(name: str, result: Result) -> None:
        found.setdefault(name, []).append(result)
        say(f"  {name}: {result.cpu_s:.1f} CPU s, {result.wall_s:.1f} s, AUC {result.auc:.4f}")

    for seed in map(int, asked.seeds.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            task = Path(folder)
            plan = TrainingPlan(
                profile=TaskProfile(modality="ultrasound", n_images=len(images.files)),
                backbone=planned("lite0"), approach="feature_extractor", head="linear",
                augmentation="none", seed=seed,
            )  # fmt: skip
            write_task(task, images, split_images(images, plan))
            keep(f"evtl {asked.head}", run_evtl(task, asked, seed, asked.head))
            for peer, python in pythons.items():
                keep(peer, run_peer(peer, python, task, asked, seed))
            keep(f"evtl {asked.second}, again", run_evtl(task, asked, seed, asked.second))
    report(found)


if __name__ == "__main__":
    main()
