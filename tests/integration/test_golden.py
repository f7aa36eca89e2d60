"""Answers change only on purpose; ``tests/golden/make.py`` writes them anew."""

import pytest

from evidence.store import Store
from tests.golden.make import FOLDER, QUESTIONS, answer


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_pinned_one(either: Store, name: str) -> None:
    assert answer(QUESTIONS[name], either) == (FOLDER / f"{name}.json").read_text(encoding="utf-8")
