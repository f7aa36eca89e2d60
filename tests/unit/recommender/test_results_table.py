"""What the lines of anyone's table mean: one name for one network, each value once."""

import random
from pathlib import Path

import pytest

from recommender.errors import RecommendationError
from recommender.results_table import ResultsTable, read_results

#: Names as people write them, of two networks.
KNOWN = {
    **dict.fromkeys(["resnet18", "ResNet-18", "resnet18.a1_in1k", "resnet18.tv_in1k"], "resnet18"),
    **dict.fromkeys(["vgg16", "VGG-16"], "vgg16"),
}
SETS = ["a,ct,lung,90,2,classification", "b,ct,lung,90,2,", "c,ct,lung,90,2,regression"]


def resolve(text: str) -> tuple[str, str] | None:
    name = KNOWN.get(text)
    return (name, f"family of {name}") if name else None


def read(folder: Path, lines: list[str], tasks: list[str] = SETS, head: str = "") -> ResultsTable:
    results, about = folder / "R.csv", folder / "T.csv"
    first = f"dataset,backbone,approach,metric,value{head}"
    results.write_text("\n".join([first, *lines]), encoding="utf-8")
    first = "dataset,modality,anatomy,n_images,n_classes,task"
    about.write_text("\n".join([first, *tasks]), encoding="utf-8")
    return read_results(results, about, resolve)


def named(found: ResultsTable) -> list[tuple[str, str]]:
    return [(one.task.name, one.configuration.backbone) for one in found.observations]


def test_spellings_that_never_meet_are_one_network_under_its_own_name(tmp_path: Path) -> None:
    spellings = {"a": "resnet18.a1_in1k", "b": "ResNet-18", "c": "resnet18"}
    lines = [f"{name},{text},full,auc,0.8" for name, text in spellings.items()]
    found = read(tmp_path, lines)
    assert named(found) == [("a", "resnet18"), ("b", "resnet18"), ("c", "resnet18")]
    assert {key[0]: words[0] for key, words in found.written.items()} == spellings


def test_weights_of_one_network_that_meet_on_a_data_set_are_kept_apart(tmp_path: Path) -> None:
    lines = [
        "a,resnet18,full,auc,0.8", "a,resnet18.a1_in1k,full,auc,0.9",
        "b,ResNet-18,full,auc,0.8", "b,VGG-16,full,auc,0.8", "c,resnet18.tv_in1k,full,auc,0.7",
    ]  # fmt: skip
    wanted = [
        ("a", "resnet18"), ("a", "resnet18.a1_in1k"),
        ("b", "resnet18"), ("b", "vgg16"), ("c", "resnet18"),
    ]  # fmt: skip
    assert named(read(tmp_path, lines)) == wanted
    mixed = random.Random(1).sample(lines, len(lines))
    assert sorted(named(read(tmp_path, mixed))) == wanted


def test_strangers_are_one_but_for_case_and_punctuation(tmp_path: Path) -> None:
    lines = ["a,MyNet-3,full,auc,0.8", "b,mynet3,full,auc,0.8", "b,MyNet3+,full,auc,0.8"]
    found = read(tmp_path, lines)
    assert named(found) == [("a", "MyNet-3"), ("b", "MyNet-3"), ("b", "MyNet3+")]
    assert found.unknown == ("MyNet-3", "MyNet3+", "mynet3")
    assert named(read(tmp_path, ["a,--,full,auc,0.8", "a,..,full,auc,0.8"])) == [
        ("a", "--"),
        ("a", ".."),
    ]


@pytest.mark.parametrize(
    "again",
    [
        "a,vgg16,feature_extractor,auc,0.9,",
        "a,vgg16,feature_extractor,auc,0.9,linear",
        "a,vgg16,frozen,auc,0.9,",
        "a,VGG-16,linear probe,AUC,0.9,linear",
    ],
)
def test_a_value_is_there_twice_whatever_words_it_goes_by(tmp_path: Path, again: str) -> None:
    first = "a,vgg16,feature_extractor,auc,0.8,"
    for lines in ([first, again], [again, first]):
        with pytest.raises(
            RecommendationError,
            match=r"line 3: the same .* as line 2: vgg16, feature_extractor, linear; give one",
        ):
            read(tmp_path, lines, head=",head")


