"""Backbones as text."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evtl.render import table, wrapped

if TYPE_CHECKING:  # torch is not needed to render
    from trainer.cards import BackboneCard

COLUMNS = ("backbone", "trained", "px", "M param.", "GMACs", "licence", "here")
MARKS = {"exact": "", "own": "", "nearest": "~ ", "none": ""}
NOTES = (
    "~: the nearest network, not the named one. Any model of timm can be trained by its name too: "
    "evtl backbones MODEL.",
    "Licences of the weights are those that timm states; torchvision states none. The images that "
    "weights were trained on may bind further: ImageNet is for non-commercial research.",
    "The whole image is squeezed to the square; nothing is cropped.",
)
NOT_STATED = "not stated"


def backbones(found: "Sequence[BackboneCard]") -> str:
    """A row for each, then why some are not trained themselves."""
    reasons = [wrapped(f"{each.name}: {each.reason}") for each in found if each.reason]
    parts = [table(COLUMNS, [_row(each) for each in found]), "\n".join(reasons)]
    return "\n\n".join([*filter(None, parts), *map(wrapped, NOTES)])


def _row(card: "BackboneCard") -> list[str]:
    if card.trained is None:
        return [card.name, "-", "", "", "", "", ""]
    licence = card.licence or (NOT_STATED if card.weights else "no weights")
    model = f"{MARKS[card.kind]}{card.trained.model}"
    size = [str(card.trained.input_px), _millions(card.n_parameters), _billions(card.n_macs)]
    return [card.name, model, *size, licence, card.here or "-"]


def _millions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e6:.3g}"


def _billions(count: int | None) -> str:
    return "" if count is None else f"{count / 1e9:.3g}"


def backbone(card: "BackboneCard") -> str:
    """Everything of one, a line each."""
    lines = {"backbone": card.name} | dict(_lines(card))
    width = max(map(len, lines))
    return "\n".join(
        wrapped(f"{name.ljust(width)}  {text}") for name, text in lines.items() if text
    )


def _lines(card: "BackboneCard") -> Iterator[tuple[str, str]]:
    yield "family", card.family
    yield "also called", ", ".join(card.aliases)
    yield "year", str(card.year or "")
    yield "note", card.note
    if card.trained is None:
        yield "trained", f"nothing: {card.reason}"
        return
    yield "trained", f"{card.trained.model} of {card.trained.library}"
    yield card.kind, card.reason
    yield "weights", card.weights or "none are published: random initialisation, or a file"
    yield "licence", _licence(card)
    yield "here", card.here or "no"
    px = card.trained.input_px
    yield "input", f"{px} x {px} px, {card.interpolation}; the whole image is squeezed to it"
    yield "mean", ", ".join(f"{value:.3f}" for value in card.mean)
    yield "deviation", ", ".join(f"{value:.3f}" for value in card.std)
    if card.crop_pct is not None:
        yield "crop", f"none (its publisher measures on {card.crop_pct:.1%} of the side)"
    yield "parameters", _grouped(card.n_parameters)
    yield "MACs", _grouped(card.n_macs)
    if card.imagenet_top1 is not None:
        yield "ImageNet", f"top-1 {card.imagenet_top1:.1%} ({card.imagenet_source})"


def _licence(card: "BackboneCard") -> str:
    if not card.weights:
        return ""
    return f"{card.licence}, as timm states it" if card.licence else NOT_STATED


def _grouped(count: int | None) -> str:
    return "" if count is None else f"{count:,}"
