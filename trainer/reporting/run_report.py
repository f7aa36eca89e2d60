"""The report and the card of a run, from its folder alone, at its end or any time after."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from trainer.applying.trained import TrainedModel, load_model
from trainer.errors import TrainingError
from trainer.features import choose_device
from trainer.images import Progress, load_image, unwatched
from trainer.measures.predictions_file import PREDICTIONS_FILE, Predicted, read_predictions
from trainer.reporting.card import model_card
from trainer.reporting.case_maps import Explainer, Pixels
from trainer.reporting.cases import Case, Cases, pick_cases
from trainer.reporting.report import write_report
from trainer.reporting.report_data import Drawn, Outcomes, Reference, ReportData
from trainer.runs import RunFolder, RunResult
from trainer.targets import Labels
from trainer.tuning.budget import Deadline
from trainer.tuning.ladder import Step

REPORT_FILE, CARD_FILE = "report.html", "MODEL_CARD.md"
#: Cases of each kind: right, wrong, near.
N_CASES = 3
#: Classes up to which an ideal image of each is drawn: one takes seconds.
MAX_IDEALS = 6
#: Cases that take as long as an ideal image: 1.4 s and 0.3 s, of a frozen Lite0 on two cores.
IDEAL_SIZE = 5
NO_TIME = "Some maps were left out, as the budget left no time: evtl report RUN draws them all."
NO_MAPS = "No maps could be drawn: the images are not any more where the training read them."


T = TypeVar("T")


class Explained(NamedTuple):
    """Numbers of the images that are shown, and their pixels ``(n, px, px, 3)``."""

    numbers: tuple[int, ...]
    pixels: Pixels


def write_run_report(
    folder: RunFolder,
    *,
    device: str = "auto",
    maps: bool = True,
    studies: Sequence[Reference] = (),
    deadline: Deadline | None = None,
    progress: Progress = unwatched,
) -> None:
    """Write ``report.html`` and ``MODEL_CARD.md`` into the folder of a run.

    Parameters
    ----------
    device : str
        Where maps are drawn: ``auto``, ``cpu`` or ``cuda``.
    maps : bool
        Draw maps of cases, which takes some hundred forward passes; the rest takes a second.
    studies : sequence of Reference
        Those that the plan names, cited; only the store knows them.
    deadline : Deadline or None
        Maps for which no time is left are not drawn.
    progress : callable
        Told how many of the things that take a while are drawn: stage ``report``, done, total.

    Raises
    ------
    TrainingError
        The folder is no run, a file of it is broken, or one cannot be written.
    """
    progress("report", 0, 1)
    data = report_data(
        folder, device=device, maps=maps, studies=studies, deadline=deadline, progress=progress
    )
    write_report(data, folder.path / REPORT_FILE)
    folder.write(CARD_FILE, model_card(data))
    progress("report", 1, 1)


def report_data(
    folder: RunFolder,
    *,
    device: str = "auto",
    maps: bool = True,
    studies: Sequence[Reference] = (),
    deadline: Deadline | None = None,
    progress: Progress = unwatched,
) -> ReportData:
    """What the folder of a run tells; maps only where its images still are where they were.

    Parameters are those of `write_run_report`.

    Raises
    ------
    TrainingError
        The folder is no run, or a file of it is broken.
    """
    plan, result = folder.read_plan(), folder.read_result()
    data = ReportData(
        plan=plan,
        result=result,
        data=result.data,
        history=tuple(folder.lines("history.jsonl")),
        ladder=tuple(Step.model_validate(line) for line in folder.lines("ladder.jsonl")),
        studies=tuple(studies),
    )
    if result.status != "finished":
        return data
    kept = result.digests.get("predictions", "")
    predicted = read_predictions(folder.path / PREDICTIONS_FILE, kept)
    means = predicted.means(plan.target)
    data = replace(data, names=means.names, outcomes=tuple(_outcomes(result, predicted, means)))
    if not maps:
        return data
    allowed = InTurn(deadline or Deadline.in_minutes(None), progress)
    return _with_maps(data, folder, predicted, means, choose_device(device), allowed)


def _outcomes(result: RunResult, predicted: Predicted, means: Labels) -> Iterator[Outcomes]:
    """Of each part that was measured."""
    for part in result.metrics:
        chosen = predicted.pick(_numbers(predicted, part))
        targets = means.encode(chosen.labels)
        yield Outcomes(part, targets, chosen.predictions, chosen.groups)


def _numbers(predicted: Predicted, part: str) -> list[int]:
    return [number for number, name in enumerate(predicted.parts) if name == part]


class InTurn:
    """Things made one after the other while the longest so far would still be ready in time."""

    def __init__(self, deadline: Deadline, progress: Progress = unwatched) -> None:
        self._deadline, self._longest, self._progress = deadline, 0.0, progress
        self._n_made = self.n_wanted = 0
        self.all_made = True

    def made(self, things: Iterator[T], size: int = 1) -> tuple[T, ...]:
        """Those that there is time for, where each takes as long as `size` of those before."""
        found: list[T] = []
        while self._deadline.left() > size * self._longest:
            before = self._deadline.spent
            try:
                found.append(next(things))
            except StopIteration:
                return tuple(found)
            self._longest = max(self._longest, (self._deadline.spent - before) / size)
            self._n_made += size
            self._progress("report", self._n_made, max(self.n_wanted, self._n_made))
        self.all_made = False
        return tuple(found)


def _with_maps(
    data: ReportData,
    folder: RunFolder,
    predicted: Predicted,
    means: Labels,
    device: torch.device,
    in_turn: InTurn,
) -> ReportData:
    """The same with cases of the test part, if their images can still be read."""
    test = predicted.pick(_numbers(predicted, "test"))
    targets = means.encode(test.labels)
    cases = pick_cases(test.predictions, targets, N_CASES)
    model = load_model(folder.path).to(device)
    try:
        shown = _read(Path(folder.read_begun().data), test, cases, model)
    except TrainingError:
        # Its message may hold the place of the images on this machine.
        return replace(data, limits=(*data.limits, NO_MAPS))
    explainer = explainer_of(model, device)
    numbers = list(shown.numbers)
    has_gradient = explainer.predict is None
    n_ideals = explainer.n_ideals if len(means.names) <= MAX_IDEALS else 0
    in_turn.n_wanted = sum(map(len, cases)) + has_gradient * len(numbers)
    in_turn.n_wanted += n_ideals * IDEAL_SIZE
    drawn = in_turn.made(
        explainer.show(
            _renumbered(cases, numbers),
            shown.pixels,
            [test.files[number] for number in numbers],
            [test.labels[number] for number in numbers],
            targets[numbers],
        )
    )
    compared: tuple[float | None, ...] = ()
    ideals: tuple[Drawn, ...] = ()
    if has_gradient:
        of_all = (explainer.resemblance(shown.pixels, data.plan.seed) for _ in "1")
        compared = in_turn.made(of_all, len(numbers))
    if n_ideals:
        ideals = in_turn.made(explainer.ideals(shown.pixels, data.plan.seed), IDEAL_SIZE)
    return replace(
        data,
        cases=drawn,
        ideals=ideals,
        resemblance=next(iter(compared), None),
        limits=data.limits if in_turn.all_made else (*data.limits, NO_TIME),
    )


def explainer_of(model: TrainedModel, device: torch.device) -> Explainer:
    """What explains a trained model, whatever its head."""
    labels = model.labels
    predict = None if model.head is None else model.said
    return Explainer(model.network, labels.target, labels.names, model.steps, device, predict)


def _read(root: Path, test: Predicted, cases: Cases, model: TrainedModel) -> Explained:
    numbers = tuple(dict.fromkeys(case.image for some in cases for case in some))
    pixels = [load_image(root / test.files[number], model.steps) for number in numbers]
    return Explained(numbers, np.stack(pixels))


def _renumbered(cases: Cases, numbers: Sequence[int]) -> Cases:
    """The same cases, counting only the images that are shown."""
    at = {number: position for position, number in enumerate(numbers)}

    def of(some: Sequence[Case]) -> tuple[Case, ...]:
        return tuple(case._replace(image=at[case.image]) for case in some)

    return Cases(of(cases.right), of(cases.wrong), of(cases.near))
