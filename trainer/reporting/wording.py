"""Words that the report and the model card share."""

from collections.abc import Iterator

from evidence.vocabulary import ANATOMY, MODALITY
from trainer.measures.bootstrap import Interval
from trainer.reporting.report_data import ReportData

#: Test units (patients, else images) below which intervals are wide whatever the model.
FEW_UNITS = 100
_WRITTEN = {
    "auc": "AUC", "ppv": "PPV", "npv": "NPV", "f1": "F1", "mcc": "MCC", "ece": "ECE",
    "mae": "MAE", "rmse": "RMSE", "r2": "R²", "brier": "Brier score",
}  # fmt: skip
_APPROACHES = {
    "feature_extractor": "frozen backbone",
    "feature_extractor_hybrid": "frozen backbone with a classical head",
    "fine_tuning": "fine-tuning of the upper blocks",
    "fine_tuning_from_scratch": "full fine-tuning",
}
_TARGETS = {
    "classes": "one class of several",
    "multi_label": "several labels at once",
    "ordinal": "ordered grades",
    "number": "a number",
}
#: Said in every report and card.
INTENDED = (
    "Research on the images described here. This is not a medical device: it must not be used to "
    "diagnose, to treat or to triage."
)


def written(key: str) -> str:
    """A key of metrics or heads as people write it."""
    return " ".join(_WRITTEN.get(word, word) for word in key.split("_"))


def interval(value: Interval) -> str:
    """A value with its 95% interval, as far as they are defined."""
    if value.value is None:
        return "not defined"
    if value.low is None or value.high is None:
        return _number(value.value)
    return f"{_number(value.value)} ({_number(value.low)} to {_number(value.high)})"


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.5g}"


#: Where a frozen backbone was read.
_DEPTHS = {
    "stages": "means over the positions at the ends of the last three stages",
    "last": "what the backbone gives before its classifier",
}


def facts(data: ReportData) -> Iterator[tuple[str, str]]:
    """What was trained: name and words of each fact that is known."""
    plan, result = data.plan, data.result
    place = plan.profile.anatomy
    yield (
        "Images",
        MODALITY.label(plan.profile.modality)
        + (f" of {ANATOMY.label(place).lower()}" if place else ""),
    )
    yield "Learned", _TARGETS[plan.target] + (f": {', '.join(data.outputs)}" * bool(data.outputs))
    if result.positive_class:
        yield "Positive class", result.positive_class
    yield "Backbone", result.backbone or result.backbone_recommended
    if result.fallback_reason:
        yield "Instead of", f"{result.backbone_recommended}: {result.fallback_reason}"
    if plan.initialisation == "random":
        yield "Weights", "random: nothing pretrained was used"
    elif result.weights:
        yield "Weights", result.weights
    yield "Approach", approach(data)
    yield "Head", written(plan.head) + (f" ({result.head_setting})" * bool(result.head_setting))
    if result.features is not None:
        yield "Features", _DEPTHS[result.features]
    yield "Augmentation", _augmentation(data)
    if result.temperature is not None:
        yield "Calibration", f"logits divided by a temperature of {result.temperature:.3g}"
    if result.device:
        yield "Device", result.device
    yield "Started", result.started_at
    again = f", gone on with {result.n_resumed} times" if result.n_resumed else ""
    yield "Took", f"{result.seconds:.0f} s{again}"
    yield "Seed", str(plan.seed)


def approach(data: ReportData) -> str:
    """The approach in words, with what of it the plan sets."""
    plan = data.plan
    details = [
        f"{plan.n_blocks} blocks from the top" if plan.n_blocks else "",
        f"low-rank updates of rank {plan.lora_rank}" if plan.lora_rank else "",
        "unfrozen gradually" if plan.gradual else "",
        f"layer decay {plan.layer_decay:g}" if plan.layer_decay < 1 else "",
        "chosen by a ladder" if plan.ladder else "",
        "" if plan.frozen else f"{plan.epochs} epochs",
    ]
    return ", ".join([_APPROACHES[plan.approach], *filter(None, details)])


def _augmentation(data: ReportData) -> str:
    plan = data.plan
    if plan.augmentation == "none":
        return "none"
    kinds = ", ".join(written(kind) for kind in plan.transforms)
    copies = f", {plan.n_copies} images made of one" if plan.augmentation == "offline" else ""
    return f"{plan.augmentation}: {kinds}{copies}"


def limits(data: ReportData) -> tuple[str, ...]:
    """What nobody may conclude from the report, and what its own data add."""
    return (
        "All images come from one set. How the model does on images of another hospital, device "
        "or time is not known before it was tried there.",
        "Intervals resample the test images (whole patients where they are known); they do not "
        "hold how much another seed, split or training would change.",
        "Nothing here says for whom it errs: age, sex, device and severity were not looked at.",
        *_own_limits(data),
        *data.limits,
    )


def _own_limits(data: ReportData) -> Iterator[str]:
    if data.data is not None and data.data.n_groups is None:
        yield (
            "No patients were named: images of one patient may be on both sides of the split, "
            "and the results too good."
        )
    if data.plan.allow_leakage:
        yield "The given split was used although images or groups cross it: see the warnings."
    tests = [part for part in data.outcomes if part.part == "test"]
    if tests and (n := len(set(tests[0].units))) < FEW_UNITS:
        yield f"The test part holds {n} independent units only: its intervals are wide."
    if data.cases or data.ideals:
        yield (
            "Maps show where a network looks, not whether it is right to look there; a map on the "
            "lesion is no proof, one beside it a reason to look again."
        )
    if not data.plan.evidence.rules and not data.plan.evidence.studies:
        yield "The plan names no evidence: a person chose the configuration."


def of_maps(resemblance: float | None) -> str:
    """What the comparison with shuffled weights says of the maps; empty where there was none."""
    if resemblance is None:
        return ""
    return (
        "Maps of the same network with its weights shuffled have a rank correlation of "
        f"{resemblance:.2f} with its own. Near 1, they would show the images and not what was "
        "learned."
    )
