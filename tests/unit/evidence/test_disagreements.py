"""Disagreements: the file, what a modality narrows, and what the rows themselves show."""

import csv
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from evidence.disagreements import (
    UNVERSIONED,
    DisagreementRecord,
    Side,
    collected,
    concerning,
    same_study,
)
from evidence.errors import EvidenceError, UnknownTermError
from evidence.records import ArmRecord, Corpus, Evaluation
from evidence.review_rows import DisagreementRow
from evidence.shipped import shipped
from evidence.vocabulary import MODALITY

MakeArm = Callable[..., ArmRecord]


def rows() -> tuple[DisagreementRow, ...]:
    with (shipped("data") / "disagreements.csv").open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == list(DisagreementRow.model_fields)
        return tuple(DisagreementRow.model_validate(cells) for cells in reader)


@pytest.fixture(scope="module")
def disagreements(corpus: Corpus) -> dict[str, DisagreementRecord]:
    found = collected(rows(), {claim.key: claim for claim in corpus.claims})
    return {record.key: record for record in found}


def keys(records: tuple[DisagreementRecord, ...]) -> list[str]:
    return [record.key for record in records]


def record(key: str, *modalities: str, kind: str = "advice") -> DisagreementRecord:
    sides = tuple(
        Side(
            review="kim2022",
            section="Results",
            statement=f"side {number}",
            modality=tuple(filter(None, words.split(";"))),
        )
        for number, words in enumerate(modalities)
    )
    return DisagreementRecord.model_validate(
        {"key": key, "topic": "backbone", "kind": kind, "sides": sides}
    )


def test_every_disagreement_has_two_sides_numbered_from_one() -> None:
    numbers: dict[str, list[int]] = {}
    for row in rows():
        numbers.setdefault(row.disagreement, []).append(row.side)
    for key, sides in numbers.items():
        assert len(sides) >= 2, key
        assert sides == list(range(1, len(sides) + 1)), key


def test_one_disagreement_has_one_topic_and_one_kind() -> None:
    heads = {(row.disagreement, row.topic, row.kind) for row in rows()}
    assert len(heads) == len({key for key, _, _ in heads})


def test_what_is_inside_one_review_has_one_review_and_the_rest_several(
    disagreements: dict[str, DisagreementRecord],
) -> None:
    for disagreement in disagreements.values():
        reviews = {side.review for side in disagreement.sides}
        assert (len(reviews) == 1) == (disagreement.kind == "inside"), disagreement.key


def test_a_claim_stands_with_its_own_review_and_words(corpus: Corpus) -> None:
    claims = {claim.key: claim for claim in corpus.claims}
    for row in rows():
        if row.claim:
            assert row.review == claims[row.claim].review
            assert not row.statement


def test_what_is_about_a_study_names_a_known_one_and_is_about_one(
    arms: tuple[ArmRecord, ...], disagreements: dict[str, DisagreementRecord]
) -> None:
    known = {arm.study.key for arm in arms}
    for disagreement in disagreements.values():
        studies = {side.study_key for side in disagreement.sides}
        assert studies - {""} <= known, disagreement.key
        if disagreement.kind == "same_study":
            assert len(studies) == 1, disagreement.key
            assert studies != {""}, disagreement.key


def test_kims_advice_and_morids_figures_stand_side_by_side(
    disagreements: dict[str, DisagreementRecord],
) -> None:
    sides = disagreements["start-frozen-or-fine-tune"].sides
    assert [side.claim for side in sides][:3] == [
        "k-start-frozen", "m-size-approach", "m-fine-tuning-share",
    ]  # fmt: skip
    assert sides[0].section == "Abstract (Conclusion); Conclusion"
    assert "as feature extractors" in sides[0].statement


def wins(arms: tuple[ArmRecord, ...], winner: str, loser: str | None = None) -> int:
    """Morid's benchmarked studies in which one family beat another (any other where None)."""
    best = {a.study.key: a.family for a in arms if a.role == "winner" and a.review == "morid2022"}
    beaten = {
        (a.study.key, a.family)
        for a in arms
        if a.role == "benchmark" and a.review == "morid2022" and a.family != best[a.study.key]
    }
    return sum(best[key] == winner and family == (loser or family) for key, family in beaten)


