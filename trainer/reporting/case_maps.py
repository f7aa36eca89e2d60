"""Cases drawn with the maps that explain them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from torch import Tensor, nn

from recommender.plan import Target
from trainer.backbones import Preprocessing
from trainer.errors import TrainingError
from trainer.explain import (
    Maps,
    activation_map,
    occlusion_map,
    resemblance_to_shuffled,
    reversed_map,
)
from trainer.features import to_input
from trainer.finetune import Classifier
from trainer.reporting.cases import Case, Cases
from trainer.reporting.ideals import ideal_image
from trainer.reporting.report_data import Drawn, ShownCase

#: How much of an image its map may hide; where the map is 0 nothing is hidden.
COVER = 0.65
#: Colours of maps: lightness grows evenly, for every kind of colour vision
#: (Nunez 2018, doi:10.1371/journal.pone.0199239, on the maps of matplotlib).
COLOURS = "viridis"

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float64]


def overlay(pixels: Pixels, plane: npt.NDArray[np.float64]) -> Pixels:
    """A map ``(px, px)`` in [0, 1] laid over an image ``(px, px, 3)``."""
    colour = colormaps[COLOURS](plane)[..., :3] * 255
    share = COVER * plane[..., None]
    return np.asarray((1 - share) * pixels + share * colour, dtype=np.uint8)


def grey(plane: npt.NDArray[np.float64]) -> Pixels:
    """A map as an image of its own, dark where it is 1."""
    return np.repeat(np.asarray((1 - plane) * 255, dtype=np.uint8)[..., None], 3, axis=2)


@dataclass(frozen=True)
class Explainer:
    """A trained model, and what its outputs mean.

    Attributes
    ----------
    model : Classifier or Module
        The network with its linear head; else the backbone alone, with `predict`.
    target : str
        What was learned, as in the plan.
    names : tuple of str
        Classes, labels or grades; one name for a number.
    predict : callable or None
        Features ``(N, D)`` -> probabilities ``(N, C)``, or numbers ``(N,)``, of a head that has no
        gradient.
    """

    model: nn.Module
    target: Target
    names: tuple[str, ...]
    steps: Preprocessing
    device: torch.device
    predict: Callable[[npt.NDArray[np.float32]], npt.NDArray[Any]] | None = None

    def show(
        self,
        cases: Cases,
        pixels: Pixels,
        files: Sequence[str],
        truths: Sequence[str],
        targets: npt.NDArray[Any],
    ) -> Iterator[ShownCase]:
        """Each case with its image and maps; of a wrong class also for the true one.

        Parameters
        ----------
        cases : Cases
            Numbers of images count in the other arguments.
        pixels : ndarray of uint8, shape (N, px, px, 3)
        files, truths : sequence of str, length N
            Name of each image and its label, as people read it.
        targets : ndarray, shape (N,) or (N, C)
            As for `trainer.reporting.cases.pick_cases`.
        """
        for kind, some in zip(cases._fields, cases, strict=True):
            for case in some:
                true = int(targets[case.image]) if self.target in {"classes", "ordinal"} else None
                yield ShownCase(
                    kind=kind,
                    file=files[case.image],
                    truth=truths[case.image],
                    said=self._said(case),
                    pictures=tuple(self._pictures(pixels[case.image], case, true)),
                )

    def ideals(self, pixels: Pixels, seed: int) -> Iterator[Drawn]:
        """What the network would call most typical of each output; of no patient.

        None of a head without a gradient. Grey where the images `pixels` are.
        """
        is_grey = bool((pixels == pixels[..., :1]).all())
        for output in range(self.n_ideals):
            found = ideal_image(
                self.model, output, self.steps, seed, exclusive=self._exclusive, grey=is_grey
            )
            yield Drawn(self._meaning(output), found)

    @property
    def n_ideals(self) -> int:
        """Ideal images that there are."""
        return 0 if self.predict else len(self.names) - (self.target == "ordinal")

    def resemblance(self, pixels: Pixels, seed: int) -> float | None:
        """Rank correlation of the maps of class or label 0 with those of shuffled weights.

        None where the head is not linear: `trainer.explain.resemblance_to_shuffled`.
        """
        if not isinstance(self.model, Classifier):
            return None
        images = to_input(pixels, self.steps, self.device)
        outputs = [0] * len(pixels)
        return resemblance_to_shuffled(self.model, images, outputs, seed, exclusive=self._exclusive)

    def overlaid(self, pixels: Pixels, output: int) -> Drawn:
        """An image ``(px, px, 3)`` under the map of a class, label or grade, or of the number."""
        return self._overlaid(pixels, self._explained(output))

    @property
    def _exclusive(self) -> bool:
        return self.target == "classes"

    def _said(self, case: Case) -> str:
        if self.target == "number":
            return f"{case.value:.4g}"
        return f"{self.names[case.output]} ({case.value:.1%})"

    def _pictures(self, pixels: Pixels, case: Case, true: int | None) -> Iterator[Drawn]:
        yield Drawn("image", pixels)
        asked = [case.output, case.output if true is None else true]
        for output in dict.fromkeys(map(self._explained, asked)):
            yield self._overlaid(pixels, output)
        images = to_input(pixels[None], self.steps, self.device)
        reversed_from = None if self.predict else [self._explained(case.output)]
        found = reversed_map(self.model, images, reversed_from)
        of = "all features" if self.predict else self._meaning(self._explained(case.output))
        yield Drawn(f"{found.method}: {of}", grey(found.maps[0]), found.note)

    def _overlaid(self, pixels: Pixels, output: int) -> Drawn:
        found = self._map(to_input(pixels[None], self.steps, self.device), output)
        caption = f"{found.method}: {self._meaning(output)}"
        return Drawn(caption, overlay(pixels, found.maps[0]))

    def _explained(self, output: int) -> int:
        """Output of the network for a class; of grades the step that leads up to one."""
        if self.target == "ordinal" and self.predict is None:
            return max(output - 1, 0)
        return output

    def _meaning(self, output: int) -> str:
        if self.target == "number":
            return "a larger number"
        if self.target == "ordinal" and self.predict is None:
            return f"worse than {self.names[output]}"
        return self.names[output]

    def _map(self, images: Tensor, output: int) -> Maps:
        if isinstance(self.model, Classifier):
            return activation_map(self.model, images, [output], exclusive=self._exclusive)
        return occlusion_map(self._probabilities, images, [output])

    def _probabilities(self, images: Tensor) -> Tensor:
        if self.predict is None:
            msg = "a backbone without a linear head is explained with its predict"
            raise TrainingError(msg)
        with torch.inference_mode():
            features = self.model.eval()(images).float().cpu().numpy()
        return torch.from_numpy(np.atleast_2d(self.predict(features).T).T.astype(np.float64))
