"""Runs of tiny networks as a training leaves them, without the training."""

from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import Pipeline

from evidence.records import TaskProfile
from evidence.vocabulary import Head
from recommender.plan import FeatureDepth, PlannedBackbone, TrainingPlan
from tests.unit.trainer.toys import plan_of
from trainer import heads
from trainer.backbones import build_backbone
from trainer.runs import RunFolder, RunResult
from trainer.stages import read_at
from trainer.targets import Labels
from trainer.tuning.classifier import Classifier, count_features

#: Networks of timm and ours that are small enough for a test.
TINY = "test_resnet.r160_in1k"
LENET = PlannedBackbone(name="LeNet-5", library="evtl", model="lenet5", input_px=32)
CLASSES = Labels(target="classes", names=("benign", "malignant", "normal"))
GRADES = Labels(target="ordinal", names=("none", "mild", "severe", "worst"))
SEVERAL = Labels(target="multi_label", names=("cataract", "glaucoma", "myopia"))
NUMBER = Labels(target="number", names=("value",), centre=57.0, spread=12.5)


def tiny(model: str = TINY, library: str = "timm", px: int = 160) -> PlannedBackbone:
    return PlannedBackbone.model_validate(
        {"name": model, "library": library, "model": model, "input_px": px}
    )


def write_run(
    folder: Path,
    labels: Labels = CLASSES,
    *,
    head: Head = "linear",
    backbone: PlannedBackbone | None = None,
    temperature: float | None = None,
    features: FeatureDepth = "last",
) -> Path:
    """A finished run with random weights, the same every time."""
    torch.manual_seed(0)
    run, chosen = RunFolder.create(folder), backbone or tiny()
    network = build_backbone(chosen, None)
    n_features = count_features(read_at(network, features), chosen.input_px)
    if head == "linear":
        classifier = Classifier(network, n_features, labels.n_outputs)
        torch.nn.init.normal_(classifier.head.weight, std=2.0)
        run.write_model(classifier.state_dict())
    else:
        run.write_model({f"backbone.{n}": value for n, value in network.state_dict().items()})
        heads.save_head(fitted_head(head, n_features, len(labels.names)), run.head_file)
    plan = _plan(labels, head, chosen)
    run.write_plan(plan)
    run.write_result(_result(run, plan, labels, temperature, features))
    return folder


def fitted_head(head: Head, n_features: int, n_classes: int) -> Pipeline:
    """A head of one part noise, one part signal."""
    rng = np.random.default_rng(0)
    targets = np.arange(60) % n_classes
    features = rng.normal(targets[:, None] / 2, size=(60, n_features)).astype(np.float32)
    parts = ["train"] * 40 + ["validation"] * 20
    return heads.fit_head(head, features, targets, parts, 0).head


def _plan(labels: Labels, head: Head, backbone: PlannedBackbone) -> TrainingPlan:
    return plan_of(
        profile=TaskProfile(modality="ultrasound", n_images=60),
        backbone=backbone,
        target=labels.target,
        approach="feature_extractor" if head == "linear" else "feature_extractor_hybrid",
        head=head,
    )


def _result(
    run: RunFolder,
    plan: TrainingPlan,
    labels: Labels,
    temperature: float | None,
    features: FeatureDepth,
) -> RunResult:
    return RunResult(
        run_id="20260101T000000000000Z-00000000",
        status="finished",
        started_at="2026-01-01T00:00:00.000000+00:00",
        seconds=1.0,
        classes=labels.names,
        labels=labels,
        backbone_recommended=plan.backbone.name,
        backbone=plan.backbone.name,
        planned_backbone=plan.backbone,
        approach=plan.approach,
        head=plan.head,
        seed=0,
        temperature=temperature,
        features=features,
        digests={"plan": run.read_plan().digest, "model": run.model_digest()},
    )
