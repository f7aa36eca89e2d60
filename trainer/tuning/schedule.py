"""Which parameter learns how fast, and when."""

import math
from collections.abc import Sequence
from typing import Any

from torch import nn

from recommender.plan import TrainingPlan
from trainer.tuning.freezing import Block, plain_name

#: Share of all steps in which the learning rate rises from zero.
WARM_UP = 0.1


def parameter_groups(
    backbone: nn.Module, head: nn.Module, found: Sequence[Block], plan: TrainingPlan
) -> list[dict[str, Any]]:
    """Groups for an optimiser: one of each block that learns, from the top, then the head.

    A block learns by the factor ``layer_decay`` more slowly than the one above it. What is new
    learns at the head's rate: a randomly initialised backbone, and low-rank updates.

    References
    ----------
    Discriminative rates: Howard and Ruder 2018, section 3.1 (arXiv:1801.06146). Low-rank updates
    want about ten times the rate of full fine-tuning (Biderman et al. 2024, arXiv:2405.09673).
    """
    new = plan.initialisation == "random" or plan.lora_rank is not None
    rate = plan.head_learning_rate if new else plan.backbone_learning_rate
    depth = {name: n for n, block in enumerate(reversed(found)) for name in block.parameters}
    members: dict[int, list[nn.Parameter]] = {}
    for name, parameter in backbone.named_parameters():
        if parameter.requires_grad:
            members.setdefault(depth[plain_name(name)], []).append(parameter)
    groups = [
        {"params": members[n], "base_lr": rate * plan.layer_decay**n} for n in sorted(members)
    ]
    return [*groups, {"params": list(head.parameters()), "base_lr": plan.head_learning_rate}]


def warm_cosine(step: int, n_steps: int) -> float:
    """Factor of the learning rates at a step counted from 0: up in a line, down as a cosine.

    References
    ----------
    Loshchilov and Hutter 2017, arXiv:1608.03983; the warm-up: Goyal et al. 2017, arXiv:1706.02677.
    """
    warm = max(1, round(n_steps * WARM_UP))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, n_steps - warm)))
