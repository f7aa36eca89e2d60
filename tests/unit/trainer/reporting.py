"""A small finished run and its report data."""

import numpy as np

from evidence.records import TaskProfile
from recommender.plan import PlanEvidence
from tests.unit.trainer.toys import LITE0, plan_of
from trainer.measures.bootstrap import Interval
from trainer.preparing.data_summary import DataSummary
from trainer.reading.readable import Unreadable
from trainer.reporting.report_data import (
    Drawn,
    Outcomes,
    Reference,
    ReportData,
    ShownCase,
)
from trainer.runs import RunResult
from trainer.tuning.ladder import Step

CLASSES = ("benign", "malignant")


def result_of(**fields: object) -> RunResult:
    """A finished run of EfficientNet-Lite0 with a linear head."""
    base: dict[str, object] = {
        "run_id": "20260101T000000000000Z-12345678",
        "status": "finished",
        "started_at": "2026-01-01T00:00:00.000000+00:00",
        "seconds": 12.5,
        "classes": CLASSES,
        "positive_class": "malignant",
        "n_images": 100,
        "n_per_part": {"train": 60, "validation": 20, "test": 20},
        "backbone_recommended": LITE0.name,
        "backbone": LITE0.name,
        "planned_backbone": LITE0,
        "weights": "package: lite0.pth sha256:0",
        "approach": "feature_extractor",
        "head": "linear",
        "head_setting": "C=0.01",
        "seed": 0,
        "device": "cpu",
        "metrics": {"test": {"auc": Interval(value=0.9, low=0.85, high=0.94)}},
        "digests": {"model": "f" * 64},
        "versions": {"torch": "2.0"},
    }
    return RunResult.model_validate(base | fields)


def outcomes(part: str = "test", n: int = 40, n_classes: int = 2) -> Outcomes:
    """What a fair model says of `n` images of some patients."""
    rng = np.random.default_rng(0)
    targets = rng.integers(n_classes, size=n)
    logits = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[targets]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Outcomes(part, targets, probabilities, tuple(f"patient-{i // 2}" for i in range(n)))


def picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Sixteen pixels of some grey."""
    return np.full((16, 16, 3), 90, dtype=np.uint8)


def step_of(**fields: object) -> Step:
    """The first step of a ladder."""
    base: dict[str, object] = {
        "name": "frozen", "n_open": 0, "value": 0.9, "low": 0.85, "high": 0.95, "kept": True,
        "seconds": 1.5,
    }  # fmt: skip
    return Step.model_validate(base | fields)


def full_report(name: str = "benign_1.png") -> ReportData:
    """Report data with every part; `name` is that of a file."""
    evidence = PlanEvidence(rules=("start-frozen",), studies=("smith-2020",), corpus_digest="abc")
    profile = TaskProfile(modality="ultrasound", anatomy="breast", n_images=100)
    return ReportData(
        plan=plan_of(evidence=evidence, profile=profile),
        result=result_of(warnings=("2 images have an identical file under another label",)),
        data=DataSummary(
            counts={"train": {"benign": 40, "malignant": 20}, "test": {"benign": 20}},
            n_groups=50,
            unreadable=(Unreadable(file=f"folder/{name}", reason="empty file"),),
            near_duplicates=((f"a/{name}", "b.png"),),
            conflicts=((f"a/{name}", "c.png"),),
            crossing=(f"a/{name}",),
            shortcuts=("the size of the file predicts the label",),
            scaling={"8 bits as stored": 100},
            notes=("one CSV was not read",),
        ),
        outcomes=(outcomes(),),
        history=({"setting": "C=0.01", "validation_log_loss": 0.5},
                 {"setting": "C=0.1", "validation_log_loss": 0.6}),
        ladder=(step_of(),),
        cases=(ShownCase("right", f"folder/{name}", "benign", "benign (99.0%)",
                         (Drawn("image", picture()), Drawn("CAM: benign", picture(), "noted"))),
               ShownCase("wrong", "w.png", "benign", "malignant (80.0%)", ())),
        ideals=(Drawn("malignant", picture()),),
        resemblance=0.123,
        rules=(Reference(key="start-frozen", text="Start frozen.", source="Kim 2022"),),
        studies=(Reference(key="smith-2020", text="Smith 2020", source="Morid 2022, Table 3"),),
        comparisons=("Another run was no better.",),
        limits=("A limit of its own.",),
        environment={"processor": "two cores"},
    )  # fmt: skip
