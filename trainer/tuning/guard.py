"""What cannot be shortened is stopped as soon as its pace says that it will not end in time."""

import math
from typing import NamedTuple

from trainer.images import Progress
from trainer.tuning.budget import TOLERANCE, Deadline, OutOfBudgetError

#: Share of the budget for which a stage is watched before it is foretold when it will end.
WATCHED = 0.05


class _Seen(NamedTuple):
    """The first report of a stage: its name, what was done, and when."""

    stage: str
    done: int
    at_s: float


class Guard:
    """Progress that is reported on, and a stage that would end too late is stopped.

    Too late is half of the tolerance after the budget; the other half is for what follows. The
    time until the first report of a stage is not its pace: there memory and threads warm up.

    """

    def __init__(self, deadline: Deadline, progress: Progress) -> None:
        self._deadline, self._progress = deadline, progress
        self._first = _Seen("", 0, 0.0)
        self._last_s = deadline.spent

    @property
    def since_s(self) -> float:
        """Seconds since the last report."""
        return self._deadline.spent - self._last_s

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Report on.

        Raises
        ------
        OutOfBudgetError
            The stage will not end in time; says what it needs, and what there was.
        """
        self._progress(stage, done, total)
        now = self._last_s = self._deadline.spent
        if stage != self._first.stage or done < self._first.done:
            self._first = _Seen(stage, done, now)
        needed_s = now + self._rest_s(done, total)
        if done < total and needed_s > self._deadline.seconds * (1 + TOLERANCE / 2):
            raise OutOfBudgetError(self._refusal(stage, done, total, needed_s))

    def _rest_s(self, done: int, total: int) -> float:
        """Seconds that the rest of a stage will take; 0 while they are not known."""
        n, took_s = done - self._first.done, self._last_s - self._first.at_s
        known = n > 0 and took_s >= WATCHED * self._deadline.seconds
        return took_s / n * (total - done) if known else 0.0

    def _refusal(self, stage: str, done: int, total: int, needed_s: float) -> str:
        given, needed = self._deadline.budget_min, math.ceil(needed_s / 6) / 10
        return (
            f"stopped, as the budget of {given:g} min does not suffice: {done} of {total} {stage} "
            f"were done after {self._last_s / 60:.1f} min, and all of them take until minute "
            f"{needed:g}, with training and report still to come; give a larger --budget, a "
            "smaller backbone or fewer images"
        )
