"""The weights that ship are those that the shipped comparisons give."""

import pytest

from evidence import queries
from evidence.store import Store
from evtl.table_services import surroundings
from recommender.fitting import fit_weights
from recommender.weights import load_weights


def test_the_shipped_weights_are_a_fit_to_the_shipped_tables(store: Store) -> None:
    around = surroundings(queries.corpus(store))
    found, shipped = fit_weights(around.store, around.parts_of), load_weights()
    assert found.parts == pytest.approx(shipped.parts, abs=0.002)
    assert found.points == pytest.approx(shipped.points, abs=0.002)
    assert found.spread_points == pytest.approx(shipped.spread_points, abs=0.002)
    assert (found.settings, found.n_origins) == (shipped.settings, shipped.n_origins)
