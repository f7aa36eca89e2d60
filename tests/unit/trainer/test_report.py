"""The page: whole in itself, harmless, the same each time, and without patients."""

import base64
import dataclasses
import io
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from recommender.plan import PlanEvidence
from tests.unit.trainer.reporting import full_report, outcomes, result_of
from tests.unit.trainer.toys import plan_of
from trainer.errors import TrainingError
from trainer.measures.bootstrap import Interval
from trainer.measures.operating_point import OperatingPoint
from trainer.preparing.data_summary import DataSummary
from trainer.reporting.report import (
    MAX_LISTED,
    file_name,
    render_report,
    without_folders,
    write_report,
)
from trainer.reporting.report_data import Outcomes, ReportData
from trainer.runs import Resampled

VOID = {"meta", "img", "br"}
HOSTILE = "<script>alert(1)</script>\"'&.png"


class Page(HTMLParser):
    """Tags that were opened, with their attributes; refuses what is not nested well."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)

    @property
    def words(self) -> str:
        """All text, in single spaces."""
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def page() -> str:
    return render_report(full_report())


def test_the_page_is_well_formed_and_refers_to_nothing_outside_itself(page: str) -> None:
    found = Page(page)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {t for t, _ in found.tags}
    for _, attributes in found.tags:
        assert not {"href", "srcset", "action", "onload", "onerror"} & attributes.keys()
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
    assert "default-src 'none'" in page
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"https?://", page)


def test_every_picture_can_be_opened_and_has_words_for_who_cannot_see_it(page: str) -> None:
    pictures = [attributes for tag, attributes in Page(page).tags if tag == "img"]
    assert len(pictures) == 4 + 2 + 2 + 1  # of the test part, training, cases, ideals
    for attributes in pictures:
        assert attributes["alt"]
        content = base64.b64decode(str(attributes["src"]).split(",", 1)[1])
        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
            assert min(opened.size) >= 16


def test_the_page_says_what_was_trained_on_which_evidence_and_what_it_does_not_show(
    page: str,
) -> None:
    words = Page(page).words
    for expected in (
        "EfficientNet-Lite0", "frozen backbone", "Start frozen.", "start-frozen", "Kim 2022",
        "Smith 2020", "0.900 (0.850 to 0.940)", "malignant", "50 patients", "empty file",
        "Possible shortcut: the size of the file predicts the label", "8 bits as stored: 100",
        "2 images have an identical file under another label", "not a medical device",
        "another hospital", "A limit of its own.", "20 independent units only", "two cores",
        "Another run was no better.", "rank correlation of 0.12", "noted", "benign_1.png",
    ):  # fmt: skip
        assert expected in words, expected


def test_neither_patients_nor_groups_nor_folders_are_named(page: str) -> None:
    assert "patient-" not in page
    assert "folder/" not in page


@pytest.mark.parametrize(
    ("file", "name"), [("a/b.png", "b.png"), ("C:\\Doe_Jane\\1.png", "1.png"), ("x.png", "x.png")]
)
def test_of_a_path_only_the_name_of_the_file_is_shown(file: str, name: str) -> None:
    assert file_name(file) == name


def test_of_a_pair_that_crosses_the_split_only_the_names_of_the_files_are_shown() -> None:
    pairs = ("Doe_Jane/1.png (identical: Roe (Jo)/2.png in train)",
             "a/3.png (same group 1f: b/4.png in validation)")  # fmt: skip
    found = ("1.png (identical: 2.png in train)", "3.png (same group 1f: 4.png in validation)")
    assert tuple(map(without_folders, pairs)) == found
    summary = DataSummary(counts={}, crossing=pairs)
    data = ReportData(plan=plan_of(), result=result_of(), data=summary)
    words = Page(render_report(data)).words
    assert all(each in words for each in found)
    assert "Doe" not in words


def test_names_that_are_code_stay_names() -> None:
    data = full_report(HOSTILE)
    classes = ("<script>alert(1)</script>", "</style><img src=x onerror=alert(1)> $\\frac$")
    hostile = dataclasses.replace(
        data,
        names=classes,
        result=result_of(classes=classes, positive_class=classes[0], warnings=classes),
        comparisons=classes,
    )
    found = Page(render_report(hostile))
    assert "script" not in {tag for tag, _ in found.tags}
    assert all("onerror" not in attributes for _, attributes in found.tags)
    # Markup hides nothing: the name can be read. A slash in it begins the file's own name.
    assert classes[0] in found.words


@given(st.text(min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_no_name_breaks_the_page(name: str) -> None:
    data = ReportData(
        plan=plan_of(),
        result=result_of(classes=(name, f"{name}2"), positive_class=None, warnings=(name,)),
        data=DataSummary(counts={name: {name: 1}}, crossing=(name,)),
    )
    assert {tag for tag, _ in Page(render_report(data)).tags} <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "code", "div",
        "strong", "ul", "li", "table", "tr", "th", "td", "span",
    }  # fmt: skip


def test_the_same_data_give_the_same_bytes(page: str) -> None:
    assert render_report(full_report()) == page


def test_what_is_not_known_is_left_out() -> None:
    words = Page(render_report(ReportData(plan=plan_of(), result=result_of(metrics={})))).words
    for absent in ("Results", "Where it looks", "Training", "Mind", "Corpus"):
        assert f" {absent} " not in words
    assert "a person chose this configuration" in words


def test_rules_are_told_in_the_words_that_ship_with_evtl_and_unknown_ones_by_their_key() -> None:
    evidence = PlanEvidence(rules=("start-frozen", "of-another-time"))
    data = ReportData(plan=plan_of(evidence=evidence), result=result_of())
    words = Page(render_report(data)).words
    assert "Start with the frozen backbone" in words
    assert "k-start-frozen" in words
    assert "of-another-time" in words


def test_a_failed_run_says_why() -> None:
    data = ReportData(plan=plan_of(), result=result_of(status="failed", error="the disk is full"))
    assert "The run failed: the disk is full" in Page(render_report(data)).words


def test_long_lists_are_cut_and_counted() -> None:
    files = tuple(f"image_{number}.png" for number in range(MAX_LISTED + 5))
    data = ReportData(
        plan=plan_of(),
        result=result_of(),
        data=DataSummary(counts={"train": {"a": 1}}, crossing=files),
    )
    words = Page(render_report(data)).words
    assert "and 5 more" in words
    assert "image_19.png" in words
    assert "image_20.png" not in words


def _targets(target: str) -> tuple[Outcomes, Mapping[str, Any]]:
    rng = np.random.default_rng(0)
    units = tuple(map(str, range(30)))
    if target == "number":
        actual = rng.normal(50, 9, 30)
        return Outcomes("test", actual, actual + rng.normal(0, 3, 30), units), {"classes": ()}
    if target == "multi_label":
        labels = rng.integers(2, size=(30, 3))
        return Outcomes("test", labels, rng.random((30, 3)), units), {"classes": ("a", "b", "c")}
    return outcomes(n_classes=3), {"classes": ("mild", "worse", "worst"), "positive_class": None}


@pytest.mark.parametrize(
    ("target", "plots"),
    [
        ("number", {"agreement", "differences"}),
        ("multi_label", {"ROC", "precision and recall", "calibration"}),
        ("ordinal", {"confusion matrix", "ROC", "precision and recall", "calibration"}),
        ("classes", {"confusion matrix", "ROC", "precision and recall", "calibration"}),
    ],
)
def test_each_target_has_its_plots(target: str, plots: set[str]) -> None:
    found, fields = _targets(target)
    fields = {"positive_class": None} | dict(fields)
    data = ReportData(plan=plan_of(target=target), result=result_of(**fields), outcomes=(found,))
    alts = [str(a["alt"]) for tag, a in Page(render_report(data)).tags if tag == "img"]
    assert {alt.removeprefix("Plot: ").removesuffix(", test part") for alt in alts} == plots


def test_operating_point_classes_and_further_splits_are_told() -> None:
    value = Interval(value=0.8, low=0.7, high=0.9)
    point = OperatingPoint(
        positive="malignant", sensitivity_asked=0.9, threshold=0.3, n_positive=20,
        metrics={"sensitivity": value, "specificity": value}, statement="It is called at 0.3",
    )  # fmt: skip
    spread = Resampled(n=5, mean=0.81, deviation=0.02, smallest=0.78, largest=0.84)
    data = ReportData(
        plan=plan_of(),
        result=result_of(
            operating_point=point,
            by_class={"test": {"benign": {"auc": value}}},
            resampled={"auc": spread},
            temperature=1.25,
        ),
        outcomes=(outcomes(),),
    )
    words = Page(render_report(data)).words
    for expected in (
        "Operating point: It is called at 0.3.",
        "Class by class, test part benign",
        "AUC 0.800 (0.700 to 0.900)",
        "AUC 5 0.810 0.020 0.780 0.840",
        "1.25",
    ):
        assert expected in words, expected


def test_a_metric_that_is_not_defined_says_so() -> None:
    nothing = Interval(value=None, low=None, high=None)
    data = ReportData(plan=plan_of(), result=result_of(metrics={"test": {"ppv": nothing}}))
    assert "PPV not defined" in Page(render_report(data)).words


def test_limits_follow_the_data() -> None:
    data = ReportData(
        plan=plan_of(allow_leakage=True, evidence=PlanEvidence(rules=("start-frozen",))),
        result=result_of(),
        data=DataSummary(counts={}, n_groups=None),
    )
    words = Page(render_report(data)).words
    assert "No patients were named" in words
    assert "groups cross it" in words
    assert "a person chose the configuration" not in words


def test_the_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(ReportData(plan=plan_of(), result=result_of()), path)
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(TrainingError, match="cannot write"):
        write_report(ReportData(plan=plan_of(), result=result_of()), path / "r.html")
