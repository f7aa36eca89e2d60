"""A ladder is a run like any other: its steps are kept, its state is not."""

from pathlib import Path

import pytest

from tests.unit.trainer.toys import plan_of
from trainer.images import read_images
from trainer.synthetic import write_sample
from trainer.training import train
from trainer.tuning.ladder import Step, top


@pytest.mark.slow
def test_a_ladder_keeps_its_steps_and_what_they_gained(tmp_path: Path) -> None:
    write_sample(tmp_path / "images", n_images=36, seed=0)
    plan = plan_of(ladder=True, augmentation="online", epochs=1, batch_size=16)
    images = read_images(tmp_path / "images")
    result, folder = train(plan, images, tmp_path / "run", device="cpu")
    steps = [Step.model_validate(line) for line in folder.lines("ladder.jsonl")]
    assert steps[0].name == "frozen"
    assert len(steps) > 1
    assert result.head_setting.startswith(f"ladder: {steps[top(steps)].name}")
    assert not (folder.path / "ladder").exists()
