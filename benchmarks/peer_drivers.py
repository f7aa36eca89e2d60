"""One training by a peer, run by the Python of the peer's own environment (`peers.py`).

Each trains on ``TASK/images/train``, validates on ``val`` and writes the probabilities of the
images in ``test``, in the order of their paths, as a JSON list of rows. Nothing but the standard
library is imported before the peer itself, so that its start counts as its own.

Usage: PYTHON benchmarks/peer_drivers.py {autotimm,fastai,autogluon} TASK OUT.json EPOCHS SEED
"""

import json
import sys
from pathlib import Path
from typing import Any

MODEL = "tf_efficientnet_lite0"
BATCH_SIZE = 32
Rows = list[list[float]]


def files(task: Path, part: str) -> list[Path]:
    """Images of a part in the order of their paths."""
    return sorted(path for path in (task / "images" / part).rglob("*") if path.is_file())


def classes(task: Path) -> list[str]:
    """Names in alphabetical order."""
    return sorted(path.name for path in (task / "images" / "train").iterdir())


def autotimm(task: Path, epochs: int, seed: int) -> Rows:
    """A frozen backbone; no search for rates or sizes, no compilation: as quick as it can be."""
    import torch  # noqa: PLC0415
    from autotimm import (  # noqa: PLC0415
        AutoTrainer,
        BackboneConfig,
        ImageClassifier,
        ImageDataModule,
        TransformConfig,
    )

    overlay = {"pretrained_cfg_overlay": {"file": str(task / "weights.safetensors")}}
    own = TransformConfig(use_timm_config=True)
    data = ImageDataModule(
        data_dir=str(task / "images"), image_size=224, batch_size=BATCH_SIZE,
        transform_config=own, backbone=MODEL,
    )  # fmt: skip
    model = ImageClassifier(
        backbone=BackboneConfig(model_name=MODEL, extra_kwargs=overlay),
        num_classes=len(classes(task)), freeze_backbone=True, compile_model=False, seed=seed,
        deterministic=False, transform_config=own,
    )  # fmt: skip
    trainer = AutoTrainer(
        max_epochs=epochs, accelerator="cpu", tuner_config=False, seed=seed, deterministic=False,
        default_root_dir=str(task / "autotimm"),
    )  # fmt: skip
    trainer.fit(model, datamodule=data)
    data.setup("test")
    model.eval()
    with torch.inference_mode():
        rows = [model(batch[0]).softmax(1) for batch in data.test_dataloader()]
    found: Rows = torch.cat(rows).tolist()
    return found


def fastai(task: Path, epochs: int, seed: int) -> Rows:
    """A frozen body and a new head by the one-cycle policy."""
    from fastai.vision.all import (  # noqa: PLC0415
        ImageDataLoaders,
        Resize,
        set_seed,
        vision_learner,
    )

    set_seed(seed)
    data = ImageDataLoaders.from_folder(
        task / "images", train="train", valid="val", seed=seed, bs=BATCH_SIZE, item_tfms=Resize(224)
    )
    overlay = {"file": str(task / "weights.safetensors")}
    learner = vision_learner(data, MODEL, pretrained_cfg_overlay=overlay)
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs)
        found, _ = learner.get_preds(dl=data.test_dl(files(task, "test")))
    rows: Rows = found.tolist()
    return rows


def autogluon(task: Path, epochs: int, seed: int) -> Rows:
    """All weights are trained: the library has no frozen backbone."""
    import pandas as pd  # noqa: PLC0415
    from autogluon.multimodal import MultiModalPredictor  # noqa: PLC0415

    def table(part: str) -> Any:
        found = files(task, part)
        return pd.DataFrame({"image": map(str, found), "label": [p.parent.name for p in found]})

    predictor = MultiModalPredictor(
        label="label", problem_type="multiclass", path=str(task / "autogluon"), verbosity=1
    )
    settings = {
        "model.names": ["timm_image"],
        "model.timm_image.checkpoint_name": str(task / "checkpoint"),
        "optim.max_epochs": epochs,
        "env.accelerator": "cpu",
        "env.num_gpus": 0,
        "env.precision": 32,
        "env.batch_size": BATCH_SIZE,
        "env.per_gpu_batch_size": BATCH_SIZE,
    }
    predictor.fit(table("train"), tuning_data=table("val"), hyperparameters=settings, seed=seed)
    found: Rows = predictor.predict_proba(table("test"))[classes(task)].to_numpy().tolist()
    return found


def main(peer: str, task: str, out: str, epochs: str, seed: str) -> None:
    """Train by one peer."""
    drivers = {"autotimm": autotimm, "fastai": fastai, "autogluon": autogluon}
    rows = drivers[peer](Path(task), int(epochs), int(seed))
    Path(out).write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