def test_the_counts_in_the_statements_are_those_of_the_rows(arms: tuple[ArmRecord, ...]) -> None:
    assert (wins(arms, "VGGNet", "Inception"), wins(arms, "Inception", "VGGNet")) == (6, 3)
    assert (wins(arms, "VGGNet", "ResNet"), wins(arms, "ResNet", "VGGNet")) == (4, 5)
    families = {arm.family for arm in arms}
    assert wins(arms, "AlexNet") == 3
    assert sum(wins(arms, family, "AlexNet") for family in families - {"AlexNet"}) == 14


def test_the_majority_that_fine_tunes_is_that_of_the_rows(arms: tuple[ArmRecord, ...]) -> None:
    own = [a for a in arms if a.review == "morid2022" and a.role != "benchmark"]
    counts = []
    for low, high in ((0, 999), (1000, 10_000), (10_001, 10**9)):
        approaches = [a.approach for a in own if a.n_images and low <= a.n_images <= high]
        counts.append((approaches.count("fine_tuning_from_scratch"), len(approaches)))
    assert counts == [(26, 44), (31, 40), (11, 18)]


def test_a_modality_keeps_its_own_broader_narrower_and_general_sides() -> None:
    asked = record("a", "xray", "mammography", "tomosynthesis", "ct", "")
    (kept,) = concerning([asked], "mammogram")
    assert [side.statement for side in kept.sides] == ["side 0", "side 1", "side 2", "side 4"]


def test_a_disagreement_with_one_side_left_is_none() -> None:
    assert concerning([record("a", "ct", "ultrasound")], "ultrasound") == ()


def test_advice_comes_first_and_what_speaks_of_a_modality_before_what_does_not() -> None:
    given_order = [
        record("a-inside", "ct", "ct", kind="inside"),
        record("b-general", "", ""),
        record("c-specific", "ct", ""),
        record("d-study", "ct", "ct", kind="same_study"),
    ]
    assert keys(concerning(given_order, "CT")) == ["c-specific", "b-general", "d-study", "a-inside"]


def test_without_a_modality_nothing_is_left_out(
    disagreements: dict[str, DisagreementRecord],
) -> None:
    assert sorted(keys(concerning(disagreements.values()))) == sorted(disagreements)


@given(st.sampled_from(MODALITY.terms), st.integers(0, 10**6))
def test_the_order_given_does_not_matter(term: Any, seed: int) -> None:
    some = [record("a", term.key, ""), record("b", "xray", "ct"), record("c", "", "")]
    mixed = random.Random(seed).sample(some, len(some))
    assert concerning(some, term.key) == concerning(mixed, term.key)


def test_what_ultrasound_hears_is_about_ultrasound_or_all(
    disagreements: dict[str, DisagreementRecord],
) -> None:
    found = concerning(disagreements.values(), "sonography")
    assert "prevalence-inception-ultrasound" in keys(found)
    assert "brain-mri" not in keys(found)
    assert all("mri" not in side.modality for record in found for side in record.sides)


def test_an_unknown_modality_is_refused() -> None:
    with pytest.raises(UnknownTermError, match="unknown modality 'sonogrphy'"):
        concerning([], "sonogrphy")


def test_a_claim_that_is_none_is_named() -> None:
    row = next(row for row in rows() if row.claim)
    with pytest.raises(EvidenceError, match=r"must be a key of claims\.csv"):
        collected([row], {})


@pytest.mark.parametrize(
    ("section", "statement", "claim"),
    [("Results", "said", "k-included"), ("Results", "", "k-included"), ("", "said", ""), ("",) * 3],
)
def test_a_side_says_its_words_or_names_its_claim(section: str, statement: str, claim: str) -> None:
    cells = {
        "disagreement": "a", "topic": "b", "kind": "inside", "modality": "", "anatomy": "",
        "side": "1", "review": "kim2022", "study_key": "", "section": section,
        "statement": statement, "claim": claim,
    }  # fmt: skip
    with pytest.raises(ValidationError, match="or the key of the claim"):
        DisagreementRow.model_validate(cells)


