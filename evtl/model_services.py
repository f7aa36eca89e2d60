"""Use cases of those who have a trained model: apply it, hand it on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from evtl import render_predictions as render

if TYPE_CHECKING:  # torch must not be imported to show the help
    from trainer.images import Progress
    from trainer.prediction import Prediction

PredictionFormat = Literal["csv", "json"]
ModelFormat = Literal["onnx", "hub"]


def predict(
    run: Path,
    paths: Sequence[Path],
    form: PredictionFormat,
    out: Path | None,
    *,
    device: str,
    write: Callable[[str], object],
    tell: Callable[[str, str], None],
    progress: "Progress",
) -> int:
    """Apply a finished run to images and folders; returns how many images there were.

    Parameters
    ----------
    out : pathlib.Path or None
        File that holds the answer once it is complete; None hands its lines to `write`.
    write : callable
        Given the answer line by line.
    tell : callable
        Given file and reason of each image that cannot be read.

    Raises
    ------
    EvtlError
        The run cannot be used, a path is no image or folder, or `out` cannot be written.
    """
    from trainer import prediction  # noqa: PLC0415  (torch only when needed)
    from trainer.features import choose_device  # noqa: PLC0415
    from trainer.places import new_file  # noqa: PLC0415
    from trainer.trained import load_model  # noqa: PLC0415

    files = prediction.find_files(paths)
    place, model = choose_device(device), load_model(run)
    found = _told(prediction.predict(model, files, place), len(files), tell, progress)
    number = model.labels.target == "number"
    lines = (
        render.as_json(found)
        if form == "json"
        else render.as_csv(found, model.labels.names, number=number)
    )
    if out is None:
        for line in lines:
            write(line)
    else:
        with new_file(out) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(lines)
    return len(files)


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
    from trainer.prediction import find_files  # noqa: PLC0415  (torch only when needed)
    from trainer.trained import load_model  # noqa: PLC0415

    if to == "onnx":
        from trainer.export import export_onnx  # noqa: PLC0415  (onnx is an extra)

        return export_onnx(load_model(run), out, find_files(images))
    from trainer.hub import export_hub  # noqa: PLC0415

    return export_hub(load_model(run), out)
