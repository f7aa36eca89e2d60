"""A plan file alone repeats a training, whatever it learned."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evidence.store import Store
from tests.integration.commands import evtl, refused
from tests.unit.trainer.toys import plan_of
from trainer.runs import RunFolder

ORDER = ("none", "mild", "severe")


@pytest.fixture
def grades(tmp_path: Path) -> Path:
    """Eight images of each grade, whose names are not in the order of the alphabet."""
    rng = np.random.default_rng(0)
    for level, grade in enumerate(ORDER):
        (tmp_path / "images" / grade).mkdir(parents=True)
        for number in range(8):
            pixels = rng.integers(80 * level, 80 * level + 60, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / grade / f"{number}.png")
    return tmp_path / "images"


def train(images: Path, plan: Path, out: Path, *more: str) -> RunFolder:
    words = (str(images), "--plan", str(plan), "--out", str(out), "--device", "cpu")
    evtl("train", *words, *more)
    return RunFolder(out)


def test_a_plan_alone_repeats_a_training_of_ordered_grades(
    store: Store, grades: Path, tmp_path: Path
) -> None:
    assert store.path.exists()
    plan = tmp_path / "plan.json"
    plan.write_text(plan_of().model_dump_json(), encoding="utf-8")
    asked = ("--target", "ordinal", "--order", ",".join(ORDER))
    first = train(grades, plan, tmp_path / "first", *asked)
    assert (first.read_plan().target, first.read_plan().order) == ("ordinal", ORDER)
    again = train(grades, first.path / "plan.json", tmp_path / "again")
    assert again.read_plan() == first.read_plan()
    assert again.read_result().classes == ORDER
    assert again.read_result().metrics == first.read_result().metrics


def test_an_order_of_a_plan_that_the_images_do_not_have_is_refused(
    store: Store, grades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert store.path.exists()
    plan = tmp_path / "plan.json"
    other = plan_of(target="ordinal", order=("none", "some", "severe"))
    plan.write_text(other.model_dump_json(), encoding="utf-8")
    words = ("train", str(grades), "--plan", str(plan), "--out", str(tmp_path / "run"))
    assert "the order of grades names none, some, severe" in refused(monkeypatch, capsys, *words)
    assert not (tmp_path / "run").exists()


def test_a_plan_comes_without_a_task(
    store: Store, grades: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert store.path.exists()
    plan = tmp_path / "plan.json"
    plan.write_text(plan_of().model_dump_json(), encoding="utf-8")
    words = ("train", str(grades), "--plan", str(plan), "--modality", "us")
    assert "--plan already holds the task" in refused(monkeypatch, capsys, *words)
