"""What restricts an answer, what changes it, and what of it is shown in full."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.commands import evtl, refused

ASK = ("--modality", "ultrasound", "--n", "800", "--anatomy", "breast")


def answer(*words: str) -> Any:
    return json.loads(evtl("recommend", *ASK, "--json", "--top", "1000", *words))


@pytest.mark.usefixtures("either")
def test_the_same_question_gives_the_same_bytes() -> None:
    assert evtl("recommend", *ASK, "--json") == evtl("recommend", *ASK, "--json")
    assert evtl("explain", *ASK, "--json") == evtl("explain", *ASK, "--json")


@pytest.mark.usefixtures("store")
def test_a_dearer_goal_never_costs_less() -> None:
    costs = [
        answer("--goal", goal)["ranking"][0]["cost"]["n_macs"]
        for goal in ("cost", "balanced", "accuracy")
    ]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


@pytest.mark.usefixtures("store")
def test_only_what_was_asked_for_is_ranked_by_the_names_that_people_write() -> None:
    names = "resnet18,densenet121,vit_base_patch16_224"
    found = answer("--candidates", names, "--approaches", "full")
    assert {c["backbone"] for c in found["ranking"]} == {
        "ResNet-18", "DenseNet-121", "ViT-Base-16",
    }  # fmt: skip
    assert {c["approach"] for c in found["ranking"]} == {"fine_tuning_from_scratch"}


@pytest.mark.usefixtures("store")
def test_the_parts_of_every_score_add_up_and_the_controlled_part_by_data_set() -> None:
    found = answer()
    for choice in found["ranking"]:
        assert choice["score"] == pytest.approx(sum(choice["parts"].values()), abs=1e-5)
    behind = found["runner_up"]["behind_points"]
    second = next(
        c
        for c in found["ranking"]
        if (c["backbone"], c["approach"], c["head"])
        == tuple(found["runner_up"][key] for key in ("backbone", "approach", "head"))
    )
    assert found["ranking"][0]["score"] - second["score"] == pytest.approx(behind, abs=1e-3)
    assert {e["table"] for e in found["derivation"]["controlled"]} >= {"juodelyte2024"}


@pytest.mark.usefixtures("store")
def test_what_would_change_the_choice_is_what_is_chosen_then() -> None:
    found = answer()
    for other in found["alternatives"]:
        if match := re.fullmatch("the goal were (.*)", other["when"]):
            best = answer("--goal", match[1])["ranking"][0]
            assert [best[k] for k in ("backbone", "approach", "head")] == [
                other[k] for k in ("backbone", "approach", "head")
            ]


@pytest.mark.usefixtures("store")
def test_explain_shows_weights_data_sets_studies_and_claims_on_both_sides() -> None:
    text = evtl("explain", *ASK)
    for word in (
        "weights of the parts", "juodelyte2024", "Nearest published studies", "for [kim2022",
        "against [", "What augmentation may do", "doi:",
    ):  # fmt: skip
        assert word in text
    assert evtl("recommend", *ASK).splitlines()[0] in text


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--n", "0"), "--n: found 0"),
        (("--n", "-5"), "--n: found -5"),
        (("--n", "1000000000000"), "--n: found 1000000000000"),
        (("--classes", "1"), "--classes: found 1"),
        (("--task", "regression", "--classes", "3"), "no classes: leave out --classes"),
        (("--n", "1e12"), "--n: found 1000000000000; allowed: 1 to 1,000,000,000"),
        (("--n", "8.5"), "found '8.5'; allowed: a whole number"),
        (("--n", "nan"), "found 'nan'; allowed: a whole number"),
        (("--n", "inf"), "found 'inf'; allowed: a whole number"),
        (("--classes", "801"), "--classes: found 801; there are fewer images (--n 800)"),
        (("--augmented-n", "10"), "--augmented-n (10) is below --n (800)"),
        (("--candidates", ""), "the list is empty"),
        (("--candidates", "resnet19"), "resnet19"),
        (("--candidates", "zfnet"), "ZFNet"),
        (("--approaches", "scratch"), "unknown approach 'scratch'"),
        (("--probe",), "name their folder with --data"),
        (("--probe", "30"), "name their folder with --data"),
        (("--goal", "fame"), "'fame' is not one of"),
        (("--data", "nowhere"), "no such folder"),
    ],
)
def test_a_bad_option_gets_one_clear_message(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    found = refused(monkeypatch, capsys, "recommend", *ASK, *words)
    assert message in re.sub(r"\s+", " ", re.sub(r"[│╭╮╰╯─]", "", found))


@pytest.mark.usefixtures("store")
def test_a_modality_of_which_nothing_is_known_is_said_to_be_one() -> None:
    found = json.loads(evtl("recommend", "--modality", "spect", "--n", "50", "--json"))
    assert found["certainty"]["level"] == "insufficient evidence"
    assert found["expected"]["metric"] is None


@pytest.mark.usefixtures("store")
def test_images_replace_what_would_be_guessed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = str(tmp_path / "sample")
    evtl("sample-data", folder, "--n", "60")
    ask = ("recommend", "--modality", "ultrasound", "--data", folder)
    found = json.loads(evtl(*ask, "--json"))
    assert (found["profile"]["n_images"], found["profile"]["n_classes"]) == (60, 2)
    assert found["fingerprint"]["n_images"] == 60
    assert "sample" not in json.dumps(found["fingerprint"])
    assert "the data hold 60" in refused(monkeypatch, capsys, *ask, "--n", "61")
    for words in ((), ("--probe", "5")):
        said = refused(monkeypatch, capsys, *ask, "--task", "regression", *words)
        assert "is no finite number, as the target number asks for" in said
    said = refused(monkeypatch, capsys, *ask, "--probe", "5", "--candidates", "vgg16")
    assert "the weights of VGG-16 are not on this machine (here: EfficientNet-Lite0" in said
    assert "EVTL_WEIGHTS_DIR" in said


@pytest.mark.usefixtures("store")
def test_a_number_may_be_written_with_an_exponent() -> None:
    found = json.loads(evtl("recommend", "--modality", "ct", "--n", "1e3", "--json"))
    assert found["profile"]["n_images"] == 1000


@pytest.mark.usefixtures("store")
def test_a_long_table_keeps_its_rows() -> None:
    """Its numbers are wider, so that it begins with blanks as a paragraph does."""
    lines = evtl("explain", *ASK).splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("1  "))
    assert [line.split()[0] for line in lines[first : first + 20]] == [
        str(n + 1) for n in range(20)
    ]


@pytest.mark.usefixtures("store")
def test_images_with_numbers_are_asked_about_as_a_regression(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "sample"
    evtl("sample-data", str(folder), "--n", "60")
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as stream:
        files = [row["file"] for row in csv.DictReader(stream)]
    rows = "".join(f"{file},{number}\n" for number, file in enumerate(files))
    (folder / "labels.csv").write_text("file,number\n" + rows, encoding="utf-8")
    ask = ("recommend", "--modality", "ultrasound", "--data", str(folder))
    found = json.loads(evtl(*ask, "--json"))
    assert (found["profile"]["task"], found["profile"]["n_classes"]) == ("regression", None)
    assert found["plan"]["target"] == "number"
    assert "--probe compares classes" in refused(monkeypatch, capsys, *ask, "--probe", "5")
