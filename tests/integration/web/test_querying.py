"""SQL on a page: answered, shared, downloaded; refused where it is no question."""

import csv
import html
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evidence import questions
from evidence.questions import Answer
from evidence.store import Store
from evtl import services
from evtl.web.routes import querying
from evtl.web.settings import Settings
from tests.integration.attacks import BOMBS, HIDDEN, NO_QUESTIONS, SQLITE, name_of
from tests.integration.web.visiting import TOKEN, Visit

#: What a page may weigh.
MOST_BYTES = 100_000
JSON = {"content-type": "application/json"}
ATTACKS = {"no questions": NO_QUESTIONS, "hidden": HIDDEN, "of SQLite": SQLITE}


def test_a_question_in_an_address_is_answered_on_the_page(visit: Visit) -> None:
    found = visit.get("/sql", params={"query": "SELECT count(*) AS reviews FROM review"})
    assert found.status_code == 200
    assert '<th scope="col">reviews</th>' in found.text
    assert "<td>4</td>" in found.text


def test_the_schema_stands_beside_with_its_columns(visit: Visit) -> None:
    page = visit.shown("/sql")
    assert "<code>study_features</code>" in page
    assert "metric, operator, value" in page
    assert len(page.encode()) < MOST_BYTES


def test_a_program_is_told_what_the_page_shows_beside_the_editor(visit: Visit) -> None:
    found = visit.get("/api/sql/schema").json()
    page = html.unescape(visit.shown("/sql"))
    for each in found["sources"]:
        assert f"<code>{each['name']}</code>" in page
        assert each["line"] in page
        assert ", ".join(each["columns"]) in page
    assert page.count("<details>") == len(found["sources"])
    counts = {each["name"]: each["n_rows"] for each in found["sources"]}
    asked = visit.get("/api/sql?query=SELECT count(*) FROM study").json()
    assert asked["rows"] == [[counts["study"]]]
    for each in found["examples"]:
        assert each["line"] in page
        assert visit.get("/api/sql", params={"query": each["query"]}).status_code == 200
    assert len(found["examples"]) == len(querying.EXAMPLES)


def test_every_example_is_answered_on_both_databases(either: Store, tmp_path: Path) -> None:
    assert either.url
    visit = Visit(Settings(token=TOKEN, runs=tmp_path))
    for _, sql in querying.EXAMPLES:
        assert 'id="answer"' in visit.get("/sql", params={"query": sql}).text


@pytest.mark.parametrize("attacks", ATTACKS.values(), ids=ATTACKS)
def test_what_is_no_question_is_refused_on_the_page_and_changes_nothing(
    visit: Visit, store: Store, attacks: list[str]
) -> None:
    before = store.path.read_bytes()
    for attack in attacks:
        if not attack.strip() or len(attack) > 20_000 or "\ud800" in attack:
            continue  # nothing is asked, or no address holds it
        found = visit.get("/sql", params={"query": attack})
        assert found.status_code in {400, 414}, attack[:60]
        assert 'role="alert"' in found.text
        assert len(found.content) < MOST_BYTES
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("attacks", ATTACKS.values(), ids=ATTACKS)
def test_what_is_no_question_is_refused_by_the_api_and_changes_nothing(
    visit: Visit, store: Store, attacks: list[str]
) -> None:
    before = store.path.read_bytes()
    for attack in attacks:
        sent = json.dumps({"query": attack})  # in ASCII, which can name half a character
        found = visit.program("POST", "/api/sql", content=sent, headers=JSON)
        assert 400 <= found.status_code < 500, attack[:60]
        assert found.headers["content-type"] == "application/problem+json"
    assert store.path.read_bytes() == before


