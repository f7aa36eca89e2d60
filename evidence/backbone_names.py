"""Backbones by the names that people write: of papers, of libraries and of hubs."""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from evidence.errors import UnknownBackboneError
from evidence.records import Backbone

#: How the names of a family begin, plain (see `plain`). The longest beginning that fits decides,
#: so that a family whose name goes on from another's is never taken for it; some stand here only
#: for that, and the store has none of them.
FAMILIES = (
    ("alexnet", "AlexNet"),
    ("caffenet", "CaffeNet"),
    ("convnext", "ConvNeXt"),
    ("darknet", "DarkNet"),
    ("densenet", "DenseNet"),
    ("efficientnet", "EfficientNet"),
    ("tfefficientnet", "EfficientNet"),
    ("googlenet", "Inception"),
    ("inception", "Inception"),
    ("inceptionnext", "InceptionNeXt"),
    ("inceptionresnet", "InceptionResNet"),
    ("lenet", "LeNet"),
    ("maxvit", "MaxViT"),
    ("mnasnet", "MnasNet"),
    ("mobilenet", "MobileNet"),
    ("tfmobilenet", "MobileNet"),
    ("overfeat", "OverFeat"),
    ("poolformer", "PoolFormer"),
    ("regnet", "RegNet"),
    ("resnet", "ResNet"),
    ("resnext", "ResNeXt"),
    ("shufflenet", "ShuffleNet"),
    ("squeezenet", "SqueezeNet"),
    ("swin", "Swin"),
    ("swinunet", "SwinUNet"),
    ("vgg", "VGGNet"),
    ("oxfordnet", "VGGNet"),
    ("wideresnet", "WideResNet"),
    ("wrn", "WideResNet"),
    ("xception", "Xception"),
    ("legacyxception", "Xception"),
    ("zfnet", "ZFNet"),
    # Vision transformers by size, because other networks begin with "vit" too (ViTamin, ...).
    *((f"vit{size}", "ViT") for size in ("tiny", "small", "medium", "base", "large", "huge", "gi")),
    *((f"vit{size}", "ViT") for size in ("ti1", "t1", "s1", "s3", "s8", "b1", "b3", "b8")),
    *((f"vit{size}", "ViT") for size in ("l1", "l3", "h1", "g1")),
    ("visiontransformer", "ViT"),
    ("deit", "ViT"),
    ("beit", "ViT"),
    ("dinovit", "ViT"),
    ("dinov2", "ViT"),
    ("dinov3vit", "ViT"),
    ("clipvit", "ViT"),
    ("maevit", "ViT"),
    ("vitmae", "ViT"),
    ("samvit", "ViT"),
    ("eva02", "ViT"),
)
#: Whole names that begin the names of other networks too.
WHOLE = dict.fromkeys(("dino", "mae", "vit", "vitti", "vits", "vitb", "vitl", "vith"), "ViT")
#: Who publishes the networks of the papers under their own names on hubs. Under another owner's
#: name stand other weights, e.g. ``RadImageNet/ResNet50``.
PUBLISHERS = frozenset({"timm", "torchvision", "facebook", "google", "microsoft", "openai", "sail"})
#: What stands in the place of a family where there is none to name.
NO_FAMILY = frozenset({"custom", "unknown"})
#: timm's tags after the point that say that the weights were trained on the labels of ImageNet.
SUPERVISED = re.compile(r"in(1|12|21|22)k")


class ResolvedBackbone(NamedTuple):
    """What a name stands for.

    Attributes
    ----------
    name : str
        Name in the store; what was written where only its family is known.
    family : str
        Family of the network.
    known : bool
        Whether the store holds this very network.
    """

    name: str
    family: str
    known: bool


def plain(text: str) -> str:
    """Lower case without punctuation, but for a point wherever some stands between two digits.

    ``RegNetY-3.2GF`` and ``regnet_y_3_2gf`` are the same, and are not ``regnet_y_32gf``.
    """
    pointed = re.sub(r"(?<=\d)[^a-z0-9]+(?=\d)", ".", text.lower())
    return re.sub(r"[^a-z0-9.]+|(?<!\d)\.|\.(?!\d)", "", pointed)


