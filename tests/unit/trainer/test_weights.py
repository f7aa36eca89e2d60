"""Weights files: the one that was meant, read as tensors, and nothing in them is executed."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from recommender.plan import PlannedBackbone, PlannedWeights
from trainer import weights as module
from trainer.backbones import build_backbone
from trainer.errors import TrainingError
from trainer.weights import (
    Published,
    Weights,
    checked_weights,
    fetch_weights,
    find_weights,
    named_weights,
    read_state,
)

MODEL = "test_resnet.r160_in1k"
SMALL = PlannedBackbone(name=MODEL, library="timm", model=MODEL, input_px=160)


def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    found: dict[str, Tensor] = timm.create_model(MODEL).state_dict()
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.safetensors"
    save_file(state(), path)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_loaded(weights: Weights) -> bool:
    built, wanted = build_backbone(SMALL, weights).state_dict(), state()
    return all(torch.equal(value, wanted[name]) for name, value in built.items())


def test_a_named_file_gets_its_digest_and_is_loaded(file: Path) -> None:
    planned = named_weights(str(file))
    assert planned == PlannedWeights(path=str(file), sha256=digest(file))
    assert named_weights(f"{file}:{digest(file).upper()}") == planned
    assert is_loaded(checked_weights(planned))


def test_a_file_of_another_digest_is_refused_with_both(file: Path) -> None:
    with pytest.raises(TrainingError, match=f"is {digest(file)}, but {'0' * 64} was expected"):
        named_weights(f"{file}:{'0' * 64}")
    planned = named_weights(str(file))
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(TrainingError, match=f"but {planned.sha256} was expected"):
        checked_weights(planned)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.safetensors", "no such file"),
        ("notes.txt", r"found '\.txt'; allowed: .*safetensors"),
        ("bare", "found 'no suffix'"),
        (f"none.safetensors:{'0' * 63}", "no such file"),
    ],
)
def test_what_is_no_weights_file_is_refused(name: str, message: str, tmp_path: Path) -> None:
    for made in ("notes.txt", "bare"):
        (tmp_path / made).write_text("x", encoding="utf-8")
    with pytest.raises(TrainingError, match=message):
        named_weights(str(tmp_path / name))


def test_no_path_of_the_machine_is_described(file: Path) -> None:
    described = checked_weights(named_weights(str(file))).describe()
    assert described == f"file: mine.safetensors sha256:{digest(file)}"


class Malicious:
    """Unpickling it runs a command."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.target}",)


def test_a_file_that_would_run_something_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    path, target = tmp_path / "evil.pth", tmp_path / "touched"
    torch.save({"conv1.weight": Malicious(target)}, path)
    with pytest.raises(TrainingError, match=r"evil\.pth cannot be read as plain tensors"):
        read_state(checked_weights(named_weights(str(path))))
    assert not target.exists()


@pytest.mark.parametrize("keep", [0, 4, 100, 10_000])
def test_a_truncated_file_is_refused(file: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(TrainingError, match=r"mine\.safetensors cannot be read as plain tensors"):
        read_state(Weights("file", file))


@pytest.mark.parametrize(
    "content", [{"epoch": 3, "lr": 0.1}, [1.0], {"state_dict": {"a": "text"}}, torch.zeros(2)]
)
def test_what_holds_other_things_than_tensors_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"other\.pth cannot be read as plain tensors"):
        read_state(Weights("file", tmp_path / "other.pth"))


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_the_network_of_a_checkpoint_is_found(wrapper: str, tmp_path: Path) -> None:
    inside = {f"module.{name}": value for name, value in state().items()}
    torch.save({wrapper: inside, "epoch": 3}, tmp_path / "checkpoint.pth")
    assert is_loaded(Weights("file", tmp_path / "checkpoint.pth"))


def test_a_classifier_of_other_classes_does_not_matter(tmp_path: Path) -> None:
    other = state() | {"fc.weight": torch.zeros(2, 96), "fc.bias": torch.zeros(2)}
    save_file(other, tmp_path / "two.safetensors")
    assert is_loaded(Weights("file", tmp_path / "two.safetensors"))


