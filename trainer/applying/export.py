"""A trained model -> one ONNX file that takes bytes of images and gives probabilities.

======================  ===========================================================================
input ``images``        ``(N, px, px, 3)`` uint8: red, green, blue, upright, squeezed to a square
output of classes       ``probabilities`` ``(N, C)`` float32, calibrated where the run is
output of a number      ``value`` ``(N,)`` float32, in the unit of the labels
output ``logits``       what they come from, before the temperature
metadata                `describe`: classes, size, resampling, run, digests
======================  ===========================================================================

Normalisation, temperature and softmax are inside, so that nobody can forget or misstate them.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from trainer.applying.deployed import Deployed, as_classifier
from trainer.applying.trained import TrainedModel
from trainer.errors import TrainingError
from trainer.features import EXTRACTION_BATCH, batches, to_input
from trainer.images import load_image
from trainer.places import new_file

#: Largest difference that is allowed between the exported model and the run's own; of numbers
#: that are larger than one, relative to the largest.
TOLERANCE = 1e-4
#: Sizes of the batches of random images that are tried: the file must take any number.
TRIED = (1, 5)

Pixels = npt.NDArray[np.uint8]


def export_onnx(model: TrainedModel, out: Path, images: Sequence[Path] = ()) -> float:
    """Write the model as ONNX, if it then says what the run's own model says.

    Parameters
    ----------
    model : TrainedModel
        From `trainer.applying.trained.load_model`.
    out : pathlib.Path
        File; it appears only if the check succeeds.
    images : sequence of pathlib.Path
        Images that the check uses beside random ones.

    Returns
    -------
    float
        The largest difference found.

    Raises
    ------
    TrainingError
        The head or the network has no ONNX form, an image cannot be read, the exported model
        differs by more than `TOLERANCE`, or `out` cannot be written.
    """
    with new_file(out) as draft:
        onnx.save(_traced(model), draft)
        difference = _difference(model, draft, images)
        if not difference <= TOLERANCE:
            msg = (
                f"{model.run}: the exported model differs by {difference:.2g} from the run's own, "
                f"allowed is {TOLERANCE:g}; nothing was written"
            )
            raise TrainingError(msg)
    return difference


def _traced(model: TrainedModel) -> onnx.ModelProto:
    px = model.steps.input_px
    answer = "value" if model.labels.target == "number" else "probabilities"
    try:
        program = torch.onnx.export(
            Deployed(model).eval(),
            (torch.zeros(2, px, px, 3, dtype=torch.uint8),),
            dynamo=True,
            input_names=["images"],
            output_names=[answer, "logits"],
            dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            external_data=False,
            verbose=False,
        )
    except torch.onnx.OnnxExporterError as error:
        reason = str(error).partition("\n")[0]
        msg = f"{model.result.backbone} cannot be written as ONNX: {reason}"
        raise TrainingError(msg) from error
    if program is None:
        msg = f"{model.result.backbone} cannot be written as ONNX"
        raise TrainingError(msg)
    # The exporter notes at each node which line of which file on this machine made it.
    ClearMetadataAndDocStringPass()(program.model)
    found = program.model_proto
    for name, value in describe(model).items():
        found.metadata_props.add(key=name, value=value)
    return found


def describe(model: TrainedModel) -> dict[str, str]:
    """What a user of the file must know, as text or JSON."""
    result, steps = model.result, model.steps
    return {
        "evtl.run_id": result.run_id,
        "evtl.target": model.labels.target,
        "evtl.classes": json.dumps(model.labels.names, ensure_ascii=False),
        "evtl.input": f"uint8 RGB (N, {steps.input_px}, {steps.input_px}, 3), upright, squeezed "
        f"to the square with {steps.interpolation} resampling; normalised inside",
        "evtl.input_px": str(steps.input_px),
        "evtl.interpolation": steps.interpolation,
        "evtl.temperature": json.dumps(result.temperature),
        "evtl.backbone": result.backbone,
        "evtl.weights": result.weights,
        "evtl.digests": json.dumps(result.digests),
        "evtl.versions": json.dumps(result.versions),
    }


def _difference(model: TrainedModel, file: Path, images: Sequence[Path]) -> float:
    """Largest difference over all outputs of all images; NaN counts as infinite.

    The logits are compared too: a probability of one hides much.
    """
    cpu, classifier = torch.device("cpu"), as_classifier(model).eval()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    found = 0.0
    for pixels in _tried(model, images):
        answers, logits = session.run(None, {"images": pixels})
        expected = model.answers(pixels, cpu)
        with torch.inference_mode():
            own = classifier(to_input(pixels, model.steps, cpu)).numpy()
        found = max(found, _apart(answers, expected), _apart(logits, own))
    return found


def _apart(found: npt.NDArray[np.float32], expected: npt.NDArray[np.floating]) -> float:
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _tried(model: TrainedModel, images: Sequence[Path]) -> Iterator[Pixels]:
    px, rng = model.steps.input_px, np.random.default_rng(0)
    for size in TRIED:
        yield rng.integers(0, 256, (size, px, px, 3), dtype=np.uint8)
    for part in batches(len(images), EXTRACTION_BATCH):
        yield np.stack([load_image(path, model.steps) for path in images[part]])
