"""What training a configuration takes, in multiply-accumulates and, where we ran it, seconds."""

from collections.abc import Mapping, Sequence
from statistics import median

from evidence.records import Backbone, RunRecord
from evidence.vocabulary import Approach
from recommender.plan import EPOCHS, TEST_FRACTION

#: A backward pass computes gradients for inputs and for weights: twice the forward pass.
PASSES_TRAINED = 3


def training_macs(backbone: Backbone, approach: Approach, n_images: int) -> int:
    """Multiply-accumulates of one training: every image once if frozen, else every epoch."""
    if backbone.n_macs is None:
        msg = f"{backbone.name} has no counted operations"
        raise ValueError(msg)
    forward = backbone.n_macs * n_images
    if approach.startswith("feature_extractor"):
        return forward
    return round(forward * (1 - TEST_FRACTION) * EPOCHS * PASSES_TRAINED)


def seconds_per_mac(
    runs: Sequence[RunRecord], backbones: Mapping[str, Backbone]
) -> dict[str, float]:
    """Median speed of our own finished runs, per approach."""
    speeds: dict[str, list[float]] = {}
    for run in runs:
        backbone = backbones.get(run.backbone)
        if run.status == "finished" and backbone is not None and backbone.n_macs:
            macs = training_macs(backbone, run.approach, run.n_images)  # type: ignore[arg-type]
            speeds.setdefault(run.approach, []).append(run.seconds / macs)
    return {approach: median(values) for approach, values in speeds.items()}
