"""Every command as a person types it."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main

from evidence.store import Store
from evtl.cli import app
from evtl.lazy import MODULES
from tests.integration.commands import evtl, refused

COMMANDS = ("recommend", "explain", "sql", *MODULES)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    assert f"Example: evtl {command}" in " ".join(evtl(command, "--help").split())


def test_no_command_is_missing_here() -> None:
    group: Any = typer.main.get_group(app)
    assert set(group.list_commands(None)) == set(COMMANDS)


@pytest.mark.usefixtures("either")
def test_recommend_answers_with_ranking_reasons_doubt_and_cost() -> None:
    text = evtl("recommend", "--modality", "ultrasound", "--n", "800")
    for part in (
        "Ranking", "Plan:", "Cost:", "\n  rule ", "morid2022, Table S5", "doi:",
        "What similar studies report", "Certainty: low", "Where the reviews disagree here", "Mind",
    ):  # fmt: skip
        assert part in text, part


@pytest.mark.usefixtures("either")
def test_recommend_json_has_the_promised_keys_and_repeats_byte_for_byte() -> None:
    words = ("recommend", "--modality", "us", "--n", "800", "--top", "3", "--json")
    text = evtl(*words)
    found = json.loads(text)
    assert {"profile", "ranking", "plan", "expected", "certainty", "disagreements",
            "warnings"} <= set(found)  # fmt: skip
    assert len(found["ranking"]) == 3
    assert {"rank", "backbone", "family", "approach", "initialisation", "head", "score", "parts",
            "rules", "studies"} <= set(found["ranking"][0])  # fmt: skip
    assert set(found["expected"]) == {"metric", "low", "median", "high", "n_studies"}
    assert set(found["certainty"]) == {"level", "reasons"}
    assert found["profile"]["modality"] == "ultrasound"
    assert evtl(*words) == text


@pytest.mark.usefixtures("either")
def test_a_saved_plan_is_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    assert str(path) in evtl("recommend", "--modality", "ct", "--n", "90", "--save", str(path))
    assert json.loads(path.read_text(encoding="utf-8"))["profile"]["modality"] == "ct"


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--modality", "ultrasond", "--n", "800"), "did you mean ultrasound"),
        (("--modality", "us", "--n", "800", "--anatomy", "brest"), "did you mean breast"),
        (("--modality", "us", "--n", "0"), "--n: found 0"),
        (("--modality", "us", "--n", "-3"), "--n: found -3"),
        (("--modality", "us", "--n", "1000000000000"), "--n: found"),
        (("--modality", "us", "--n", "800", "--classes", "1"), "--classes: found 1"),
        (("--modality", "us", "--n", "800", "--augmented-n", "5"), "below --n (800)"),
        (("--modality", "us", "--n", "8", "--task", "regression", "--classes", "2"), "no classes"),
        (("--n", "800"), "--modality is missing"),
        (("--modality", "us"), "how many images"),
        (("--modality", "us", "--n", "many"), "a whole number"),
        (("--modality", "us", "--n", "8", "--save", "/dev/null/plan.json"), "cannot write"),
        (("--modality", "us", "--n", "8", "--save", "."), "it is a folder"),
        (("--modality", "us", "--n", "8", "--save", ""), "it is a folder"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    words: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in refused(monkeypatch, capsys, "recommend", *words)


@pytest.mark.usefixtures("either")
def test_sql_writes_the_same_rows_in_four_formats() -> None:
    query = "select key, year from review order by year, key limit 2"
    assert evtl("sql", query, "--format", "csv").splitlines() == [
        "key,year", "fourcade2019,2019", "morid2022,2021",
    ]  # fmt: skip
    assert json.loads(evtl("sql", query, "--format", "json"))[0] == {
        "key": "fourcade2019", "year": 2019,
    }  # fmt: skip
    assert evtl("sql", query, "--format", "markdown").splitlines()[1] == "| --- | --- |"
    assert evtl("sql", query).splitlines()[2].split() == ["fourcade2019", "2019"]


@pytest.mark.usefixtures("either")
def test_a_cell_with_a_comma_or_a_bar_stays_one_cell() -> None:
    query = "select 'a,b|c' as x"
    rows = list(csv.reader(io.StringIO(evtl("sql", query, "--format", "csv"))))
    assert rows[1] == ["a,b|c"]
    assert "a,b\\|c" in evtl("sql", query, "--format", "markdown")


@pytest.mark.usefixtures("store")  # SQLite has its own words for bytes and characters
def test_json_stays_json_whatever_the_rows_hold() -> None:
    query = "select 9e999 as a, x'00ff' as b, null as c"
    assert json.loads(evtl("sql", query, "--format", "json")) == [
        {"a": None, "b": "00ff", "c": None}
    ]


@pytest.mark.usefixtures("either")
def test_two_columns_of_one_name_are_not_lost_in_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("sql", "select 1 as a, 2 as a", "--format", "json")
    assert "two are called 'a'" in refused(monkeypatch, capsys, *words)


@pytest.mark.usefixtures("store")  # SQLite has its own words for bytes and characters
def test_control_characters_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in evtl("sql", "select char(27) || '[31mred' as a")


def test_the_version_is_printed() -> None:
    assert evtl("--version").startswith("evtl 0.")


@pytest.mark.usefixtures("either")
def test_sql_refuses_politely(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "only one SELECT" in refused(monkeypatch, capsys, "sql", "DELETE FROM study")


@pytest.mark.usefixtures("either")
def test_runs_says_when_there_is_none() -> None:
    assert "no run is recorded yet" in evtl("runs")
    assert json.loads(evtl("runs", "--json")) == []


@pytest.mark.parametrize("words", [("--help",), ("recommend", "--modality", "us", "--n", "800"),
                                   ("sql", "select 1")])  # fmt: skip
def test_advice_and_questions_import_nothing_heavy(either: Store, words: tuple[str, ...]) -> None:
    code = (
        "import sys; from evtl.cli import app\n"
        f"try: app({list(words)!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'timm', 'PIL', 'alembic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    address = either.url.render_as_string(hide_password=False)
    environment = os.environ | {"EVTL_DATABASE_URL": address}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout
    assert found.stderr.splitlines()[-1] == "[]"


def test_a_pipe_that_closes_early_is_no_error(either: Store) -> None:
    address = either.url.render_as_string(hide_password=False)
    environment = os.environ | {"EVTL_DATABASE_URL": address}
    query = "select a.* from printed_cell a, printed_cell b limit 9000"
    process = subprocess.Popen(
        [sys.executable, "-c", "from evtl.cli import main; main()", "sql", query],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait()
