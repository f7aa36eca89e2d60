"""The commands of a living review as a person types them."""

import csv
import io
import json
from pathlib import Path

import pytest

from evidence.store import Store
from tests.integration.commands import evtl, refused
from tests.integration.living import STUDIES, add_review
from tests.integration.test_screening import sheet
from tests.unit.evidence.living import REVIEW

ZHOU, ADAMS, _ = STUDIES
COMMANDS = (
    "screen queue", "screen decide", "screen status", "screen conflicts", "screen agreement",
    "extract add", "extract conflicts", "extract adjudicate", "extract adopt", "extract agreement",
    "prisma",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _living(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A living review in the store that the command line uses, and nobody named."""
    monkeypatch.delenv("EVTL_ACTOR", raising=False)
    monkeypatch.delenv("EVTL_REVIEWERS", raising=False)
    add_review(store)


def rows(text: str) -> list[dict[str, str]]:
    """Rows of what ``--format csv`` writes."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    assert f"Example: evtl {command}" in " ".join(evtl(*command.split(), "--help").split())


@pytest.mark.parametrize("group", ["screen", "extract"])
def test_a_group_lists_its_commands(group: str) -> None:
    listed = evtl(group, "--help")
    own = [command.split()[1] for command in COMMANDS if command.startswith(group)]
    assert all(f" {name} " in listed for name in own)


def test_a_review_is_screened_from_queue_to_flow(tmp_path: Path) -> None:
    text = evtl("screen", "queue", "--by", "anna")
    assert "3 studies of thyroid2026 wait for anna at title_abstract" in text
    assert "What zhou found." in text
    for person in ("anna", "ben"):
        assert f"by {person}" in evtl("screen", "decide", "include", ZHOU, "--by", person)
    evtl("screen", "decide", "exclude", ADAMS, "--reason", "animals", "--by", "anna")
    evtl("screen", "decide", "include", ADAMS, "--by", "ben")
    said = rows(evtl("screen", "conflicts", "--format", "csv"))
    assert [(row["reviewer"], row["decision"], row["reason"]) for row in said] == [
        ("anna", "exclude", "animals"), ("ben", "include", ""),
    ]  # fmt: skip
    assert json.loads(evtl("screen", "conflicts", "--json"))[0]["study_key"] == ADAMS
    evtl("screen", "decide", "exclude", ADAMS, "--adjudicate", "--reason", "mice", "--by", "carl")
    assert "no conflict is open" in evtl("screen", "conflicts")
    stages = json.loads(evtl("screen", "status", "--json"))["stages"]
    assert [(s["n_include"], s["n_exclude"], s["n_pending"]) for s in stages] == [
        (1, 1, 1), (0, 0, 1),
    ]  # fmt: skip
    (pair,) = rows(evtl("screen", "agreement", "--format", "csv"))
    assert (pair["reviewers"], pair["n"], pair["agreement"]) == ("anna and ben", "2", "0.5")
    steps = json.loads(evtl("prisma", "--out", str(tmp_path / "flow.svg"), "--json"))["steps"]
    assert [step["n_printed"] for step in steps] == [4, 1, 3, 1, 1, 1, 1, 0]
    assert "records identified" in (tmp_path / "flow.svg").read_text(encoding="utf-8")


def test_a_queue_in_rows_has_the_abstracts() -> None:
    (first,) = rows(evtl("screen", "queue", "--by", "anna", "--limit", "1", "--format", "csv"))
    assert first == {
        "study_key": ZHOU, "title": "Nodules of zhou", "authors": "A. Zhou; B. Second",
        "year": "2020", "abstract": "What zhou found.",
    }  # fmt: skip


def test_a_team_names_people_and_numbers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTL_ACTOR", "dora")
    monkeypatch.setenv("EVTL_REVIEWERS", "1")
    assert "by dora" in evtl("screen", "decide", "include", ZHOU)
    assert json.loads(evtl("screen", "status", "--json"))["stages"][0]["n_include"] == 1


def test_a_decision_can_be_undone() -> None:
    said = evtl("screen", "decide", "include", ZHOU, "--by", "anna")
    evtl("undo", said.split()[2], "--reason", "misread", "--by", "anna")
    assert json.loads(evtl("screen", "queue", "--by", "anna", "--json"))["n_left"] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("screen decide exclude zhou-2020 --by anna", "an exclusion needs a reason"),
        ("screen decide include nobody-1999 --by anna", "is none of the 3 identified"),
        ("screen decide perhaps zhou-2020", "'perhaps' is not one of"),
        ("screen queue --reviewers 0", "Invalid value for '--reviewers'"),
        ("screen status --review kim2022", "has no identified records"),
        ("extract add nowhere.csv --by anna", "name a file that can be read"),
        ("extract conflicts zhou-2020", "nobody read 'zhou-2020'"),
        ("extract adopt zhou-2020 --by carl", "nobody read 'zhou-2020'"),
        ("prisma nobody1999", "no flow of 'nobody1999'"),
        ("prisma --out flow.pdf", "flow.pdf: a figure is written as .svg or .png"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in " ".join(refused(monkeypatch, capsys, *words.split()).split())


def test_a_study_is_extracted_by_two_people_and_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for person, head in (("anna", "svm"), ("ben", "knn")):
        path = tmp_path / f"{person}.csv"
        path.write_bytes(sheet(ZHOU, head=head))
        assert f"by {person}" in evtl("extract", "add", str(path), "--by", person)
    said = rows(evtl("extract", "conflicts", ZHOU, "--format", "csv"))
    assert [(row["field"], row["reader"], row["value"]) for row in said] == [
        ("head", "anna", "svm"), ("head", "ben", "knn"),
    ]  # fmt: skip
    judge = ("extract", "adjudicate", ZHOU, "head")
    words = (*judge, "tree", "--reason", "page 3", "--by", "carl")
    assert "value: Input should be 'linear'" in refused(monkeypatch, capsys, *words)
    evtl(*judge, "svm", "--reason", "page 3", "--by", "carl")
    assert "no conflict is open" in evtl("extract", "conflicts")
    assert "as read by anna, ben" in evtl("extract", "adopt", ZHOU, "--by", "carl")
    assert "nothing changed" in evtl("extract", "adopt", ZHOU, "--by", "carl")
    found = {row["field"]: row for row in rows(evtl("extract", "agreement", "--format", "csv"))}
    assert (found["head"]["agreement"], found["backbone"]["agreement"]) == ("0.0", "1.0")
    query = f"select head from study_features where review = '{REVIEW}'"
    assert rows(evtl("sql", query, "--format", "csv")) == [{"head": "svm"}]


@pytest.mark.parametrize("review", ["fourcade2019", "kim2022", "kora2022", "morid2022"])
def test_every_published_flow_is_shown_and_drawn_as_printed(review: str, tmp_path: Path) -> None:
    path = tmp_path / "flow.png"
    found = rows(evtl("prisma", review, "--out", str(path), "--format", "csv").partition("Draw")[0])
    assert found[-1]["kind"] == "included"
    assert path.read_bytes().startswith(b"\x89PNG")
