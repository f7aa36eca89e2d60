"""Runs the command line within the test's process."""

import sys

import pytest
from typer.testing import CliRunner

from evtl.cli import app, main


def evtl(*words: str) -> str:
    """Output of a command that must succeed."""
    found = CliRunner().invoke(app, words, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> str:
    """Message of a command that must fail with status 1 (2 for usage) and nothing on stdout."""
    monkeypatch.setattr(sys, "argv", ["evtl", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    output = capsys.readouterr()
    assert output.out == ""
    if caught.value.code == 2:
        return output.err
    assert isinstance(caught.value.code, str)
    assert "Traceback" not in caught.value.code
    return caught.value.code
