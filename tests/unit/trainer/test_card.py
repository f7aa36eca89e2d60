"""The model card: what it must say, in a form that the hub reads."""

import dataclasses

from huggingface_hub import ModelCard

from tests.unit.trainer.reporting import full_report, result_of
from tests.unit.trainer.toys import plan_of
from trainer.reporting.card import model_card
from trainer.reporting.report_data import ReportData

HEADINGS = (
    "Model details", "Intended use", "Factors", "Metrics", "Evaluation data", "Training data",
    "Which evidence chose what", "Ethical considerations", "Caveats and recommendations",
    "How to load",
)  # fmt: skip


def test_the_hub_reads_the_front_matter() -> None:
    card = ModelCard(model_card(dataclasses.replace(full_report(), licence="apache-2.0")))
    found = card.data.to_dict()  # type: ignore[no-untyped-call]
    assert (found["library_name"], found["license"]) == ("timm", "apache-2.0")
    assert {"medical-imaging", "ultrasound", "breast"} <= set(found["tags"])


def test_every_heading_stands_in_its_order_and_none_is_empty() -> None:
    for data in (full_report(), ReportData(plan=plan_of(), result=result_of(metrics={}))):
        lines = model_card(data).splitlines()
        at = [lines.index(f"## {heading}") for heading in HEADINGS]
        assert at == sorted(at)
        assert all(lines[number + 2].strip() for number in at)


def test_the_card_says_what_was_measured_and_which_evidence_chose() -> None:
    card = model_card(full_report())
    for expected in (
        "| test | AUC | 0.900 (0.850 to 0.940) |", "`start-frozen`: Start frozen. Kim 2022",
        "`smith-2020`: Smith 2020. Morid 2022, Table 3", "Corpus: SHA-256 `abc`",
        "not a medical device", "test: 20 images", "train: 60 images", "1 files could not be used",
        "another hospital", "evtl predict", "the size of the file predicts the label",
    ):  # fmt: skip
        assert expected in card, expected


def test_the_card_names_no_file_and_no_patient() -> None:
    card = model_card(full_report("Doe_Jane.png"))
    assert "Doe" not in card
    assert "patient-" not in card


def test_names_that_are_markup_stay_names() -> None:
    name = "a|b <script>\n# c"
    data = ReportData(plan=plan_of(), result=result_of(classes=(name, "d"), warnings=(name,)))
    card = model_card(data)
    assert "a\\|b \\<script\\> \\# c" in card
    assert " <script>" not in card
    assert "\n# c" not in card


def test_the_same_data_give_the_same_card_and_another_way_to_load_can_be_told() -> None:
    assert model_card(full_report()) == model_card(full_report())
    assert model_card(full_report(), loading="By hand.").rstrip().endswith("By hand.")
