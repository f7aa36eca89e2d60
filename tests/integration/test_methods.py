"""Part of a network, or random weights: asked for, planned, carried out, and told."""

import json
from pathlib import Path
from typing import Any

import pytest

from evtl.asking import TaskOptions
from evtl.planning import Wishes, training_plan
from recommender.plan import BLOCKS, TrainingPlan, read_plan
from tests.integration.commands import evtl, refused
from tests.integration.test_evaluate_tables import SETS, TASKS
from trainer.images import read_images
from trainer.runs import RunFolder
from trainer.synthetic import write_sample

ASK = ("--modality", "ultrasound", "--n", "60", "--candidates", "efficientnet_lite0")
SAID = "random initialisation"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "images"
    write_sample(folder, n_images=60, seed=0)
    return folder


@pytest.mark.usefixtures("store")
def test_a_choice_from_random_weights_says_so_everywhere_and_is_carried_out(
    sample: Path, tmp_path: Path
) -> None:
    plan, run = tmp_path / "plan.json", tmp_path / "run"
    for command in ("recommend", "explain"):
        saved = ("--save", str(plan)) if command == "recommend" else ()
        told = evtl(command, *ASK, "--approaches", "random", *saved)
        assert f"fine_tuning_from_scratch, {SAID}" in told
        assert "EfficientNet-Lite0, random weights, full fine-tuning" in told
        assert "pretrained on ImageNet" not in told
    assert (read_plan(plan).initialisation, read_plan(plan).fallbacks) == ("random", ())
    evtl("train", str(sample), "--plan", str(plan), "--epochs", "1", "--out", str(run))
    assert RunFolder(run).read_result().weights == SAID
    assert f"fine_tuning_from_scratch, {SAID}" in evtl("runs")


@pytest.mark.usefixtures("store")
def test_all_ways_are_ranked_and_each_can_be_asked_for_alone() -> None:
    def ways(*words: str) -> set[tuple[str, str]]:
        ranking = json.loads(evtl("recommend", *ASK, "--json", "--top", "99", *words))["ranking"]
        return {(one["approach"], one["initialisation"]) for one in ranking}

    partial, full = ("fine_tuning", "pretrained"), ("fine_tuning_from_scratch", "pretrained")
    random = (full[0], "random")
    assert {partial, full, random} < ways()
    assert ways("--approaches", "partial") == {partial}
    assert ways("--approaches", "fine-tuning") == {partial, full}
    assert ways("--approaches", "full") == {full}
    assert ways("--approaches", "random weights,full") == {full, random}
    assert random in ways("--task", "regression")
    assert partial in ways("--task", "regression")


@pytest.mark.usefixtures("store")
def test_random_weights_are_there_where_no_others_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("recommend", "--modality", "us", "--n", "90", "--candidates", "vgg16", "--available")
    assert "no weights of the asked backbones" in refused(monkeypatch, capsys, *ask)
    ranking = json.loads(evtl(*ask, "--approaches", "full,random", "--json"))["ranking"]
    assert {one["initialisation"] for one in ranking} == {"random"}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("wishes", "planned"),
    [
        ({"approach": "fine_tuning"}, ("fine_tuning", "pretrained", BLOCKS)),
        ({"n_blocks": 3}, ("fine_tuning", "pretrained", 3)),
        ({"lora_rank": 4}, ("fine_tuning", "pretrained", None)),
        ({"initialisation": "random"}, ("fine_tuning_from_scratch", "random", None)),
        ({"gradual": True}, ("fine_tuning_from_scratch", "pretrained", None)),
        ({"ladder": True}, ("feature_extractor", "pretrained", None)),
        ({"head": "svm"}, ("feature_extractor_hybrid", "pretrained", None)),
    ],
)
def test_what_a_person_wishes_is_what_is_planned(
    sample: Path, tmp_path: Path, wishes: dict[str, Any], planned: tuple[object, ...]
) -> None:
    images, options = read_images(sample), TaskOptions(modality="ultrasound")

    def told(plan: TrainingPlan) -> tuple[object, ...]:
        return plan.approach, plan.initialisation, plan.n_blocks

    found, _ = training_plan(images, options, None, Wishes(**wishes))
    assert told(found) == planned
    # And over a plan that trains the last blocks.
    partial, _ = training_plan(images, options, None, Wishes(approach="fine_tuning"))
    file = tmp_path / "plan.json"
    file.write_text(partial.model_dump_json(), encoding="utf-8")
    again, _ = training_plan(images, TaskOptions(), read_plan(file), Wishes(**wishes))
    assert told(again) == planned


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("wishes", "unused"),
    [
        ({"head": "svm", "epochs": 3, "batch_size": 8, "n_copies": 4}, "epochs batch-size copies"),
        ({"head": "svm", "augmentation": "offline", "n_copies": 4, "features": "last"}, ""),
        ({"ladder": True, "epochs": 3, "batch_size": 8}, ""),
        ({"n_blocks": 1, "epochs": 3, "batch_size": 8, "features": "last"}, "features"),
    ],
)
def test_an_option_that_changes_nothing_is_named(
    sample: Path, wishes: dict[str, Any], unused: str
) -> None:
    options = TaskOptions(modality="ultrasound")
    _, notes = training_plan(read_images(sample), options, None, Wishes(**wishes))
    named = [note.split(" ")[0] for note in notes if "was not used" in note]
    assert named == [f"--{option}" for option in unused.split()]


def rows(random: float) -> str:
    """Full fine-tuning on three data sets, from pretrained weights and from random ones."""
    lines = [
        f"{name},{net},full,auc,{value + by:.2f},{word}"
        for name in "abc"
        for net, value in (("resnet18", 0.7), ("vgg16", 0.6))
        for word, by in (("", 0.0), ("random", random))
    ]
    return "dataset,backbone,approach,metric,value,initialisation\n" + "\n".join(lines) + "\n"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("random", "chosen"), [(-0.2, {}), (0.2, {"initialisation": "random"})])
def test_a_table_may_tell_the_weights_that_trainings_begin_with(
    tmp_path: Path, random: float, chosen: dict[str, str]
) -> None:
    (tmp_path / "R.csv").write_text(rows(random), encoding="utf-8")
    (tmp_path / "T.csv").write_text(TASKS + "\n".join(SETS) + "\n", encoding="utf-8")
    words = ["--results", str(tmp_path / "R.csv"), "--tasks", str(tmp_path / "T.csv")]
    found = json.loads(evtl("evaluate", "results", *words, "--json"))
    for one in found["datasets"]:
        plain = {"backbone": "resnet18", "approach": "full", "head": "linear"}
        assert one["choice"] == plain | chosen
        assert (one["n_configurations"], one["regret"]) == (4, 0)
    assert (f"full, {SAID}" in evtl("evaluate", "results", *words)) == bool(chosen)


@pytest.mark.usefixtures("store")
def test_weights_that_a_table_may_not_tell_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = rows(0).replace(",random\n", ",he\n", 1)
    text += "a,resnet18,full,auc,0.5,random\na,resnet18,full,auc,0.5,random\n"
    (tmp_path / "R.csv").write_text(text, encoding="utf-8")
    (tmp_path / "T.csv").write_text(TASKS + "\n".join(SETS) + "\n", encoding="utf-8")
    words = ["--results", str(tmp_path / "R.csv"), "--tasks", str(tmp_path / "T.csv")]
    said = " ".join(refused(monkeypatch, capsys, "evaluate", "results", *words).split())
    assert "line 3: initialisation 'he' is not known; allowed: pretrained, random" in said
    assert f"as line 14: ResNet-18, fine_tuning_from_scratch, {SAID}, linear" in said
