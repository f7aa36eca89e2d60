"""An answer about images that are here: what cannot be read, what was tried, and what it moved."""

import json
from pathlib import Path
from typing import Any

import pytest

from evtl import probing
from recommender.plan import TrainingPlan
from tests.integration.commands import evtl, refused
from trainer.images import ImageSet, read_images
from trainer.probing.probe import configuration
from trainer.probing.probe_report import Fidelity, Paired, ProbeReport, Skipped, Trial

UNREADABLE = "1 image(s) cannot be read; repair or remove them:\n  zz.png: empty file"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty images of two classes, one of them an empty file."""
    made = tmp_path / "sample"
    evtl("sample-data", str(made), "--n", "60")
    of_class(made, "benign")[0].write_bytes(b"")
    return made


def of_class(folder: Path, name: str) -> list[Path]:
    images = read_images(folder)
    rows = zip(images.files, images.labels, strict=True)
    return [folder / file for file, label in rows if label == name]


def ask(folder: Path, *words: str) -> tuple[str, ...]:
    return ("recommend", "--modality", "ultrasound", "--data", str(folder), *words)


def named(what: dict[str, Any]) -> tuple[str, ...]:
    return what["backbone"], what["approach"], what["head"]


def probed(monkeypatch: pytest.MonkeyPatch, *, readable: bool) -> None:
    """A probe that answers at once: the last frozen linear candidate is far ahead."""

    def answer(plans: tuple[TrainingPlan, ...], images: ImageSet, budget_s: float, **_: Any) -> Any:
        names = tuple(map(configuration, plans))
        linear = [one for one in names if one.approach == "feature_extractor"]
        used = Fidelity(images=len(images.files), epochs=0, folds=3, share=1)
        best, pair = linear[-1], Paired(against=linear[-1], difference=-0.05, se=0.01)
        trials = [
            Trial(**one.model_dump(), fidelity=used, value=0.9 if one == best else 0.85, se=0.02,
                  paired=None if one == best else pair, seconds=1)
            for one in linear
        ]  # fmt: skip
        missing = names if not readable else [one for one in names if one not in linear]
        reason = "out of budget" if readable else UNREADABLE
        return ProbeReport(
            seed=0, n_images=len(images.files), budget_s=budget_s, spent_s=1, wall_s=1, cpu_s=1,
            candidates=names, trials=tuple(trials) if readable else (),
            skipped=tuple(Skipped(**one.model_dump(), reason=reason) for one in missing),
        )  # fmt: skip

    monkeypatch.setattr(probing, "probe", answer)


@pytest.mark.usefixtures("store")
def test_images_that_cannot_be_read_are_told_and_not_counted(folder: Path) -> None:
    found = json.loads(evtl(*ask(folder, "--json")))
    assert found["profile"]["n_images"] == 59
    assert found["fingerprint"]["n_images"] == 60
    assert "1 of 60 images cannot be read (empty file: 1)" in found["warnings"][0]
    broken, whole = of_class(folder, "benign")[:2]
    broken.write_bytes(whole.read_bytes())
    assert "cannot be read" not in json.loads(evtl(*ask(folder, "--json")))["warnings"][0]


@pytest.mark.usefixtures("store")
def test_a_class_of_which_nothing_can_be_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in of_class(folder, "benign"):
        file.write_bytes(b"")
    assert "no image of benign can be read" in refused(monkeypatch, capsys, *ask(folder))


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["recommend", "explain"])
def test_a_probe_that_tried_nothing_says_why(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    probed(monkeypatch, readable=False)
    told = " ".join(evtl(command, *ask(folder, "--probe", "5")[1:]).split())
    assert "Tried on your images nothing could be tried" in told
    assert "own data: nothing could be tried on these images: 1 image(s) cannot be read" in told
    assert "--data DIR --probe" not in told
    assert "decided" not in told


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["recommend", "explain"])
def test_what_was_tried_is_shown_and_decides_a_place_that_is_no_points(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    before = json.loads(evtl(*ask(folder, "--json")))["ranking"]
    probed(monkeypatch, readable=True)
    found = json.loads(evtl(*ask(folder, "--json", "--probe", "5")))
    ahead = named(found["probe"]["trials"][-1])
    assert ahead not in map(named, before)
    assert ahead in map(named, found["ranking"])
    # It is first before the cost, so that what is cheaper may still stand before it.
    decided = [named(choice) for choice in found["ranking"] if choice["parts"]["decided"]]
    assert len(decided) <= 1
    told = " ".join(evtl(command, *ask(folder, "--probe", "5")[1:]).split())
    for words in (
        "Tried on your images", "0.900 (0.020)", "-0.050 (0.010)", "the test part was not opened",
        "candidates not tried: out of budget",
    ):  # fmt: skip
        assert words in told
    assert ("no measured points" in told) == bool(decided)
