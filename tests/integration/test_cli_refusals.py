"""What the command line keeps from a terminal, and questions that nothing can answer."""

import os
import re
import sys

import pytest

from evidence.questions import Answer
from evtl.render import Format, answer
from tests.integration.commands import evtl, refused

#: Escape, bell, delete, an 8-bit control sequence, and what turns the order of letters.
STEERING = "\x1b\x07\x7f\x9b\u202a\u202e\u2066\u2069"


@pytest.mark.parametrize("form", Format)
def test_rows_steer_no_terminal(form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Answer((f"a{STEERING}",), ((f"b{STEERING}é",),), truncated=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = answer(found, form)
    assert not set(STEERING) & set(shown)
    assert "b" in shown
    assert "é" in shown
    assert "\n" in shown


@pytest.mark.parametrize("form", [Format.csv, Format.markdown])
def test_another_program_gets_every_character(form: Format) -> None:
    found = Answer(("a",), ((STEERING,),), truncated=False)
    assert STEERING in answer(found, form)


@pytest.mark.usefixtures("store")
def test_an_error_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(monkeypatch, capsys, "studies", "--modality", f"x{STEERING}\u202e\ny")
    assert not set(STEERING) & set(message)
    message = refused(monkeypatch, capsys, "sql", f'SELECT 1 FROM "{STEERING}"')
    assert not set(STEERING) & set(message)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--review", "bogus"), "unknown review 'bogus': Known: fourcade2019, kim2022"),
        (("--review", "Morid"), "unknown review 'Morid': did you mean morid2022"),
        (("--backbone", "bogus"), "unknown backbone 'bogus': .*Known: .*VGG"),
        (("--backbone", "vggnet"), "unknown backbone 'vggnet': did you mean VGGNet"),
        (("--n-min", "1000", "--n-max", "500"), "no number of images is at least 1000 and at most"),
    ],
)
def test_what_no_study_can_fit_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    said = refused(monkeypatch, capsys, "studies", *words)
    assert said.startswith("evtl: ")
    assert re.search(message, said), said


@pytest.mark.usefixtures("store")
def test_a_range_of_one_number_is_no_mistake() -> None:
    assert evtl("studies", "--n-min", "500", "--n-max", "500").startswith("key")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setitem(os.environ, "EVTL_ACTOR", "anna")
    said = refused(monkeypatch, capsys, "release", "v1", "--by", name)
    assert "who does this? Say --by NAME" in said
