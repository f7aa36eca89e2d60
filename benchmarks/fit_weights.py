"""Fit the ranking's weights to the store's controlled comparisons and write them down.

Usage: python benchmarks/fit_weights.py [OUT]      (default: recommender/weights.toml)

The weights are fitted by leaving data sets out; a test compares the file with a new fit.
"""

import sys
import tempfile
from pathlib import Path

from evidence import queries
from evidence.store import Store
from evtl.table_services import surroundings
from recommender.fitting import fit_weights
from recommender.weights import Weights

HEADER = """\
# Fitted by benchmarks/fit_weights.py to the controlled comparisons that ship with evtl: data sets
# are left out in turn, those of one origin together. 0 stands for a part that added nothing there.
# settings: share of each effect that tasks have to themselves; weight of modality, anatomy, size
# and classes in how alike tasks are; variance that nothing explains.
"""


def fitted(store: Store) -> Weights:
    """Weights from a store."""
    corpus = queries.corpus(store)
    around = surroundings(corpus)
    return fit_weights(around.store, around.parts_of)


def as_toml(weights: Weights) -> str:
    """The file's text."""
    own, sides, noise = weights.settings
    lines = [
        f"points = {weights.points}",
        f"spread_points = {weights.spread_points}",
        f"n_origins = {weights.n_origins}",
        f"settings = [{own}, [{', '.join(map(str, sides))}], {noise}]",
        "",
        "[parts]",
        *(f"{name} = {value}" for name, value in weights.parts.items()),
    ]
    return HEADER + "\n".join(lines) + "\n"


def main() -> None:
    """Fit to a new store of the shipped corpus."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("recommender/weights.toml")
    with tempfile.TemporaryDirectory() as folder:
        weights = fitted(Store(f"sqlite:///{folder}/evtl.sqlite"))
    out.write_text(as_toml(weights), encoding="utf-8")


if __name__ == "__main__":
    main()
