"""The files about the reviews themselves: valid rows that say what the reviews print."""

import csv
from collections import Counter
from typing import TypeVar

import pytest
from pydantic import ValidationError

from evidence.review_rows import AgreementRow, BackboneFactRow, FlowRow
from evidence.rows import BackboneRow, ReviewRow, Row
from evidence.shipped import shipped

AnyRow = TypeVar("AnyRow", bound=Row)


def load(name: str, model: type[AnyRow]) -> tuple[AnyRow, ...]:
    with (shipped("data") / name).open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == list(model.model_fields)
        return tuple(model.model_validate(cells) for cells in reader)


FLOW = load("flow.csv", FlowRow)
AGREEMENT = load("agreement.csv", AgreementRow)
FACTS = load("backbone_facts.csv", BackboneFactRow)
REVIEWS = {row.review: row for row in load("reviews.csv", ReviewRow)}


def printed(review: str, kind: str) -> list[int | None]:
    return [row.n_printed for row in FLOW if (row.review, row.kind) == (review, kind)]


def facts(review: str, fact: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in FACTS:
        if (row.review, row.fact) == (review, fact):
            found.setdefault(row.backbone, []).append(row.value)
    return found


@pytest.mark.parametrize("rows", [FLOW, AGREEMENT, FACTS])
def test_no_row_is_given_twice_and_every_review_is_known(rows: tuple[Row, ...]) -> None:
    keys = Counter(tuple(getattr(row, column) for column in row.natural_key) for row in rows)
    assert max(keys.values()) == 1
    assert {getattr(row, "review") for row in rows} <= set(REVIEWS)  # noqa: B009  (Row has none)


def test_every_backbone_with_a_fact_is_in_the_list_of_backbones() -> None:
    known = {row.backbone for row in load("backbones.csv", BackboneRow)}
    assert {row.backbone for row in FACTS} <= known


def test_the_flows_are_those_printed() -> None:
    """Morid 8,421 / 689 / 102; Fourcade 352 / 327 / 25; Kora states none."""
    assert printed("morid2022", "identified") == [8421]
    assert printed("morid2022", "full_text") == [689]
    assert printed("fourcade2019", "identified") == [352]
    assert printed("fourcade2019", "excluded") == [327]
    assert printed("kora2022", "included") == [None]


def test_kims_two_numbers_of_retrieved_articles_are_two_rows() -> None:
    assert printed("kim2022", "identified") == [467, 425]
    assert printed("kim2022", "duplicates") == [42]


def test_only_kims_steps_miss_what_their_neighbours_give() -> None:
    missed = [
        (row.review, row.n_printed, row.n_derived)
        for row in FLOW
        if None not in (row.n_printed, row.n_derived) and row.n_printed != row.n_derived
    ]
    assert missed == [("kim2022", 425, 467), ("kim2022", 114, 115), ("kim2022", 121, 122)]


def test_steps_are_numbered_from_one_without_a_gap() -> None:
    for review in REVIEWS:
        positions = [row.position for row in FLOW if row.review == review]
        assert positions == list(range(1, len(positions) + 1))


def test_the_last_step_is_the_number_of_included_studies() -> None:
    for review, row in REVIEWS.items():
        assert printed(review, "included") == [row.n_included]


def test_only_morid_gives_a_statistic_of_agreement() -> None:
    values = [(row.review, row.stage, row.value) for row in AGREEMENT if row.value is not None]
    assert values == [("morid2022", "title_abstract", 0.81), ("morid2022", "full_text", 0.86)]


def test_kim_says_two_raters_in_the_abstract_and_one_in_the_methods() -> None:
    raters = [row.n_raters for row in AGREEMENT if row.review == "kim2022"]
    assert raters == [2, 1, 2]


def test_the_layers_of_kims_table_1_add_up() -> None:
    total = facts("kim2022", "n_layers")
    conv, full = facts("kim2022", "n_conv_layers"), facts("kim2022", "n_fc_layers")
    assert len(total) == 5
    for backbone, (layers,) in total.items():
        assert int(layers) == int(conv[backbone][0]) + int(full[backbone][0])


def test_a_network_is_shallow_wide_or_deep_by_whom_you_ask() -> None:
    kim, morid = facts("kim2022", "depth_class"), facts("morid2022", "depth_class")
    assert set(kim["VGG"]) == {"deep", "shallow"}
    assert (set(kim["Inception"]), morid["Inception"]) == ({"deep"}, ["wide"])


def test_inception_has_not_the_least_parameters_of_kims_table_1() -> None:
    counts = {name: int(value) for name, (value,) in facts("kim2022", "n_parameters").items()}
    assert min(counts, key=counts.__getitem__) == "LeNet-5"


@pytest.mark.parametrize(("value", "statistic"), [("0.8", "none"), ("", "cohen_kappa")])
def test_an_agreement_without_its_statistic_is_refused(value: str, statistic: str) -> None:
    cells = {
        "review": "kim2022", "position": "1", "stage": "all", "statistic": statistic,
        "value": value, "n_raters": "2", "section": "Methods", "note": "",
    }  # fmt: skip
    with pytest.raises(ValidationError, match="a value needs its statistic"):
        AgreementRow.model_validate(cells)


@pytest.mark.parametrize(
    ("fact", "value", "unit"),
    [("n_layers", "eight", "layers"), ("depth_class", "8", ""), ("year", "2012", "")],
)
def test_a_fact_of_the_wrong_sort_is_refused(fact: str, value: str, unit: str) -> None:
    cells = {
        "review": "kim2022", "backbone": "AlexNet", "fact": fact, "value": value, "unit": unit,
        "printed": value, "section": "Table 1",
    }  # fmt: skip
    with pytest.raises(ValidationError, match="a unit"):
        BackboneFactRow.model_validate(cells)
