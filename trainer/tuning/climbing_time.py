"""Which steps of a ladder there is time for, and for the training of the highest one after them."""

from collections.abc import Callable

from trainer.images import Progress
from trainer.processes import crew
from trainer.tuning.budget import PLANNED, Deadline, OutOfBudgetError
from trainer.tuning.guard import Guard

#: Passes through a block: forward always, and where it learns about as much as two more backward,
#: for its weights and for what came in.
FORWARD, BACKWARD = 1.0, 2.0


def unwatched(_stage: str, _done: int, _total: int) -> None:
    """Let a training run."""


class ClimbingTime:
    """Seconds that steps take, each trained once a fold.

    The training of the highest step goes by way of all below it and passes the images of all
    folds, where a fold passes those of the others only. So of `n` folds it takes 1/(n - 1) of what
    the steps took, which is never given to another step.

    Parameters
    ----------
    n_blocks : int
        Of the network.
    """

    def __init__(self, deadline: Deadline, n_folds: int, n_blocks: int) -> None:
        self._deadline, self._n_folds, self._n_blocks = deadline, n_folds, n_blocks
        self._taken: list[tuple[int, float]] = []

    def took(self, n_open: int, seconds: float) -> None:
        """A step with so many open blocks was taken."""
        self._taken.append((n_open, seconds))

    def allowed_s(self) -> float:
        """Seconds of the next step, which may turn out to be the highest."""
        ascent_s = sum(seconds for _, seconds in self._taken) / (self._n_folds - 1)
        left_s = max(0.0, self._deadline.free_s * PLANNED - ascent_s)
        return left_s * (self._n_folds - 1) / self._n_folds

    def predicted_s(self, n_open: int) -> float:
        """Seconds of a step, from the last one that trained; 0 where none did."""
        passes = [FORWARD * self._n_blocks + BACKWARD * n for n in (n_open, self._last[0])]
        return self._last[1] * passes[0] / passes[1]

    @property
    def _last(self) -> tuple[int, float]:
        """Open blocks and seconds of the last step that trained."""
        return next((step for step in reversed(self._taken) if step[0]), (0, 0.0))

    def watch(self, n_open: int) -> Callable[[int], Progress]:
        """What each fold of a step reports to, by its number from 0; stops a step that is too slow.

        Raises
        ------
        OutOfBudgetError
            The step would not fit.
        """
        if not n_open:
            return lambda _fold: unwatched
        crew.check(lambda: self._refuse(n_open))
        guard = Guard(self._deadline.part(self.allowed_s()), unwatched)

        def of(fold: int) -> Progress:
            def report(stage: str, done: int, total: int) -> None:
                crew.check(lambda: guard(stage, fold * total + done, self._n_folds * total))

            return report

        return of

    def _refuse(self, n_open: int) -> None:
        """Raise an error unless there is time for a step."""
        allowed_s = self.allowed_s()
        if not allowed_s or self.predicted_s(n_open) > allowed_s:
            msg = f"the step would take longer than the {allowed_s:.0f} s that are left for it"
            raise OutOfBudgetError(msg)
