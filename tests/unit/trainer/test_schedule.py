"""Rates fall from block to block; what is new learns at the head's rate."""

import math
from typing import Any

import pytest
import torch

from tests.unit.trainer.toys import TOY_PX
from tests.unit.trainer.tuning import deep_toy, tuning_plan
from trainer.tuning.freezing import blocks, unfreeze
from trainer.tuning.schedule import parameter_groups, warm_cosine


def rates(n_open: int = 3, **fields: Any) -> list[float]:
    classifier = deep_toy()
    found = blocks(classifier.backbone, TOY_PX)
    unfreeze(classifier.backbone, found, n_open)
    groups = parameter_groups(classifier.backbone, classifier.head, found, tuning_plan(**fields))
    assert sum(len(group["params"]) for group in groups) == 4 * n_open + 2
    return [group["base_lr"] for group in groups]


def test_each_block_learns_by_a_factor_more_slowly_than_the_one_above() -> None:
    assert rates(layer_decay=0.5) == pytest.approx([0.01, 0.005, 0.0025, 0.05])


def test_without_a_factor_all_blocks_learn_alike() -> None:
    assert rates() == [0.01, 0.01, 0.01, 0.05]


def test_frozen_blocks_have_no_group() -> None:
    assert rates(1, layer_decay=0.5) == [0.01, 0.05]


def test_a_random_backbone_learns_as_fast_as_the_head() -> None:
    assert rates(initialisation="random") == [0.05] * 4


def test_rates_rise_for_a_tenth_of_the_steps_and_fall_as_torch_says() -> None:
    n_steps = 50
    found = [warm_cosine(step, n_steps) for step in range(n_steps)]
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps - 5)
    for value in found[5:]:
        assert value == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
    assert not math.isclose(found[-1], 0.0)
