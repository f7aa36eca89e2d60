"""An image that a visitor sends is tried on a finished run, and leaves no trace."""

import base64
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
import pytest
from PIL import Image

from evtl import upload_services
from evtl.web.settings import Settings
from tests.integration.web.visiting import Visit
from tests.unit.trainer.model_runs import LENET, write_run
from tests.unit.trainer.pictures import RAMP, SECRET, SECRET_ID, write_dicom, write_nifti
from trainer.applying.prediction import predict
from trainer.applying.trained import load_model
from trainer.features import choose_device

HOSTILE = '../../"><script>alert(1)</script>.png'


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", backbone=LENET)


@pytest.fixture
def run(finished: Path, served: Settings) -> str:
    """Name of a finished run of the served page."""
    shutil.copytree(finished, served.runs / "tried")
    return "tried"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made, which is empty before and after."""
    upload_services.prepare()  # the process that is copied keeps a folder of its own
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield place
    assert list(place.iterdir()) == []


def picture(form: str = "PNG") -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()


def sent(content: bytes, name: str = "image.png") -> dict[str, tuple[str, bytes]]:
    return {"image": (name, content)}


def test_what_is_answered_is_what_the_command_line_says(
    visit: Visit, run: str, served: Settings, tmp_path: Path, folders: Path
) -> None:
    assert folders.is_dir()
    (tmp_path / "same.png").write_bytes(picture())
    cpu = choose_device("cpu")
    (expected,) = predict(load_model(served.runs / run), [tmp_path / "same.png"], cpu)
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()))
    assert found.status_code == 200, found.text
    assert found.json()["predicted"] == expected.predicted
    assert found.json()["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert found.json()["image"] == found.json()["heat_map"] == ""
    assert found.headers["cache-control"] == "no-store"


def test_the_page_shows_bars_and_the_image_beside_its_heat_map_and_never_the_files_name(
    visit: Visit, run: str, folders: Path
) -> None:
    assert folders.is_dir()
    found = visit.post(f"/runs/{run}/try", files=sent(picture(), HOSTILE))
    assert found.status_code == 200, found.text
    assert "alert(1)" not in found.text
    pictures = [part.split('"')[0] for part in found.text.split("data:image/png;base64,")[1:]]
    image, heat_map = (np.asarray(Image.open(io.BytesIO(base64.b64decode(p)))) for p in pictures)
    assert image.shape == heat_map.shape == (32, 32, 3)
    assert (image != heat_map).any()
    for name in ("benign", "malignant", "normal"):
        assert f'<th scope="row">{name}</th>' in found.text
    assert found.headers["cache-control"] == "no-store"


def plain(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (picture(), []),
        (plain(1, 1), ["shows nothing", "is small"]),
        (plain(5000, 1), ["shows nothing", "is small", "a strip of 5000 by 1 pixels"]),
        (plain(300, 300), ["shows nothing"]),
    ],
    ids=["noise", "a pixel", "a strip", "black"],
)
def test_what_speaks_against_an_answer_stands_above_it(
    visit: Visit, run: str, content: bytes, told: list[str]
) -> None:
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(content)).json()
    assert len(found["warnings"]) == len(told)
    assert all(words in line for words, line in zip(told, found["warnings"], strict=True))
    page = visit.post(f"/runs/{run}/try", files=sent(content)).text
    above, _, below = page.partition("Probability of each class")
    assert all(line in above for line in found["warnings"])
    assert page.count('class="note" role="alert"') == len(told)
    assert below


@pytest.mark.parametrize("form", ["JPEG", "BMP", "TIFF", "WEBP"])
def test_other_kinds_are_read_too_whatever_they_are_called(
    visit: Visit, run: str, form: str
) -> None:
    files = sent(picture(form), "notes.txt")
    found = visit.program("POST", f"/api/runs/{run}/predict?pictures=true", files=files)
    assert found.status_code == 200, found.text
    assert base64.b64decode(found.json()["heat_map"]).startswith(b"\x89PNG")
    assert found.json()["caption"]


def test_of_a_patient_in_a_file_nothing_is_said_or_logged(
    visit: Visit, run: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = write_dicom(tmp_path / "whole.dcm", RAMP)
    odd = write_dicom(tmp_path / "odd.dcm", RAMP, PhotometricInterpretation=SECRET_ID)
    cut = whole.read_bytes()[:900]
    names = set()
    for content in (whole.read_bytes(), odd.read_bytes(), cut):
        found = visit.post(f"/runs/{run}/try", files=sent(content, f"{SECRET}.dcm"))
        names.add(found.status_code)
        assert SECRET not in found.text
        assert SECRET_ID not in found.text
    assert names == {200, 422}
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    assert SECRET_ID not in said.out + said.err


def test_a_volume_is_tried_by_its_middle_slice(visit: Visit, run: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(8, 9, 10)).astype(np.float32)
    content = write_nifti(tmp_path / "v.nii.gz", values).read_bytes()
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(content))
    assert found.status_code == 200, found.text


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a" + bytes(50), b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"MZ" + bytes(200)],
)
def test_what_is_no_image_of_a_known_kind_is_refused_before_anything_is_started(
    visit: Visit, run: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_services, "_answered", None)
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(content))
    assert found.status_code == 422
    assert found.headers["content-type"] == "application/problem+json"
    assert "PNG, JPEG, BMP, TIFF, WebP, DICOM, NIfTI" in found.json()["detail"]
    page = visit.post(f"/runs/{run}/try", files=sent(content))
    assert page.status_code == 422
    assert 'role="alert"' in page.text


def test_a_damaged_image_is_refused_with_the_reason(visit: Visit, run: str, folders: Path) -> None:
    assert folders.is_dir()
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()[:400]))
    assert (found.status_code, found.json()["detail"]) == (
        422, "the image cannot be read: damaged",
    )  # fmt: skip


def test_a_form_without_an_image_is_told_so(visit: Visit, run: str) -> None:
    assert visit.post(f"/runs/{run}/try").status_code == 422
    assert visit.program("POST", f"/api/runs/{run}/predict").status_code == 422


@pytest.mark.parametrize("name", ["absent", ".jobs", "..", "%2e%2e", "a%2fb", "..%5c", "%00"])
def test_a_run_that_is_not_there_is_not_found(visit: Visit, served: Settings, name: str) -> None:
    assert served.runs.is_dir()
    assert visit.get(f"/runs/{name}/try").status_code == 404
    found = visit.program("POST", f"/api/runs/{name}/predict", files=sent(picture()))
    assert found.status_code == 404


def test_a_link_to_a_run_elsewhere_is_not_followed(
    visit: Visit, served: Settings, finished: Path
) -> None:
    (served.runs / "link").symlink_to(finished)
    assert visit.get("/runs/link/try").status_code == 404


def test_a_run_that_did_not_finish_cannot_be_tried(
    visit: Visit, run: str, served: Settings
) -> None:
    file = served.runs / run / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"status": "failed"}))
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()))
    assert found.status_code == 400
    assert "did not finish" in found.json()["detail"]


def test_a_model_that_was_changed_cannot_be_tried(
    visit: Visit, run: str, served: Settings, folders: Path
) -> None:
    assert folders.is_dir()
    with (served.runs / run / "model.safetensors").open("ab") as stream:
        stream.write(b" ")
    found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()))
    assert found.status_code == 400
    assert "digest" in found.json()["detail"]


def test_when_too_many_are_tried_others_are_told_when_to_come_again(
    visit: Visit, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_services, "_present", BoundedSemaphore(1))
    with upload_services._turn():
        found = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()))
    assert found.status_code == 503
    assert int(found.headers["retry-after"]) > 0
    again = visit.program("POST", f"/api/runs/{run}/predict", files=sent(picture()))
    assert again.status_code == 200


def test_an_upload_is_bounded_by_its_own_limit(visit: Visit, run: str) -> None:
    much = sent(picture() + bytes(20_000_000))
    assert visit.program("POST", f"/api/runs/{run}/predict", files=much).status_code == 413


def test_without_the_word_of_the_session_nothing_is_tried(visit: Visit, run: str) -> None:
    assert visit.client.post(f"/runs/{run}/try", files=sent(picture())).status_code == 403
    assert visit.client.post(f"/api/runs/{run}/predict", files=sent(picture())).status_code == 403
