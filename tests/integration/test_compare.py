"""Two run folders beside each other on the command line."""

from pathlib import Path

import pytest

from tests.integration.commands import evtl, refused
from tests.unit.trainer.comparing import predicted, run
from trainer.measures.comparison import Comparison, compare_runs


def test_the_command_shows_a_table_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = run(tmp_path / "one", predicted(1, 0.3)), run(tmp_path / "two", predicted(2, 4.0))
    told = evtl("compare", str(one), str(other))
    assert "second - first" in told
    assert "delong" in told
    assert "30 test images of both runs in 15 groups." in told
    assert "significant" not in told
    found = Comparison.model_validate_json(evtl("compare", str(one), str(other), "--json"))
    assert found == compare_runs(one, other)
    message = refused(monkeypatch, capsys, "compare", str(one), str(tmp_path / "none"))
    assert "is no run folder" in message