def test_another_head_or_metric_or_data_set_is_another_value(tmp_path: Path) -> None:
    lines = [
        "a,vgg16,frozen,auc,0.8,linear", "a,vgg16,frozen,auc,0.8,svm",
        "a,vgg16,frozen,accuracy,0.8,linear", "b,vgg16,frozen,auc,0.8,linear",
    ]  # fmt: skip
    assert len(read(tmp_path, lines, head=",head").observations) == 4


def test_a_decimal_comma_is_a_bad_line_as_is_any_other_surplus_cell(tmp_path: Path) -> None:
    lines = ["a,vgg16,full,auc,0,85", "a,vgg16,magic,auc,1", "b,vgg16,full,auc,0.8,x,y"]
    with pytest.raises(RecommendationError) as caught:
        read(tmp_path, lines)
    told = str(caught.value).splitlines()[1:]
    assert [text.split(";")[0] for text in told] == [
        "  line 2: 6 cells found, 5 expected",
        "  line 3: approach 'magic' is not known",
        "  line 4: 7 cells found, 5 expected",
    ]
    assert "decimal point" in told[0]
    with pytest.raises(RecommendationError, match=r"T.csv.*\n  line 2: 7 cells found, 6 expected"):
        read(tmp_path, ["a,vgg16,full,auc,0.85"], ["a,ct,lung,1,000,2,classification"])


def test_words_that_are_not_understood_are_noted_once_each(tmp_path: Path) -> None:
    tasks = ["a,xyz,lung,90,2,segmentation", "b,xyz,lung,90,2,segmentation", "c,ct,lung,90,2,"]
    found = read(tmp_path, ["a,vgg16,full,auc,0.8"], tasks)
    assert found.notes == (
        "modality 'xyz' is in no vocabulary: taken as not known",
        "task 'segmentation' is not one of classification, regression: taken as classification",
    )
    assert {one.task.kind for one in found.observations} == {"classification"}


TWO = [f"{name},{net},full,auc,0.{n}" for n, name in enumerate("ab") for net in ("vgg16", "x")]


@pytest.mark.parametrize("metric", [None, "auc", "AUC", " Auc "])
def test_a_metric_is_asked_for_in_any_case(tmp_path: Path, metric: str | None) -> None:
    found = read(tmp_path, [*TWO, "a,vgg16,full,ACCURACY,0.7"]).of_metric(metric)
    assert {one.metric for one in found.observations} == {"auc"}
    assert len(found.observations) == 4
    assert found.notes == ()


@pytest.mark.parametrize("metric", ["f1", ""])
def test_a_metric_that_is_not_there_is_refused(tmp_path: Path, metric: str) -> None:
    with pytest.raises(RecommendationError, match=f"--metric '{metric}': the results hold auc"):
        read(tmp_path, TWO).of_metric(metric)


@pytest.mark.parametrize(
    ("metric", "sign", "n_notes"), [("mae", -1, 0), ("neg_mae", 1, 0), ("preece", 1, 1)]
)
def test_values_are_turned_only_where_less_is_known_to_be_better(
    tmp_path: Path, metric: str, sign: int, n_notes: int
) -> None:
    lines = [line.replace("auc,0.", f"{metric},1.") for line in TWO]
    found = read(tmp_path, lines).of_metric(None)
    assert {one.value for one in found.observations} == {sign * 1.0, sign * 1.1}
    assert len(found.notes) == n_notes
    assert all(f"{metric!r} is not known: taken as one of which more" in n for n in found.notes)


def test_data_sets_of_a_single_configuration_are_left_out_with_a_note(tmp_path: Path) -> None:
    found = read(tmp_path, [*TWO, "c,vgg16,full,auc,0.9"]).of_metric(None)
    assert {one.task.name for one in found.observations} == {"a", "b"}
    (note,) = found.notes
    assert "single configuration" in note
    assert note.endswith(": c")


@pytest.mark.parametrize(
    ("lines", "n", "choices"),
    [(TWO[:2], 1, 1), ([TWO[0], TWO[2]], 2, 0), ([*TWO[:2], TWO[2]], 2, 1)],
)
def test_fewer_than_two_data_sets_with_a_choice_are_insufficient_evidence(
    tmp_path: Path, lines: list[str], n: int, choices: int
) -> None:
    message = rf"insufficient evidence: of {n} data set\(s\) for auc {choices} leave"
    with pytest.raises(RecommendationError, match=message):
        read(tmp_path, lines).of_metric(None)
