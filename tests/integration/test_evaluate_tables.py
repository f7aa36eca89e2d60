"""Advice followed on tables: the store's own and anyone's, as a person evaluates them."""

import csv
import json
import re
from pathlib import Path

import pytest
from scipy.stats import rankdata, weightedtau

from evidence.shipped import shipped
from evtl.table_services import ABLATIONS
from tests.integration.commands import evtl, refused

RESULTS = "dataset,backbone,approach,metric,value,head\n"
TASKS = "dataset,modality,anatomy,n_images,n_classes,task\n"
#: Three data sets; fine-tuning wins on the two large ones, all names as people write them.
LINES = [
    "a,resnet18,frozen,auc,0.80,linear", "a,resnet18,full,auc,0.75,", "a,vgg16,full,auc,0.70,",
    "b,ResNet-18,frozen,auc,0.82,linear", "b,ResNet-18,full,auc,0.90,", "b,VGG16,full,auc,0.85,",
    "c,resnet_18,frozen,auc,0.81,linear", "c,resnet_18,full,auc,0.91,", "c,vgg_16,full,auc,0.86,",
]  # fmt: skip
SETS = ["a,ct,lung,90,2,", "b,ultrasound,breast,9000,2,classification", "c,us,,8000,2,"]


def files(folder: Path, results: list[str] = LINES, tasks: list[str] = SETS) -> list[str]:
    (folder / "R.csv").write_text(RESULTS + "\n".join(results) + "\n", encoding="utf-8")
    (folder / "T.csv").write_text(TASKS + "\n".join(tasks) + "\n", encoding="utf-8")
    return ["--results", str(folder / "R.csv"), "--tasks", str(folder / "T.csv")]


@pytest.mark.usefixtures("store")
def test_the_mean_rank_over_other_data_sets_is_recomputed_from_the_file() -> None:
    """Regret 0.142 points and weighted tau 0.500, here from the CSV alone with scipy."""
    text = (shipped("data") / "benchmarks.csv").read_text(encoding="utf-8")
    rows = [
        row
        for row in csv.DictReader(text.splitlines())
        if row["table"] == "juodelyte2024" and row["pretraining"] == "imagenet"
    ]
    sets = sorted({row["dataset"] for row in rows if row["backbone"] == "ConvNeXt"})
    values = {
        name: [
            float(row["value"])
            for row in sorted(rows, key=lambda row: row["backbone"])
            if row["dataset"] == name
        ]
        for name in sets
    }
    ranks = {name: rankdata(values[name]) for name in sets}
    means = {one: sum(ranks[other] for other in sets if other != one) for one in sets}
    regret = sum(max(values[n]) - values[n][int(means[n].argmax())] for n in sets) / len(sets)
    tau = sum(weightedtau(values[n], means[n])[0] for n in sets) / len(sets)
    found = json.loads(evtl("evaluate", "benchmarks", "--json"))
    (table,) = (one for one in found["tables"] if one["table"] == "juodelyte2024")
    assert table["n_datasets"] == len(sets) == 11
    assert table["means"]["mean_rank"]["regret"] == pytest.approx(regret, abs=1e-9)
    assert table["means"]["mean_rank"]["tau"] == pytest.approx(tau, abs=1e-9)
    assert (round(100 * regret, 3), round(tau, 3)) == (0.142, 0.5)
    assert table["means"]["recommender"]["regret"] <= regret + 1e-9


@pytest.mark.usefixtures("store")
def test_every_part_is_taken_away_in_turn() -> None:
    found = json.loads(evtl("evaluate", "--ablate", "--json"))
    for table in found["tables"]:
        assert set(table["ablated"]) == set(ABLATIONS)
    text = evtl("evaluate", "--ablate")
    assert all(name in text for name in ABLATIONS)
    assert evtl("evaluate", "benchmarks", "--ablate") == text


def test_an_option_before_a_command_is_told_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, told in (
        (("--ablate", "benchmarks"), "evtl evaluate benchmarks --ablate"),
        (("--ablate", "corpus"), "evtl evaluate benchmarks --ablate"),
        (("--json", "corpus"), "evtl evaluate corpus --json"),
    ):
        found = refused(monkeypatch, capsys, "evaluate", *words)
        assert told in " ".join(found.split())


@pytest.mark.usefixtures("store")
def test_the_choice_is_written_as_the_table_writes_it(tmp_path: Path) -> None:
    found = json.loads(evtl("evaluate", "results", *files(tmp_path), "--json"))
    assert [one["dataset"] for one in found["datasets"]] == ["a", "b", "c"]
    written = {tuple(line.split(",")[:2]) for line in LINES}
    assert {(one["dataset"], one["choice"]["backbone"]) for one in found["datasets"]} <= written
    for one in found["datasets"]:
        assert one["regret"] == pytest.approx(one["best_value"] - one["value"])
        assert set(one["choice"]) == {"backbone", "approach", "head"}
    assert set(found["means"]) == {
        "recommender", "random", "most_popular", "best_fixed", "mean_rank",
    }  # fmt: skip
    for mean in found["means"].values():
        assert {"regret", "top3", "tau"} <= set(mean)