def test_two_readings_of_one_study_are_found_in_the_rows(arms: tuple[ArmRecord, ...]) -> None:
    """Kim 2022 and Morid 2022 share four studies that both read; they agree on Talo 2019."""
    found = {record.key: record.sides for record in same_study(arms)}
    assert sorted(found) == ["hemelings-2019-approach", "shin-2016-backbone", "zhang-2018-backbone"]
    kim, morid = found["shin-2016-backbone"]
    assert (kim.statement, morid.statement) == ("GoogLeNet", "AlexNet")
    assert kim.section == "kim2022, Transfer learning, Shin 2016 [36]"
    assert morid.section.startswith("morid2022, Table S3")
    assert [side.statement for side in found["hemelings-2019-approach"]] == [
        "fine_tuning", "fine_tuning_from_scratch",
    ]  # fmt: skip


def test_what_is_found_does_not_hang_on_the_order_of_arms(arms: tuple[ArmRecord, ...]) -> None:
    assert same_study(arms[::-1]) == same_study(arms)


DIFFERENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "backbone": ({"backbone": "VGG-16"}, {"backbone": "VGG-19"}),
    "approach": ({"approach": "feature_extractor"}, {"approach": "fine_tuning"}),
    "modality": ({"modality": "ct"}, {"modality": "xray"}),
    "n_images": ({"n_images": 100}, {"n_images": 101}),
    "n_classes": ({"n_classes": 2}, {"n_classes": 3}),
}


def readings(make_arm: MakeArm, one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    arms = (make_arm(**one), make_arm(**{"review": "kim2022", **other}))
    return [record.topic for record in same_study(arms)]


@pytest.mark.parametrize("topic", DIFFERENT)
def test_a_difference_is_found_under_its_topic(make_arm: MakeArm, topic: str) -> None:
    assert readings(make_arm, *DIFFERENT[topic]) == [topic]


@pytest.mark.parametrize("topic", DIFFERENT)
def test_one_review_does_not_differ_from_itself(make_arm: MakeArm, topic: str) -> None:
    one, other = DIFFERENT[topic]
    assert readings(make_arm, one, {"review": "morid2022", **other}) == []


@pytest.mark.parametrize(
    "other",
    [
        {"backbone": "unknown", "family": "unknown"},
        {"approach": "unspecified"},
        {"modality": None},
        {"n_images": None, "n_classes": None},
        {"modality": "ultrasound"},
        {"role": "benchmark", "backbone": "AlexNet", "family": "AlexNet"},
    ],
)
def test_silence_and_benchmarks_contradict_nobody(make_arm: MakeArm, other: dict[str, Any]) -> None:
    assert readings(make_arm, {"modality": "ultrasound"}, other) == []


@pytest.mark.parametrize("name", sorted(UNVERSIONED))
def test_a_network_without_its_version_agrees_with_its_family(make_arm: MakeArm, name: str) -> None:
    same = {"family": "f", "backbone": f"{name}-1"}
    assert readings(make_arm, same, {"family": "f", "backbone": name}) == []
    assert readings(make_arm, same, {"family": "g", "backbone": name}) == ["backbone"]


def test_a_narrower_modality_is_no_difference(make_arm: MakeArm) -> None:
    assert readings(make_arm, {"modality": "xray"}, {"modality": "tomosynthesis"}) == []


@pytest.mark.parametrize(
    ("operator", "value", "value_high", "differs"),
    [
        ("=", 0.9, None, False),
        ("=", 0.91, None, True),
        (">", 0.85, None, False),
        (">", 0.95, None, True),
        ("range", 0.85, 0.95, False),
        ("range", 0.91, 0.95, True),
    ],
)
def test_a_bound_and_a_range_differ_only_where_the_value_lies_outside(
    make_arm: MakeArm, operator: str, value: float, value_high: float | None, differs: bool
) -> None:
    fields = {"metric": "auc", "operator": operator, "value": value, "value_high": value_high}
    point = Evaluation(metric="auc", operator="=", value=0.9)
    mine, yours = {"evaluations": (point,)}, {"evaluations": (Evaluation.model_validate(fields),)}
    assert readings(make_arm, mine, yours) == (["auc"] if differs else [])


def test_two_metrics_are_not_compared(make_arm: MakeArm) -> None:
    mine = {"evaluations": (Evaluation(metric="auc", operator="=", value=0.9),)}
    yours = {"evaluations": (Evaluation(metric="accuracy", operator="=", value=0.7),)}
    assert readings(make_arm, mine, yours) == []
