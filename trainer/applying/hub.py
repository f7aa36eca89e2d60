"""A trained model -> a folder for the Hugging Face hub, which timm loads by itself."""

from pathlib import Path

import timm
import torch
from timm.models import save_for_hf
from torch import Tensor, nn

from trainer.applying.deployed import as_classifier
from trainer.applying.trained import TrainedModel
from trainer.errors import TrainingError
from trainer.places import new_folder
from trainer.tuning.classifier import Classifier

#: Largest difference that is allowed between the logits of the folder's model and the run's own,
#: relative to the largest; they differ by nothing but the order of additions.
TOLERANCE = 1e-5
#: Images that are tried.
N_TRIED = 4
#: The card that a run keeps of its model, with the front matter that the hub asks for.
CARD = "MODEL_CARD.md"


def export_hub(model: TrainedModel, out: Path) -> float:
    """Write ``config.json``, ``model.safetensors`` and ``README.md``, if timm reads them right.

    The temperature is divided into the head, so that a softmax of timm's logits gives the
    calibrated probabilities, but not of grades; a number comes in the unit of its labels.

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
            f"{model.run}: {model.result.backbone} is not one of timm's models, and cannot be "
            "loaded by it: export it --to onnx"
        )
        raise TrainingError(msg)
    if model.result.features == "stages":
        msg = (
            f"{model.run}: its head reads the ends of several stages, for which timm has no form: "
            "train with --features last, or export it --to onnx"
        )
        raise TrainingError(msg)
    ours = _scaled(model)
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


def _scaled(model: TrainedModel) -> Classifier:
    """The network and a head of its own, with temperature or unit of the number inside."""
    given, labels = as_classifier(model), model.labels
    found = Classifier(given.backbone, given.head.in_features, given.head.out_features)
    factor, shift = 1.0, 0.0
    if labels.target == "number":
        factor, shift = labels.spread, labels.centre
    elif labels.target != "ordinal":  # of grades the temperature comes after the probabilities
        factor = 1 / (model.result.temperature or 1.0)
    with torch.no_grad():
        found.head.weight.copy_(given.head.weight * factor)
        found.head.bias.copy_(given.head.bias * factor + shift)
    return found.eval()


def _complete(name: str, ours: Classifier) -> nn.Module:
    """Timm's whole network with our tensors."""
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
    px, steps, labels = model.steps.input_px, model.steps, model.labels
    pretrained: dict[str, object] = {
        "input_size": [3, px, px],
        "mean": list(steps.mean),
        "std": list(steps.std),
        "interpolation": steps.interpolation,
        "crop_pct": 1.0,
        "crop_mode": "squash",
        "test_input_size": None,
        "test_crop_pct": None,
    }
    # Ordered grades have an output less than names.
    named = {} if labels.target == "ordinal" else {"label_names": list(labels.names)}
    return {"pretrained_cfg": pretrained, **named}


def _readme(model: TrainedModel) -> str:
    """The run's own card where it has one, then how the folder is used."""
    card = model.run / CARD
    front = "---\nlibrary_name: timm\npipeline_tag: image-classification\n---\n\n"
    text = f"{front}# {model.result.backbone}, run {model.result.run_id}"
    if card.is_file():
        text = card.read_text(encoding="utf-8")
    return "\n".join([text.rstrip(), "", *_use(model), ""])


def _use(model: TrainedModel) -> tuple[str, ...]:
    labels = model.labels
    meaning = {
        "classes": "`softmax` of them is the probability of each class",
        "multi_label": "`sigmoid` of them is the probability of each label",
        "ordinal": "`sigmoid` of output k is the probability of more than grade k, given grade k "
        "or more, before any temperature",
        "number": "they are the number itself",
    }[labels.target]
    return (
        "## How to load this folder",
        "",
        "```python",
        "import timm",
        "",
        'model = timm.create_model("local-dir:FOLDER", pretrained=True).eval()',
        "config = timm.data.resolve_model_data_config(model)",
        "transform = timm.data.create_transform(**config, is_training=False)",
        'logits = model(transform(image.convert("RGB")).unsqueeze(0))',
        "```",
        "",
        f"The outputs stand for {', '.join(labels.names)}; {meaning}.",
        "Images of more than 8 bits are brought to 8 bits first.",
    )


def _difference(folder: Path, ours: Classifier, input_px: int) -> float:
    """Largest difference between logits, relative to the largest; NaN where one is none."""
    loaded = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    images = torch.randn(N_TRIED, 3, input_px, input_px, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found: Tensor = loaded(images)
        expected = ours(images)
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))
