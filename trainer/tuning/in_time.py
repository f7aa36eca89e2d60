"""A training that ends in time: as many epochs as a deadline leaves room for."""

import math

from trainer.processes import crew
from trainer.tuning.budget import STEP_RATIO, Deadline, Pace, Work
from trainer.tuning.loop import Loop

#: Steps after which the pace is known; the first of them warms up.
STEPS_TIMED = 4


class InTime:
    """Times the first steps of a training and shortens it to what still fits.

    The learning rate falls to zero by the end of the shorter training. Where there is no time for
    a single epoch, a part of one is trained.

    Parameters
    ----------
    work : Work
        Images of an epoch, and of what follows the last one.
    """

    def __init__(self, loop: Loop, deadline: Deadline, work: Work) -> None:
        self._loop, self._deadline, self._work = loop, deadline, work
        self._planned = loop.plan.epochs
        self._pace = Pace(lambda: deadline.spent)
        loop.on_step = self._after_step

    def _after_step(self) -> None:
        if self._pace.n_steps == STEPS_TIMED:
            return
        self._loop.wait()
        self._pace.step()
        if self._pace.n_steps == STEPS_TIMED:
            self._shorten()

    def _shorten(self) -> None:
        """To what fits by the clock of the main process."""
        self._loop.shorten(*crew.from_main(self._fitting))

    def _fitting(self) -> tuple[int, int]:
        """Epochs, and steps of an epoch, for which there is time."""
        loop, work, n_steps = self._loop, self._work, self._loop.n_batches
        image_s = self._pace.step_s * n_steps / work.n_train
        left = STEP_RATIO * work.n_train * (1 - loop.n_done / n_steps)
        after_this = work._replace(n_final=work.n_final + work.n_validation + math.ceil(left))
        more = self._deadline.epochs(loop.plan.epochs - loop.epoch, after_this, image_s)
        if not more:
            n_images = self._deadline.images(work, image_s)
            n_steps = min(n_steps, loop.n_done + n_steps * n_images // work.n_train)
        return loop.epoch + more, n_steps

    def over(self, epoch_s: float) -> bool:
        """Whether another epoch, which takes about as long as the last one, would be too late."""
        return crew.from_main(lambda: not self._deadline.fits(epoch_s))

    def note(self) -> str:
        """What the deadline cost; empty where it cost nothing."""
        loop, minutes = self._loop, self._deadline.budget_min
        if loop.whole_epochs and loop.epoch > self._planned:
            return ""
        trained = f"{loop.epoch - 1} of {self._planned} epochs"
        if not loop.whole_epochs:
            trained = f"a part of one of {self._planned} epochs"
        return f"the budget of {minutes:g} min left time for {trained}"
