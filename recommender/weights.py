"""What each part of a score counts: fitted, shipped in ``weights.toml``, never set by hand."""

import tomllib
from functools import cache
from importlib import resources

from pydantic import Field

from evidence.records import Record
from recommender.controlled import Settings
from recommender.parts import PARTS


class Weights(Record):
    """Weights of the parts, settings of the pooled comparisons, and what a score is worth.

    Attributes
    ----------
    parts : dict of str to float
        One for each of `PARTS`; 0 for a part that added nothing where data sets were left out.
    settings : Settings
        Of `recommender.controlled`.
    points : float
        Percentage points of AUC that a unit of score was worth on left-out data sets.
    spread_points : float
        Standard deviation, in points of AUC, of what the score did not foresee there.
    n_origins : int
        Data sets that were left out in turn.
    """

    parts: dict[str, float]
    settings: Settings
    points: float = Field(ge=0)
    spread_points: float = Field(ge=0)
    n_origins: int = Field(ge=0)

    def without(self, part: str) -> "Weights":
        """The same with one part taken away."""
        return self.model_copy(update={"parts": self.parts | {part: 0.0}})


#: Where nothing was ever measured: the literature alone, each part the same.
UNFITTED = Weights(
    parts=dict.fromkeys(PARTS, 1.0), settings=Settings(), points=0.0, spread_points=0.0,
    n_origins=0,
)  # fmt: skip


@cache
def load_weights() -> Weights:
    """The weights that ship with evtl."""
    text = (resources.files("recommender") / "weights.toml").read_text(encoding="utf-8")
    return Weights.model_validate(tomllib.loads(text))
