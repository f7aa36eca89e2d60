"""Options with which a question is asked."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from evtl.asking import whole
from recommender.records import Goal

Task = Literal["classification", "regression"]
ModalityOption = Annotated[
    str | None, typer.Option("--modality", help="How the images were made, e.g. ultrasound.")
]
AnatomyOption = Annotated[
    str | None, typer.Option("--anatomy", help="What they show, e.g. breast.")
]


def _whole(text: str) -> int:
    """A whole number; anything else is a wrong use of the command."""
    try:
        return whole(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


NumberOption = Annotated[
    int | None,
    typer.Option(
        "--n", parser=_whole, metavar="<int>", help="Number of images, before augmentation."
    ),
]
ClassesOption = Annotated[
    int | None,
    typer.Option("--classes", parser=_whole, metavar="<int>", help="Number of classes."),
]
TaskOption = Annotated[Task, typer.Option("--task", help="What is to be learned.")]
AugmentedOption = Annotated[
    int | None,
    typer.Option(
        "--augmented-n",
        parser=_whole,
        metavar="<int>",
        help="Number of images after augmentation.",
    ),
]
Device = Literal["auto", "cuda", "cpu"]
DeviceOption = Annotated[
    Device, typer.Option("--device", help="auto takes a GPU where there is one.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
GoalOption = Annotated[
    Goal,
    typer.Option(help="accuracy at any price; balanced: it must be worth its computation; cost."),
]
CandidatesOption = Annotated[
    str | None, typer.Option("--candidates", help="Only these networks, e.g. resnet18,vgg16.")
]
ApproachesOption = Annotated[
    str | None,
    typer.Option(
        "--approaches",
        help="Only these, e.g. frozen, partial (the last blocks), full; all with pretrained "
        "weights. random: full fine-tuning from random ones.",
    ),
]
AvailableOption = Annotated[
    bool,
    typer.Option(
        "--available",
        help="Only networks whose weights are on this machine; random weights need none.",
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Your images: what they are replaces --n, --classes.")
]
ProbeOption = Annotated[
    float | None,
    typer.Option(
        "--probe",
        metavar="[SECONDS]",
        help="Try the first candidates on the images of --data. The seconds (60) are those of the "
        "clock on the wall: a busy machine tries less and may choose otherwise.",
    ),
]
#: Seconds of a probe that names none.
PROBE_S = "60"


class OptionalSeconds(TyperCommand):
    """A command whose ``--probe`` may stand without a number."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual seconds where none are given."""
        told = [
            word
            for place, arg in enumerate(args)
            for word in ((arg, PROBE_S) if _is_bare(args, place) else (arg,))
        ]
        return super().parse_args(ctx, told)


def _is_bare(args: list[str], place: int) -> bool:
    following = args[place + 1 : place + 2]
    return args[place] == "--probe" and (not following or following[0].startswith("--"))
