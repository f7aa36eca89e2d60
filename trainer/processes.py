"""Several processes that carry out one training: on each GPU of a machine, or of several machines.

They are started by ``torchrun`` or ``accelerate launch``, which tell each its number in its
environment. The first, the main process, reads, plans, measures and writes as it does alone. The
others (`trainer.assisting`) train and extract features with it, through Hugging Face accelerate on
torch.distributed, and write and say nothing.

Whoever fails says so in the store of the launcher before it ends, so that the main process can
tell the one reason of all. Who waits for the main process looks there; who waits in the middle of
an exchange sees the connection close, or gives up after `TIMEOUT`.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import NoReturn, TypeVar, cast

import torch
from torch import Tensor, distributed
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from evidence.errors import EvtlError
from trainer.errors import TrainingError

#: Longest that an exchange waits for a process that takes no part, for example because it hangs.
TIMEOUT = timedelta(minutes=10)
#: Seconds between two looks at what the main process has done.
LOOK_S = 0.05
#: Names in the store: the first failure, and the kind of device.
_FAILED, _DEVICE = "failed", "device"

T = TypeVar("T")


class Crew:
    """The processes of one training; there is one object of it, `crew`.

    Attributes
    ----------
    n : int
        How many there are; 1 outside of `together`, whatever was started.
    rank : int
        Number of this one from 0, which is the main process.
    """

    def __init__(self) -> None:
        self.n, self.rank = 1, 0
        self._store: Store | None = None
        self._n_waits = 0

    @property
    def several(self) -> bool:
        """Whether there are others."""
        return self.n > 1

    @property
    def leads(self) -> bool:
        """Whether this is the main process."""
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Be one of those that the environment tells of, until the end of the block.

        Raises
        ------
        TrainingError
            In the main process: another one failed, and why.
        SystemExit
            In any other process, whatever happened: the main process tells it.
        """
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            met = rendezvous("env://", timeout=TIMEOUT)
            self._store, self.rank, self.n = next(iter(met))
        try:
            yield
            if distributed.is_initialized() and self.several:
                distributed.destroy_process_group()
        except BaseException as error:
            if self.several:
                self._fail(error)
            raise
        finally:
            self.__dict__.update(vars(Crew()))

    def start(self, device: torch.device | None = None) -> torch.device:
        """Begin to exchange, once the main process knows where the training runs.

        Parameters
        ----------
        device : torch.device or None
            That of the main process; the others are told of which kind it is.

        Returns
        -------
        torch.device
            That of this process: a GPU of its own, or the CPU.

        Raises
        ------
        TrainingError
            There are fewer GPUs than processes here.
        """
        if self._store is None:
            return device or torch.device("cpu")
        if device is not None:
            self._store.set(_DEVICE, device.type)
        self._await(_DEVICE)
        cpu = self._store.get(_DEVICE) == b"cpu"
        n_here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if not cpu and torch.cuda.device_count() < n_here:
            msg = (
                f"{n_here} processes on a machine with {torch.cuda.device_count()} GPUs: start one "
                "for each GPU, or train with --device cpu"
            )
            raise TrainingError(msg)
        from accelerate import PartialState  # noqa: PLC0415  (only where there are several)

        store = PrefixStore("exchange", self._store)
        state = PartialState(
            cpu=cpu, store=store, rank=self.rank, world_size=self.n, timeout=TIMEOUT
        )
        return torch.device("cpu") if cpu else cast("torch.device", state.device)

    def from_main(self, work: Callable[[], T]) -> T:
        """What the main process makes; the others wait for it, as long as it takes.

        Raises
        ------
        TrainingError
            The main process failed meanwhile.
        """
        if self._store is None:
            return work()
        self._n_waits += 1
        done = f"made {self._n_waits}"
        made = work() if self.leads else None
        if self.leads:
            self._store.set(done, "")
        self._await(done)
        return self.agreed(cast("T", made))

    def agreed(self, value: T) -> T:
        """The value that the main process has, where all have one at about the same time."""
        if not self.several:
            return value
        from accelerate.utils import broadcast_object_list  # noqa: PLC0415

        return cast("T", broadcast_object_list([value])[0])

    def check(self, work: Callable[[], None]) -> None:
        """Let the main process look whether all go on; its error is raised in every process.

        Raises
        ------
        TrainingError
            Of `work`.
        """
        problem: TrainingError | None = None
        if self.leads:
            try:
                work()
            except TrainingError as error:
                problem = error
        if (problem := self.agreed(problem)) is not None:
            raise problem

    def in_turn(self, work: Callable[[], T]) -> T:
        """What each process makes, one after the other: it finds the files of those before it."""
        if self._store is None:
            return work()
        self._n_waits += 1
        turn = f"turn {self._n_waits} of "
        if self.rank:
            self._await(f"{turn}{self.rank - 1}")
        made = work()
        self._store.set(f"{turn}{self.rank}", "")
        return made

    def share(self, n: int) -> slice:
        """Which of `n` things are those of this process; shares differ by one at most."""
        return slice(n * self.rank // self.n, n * (self.rank + 1) // self.n)

    def divided(self, n: int, work: Callable[[slice], Tensor]) -> Tensor:
        """A row for each of `n` things, made in shares: every process gets all rows.

        Parameters
        ----------
        work : callable
            Makes the rows of a slice, on the CPU.
        """
        if not self.several or n < self.n:
            return work(slice(0, n))
        from accelerate.utils import gather_object  # noqa: PLC0415

        return torch.cat(gather_object([work(self.share(n))]))

    def mean(self, value: Tensor) -> Tensor:
        """Mean of the values that the processes have."""
        if not self.several:
            return value
        from accelerate.utils import reduce  # noqa: PLC0415

        return cast("Tensor", reduce(value, "mean"))

    def smallest(self, number: int) -> int:
        """Smallest of the numbers that the processes have."""
        if not self.several:
            return number
        from accelerate.utils import gather_object  # noqa: PLC0415

        return min(cast("list[int]", gather_object([number])))

    def _await(self, name: str) -> None:
        """Until this name is in the store."""
        store = cast("Store", self._store)
        while not store.check([name]):
            if store.check([_FAILED]):
                raise TrainingError(json.loads(store.get(_FAILED))[1])
            time.sleep(LOOK_S)

    def _fail(self, error: BaseException) -> NoReturn:
        """End as the one that failed first says, if that was another."""
        # The launcher asks those that are left to end; that must not cut off the telling why.
        with suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        own, first, rank = _reason(error), _reason(error), self.rank
        with suppress(RuntimeError):
            store = cast("Store", self._store)
            rank, first = json.loads(store.compare_set(_FAILED, "", json.dumps([rank, own])))
        if not self.leads:
            raise SystemExit(1) from error
        if first != own:
            msg = f"process {rank + 1} of {self.n}: {first}"
            raise TrainingError(msg) from error
        if _is_lost(error):
            msg = (
                f"another of the {self.n} processes was killed, or did not answer for "
                f"{TIMEOUT.total_seconds() / 60:g} min; go on with --resume RUN"
            )
            raise TrainingError(msg) from error
        raise error


def _reason(error: BaseException) -> str:
    if isinstance(error, EvtlError):
        return str(error)
    return f"{type(error).__name__}: {error}".strip()


def _is_lost(error: BaseException) -> bool:
    """Whether an exchange failed, which gloo says in words only."""
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )


def never_started() -> tuple[str, ...]:
    """A word to who asked for several processes on the CPU and got one.

    ``accelerate launch --cpu --num_processes 2`` starts a single one, unless it is given MPI; all
    that tells of the wish is where the processes should have met.
    """
    asked = os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true"
    if not asked or "MASTER_ADDR" not in os.environ or "WORLD_SIZE" in os.environ:
        return ()
    return (
        "accelerate launch --cpu started one process only; several on the CPU are started by "
        "torchrun --nproc-per-node N -m evtl train ...",
    )


#: The processes of the training that runs.
crew = Crew()
