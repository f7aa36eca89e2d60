"""Which backbones are here: from folders laid out as the hub's, and without any network."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.records import Backbone, Corpus
from evtl.available import available
from trainer.errors import TrainingError

#: Their weights come with installed packages, wherever the tests run.
EMBEDDED = {"EfficientNet-Lite0", "EfficientNet-Lite1", "EfficientNet-Lite2"}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def put(root: Path, model: str) -> None:
    """An empty file where the hub's client would keep the weights of a model."""
    snapshot = root / f"models--timm--{model}" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40, encoding="utf-8")


def test_without_any_weights_only_the_embedded_ones_are_here(corpus: Corpus) -> None:
    assert available(corpus.backbones) == EMBEDDED


def test_a_folder_laid_out_as_the_hub_is_searched(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "weights", "resnet18.tv_in1k")
    put(tmp_path / "weights", "vit_base_patch16_224.dino")
    put(tmp_path / "weights", "resnet200d.ra2_in1k")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "weights"))
    assert available(corpus.backbones) - EMBEDDED == {"ResNet-18", "DINO-ViT-B-16"}


def test_the_caches_of_the_hub_and_of_torch_are_searched(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "hub", "convnext_tiny.fb_in1k")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    checkpoints = tmp_path / "torch" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "shufflenetv2_x1-5666bf0f80.pth").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert available(corpus.backbones) - EMBEDDED == {"ConvNeXt-Tiny", "ShuffleNet-V2"}


def test_weights_of_other_tags_of_an_architecture_are_not_taken(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "weights", "resnet18.a1_in1k")
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "weights"))
    assert available(corpus.backbones) == EMBEDDED


def test_a_file_without_a_tag_is_not_taken_for_weights_learned_without_labels(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vit_base_patch16_224.safetensors").touch()
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path))
    assert available(corpus.backbones) - EMBEDDED == {"ViT-Base-16"}
    (tmp_path / "vit_base_patch16_224.mae.safetensors").touch()
    assert available(corpus.backbones) - EMBEDDED == {"ViT-Base-16", "MAE-ViT-B-16"}


def test_a_folder_that_is_not_there_is_an_error(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVTL_WEIGHTS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(TrainingError, match="nowhere: no such file or folder"):
        available(corpus.backbones)


def test_what_no_library_carries_out_is_never_here() -> None:
    assert available([Backbone(name="ZFNet", family="ZFNet")]) == frozenset()


def test_only_asking_imports_torch() -> None:
    code = (
        "import sys, evtl.available, recommender.candidates, evidence.backbone_names; "
        "print({'torch', 'timm', 'sqlalchemy'} & sys.modules.keys())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert found == "set()\n"
