"""`evtl evaluate` as a person types it."""

import json

import pytest

from recommender.corpus_evaluation import CorpusEvaluation
from tests.integration.commands import evtl, refused


@pytest.mark.usefixtures("store")
def test_evaluate_corpus_prints_tables_or_the_same_json_each_time() -> None:
    text = evtl("evaluate", "corpus", "--json")
    assert evtl("evaluate", "corpus", "--json") == text
    found = CorpusEvaluation.model_validate_json(text)
    assert json.loads(text)["schema_version"] == 1
    assert len(found.scores) == 2 * 4 * 4 * 3
    assert {row.name: row.n_studies for row in found.populations} == {
        "morid2022": 102, "all reviews": 145,
    }  # fmt: skip


@pytest.mark.usefixtures("store")
def test_evaluate_corpus_says_what_the_table_shows_and_no_more() -> None:
    text = evtl("evaluate", "corpus")
    assert "morid2022: 102 studies, 102 give what a question needs" in text
    assert "family        constant         102  0.294 (0.21-0.38)  0.745 (0.66-0.82)" in text
    assert "significantly worse than the constant in: nothing" in text
    assert "significantly better than the constant in: nothing" in text
    assert "prediction  accuracy  0.80" in text


@pytest.mark.usefixtures("store")
def test_one_permutation_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(monkeypatch, capsys, "evaluate", "corpus", "--permutations", "1")
    assert "at least 2 are needed" in message