class BackboneNames:
    """The names of the store's backbones.

    A backbone goes by its name, its aliases, the name of its model in timm or torchvision, and
    that name without the tag of its weights where no other backbone has the same architecture.

    Parameters
    ----------
    backbones : sequence of Backbone
        All of the store; their order does not matter.
    """

    def __init__(self, backbones: Sequence[Backbone]) -> None:
        self._backbones = {backbone.name: backbone for backbone in backbones}

    def resolve(self, text: str) -> ResolvedBackbone:
        """The backbone of a name, or at least its family.

        Raises
        ------
        UnknownBackboneError
            The name is that of no backbone and of no family, or may mean several backbones.
        """
        found = self.find(text)
        if found is None:
            raise UnknownBackboneError(self._unknown(text))
        return found

    def find(self, text: str) -> ResolvedBackbone | None:
        """As `resolve`, or None where the name is not known.

        Raises
        ------
        UnknownBackboneError
            The name may mean several backbones.
        """
        for spelling in _readings(text.strip()):
            if names := self.spellings.get(plain(spelling), ()):
                backbone = self._backbones[self._only(spelling, names)]
                return ResolvedBackbone(backbone.name, backbone.family, known=True)
        family = _family_of(text) or self._families.get(plain(text))
        return ResolvedBackbone(text.strip(), family, known=False) if family else None

    @cached_property
    def spellings(self) -> dict[str, tuple[str, ...]]:
        """Plain spelling -> names of the backbones that go by it; several are a mistake."""
        found: dict[str, set[str]] = {}
        architectures = Counter(map(_architecture, self._backbones.values()))
        for backbone in self._backbones.values():
            own = [backbone.name, *backbone.aliases, backbone.model]
            own += [a for a in (_architecture(backbone),) if architectures[a] == 1]
            for spelling in filter(None, map(plain, own)):
                found.setdefault(spelling, set()).add(backbone.name)
        return {spelling: tuple(sorted(names)) for spelling, names in found.items()}

    @cached_property
    def _families(self) -> dict[str, str]:
        return {plain(backbone.family): backbone.family for backbone in self._backbones.values()}

    def _only(self, text: str, names: tuple[str, ...]) -> str:
        """The one backbone; of several the one whose name is written so letter for letter."""
        if len(names) > 1 and text not in names:
            msg = f"backbone {text!r} may be {' or '.join(names)}: write one of these"
            raise UnknownBackboneError(msg)
        return text if text in names else names[0]

    def _unknown(self, text: str) -> str:
        near = difflib.get_close_matches(plain(text), sorted(self.spellings), n=4, cutoff=0.5)
        names = list(dict.fromkeys(name for word in near for name in self.spellings[word]))
        hint = f"did you mean {', '.join(names)}? " if names else ""
        known = ", ".join(sorted(set(self._families.values()) - NO_FAMILY))
        return f"unknown backbone {text!r}: {hint}Known families: {known}"


def _family_of(text: str) -> str | None:
    """Family that a name begins like, whoever published it; None where none does."""
    name = plain(text.rpartition("/")[2] or text)
    fitting = [beginning for beginning, _ in FAMILIES if name.startswith(beginning)]
    return dict(FAMILIES)[max(fitting, key=len)] if fitting else WHOLE.get(name)


def _architecture(backbone: Backbone) -> str:
    return backbone.model.partition(".")[0]


def _readings(text: str) -> Iterator[str]:
    """The text; without its publisher; without a tag that does not make it another network."""
    yield text
    owner, _, name = text.rpartition("/")
    if owner and owner.rpartition(":")[2].lower() in PUBLISHERS:
        yield name
    elif owner:
        return
    architecture, _, tag = name.partition(".")
    if SUPERVISED.search(tag):
        yield architecture
