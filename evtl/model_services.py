"""Use cases of those who have a trained model: apply it, hand it on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from evtl import render_predictions as render

if TYPE_CHECKING:  # torch must not be imported to show the help
    from trainer.applying.prediction import Prediction
    from trainer.applying.trained import TrainedModel
    from trainer.images import Progress

PredictionFormat = Literal["csv", "json"]
ModelFormat = Literal["onnx", "hub"]


@dataclass(frozen=True)
class Asked:
    """What is predicted, and where to.

    Attributes
    ----------
    paths : sequence of pathlib.Path
        Images, and folders of images.
    out : pathlib.Path or None
        File that holds the answer once it is complete; None where it is handed out line by line.
    explain : pathlib.Path or None
        New folder for a picture of each image.
    """

    run: Path
    paths: Sequence[Path]
    form: PredictionFormat = "csv"
    out: Path | None = None
    explain: Path | None = None
    device: str = "auto"


class Applied(NamedTuple):
    """How many images there were, and what the run says of its threshold, if anything."""

    n_images: int
    threshold: str


def predict(
    asked: Asked,
    write: Callable[[str], object],
    tell: Callable[[str, str], None],
    progress: "Progress",
) -> Applied:
    """Apply a finished run to images and folders.

    Parameters
    ----------
    write : callable
        Given the answer line by line where no file is named for it.
    tell : callable
        Given file and reason of each image that cannot be read.

    Raises
    ------
    EvtlError
        The run cannot be used, a path is no image or folder, or a place cannot be written to.
    """
    from trainer.applying import prediction  # noqa: PLC0415  (torch only when needed)
    from trainer.applying.trained import load_model  # noqa: PLC0415
    from trainer.features import choose_device  # noqa: PLC0415

    files = prediction.find_files(asked.paths)
    device = choose_device(asked.device)
    model = load_model(asked.run).to(device)
    if asked.explain is None:
        found = prediction.predict(model, files, device)
    else:
        from trainer.reporting.explained import Pictures  # noqa: PLC0415  (captum only for pictures)

        pictures = Pictures(model, asked.explain, device)
        found = prediction.predict(model, files, device, pictures.draw)
    _hand_out(asked, _lines(asked, model, _told(found, len(files), tell, progress)), write)
    point = model.result.operating_point
    return Applied(len(files), point.statement if point else "")


def _lines(asked: Asked, model: "TrainedModel", found: "Iterator[Prediction]") -> Iterator[str]:
    if asked.form == "json":
        return render.as_json(found)
    point = model.result.operating_point
    columns = render.Columns(
        classes=() if model.labels.target == "number" else model.labels.names,
        at_operating_point=point is not None and point.threshold is not None,
        explanation=asked.explain is not None,
    )
    return render.as_csv(found, columns)


def _hand_out(asked: Asked, lines: Iterable[str], write: Callable[[str], object]) -> None:
    from trainer.places import new_file  # noqa: PLC0415  (the trainer is an extra)

    if asked.out is None:
        for line in lines:
            write(line)
        return
    with new_file(asked.out) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(lines)


def _told(
    found: "Iterable[Prediction]",
    n_images: int,
    tell: Callable[[str, str], None],
    progress: "Progress",
) -> "Iterator[Prediction]":
    for number, prediction in enumerate(found, 1):
        if prediction.problem:
            tell(prediction.file, prediction.problem)
        progress("images", number, n_images)
        yield prediction


def export_model(run: Path, to: ModelFormat, out: Path, images: Sequence[Path]) -> float:
    """Write a run's model for other software, checked against the run's own.

    Parameters
    ----------
    to : str
        ``onnx``, a file; ``hub``, a folder that timm and the Hugging Face hub read.
    images : sequence of pathlib.Path
        Images and folders of images that an ONNX file is checked with beside random ones.

    Returns
    -------
    float
        Largest difference that the check found.

    Raises
    ------
    EvtlError
        The run cannot be used, its model has no such form, or `out` cannot be written.
    """
    from trainer.applying.prediction import find_files  # noqa: PLC0415  (torch only when needed)
    from trainer.applying.trained import load_model  # noqa: PLC0415

    if to == "onnx":
        from trainer.applying.export import export_onnx  # noqa: PLC0415  (onnx is an extra)

        return export_onnx(load_model(run), out, find_files(images))
    from trainer.applying.hub import export_hub  # noqa: PLC0415

    return export_hub(load_model(run), out)
