"""What a training takes is told with whose runs it was learned from."""

import pytest

from evtl.wording import judged
from recommender.cost import Source
from recommender.records import Cost


@pytest.mark.parametrize(
    ("source", "n", "text"),
    [
        ("own", 1, "judged by 1 run recorded here"),
        ("shipped", 36, "learned from 36 shipped runs on another machine"),
        (
            "shipped_at_own_pace", 2,
            "learned from 2 shipped runs on another machine, at the pace of the runs recorded here",
        ),
    ],
)  # fmt: skip
def test_the_answer_says_whose_runs_it_was_learned_from(source: Source, n: int, text: str) -> None:
    assert judged(Cost(n_macs=1, relative=1, seconds=5, n_runs=n, source=source)) == text