@pytest.mark.parametrize("bomb", BOMBS, ids=name_of)
def test_a_question_without_end_is_stopped(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    monkeypatch.setattr(questions, "QUERY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(questions, "GRACE_S", 0.3)
    found = visit.get("/api/sql", params={"query": bomb})
    assert found.status_code == 400
    assert "was stopped" in found.json()["detail"]


def test_a_long_question_is_sent_as_a_body(visit: Visit) -> None:
    sql = f"SELECT 1 AS one --{'x' * 50_000}"
    assert visit.get("/sql", params={"query": sql}).status_code == 414
    assert visit.get("/api/sql", params={"query": sql}).status_code == 422
    found = visit.program("POST", "/api/sql", json={"query": sql})
    assert found.json() == {"columns": ["one"], "rows": [[1]], "truncated": False}


def test_a_body_needs_the_word_of_the_session(visit: Visit) -> None:
    word = visit.word()
    question = {"query": "SELECT 1 AS one"}
    assert visit.client.post("/api/sql", json=question).status_code == 403
    headers = {"x-csrf-token": word}
    assert visit.client.post("/api/sql", json=question, headers=headers).status_code == 200


def test_csv_is_what_the_command_writes(visit: Visit) -> None:
    sql = "SELECT '=1+1' AS a, 'x,\"y' AS b, NULL AS c, -0.5 AS d UNION ALL SELECT '@z', 'é', 1, 2"
    found = visit.get("/api/sql", params={"query": sql, "format": "csv"})
    assert found.headers["content-disposition"] == 'attachment; filename="evtl.csv"'
    rows = list(csv.reader(io.StringIO(found.text)))
    assert rows == [["a", "b", "c", "d"], ["=1+1", 'x,"y', "", "-0.5"], ["@z", "é", "1", "2"]]


ODD = "VALUES (9e999, -9e999, x'00ff', char(0) || '<script>', NULL, 9223372036854775807, '\u202e')"


def test_odd_values_break_neither_page_nor_json(visit: Visit) -> None:
    page = visit.get("/sql", params={"query": ODD})
    assert page.status_code == 200
    assert "<script>&lt;" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "\0" not in page.text
    assert "\u202e" not in page.text.partition('id="answer"')[2]
    (row,) = visit.get("/api/sql", params={"query": ODD}).json()["rows"]
    assert row == [None, None, "00ff", "\0<script>", None, 2**63 - 1, "\u202e"]


HUGE = (
    "SELECT a.printed || b.printed AS x FROM printed_cell a, printed_cell b",
    "SELECT printf('%.*c', 900000, '\"') AS x FROM study LIMIT 30",
    f"SELECT {', '.join(f'key AS column_number_{n}' for n in range(100))} FROM study",
    "SELECT e.*, e.*, e.*, e.*, e.*, e.*, e.*, e.*, e.* FROM study_features e",
    f'SELECT 1 AS "{"&" * 3900}"',
)


@pytest.mark.parametrize("sql", HUGE, ids=name_of)
def test_a_page_stays_small_whatever_is_answered(visit: Visit, sql: str) -> None:
    found = visit.get("/sql", params={"query": sql})
    assert found.status_code == 200
    assert len(found.content) < MOST_BYTES
    assert 'id="answer"' in found.text


def test_what_is_left_out_is_told(visit: Visit) -> None:
    found = visit.get("/sql", params={"query": HUGE[0]}).text
    assert "10,000 rows, and there are more" in found
    answer = visit.get("/api/sql", params={"query": HUGE[0]})
    assert answer.json()["truncated"] is True
    assert answer.headers["x-evtl-truncated"] == "true"
    assert len(answer.json()["rows"]) == 10_000


def test_twenty_who_ask_at_once_are_all_answered(visit: Visit) -> None:
    visit.word()

    def ask(_number: int) -> int:
        return visit.get("/api/sql", params={"query": "SELECT count(*) FROM fact"}).status_code

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(ask, range(20))) == {200}


def test_who_finds_no_place_is_told_at_once(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Barrier(querying.MOST_ASKING + 1), threading.Event()

    def slow(_query: str) -> Answer:
        begun.wait(60)
        may_end.wait(60)
        return Answer(("one",), ((1,),), truncated=False)

    monkeypatch.setattr(services, "sql", slow)
    ask = {"query": "SELECT 1"}
    with ThreadPoolExecutor(querying.MOST_ASKING) as pool:
        asking = [pool.submit(visit.get, "/api/sql", params=ask)
                  for _ in range(querying.MOST_ASKING)]  # fmt: skip
        begun.wait(60)
        refused = visit.get("/api/sql", params=ask)
        page = visit.get("/sql", params=ask)
        may_end.set()
        assert {each.result().status_code for each in asking} == {200}
    assert (refused.status_code, page.status_code) == (429, 429)
    assert refused.headers["retry-after"] == "5"
    assert "ask again in a few seconds" in page.text


@pytest.mark.parametrize("word", ["json", "csv", "xml", ""])
def test_only_known_formats_are_written(visit: Visit, word: str) -> None:
    found = visit.get("/api/sql", params={"query": "SELECT 1 AS one", "format": word})
    assert found.status_code == (200 if word in {"json", "csv"} else 422)
