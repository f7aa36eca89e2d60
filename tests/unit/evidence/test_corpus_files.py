"""What the corpus files hold agrees with what the reviews print (checked by hand once)."""

import csv
from collections import Counter

import pytest

from evidence.records import ArmRecord
from evidence.shipped import shipped


def rows(name: str) -> list[dict[str, str]]:
    with (shipped("data") / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


STUDIES = rows("studies.csv")
MORID = [row for row in STUDIES if row["review"] == "morid2022"]


def of(study_key: str, review: str = "morid2022") -> dict[str, str]:
    return next(r for r in STUDIES if (r["study_key"], r["review"]) == (study_key, review))


def cell(study_key: str, column: str, review: str = "morid2022") -> str:
    return next(
        row["printed"]
        for row in rows("cells.csv")
        if (row["study_key"], row["column"], row["review"]) == (study_key, column, review)
    )


def test_each_review_holds_as_many_studies_as_it_says() -> None:
    """Morid 102, Fourcade 25; 111 of Kim's 121 can be identified, 22 by name in the text."""
    counts = Counter((row["review"], row["status"]) for row in STUDIES)
    assert counts == {
        ("morid2022", "extracted"): 102,
        ("fourcade2019", "extracted"): 25,
        ("kim2022", "extracted"): 22,
        ("kim2022", "known"): 89,
    }


def test_a_study_is_counted_once_however_many_reviews_hold_it() -> None:
    by_review: dict[str, set[str]] = {}
    for row in STUDIES:
        by_review.setdefault(row["review"], set()).add(row["study_key"])
    morid, kim, fourcade = (by_review[name] for name in ("morid2022", "kim2022", "fourcade2019"))
    assert not morid & fourcade
    assert len(morid & kim) == 28
    assert kim & fourcade == {"ahn-2018"}
    assert len(morid | kim | fourcade) == len(rows("publications.csv")) == 209


def test_morid_table_3_is_reproduced_by_the_rows() -> None:
    """Morid 2022, Table 3, where it agrees with its own rows."""

    def percent(column: str, word: str) -> int:
        return round(100 * sum(row[column] == word for row in MORID) / len(MORID))

    assert percent("approach_as_printed", "FT") == 67
    assert percent("augmentation", "offline") == 47
    assert percent("augmentation", "online") == 7
    assert percent("visualization", "heatmap") == 23
    assert percent("visualization", "deconvolution") == 8
    assert percent("visualization", "activation_maximization") == 3
    assert percent("head", "linear") == 84
    assert percent("class_type", "categorical") == 25
    assert percent("class_type", "numeric") == 4
    assert percent("anatomy", "eye") == 18
    assert percent("anatomy", "breast") == 14
    assert percent("anatomy", "brain") == 12


def test_metrics_and_operators_are_those_printed() -> None:
    """Acc 58, AUC 36, MAE 4, Sen 2, Prec 1, DiceC 1; 15 lower bounds."""
    words = [row["evaluations"].replace(">", "=").split("=")[0] for row in MORID]
    assert Counter(words) == {
        "accuracy": 58, "auc": 36, "mae": 4, "sensitivity": 2, "precision": 1, "dice": 1,
    }  # fmt: skip
    assert sum(">" in row["evaluations"] for row in MORID) == 15


@pytest.mark.parametrize(
    ("study", "column", "printed", "field", "value"),
    [
        ("dunnmon-2019", "Data Size", "216, 431", "n_images", "216431"),
        ("yang-2018a", "Performance", "Acc=0.867", "evaluations", "accuracy=0.867"),
        ("wang-2019", "Performance", "Acc=97.42", "evaluations", "accuracy=0.9742"),
        ("peng-2019", "Performance", "Acc>82.8%", "evaluations", "accuracy>0.828"),
        ("binol-2019", "Ag Data Size", "Online", "augmentation", "online"),
        ("chowdhury-2019", "AnantF", "Osteome atal complex", "anatomy", "osteomeatal_complex"),
        ("kermany-2018", "Vis", "\u041d\u041c", "visualization", "heatmap"),
        ("li-2017a", "Performance", "Acc=98.62%", "evaluations", "accuracy=0.9862"),
    ],
)
def test_a_trap_of_the_print_is_kept_and_read(
    study: str, column: str, printed: str, field: str, value: str
) -> None:
    assert cell(study, column) == printed
    assert of(study)[field] == value


def test_printed_and_resolved_references_are_both_kept() -> None:
    assert (of("shin-2016")["ref_printed"], of("shin-2016")["ref"]) == ("[138]", "[125]")
    assert (of("byra-2018")["ref_printed"], of("byra-2018")["ref"]) == ("[139]", "")
    assert of("thakoor-2019")["row_label"] == "Kaveri et al. 2019"


def test_tables_without_an_anatomy_column_have_the_implied_one() -> None:
    implied = {row["table"]: row["anatomy"] for row in MORID if row["table"] in {"S6", "S7", "S8"}}
    assert implied == {"S6": "skin", "S7": "eye", "S8": "eye"}


def test_fourcade_keeps_ranges_bounds_and_both_values() -> None:
    assert of("cicero-2017", "fourcade2019")["evaluations"] == "auc=0.85..0.96"
    assert of("phan-2019", "fourcade2019")["evaluations"] == "auc>0.9"
    assert of("esteva-2017", "fourcade2019")["evaluations"] == "auc=0.96;auc=0.94"
    assert cell("zech-2018", "Results", "fourcade2019") == "AUC 0,931"
    assert of("zech-2018", "fourcade2019")["backbone"] == "ResNet;DenseNet"


def test_a_benchmark_arm_has_no_approach_that_the_review_does_not_give(
    arms: tuple[ArmRecord, ...],
) -> None:
    def read(study: str, review: str) -> list[ArmRecord]:
        return [a for a in arms if (a.study.key, a.review) == (study, review)]

    qin = read("qin-2019", "morid2022")
    assert [(a.role, a.backbone) for a in qin][:2] == [
        ("winner", "VGG-16"), ("benchmark", "ResNet-18"),
    ]  # fmt: skip
    assert {a.approach for a in qin if a.role == "benchmark"} == {"unspecified"}
    shin = read("shin-2016", "kim2022")
    assert (shin[0].backbone, shin[0].approach) == ("GoogLeNet", "fine_tuning_from_scratch")
    assert read("shin-2016", "morid2022")[0].backbone == "AlexNet"