@pytest.mark.usefixtures("store")
def test_the_order_of_the_lines_does_not_matter(tmp_path: Path) -> None:
    first = evtl("evaluate", "results", *files(tmp_path), "--json")
    again = evtl("evaluate", "results", *files(tmp_path, LINES[::-1], SETS[::-1]), "--json")
    assert json.loads(first)["means"] == json.loads(again)["means"]


@pytest.mark.usefixtures("store")
def test_a_backbone_of_no_family_is_named_and_judged_by_the_table(tmp_path: Path) -> None:
    lines = [f"{name},mystery9000,full,auc,0.99," for name in "abc"]
    found = json.loads(evtl("evaluate", "results", *files(tmp_path, LINES + lines), "--json"))
    assert found["unknown"] == ["mystery9000"]
    alone = json.loads(evtl("evaluate", "results", *files(tmp_path, LINES + lines[:1]), "--json"))
    assert alone["not_ranked"] == ["a: mystery9000"]
    assert alone["datasets"][0]["choice"]["backbone"] != "mystery9000"


#: Two networks that tie but on one data set; less is better.
TIED = [
    f"{name},{net},full,mae,{value},"
    for name, values in (("a", (3, 1, 2)), ("b", (1, 1, 2)), ("c", (1, 1, 2)))
    for net, value in zip(("xa", "xb", "xc"), values, strict=True)
]


@pytest.mark.usefixtures("store")
def test_values_are_those_of_the_file_and_ties_are_told(tmp_path: Path) -> None:
    asked = ["evaluate", "results", *files(tmp_path, TIED), "--metric", "MAE"]
    found = json.loads(evtl(*asked, "--json"))
    first = found["datasets"][0]
    assert (first["value"], first["best_value"], first["regret"], first["n_tied"]) == (2, 1, 1, 2)
    assert found["less_is_better"]
    assert found["notes"] == []
    text = evtl(*asked)
    assert "mae (less is better)" in text
    assert "Tied for the first place" in text
    assert "a (2)" in text


@pytest.mark.usefixtures("store")
def test_what_is_not_understood_is_told(tmp_path: Path) -> None:
    lines = [line.replace(",auc,", ",preece,") for line in LINES]
    tasks = [*(line.rpartition(",")[0] + ",segmentation" for line in SETS), "d,ct,lung,9,2,"]
    asked = ["evaluate", "results", *files(tmp_path, [*lines, "d,vgg16,full,preece,1,"], tasks)]
    notes = json.loads(evtl(*asked, "--json"))["notes"]
    for word, note in zip(("segmentation", "preece", "single configuration"), notes, strict=True):
        assert word in note
    text = " ".join(evtl(*asked).split())
    assert all(note in text for note in notes)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("lines", "tasks", "message"),
    [
        ([*LINES, "a,vgg16,full,auc,,"], SETS, "line 11: value is empty"),
        ([*LINES, "a,vgg19,full,auc,nan,"], SETS, "line 11: value 'nan' is no finite number"),
        ([*LINES, LINES[0]], SETS, "line 11: the same data set, .* as line 2: .*; give one value"),
        ([*LINES, "a,vgg19,frozen,auc,0,5,"], SETS, "line 11: 7 cells found, 6 expected"),
        ([*LINES, "z,vgg16,full,auc,0.5,"], SETS, "line 11: data set 'z' has no line in T.csv"),
        ([*LINES, "a,vgg16,magic,auc,0.5,"], SETS, "line 11: approach 'magic' is not known"),
        ([*LINES, "a,vgg16,full,auc,0.5,brain"], SETS, "line 11: head 'brain' is not known"),
        (LINES, [*SETS, "a,ct,,10,2,"], "line 5: data set 'a' is empty or there twice"),
        (LINES, ["a,ct,lung,-4,2,", *SETS[1:]], "line 2: n_images '-4' is no whole number"),
        (LINES, ["a,ct,lung,90,1,", *SETS[1:]], "line 2: n_classes '1' is no whole number from 2"),
        (LINES[:3], SETS, "insufficient evidence: of 1 data set"),
        ([], SETS, "holds no results below its header"),
    ],
)
def test_a_bad_table_is_refused_whole(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    lines: list[str],
    tasks: list[str],
    message: str,
) -> None:
    found = refused(monkeypatch, capsys, "evaluate", "results", *files(tmp_path, lines, tasks))
    assert re.search(message, found), found
