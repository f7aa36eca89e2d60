"""Pictures of what a model saw, beside its predictions."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evidence.vocabulary import Head
from tests.unit.trainer.model_runs import CLASSES, GRADES, LENET, NUMBER, write_run
from trainer.applying.prediction import find_files, predict
from trainer.applying.trained import load_model
from trainer.errors import TrainingError
from trainer.images import load_image
from trainer.reporting.explained import Pictures
from trainer.targets import Labels

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("labels", "head"),
    [(CLASSES, "linear"), (GRADES, "linear"), (NUMBER, "linear"), (CLASSES, "svm")],
)
def test_each_image_that_can_be_read_gets_a_picture_of_its_size(
    tmp_path: Path, class_folders: Path, labels: Labels, head: Head
) -> None:
    model = load_model(write_run(tmp_path / "run", labels, head=head, backbone=LENET))
    (class_folders / "a" / "1.png").write_bytes(b"broken")
    pictures = Pictures(model, tmp_path / "pictures", CPU)
    files = [*find_files([class_folders / "a"])[:3], class_folders / "b" / "0.png"]
    found = list(predict(model, files, CPU, pictures.draw))
    assert [each.explanation for each in found] == ["00001-0.png", "", "00002-2.png", "00003-0.png"]
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        each.explanation for each in found if each.explanation
    }
    differ = 0
    for path, each in zip(files, found, strict=True):
        if each.explanation:
            with Image.open(tmp_path / "pictures" / each.explanation) as picture:
                drawn = np.asarray(picture)
            pixels = load_image(path, model.steps)
            assert drawn.shape == pixels.shape
            differ += bool((drawn != pixels).any())
    assert differ


def test_pictures_do_not_change_what_is_predicted(tmp_path: Path, class_folders: Path) -> None:
    model = load_model(write_run(tmp_path / "run", backbone=LENET))
    files = find_files([class_folders])[:5]
    plain = list(predict(model, files, CPU))
    drawn = list(predict(model, files, CPU, Pictures(model, tmp_path / "p", CPU).draw))
    assert [each.probabilities for each in plain] == [each.probabilities for each in drawn]


def test_pictures_are_not_put_among_other_files(tmp_path: Path) -> None:
    model = load_model(write_run(tmp_path / "run", backbone=LENET))
    with pytest.raises(TrainingError, match="is not empty; name a new folder"):
        Pictures(model, tmp_path / "run", CPU)
    with pytest.raises(TrainingError, match=r"cannot write .*plan\.json"):
        Pictures(model, tmp_path / "run" / "plan.json", CPU)
