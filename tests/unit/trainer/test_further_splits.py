"""Folds and repeats that fit are done, and the others are counted."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.trainer.test_budget import Clock
from tests.unit.trainer.toys import plan_of
from tests.unit.trainer.tuning import CPU, STEPS, forget, quiet
from trainer import further_splits as module
from trainer.fitting import Work
from trainer.further_splits import Further, first_deadline, further_splits, n_further
from trainer.runs import RunFolder
from trainer.tuning.budget import Deadline, OutOfBudgetError


class Fitting:
    """In place of a training: takes as many seconds as it is told, its share at most or not."""

    def __init__(self, clock: Clock, took_s: float, *, stops: bool = False) -> None:
        self.clock, self.took_s, self.stops = clock, took_s, stops
        self.shares, self.folders = list[float](), list[str]()

    def __call__(self, work: Work) -> float:
        """A number of its own for each."""
        self.shares.append(work.deadline.seconds)
        self.folders.append(str(work.folder.name))
        (work.folder / "checkpoint").mkdir(parents=True)
        self.clock.now += self.took_s
        if self.stops and work.deadline.spent > work.deadline.seconds:
            msg = "too slow"
            raise OutOfBudgetError(msg)
        return float(len(self.shares))


def split(
    monkeypatch: pytest.MonkeyPatch, folder: Path, fitting: Fitting, budget_s: float, first_s: float
) -> Further:
    """Five folds."""
    plan, some = (
        plan_of(n_folds=5, approach="fine_tuning_from_scratch"),
        SimpleNamespace(images=None),
    )
    nothing: Any = some
    parts = tuple((str(number),) for number in range(5))
    monkeypatch.setattr(module, "resamples", lambda _images, _plan: parts)
    monkeypatch.setattr(module, "with_parts", lambda data, _parts: data)
    monkeypatch.setattr(module, "lead", fitting)
    monkeypatch.setattr(module, "values", lambda fitted, _data: {"auc": fitted})
    deadline = Deadline(budget_s, fitting.clock)
    work = Work(plan, nothing, nothing, STEPS, folder, CPU, quiet, forget, deadline)
    return further_splits(work, RunFolder(folder), deadline, first_s)


@pytest.mark.parametrize(("budget_s", "done"), [(1000.0, 5), (35.0, 3), (9.0, 0)])
def test_as_many_splits_as_fit_are_done_and_the_result_says_how_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, budget_s: float, done: int
) -> None:
    fitting = Fitting(Clock(), 10.0)
    found = split(monkeypatch, tmp_path, fitting, budget_s, 10.0)
    assert [row["auc"] for row in found.rows] == [float(n + 1) for n in range(done)]
    assert RunFolder(tmp_path).lines("folds.jsonl") == list(found.rows)
    assert fitting.clock.now - 100 <= budget_s
    assert fitting.shares[:1] == [budget_s / max(done, 1)][:done]
    assert not list((tmp_path / "splits").glob("*"))
    told = f"the budget of {budget_s / 60:g} min left time for {done} of 5 further splits"
    assert found.note == ("" if done == 5 else told)


def test_a_split_that_is_slower_than_the_first_training_is_what_the_next_is_foretold_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fitting = Fitting(Clock(), 30.0)
    assert len(split(monkeypatch, tmp_path, fitting, 70.0, 1.0).rows) == 2
    assert fitting.clock.now == 160


def test_a_split_that_is_stopped_counts_as_not_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = split(monkeypatch, tmp_path, Fitting(Clock(), 30.0, stops=True), 20.0, 0.0)
    assert found.rows == ()
    assert found.note.endswith("left time for 0 of 5 further splits")


def test_what_was_done_before_a_kill_is_read_back_and_the_next_has_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "folds.jsonl").write_text('{"auc": 0.5}\n{"auc": 0.25}\n{"au', encoding="utf-8")
    fitting = Fitting(Clock(), 1.0)
    found = split(monkeypatch, tmp_path, fitting, 1e9, 1.0)
    assert [row["auc"] for row in found.rows] == [0.5, 0.25, 1.0, 2.0, 3.0]
    assert fitting.folders == ["2", "3", "4"]


def test_the_training_that_is_kept_has_half_of_the_time_where_others_follow() -> None:
    deadline = Deadline(110, Clock(), reserve_s=10)
    assert first_deadline(deadline, plan_of()) is deadline
    share = first_deadline(deadline, plan_of(n_repeats=3))
    assert (share.seconds, share.budget_min) == (50, 110 / 60)
    counts = [(0, 1), (0, 3), (5, 1), (5, 2)]
    assert [n_further(plan_of(n_folds=f, n_repeats=r)) for f, r in counts] == [0, 3, 5, 10]
