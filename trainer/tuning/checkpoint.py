"""The state of a training on disk, so that a killed one goes on as if it had never been killed."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainer.errors import TrainingError
from trainer.places import new_file
from trainer.processes import crew

#: Seconds between two checkpoints within an epoch: at most so much work is lost.
EVERY_S = 60.0
#: Largest share of the time that goes into writing checkpoints, large networks included.
SHARE = 0.02


class Saved(NamedTuple):
    """What a checkpoint holds.

    Attributes
    ----------
    tensors : dict
        Weights, optimiser, generators; the part before the first ``/`` of a name says whose.
    facts : dict
        All the rest, as JSON holds it.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def of(self, owner: str) -> dict[str, Tensor]:
        """Tensors of one owner, without its name."""
        beginning = f"{owner}/"
        return {
            name.removeprefix(beginning): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(beginning)
        }


class Checkpoint:
    """One file that is replaced as a whole: tensors, and JSON in the header of the same file.

    Of several processes the main one writes and reads it; the others are given what it read.

    Parameters
    ----------
    path : pathlib.Path
        A ``.safetensors`` file, there or not.
    every_s : float
        Seconds between two checkpoints within an epoch.
    share : float
        Largest share of the time that writing may take; infinite to write whenever asked.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        every_s: float = EVERY_S,
        share: float = SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.every_s, self.share = path, every_s, share
        self._clock, self._cost = clock, 0.0
        self._written = clock()

    def due(self, *, epoch_ended: bool) -> bool:
        """Whether it is time to write: at the end of an epoch, else after some seconds.

        Not before the time since the last one outweighs what writing it took.
        """
        if not crew.leads:
            return False
        since = self._clock() - self._written
        return since >= self._cost / self.share and (epoch_ended or since >= self.every_s)

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Replace what is there.

        Raises
        ------
        TrainingError
            The disk is full or does not allow it; the checkpoint is the one before.
        """
        if not crew.leads:
            return
        started = self._clock()
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        try:
            with new_file(self.path) as draft:
                save_file(content, draft, {"facts": json.dumps(facts)})
        except (TrainingError, SafetensorError) as error:
            kept = "the one before it is kept" if self.path.exists() else "there is none before it"
            msg = (
                f"the checkpoint {self.path} cannot be written ({error}), {kept}; "
                "make room on the disk, then resume the run"
            )
            raise TrainingError(msg) from error
        self._written = self._clock()
        self._cost = self._written - started

    def load(self) -> Saved | None:
        """What was saved last; None where nothing was.

        Raises
        ------
        TrainingError
            The file is damaged.
        """
        return crew.from_main(self._read)

    def _read(self) -> Saved | None:
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                facts = json.loads(file.metadata()["facts"])
                return Saved({name: file.get_tensor(name) for name in file.keys()}, facts)  # noqa: SIM118
        except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
            msg = f"the checkpoint {self.path} is damaged ({error}); remove it to start anew"
            raise TrainingError(msg) from error

    def lines(self) -> tuple[dict[str, Any], ...]:
        """The history up to the checkpoint: what a resumed training does not tell again.

        The main process asks for it alone; for the others, who tell nothing, there is none.
        """
        saved = self._read() if crew.leads else None
        return tuple(saved.facts["lines"]) if saved else ()

    def discard(self) -> None:
        """Remove it: the training has ended and its weights are kept elsewhere."""
        self.path.unlink(missing_ok=True)
