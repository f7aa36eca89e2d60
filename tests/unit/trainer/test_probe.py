"""A probe keeps its budget, never opens the test part, and finds what works."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.trainer.probing import Toys, images, make_toys
from trainer import heads
from trainer.errors import TrainingError
from trainer.heads import Selection, fit_head
from trainer.images import ImageSet
from trainer.probing.probe import configuration, probe
from trainer.probing.probe_report import ProbeReport, decide
from trainer.tuning.budget import TOLERANCE

__all__ = ("images", "make_toys")
MakeToys = Callable[..., Toys]


def probed(toys: Toys, images: ImageSet, budget_s: float = 1000.0) -> ProbeReport:
    plans = toys.plans()
    return probe(plans, images, budget_s, seed=0, device="cpu", clock=toys.clock)


def test_the_backbone_that_sees_comes_first_and_everything_is_tried(
    images: ImageSet, make_toys: MakeToys
) -> None:
    toys = make_toys(kinds={"blind": "blind", "sees": "sees"})
    report = probed(toys, images)
    assert decide(report)[0].backbone == "sees"
    values = {(t.backbone, t.head): t.value for t in report.trials if t.frozen}
    assert values["sees", "linear"] > 0.8 > values["blind", "linear"]
    assert {t.head for t in report.trials} == {"linear", "svm", "random_forest", "knn", "lda"}
    assert {t.backbone for t in report.trials if not t.frozen} == {"blind", "sees"}
    assert len(decide(report)) == len(report.candidates) == 12
    assert report.n_images == 96


def test_planted_labels_and_broken_files_of_the_test_part_change_nothing(
    images: ImageSet, make_toys: MakeToys
) -> None:
    before = probed(make_toys(), images)
    other = {"bright": "dark", "dark": "bright"}
    parts = images.splits or ()
    labels = tuple(
        other[label] if part == "test" else label
        for label, part in zip(images.labels, parts, strict=True)
    )
    for name, part in zip(images.files, parts, strict=True):
        if part == "test":
            (images.root / name).write_bytes(b"no image")
    after = probed(make_toys(), replace(images, labels=labels))
    assert after.trials == before.trials


def test_the_split_that_training_will_make_is_left_out_too(
    images: ImageSet, make_toys: MakeToys
) -> None:
    report = probed(make_toys(), replace(images, splits=None))
    assert report.n_images < len(images.files)
    assert max(t.fidelity.images for t in report.trials) == report.n_images


@pytest.mark.parametrize("budget_s", [0.5, 2.0, 5.0, 10.0, 20.0, 50.0])
@pytest.mark.parametrize("step_ratio", [1.0, 4.0, 10.0])
def test_the_budget_is_kept_within_a_tenth(
    images: ImageSet, make_toys: MakeToys, monkeypatch: pytest.MonkeyPatch, budget_s: float,
    step_ratio: float,
) -> None:  # fmt: skip
    toys = make_toys(step_ratio=step_ratio, cost_s={"sees": 0.01, "blind": 0.03})

    def slow_head(head: str, *rest: object) -> Selection:
        toys.clock.now += 0.3 if head == "random_forest" else 0.05
        return fit_head(head, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(heads, "fit_head", slow_head)
    report = probed(toys, images, budget_s)
    # what is stopped is stopped after its batch of 32 images, its step of 8, or its head
    assert report.spent_s <= budget_s * (1 + TOLERANCE) + max(32, 8 * step_ratio) * 0.03 + 0.05
    assert report.spent_s == pytest.approx(toys.clock.now - 100)


def test_a_large_budget_is_not_used_up(images: ImageSet, make_toys: MakeToys) -> None:
    assert probed(make_toys(), images, 1e6).spent_s < 100


def test_features_are_extracted_once(images: ImageSet, make_toys: MakeToys) -> None:
    toys = make_toys()
    plans = [plan for plan in toys.plans() if plan.approach != "fine_tuning_from_scratch"]
    report = probe(plans, images, 1000.0, device="cpu", clock=toys.clock)
    assert toys.passed == {"sees": 96, "blind": 96}
    assert len(report.trials) > 6


def test_few_seconds_try_backbones_on_fewer_images_and_drop_the_worse(
    images: ImageSet, make_toys: MakeToys
) -> None:
    toys = make_toys(kinds={"blind": "blind", "sees": "sees", "worse": "blind", "bad": "blind"})
    report = probed(toys, images, 8.0)
    seen = {t.backbone: t.fidelity.images for t in report.trials if t.frozen}
    assert seen["sees"] > seen["bad"]
    assert decide(report)[0].backbone == "sees"


def test_slow_steps_are_noticed_and_a_shorter_run_is_made(
    images: ImageSet, make_toys: MakeToys
) -> None:
    lengths = {}
    for ratio in (4.0, 12.0):
        report = probed(make_toys(kinds={"sees": "sees"}, step_ratio=ratio), images, 16.0)
        tuned = [t for t in report.trials if not t.frozen]
        assert len(tuned) == 1
        lengths[ratio] = tuned[0].fidelity.images * tuned[0].fidelity.epochs
    assert lengths[12.0] < lengths[4.0]


def test_a_fine_tuning_is_paired_with_the_best_frozen_on_the_same_images(
    images: ImageSet, make_toys: MakeToys
) -> None:
    report = probed(make_toys(), images)
    best = next(each for each in decide(report) if each.frozen)
    tuned = [t for t in report.trials if not t.frozen]
    assert all(t.paired is not None and t.paired.against == best for t in tuned)
    last = tuned[-1]
    assert last.fidelity.epochs == 4
    assert last.fidelity.share == pytest.approx(last.fidelity.images / 96)
    assert abs(last.paired.difference if last.paired else 1.0) < 0.2


def test_a_head_that_cannot_be_fitted_is_left_out_with_its_reason(
    images: ImageSet, make_toys: MakeToys, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_svm(head: str, *rest: object) -> Selection:
        if head == "svm":
            msg = "no svm today"
            raise TrainingError(msg)
        return fit_head(head, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(heads, "fit_head", no_svm)
    report = probed(make_toys(), images)
    reasons = {(s.backbone, s.head): s.reason for s in report.skipped}
    assert reasons["sees", "svm"] == "no svm today"
    assert reasons["blind", "knn"] == "sees came out ahead of its backbone"


def test_weights_that_are_not_here_are_said(images: ImageSet, make_toys: MakeToys) -> None:
    report = probed(make_toys(missing=("blind",)), images)
    assert {s.reason for s in report.skipped if s.backbone == "blind"} == {
        "its weights are not on this machine"
    }
    assert decide(report)[0].backbone == "sees"
    nothing = probed(make_toys(missing=("blind", "sees")), images)
    assert nothing.trials == ()
    assert decide(nothing) == nothing.candidates


def test_the_same_seed_gives_the_same_report(images: ImageSet, make_toys: MakeToys) -> None:
    first, second = (probed(make_toys(), images, 20.0) for _ in range(2))
    assert first.trials == second.trials
    assert ProbeReport.model_validate_json(first.model_dump_json()) == first


def test_only_fine_tunings_are_compared_without_proposing_what_was_not_asked_for(
    images: ImageSet, make_toys: MakeToys
) -> None:
    toys = make_toys(kinds={"blind": "blind", "sees": "sees"})
    plans = [plan for plan in toys.plans() if plan.approach == "fine_tuning_from_scratch"]
    report = probe(plans, images, 1000.0, device="cpu", clock=toys.clock)
    assert set(decide(report)) == {configuration(plan) for plan in plans}
    assert decide(report)[0].backbone == "sees"


def test_what_makes_no_sense_is_refused(images: ImageSet, make_toys: MakeToys) -> None:
    toys = make_toys()
    with pytest.raises(TrainingError, match="at least one candidate"):
        probe([], images, 10.0)
    for budget in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(TrainingError, match="positive number of seconds"):
            probe(toys.plans(), images, budget)
    with pytest.raises(TrainingError, match="split the images alike"):
        probe([*toys.plans(), *toys.plans(seed=3)], images, 10.0)


def test_too_few_patients_outside_the_test_part_are_an_error(
    images: ImageSet, make_toys: MakeToys
) -> None:
    few = images.pick([*np.flatnonzero(np.array(images.labels) == "dark"), 2, 6, 12, 32])
    with pytest.raises(TrainingError, match=r"class 'bright' .* at least three patients"):
        probed(make_toys(), replace(few, splits=None))


def test_what_little_tells_nothing_of_is_left_out_and_the_reason_is_said(
    images: ImageSet, make_toys: MakeToys
) -> None:
    toys = make_toys(kinds={"sees": "sees"})
    full = next(plan for plan in toys.plans() if not plan.frozen)
    partial = full.model_copy(update={"approach": "fine_tuning", "n_blocks": 1})
    random = full.model_copy(update={"initialisation": "random"})
    plans = [partial, random, *toys.plans()]
    report = probe(plans, images, 1000.0, seed=0, device="cpu", clock=toys.clock)
    without = probed(make_toys(kinds={"sees": "sees"}), images)
    assert [t.value for t in report.trials] == [t.value for t in without.trials]
    reasons = {(s.approach, s.initialisation): s.reason for s in report.skipped}
    assert "between frozen and full" in reasons["fine_tuning", "pretrained"]
    assert "a whole training only" in reasons["fine_tuning_from_scratch", "random"]
    assert set(decide(report)) == set(map(configuration, plans))