def test_other_tensors_of_another_size_do(tmp_path: Path) -> None:
    save_file(state() | {"conv1.0.weight": torch.zeros(7)}, tmp_path / "bad.safetensors")
    with pytest.raises(TrainingError, match=r"bad\.safetensors does not fit test_resnet"):
        build_backbone(SMALL, Weights("file", tmp_path / "bad.safetensors"))


def put(root: Path, hub: str, file: Path) -> Path:
    """The file as the hub's client keeps it."""
    snapshot = root / f"models--{hub.replace('/', '--')}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40, encoding="utf-8")
    return Path(shutil.copy(file, snapshot / "model.safetensors"))


def test_the_cache_of_the_hub_and_a_folder_laid_out_like_it_are_read(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_weights(SMALL) is None
    kept = put(tmp_path / "weights", f"timm/{MODEL}", file)
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "weights"))
    assert find_weights(SMALL) == Weights("folder", kept)
    monkeypatch.delenv("EVTL_WEIGHTS_DIR")
    cached = put(tmp_path / "hub", f"timm/{MODEL}", file)
    found = find_weights(SMALL)
    assert found == Weights("hub", cached)
    assert found is not None
    assert is_loaded(found)


def test_the_repository_is_the_one_that_timm_names(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some models stand under the name of their authors."""
    model = "rdnet_tiny.nv_in1k"
    backbone = PlannedBackbone(name=model, library="timm", model=model, input_px=224)
    kept = put(tmp_path / "hub", f"naver-ai/{model}", file)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert find_weights(backbone) == Weights("hub", kept)


def test_weights_are_fetched_from_the_hub_into_its_cache(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(module, "get_hf_file_metadata", lambda url, timeout: asked.append(url))
    monkeypatch.setattr(
        module, "hf_hub_download", lambda hub, _file, cache_dir: put(Path(cache_dir), hub, file)
    )
    fetched = fetch_weights(SMALL)
    assert f"timm/{MODEL}" in asked[0]
    assert fetched == find_weights(SMALL)
    assert is_loaded(fetched)


@pytest.fixture
def at_an_address(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, PlannedBackbone]:
    """The file at an address, its name with the start of its digest as publishers do it."""
    there = tmp_path / f"model-{digest(file)[:8]}.safetensors"
    shutil.copy(file, there)
    monkeypatch.setattr(module, "published", lambda _: Published(url=there.as_uri()))
    return there, SMALL


def test_weights_are_fetched_from_an_address(
    at_an_address: tuple[Path, PlannedBackbone], tmp_path: Path
) -> None:
    there, backbone = at_an_address
    fetched = fetch_weights(backbone)
    assert fetched.path == tmp_path / "torch" / "hub" / "checkpoints" / there.name
    assert fetched == find_weights(backbone)
    assert is_loaded(fetched)


def test_a_file_that_was_changed_on_its_way_is_not_kept(
    at_an_address: tuple[Path, PlannedBackbone],
) -> None:
    there, backbone = at_an_address
    there.write_bytes(b"something else")
    with pytest.raises(TrainingError, match="invalid hash value"):
        fetch_weights(backbone)
    assert find_weights(backbone) is None


def test_of_a_model_without_published_weights_none_are_fetched() -> None:
    backbone = SMALL.model_copy(update={"model": "resnetv2_152"})
    with pytest.raises(TrainingError, match="no weights of resnetv2_152 are published; name a"):
        fetch_weights(backbone)
    assert find_weights(backbone) is None


@pytest.mark.parametrize(
    ("library", "model", "message"),
    [
        ("timm", "resnet5O", "timm has no model 'resnet5O'"),
        ("timm", "resnet18.none", r"no model 'resnet18\.none'; its weights: resnet18\.a1_in1k"),
        ("torchvision", "vgg16", "vgg16 of torchvision is not carried out"),
        ("evtl", "lenet6", "evtl has no model 'lenet6' of its own"),
    ],
)
def test_a_model_that_no_library_has_is_refused(library: str, model: str, message: str) -> None:
    fields = {"name": "x", "library": library, "model": model, "input_px": 224}
    backbone = PlannedBackbone.model_validate(fields)
    with pytest.raises(TrainingError, match=message):
        find_weights(backbone)
    with pytest.raises(TrainingError, match=message):
        build_backbone(backbone, None)
