"""A model is applied to any number of images; what cannot be read says why."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.trainer.model_runs import CLASSES, GRADES, NUMBER, SEVERAL, write_run
from tests.unit.trainer.pictures import SECRET, write_dicom, write_nifti
from trainer.applying import prediction
from trainer.applying.prediction import Prediction, find_files, predict
from trainer.applying.trained import TrainedModel, load_model
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.images import load_image
from trainer.measures.operating_point import OperatingPoint
from trainer.targets import Labels

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return load_model(write_run(tmp_path_factory.mktemp("model") / "run"))


def one_by_one(model: TrainedModel, files: Sequence[Path]) -> list[np.ndarray]:
    return [model.answers(np.stack([load_image(path, model.steps)]), CPU)[0] for path in files]


def test_each_image_of_many_batches_gets_its_own_answer_in_order(
    model: TrainedModel, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "EXTRACTION_BATCH", 7)
    files = find_files([class_folders])
    found = list(predict(model, files, CPU))
    assert [each.file for each in found] == [str(path) for path in files]
    for each, expected in zip(found, one_by_one(model, files), strict=True):
        assert tuple(each.probabilities) == CLASSES.names
        assert list(each.probabilities.values()) == pytest.approx(expected, abs=2e-6)
        assert each.predicted == CLASSES.names[int(expected.argmax())]
    assert len({tuple(each.probabilities.values()) for each in found}) > 20


def test_an_image_that_cannot_be_read_keeps_its_row_and_harms_no_other(
    model: TrainedModel, class_folders: Path
) -> None:
    clean = {each.file: each for each in predict(model, find_files([class_folders]), CPU)}
    broken = class_folders / "a" / "3.png"
    broken.write_bytes(b"")
    found = list(predict(model, find_files([class_folders]), CPU))
    assert [each.file for each in found if each.problem] == [str(broken)]
    (row,) = (each for each in found if each.problem)
    assert row == Prediction(file=str(broken), problem="empty file")
    for each in found:
        if not each.problem:
            expected = list(clean[each.file].probabilities.values())
            assert list(each.probabilities.values()) == pytest.approx(expected, abs=2e-6)


def test_where_no_image_can_be_read_every_row_says_so(model: TrainedModel, tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for path in files:
        path.write_bytes(b"no image")
    assert all(each.problem and not each.probabilities for each in predict(model, files, CPU))


def test_only_two_batches_are_decoded_ahead_of_the_reader(
    model: TrainedModel, class_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "EXTRACTION_BATCH", 4)
    decoded: list[Path] = []

    def load(path: Path, steps: Preprocessing) -> np.ndarray:
        decoded.append(path)
        return load_image(path, steps)

    monkeypatch.setattr(prediction, "load_image", load)
    answers = predict(model, find_files([class_folders]), CPU)
    for n_taken, _ in enumerate(answers, 1):
        assert len(decoded) <= n_taken + 2 * 4
    assert len(decoded) == 30


def test_what_is_predicted_follows_from_what_was_learned(
    tmp_path: Path, class_folders: Path
) -> None:
    files = find_files([class_folders])

    def rows(labels: Labels) -> tuple[list[Prediction], list[np.ndarray]]:
        model = load_model(write_run(tmp_path / labels.target, labels))
        return list(predict(model, files, CPU)), one_by_one(model, files)

    for each, expected in zip(*rows(SEVERAL), strict=True):
        given = [name for name, p in zip(SEVERAL.names, expected, strict=True) if p >= 0.5]
        assert each.predicted == "|".join(given)
    for each, expected in zip(*rows(GRADES), strict=True):
        assert each.predicted == GRADES.names[int(expected.argmax())]
        assert sum(each.probabilities.values()) == pytest.approx(1, abs=1e-5)
    for each, number in zip(*rows(NUMBER), strict=True):
        assert each.value == pytest.approx(float(number), abs=1e-4)
        assert (each.predicted, each.probabilities) == ("", {})


def test_who_completes_predictions_is_given_the_pixels_of_each_image_that_was_read(
    model: TrainedModel, class_folders: Path
) -> None:
    (class_folders / "a" / "0.png").write_bytes(b"broken")

    def complete(prediction: Prediction, pixels: np.ndarray) -> Prediction:
        assert (pixels == load_image(Path(prediction.file), model.steps)).all()
        return prediction.model_copy(update={"explanation": "seen"})

    found = list(predict(model, find_files([class_folders / "a"]), CPU, complete))
    assert [each.explanation for each in found] == [
        "" if each.problem else "seen" for each in found
    ]
    assert sum(bool(each.problem) for each in found) == 1


def test_the_threshold_of_a_run_decides_beside_the_most_probable_class(
    tmp_path: Path, class_folders: Path
) -> None:
    two = Labels(target="classes", names=("benign", "malignant"))
    run = write_run(tmp_path / "run", two)
    files = find_files([class_folders])
    chances = [row[1] for row in one_by_one(load_model(run), files)]
    threshold = float(np.sort(chances)[8])
    point = OperatingPoint(
        positive="malignant", sensitivity_asked=0.9, threshold=threshold, n_positive=20,
        metrics={}, statement="",
    )  # fmt: skip
    result = load_model(run).result.model_copy(update={"operating_point": point})
    (run / "result.json").write_text(result.model_dump_json(), encoding="utf-8")
    called = [each.at_operating_point for each in predict(load_model(run), files, CPU)]
    assert called.count("benign") in {8, 9}  # the image at the threshold lies on either side
    assert called.count("malignant") == 30 - called.count("benign")
    assert all(
        (name == "malignant") == (chance > threshold)
        for name, chance in zip(called, chances, strict=True)
        if abs(chance - threshold) > 1e-6
    )


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_shown_as_far_as_it_is(
    model: TrainedModel, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"pa\xfft.png")
    Image.new("RGB", (20, 20)).save(path)
    (found,) = predict(model, [path], CPU)
    assert found.file.endswith("pa\ufffdt.png")
    assert found.predicted


def test_what_is_named_must_be_there(class_folders: Path, tmp_path: Path) -> None:
    one = class_folders / "b" / "1.png"
    assert find_files([one, class_folders / "a"])[0] == one
    assert len(find_files([one, class_folders / "a"])) == 11
    with pytest.raises(TrainingError, match="no such file or folder"):
        find_files([one, tmp_path / "none.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainingError, match="holds no images"):
        find_files([tmp_path / "empty"])


def test_dicom_and_nifti_and_frames_of_them_are_predicted(
    model: TrainedModel, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 4096, (3, 40, 40), dtype=np.uint16)
    (tmp_path / "new").mkdir()
    cine = write_dicom(tmp_path / "new" / "IM0001", frames)
    volume = write_nifti(tmp_path / "new" / "volume.nii.gz", rng.normal(size=(20, 20, 9)))
    found = {each.file: each for each in predict(model, find_files([cine.parent]), CPU)}
    assert set(found) == {str(cine), str(volume)}
    assert not any(each.problem for each in found.values())
    items = [cine.with_name(f"IM0001#{number}") for number in range(4)]
    of_frames = list(predict(model, find_files(items), CPU))
    assert [bool(each.problem) for each in of_frames] == [False, False, False, True]
    assert of_frames[1].probabilities == found[str(cine)].probabilities
    assert of_frames[0].probabilities != of_frames[1].probabilities
    said = "".join(each.model_dump_json() for each in (*found.values(), *of_frames))
    assert SECRET not in said
