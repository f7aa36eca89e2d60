"""What training a configuration takes, in multiply-accumulates and, where we ran it, seconds."""

from collections.abc import Mapping, Sequence

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
    """Best speed of our own finished runs on the device used last, per approach.

    The best, because a run's seconds hold a start-up that does not grow with the images and that
    weighs least in the largest runs.
    """
    finished = [run for run in runs if run.status == "finished"]
    speeds: dict[str, float] = {}
    for run in finished:
        backbone = backbones.get(run.backbone)
        if run.device == finished[-1].device and backbone is not None and backbone.n_macs:
            speed = run.seconds / training_macs(backbone, run.approach, run.n_images)
            speeds[run.approach] = min(speed, speeds.get(run.approach, speed))
    return speeds
