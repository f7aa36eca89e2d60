"""A trained model -> a folder for the Hugging Face hub, which timm loads by itself."""

from pathlib import Path

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from trainer.deployed import as_classifier
from trainer.errors import TrainingError
from trainer.finetune import Classifier
from trainer.places import new_folder
from trainer.trained import TrainedModel

#: Largest difference that is allowed between the logits of the folder's model and the run's own,
#: relative to the largest; they differ by nothing but the order of additions.
TOLERANCE = 1e-5
#: Images that are tried.
N_TRIED = 4


def export_hub(model: TrainedModel, out: Path) -> float:
    """Write ``config.json``, ``model.safetensors`` and ``README.md``, if timm reads them right.

    The temperature is divided into the head, so that a softmax of timm's logits gives the
    calibrated probabilities.

    Returns
    -------
    float
        The largest difference found between logits.

    Raises
    ------
    TrainingError
        timm has no form for the network or the head, what it loads differs by more than
        `TOLERANCE`, or `out` cannot be written.
    """
    backbone = model.result.planned_backbone
    if backbone is None or backbone.library != "timm":
        msg = (
            f"{model.run}: {model.result.backbone} is a model of torchvision, which timm cannot "
            "load: export it --to onnx"
        )
        raise TrainingError(msg)
    ours = _calibrated(model)
    with new_folder(out) as draft:
        save_for_hf(
            _complete(backbone.model, ours),
            str(draft),
            model_config=_config(model),
            safe_serialization=True,
        )
        (draft / "README.md").write_text(_readme(model), encoding="utf-8")
        difference = _difference(draft, ours, model.steps.input_px)
        if not difference <= TOLERANCE:
            msg = (
                f"{model.run}: what timm loads differs by {difference:.2g} from the run's own "
                f"model, allowed is {TOLERANCE:g}; nothing was written"
            )
            raise TrainingError(msg)
    return difference


def _calibrated(model: TrainedModel) -> Classifier:
    """The network and a head of its own, with the temperature divided into it."""
    given = as_classifier(model)
    found = Classifier(given.backbone, given.head.in_features, given.head.out_features)
    temperature = model.result.temperature or 1.0
    with torch.no_grad():
        found.head.weight.copy_(given.head.weight / temperature)
        found.head.bias.copy_(given.head.bias / temperature)
    return found.eval()


def _complete(name: str, ours: Classifier) -> nn.Module:
    """timm's whole network with our tensors."""
    network: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=ours.head.out_features
    )
    classifiers = _classifiers(name, network)
    of_head = {
        key
        for key, module in network.named_modules()
        if any(module is each for each in classifiers)
    }
    missing, unexpected = network.load_state_dict(ours.backbone.state_dict(), strict=False)
    if unexpected or {key.rpartition(".")[0] for key in missing} != of_head:
        msg = f"timm's {name} with a classifier has other layers than without; export --to onnx"
        raise TrainingError(msg)
    for classifier in classifiers:
        # Some are convolutions over a single position.
        weight = ours.head.weight.detach().reshape(classifier.weight.shape)
        classifier.load_state_dict({"weight": weight, "bias": ours.head.bias.detach()})
    return network.eval()


def _classifiers(name: str, network: nn.Module) -> tuple[nn.Linear | nn.Conv2d, ...]:
    """Its last layer; of distilled transformers two, whose mean is what they say."""
    found = network.get_classifier()  # type: ignore[operator]
    layers = found if isinstance(found, tuple) else (found,)
    if not all(isinstance(layer, nn.Linear | nn.Conv2d) for layer in layers):
        msg = f"timm's {name} does not end in one linear layer: export it --to onnx"
        raise TrainingError(msg)
    return tuple(layers)


def _config(model: TrainedModel) -> dict[str, object]:
    """What timm keeps beside the layers: labels, and preprocessing as it was in training."""
    px, steps = model.steps.input_px, model.steps
    return {
        "label_names": list(model.result.classes),
        "pretrained_cfg": {
            "input_size": [3, px, px],
            "mean": list(steps.mean),
            "std": list(steps.std),
            "interpolation": steps.interpolation,
            "crop_pct": 1.0,
            "crop_mode": "squash",
            "test_input_size": None,
            "test_crop_pct": None,
        },
    }
