"""What each kind of evidence says of a configuration for a question, before it is weighted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from evidence.arm_table import ArmTable, once_for_each
from evidence.records import Corpus, TaskProfile
from recommender import neighbours
from recommender.configuration import Configuration, Network, kinds
from recommender.headtohead import Comparisons, comparisons, strength
from recommender.neighbours import Choosable, K, Neighbour, by_study, shares
from recommender.plan import Way
from recommender.rules import Rule, load_rules

Array = npt.NDArray[np.float64]

#: Parts that the literature gives; `controlled` comes from measured tables and own runs.
LITERATURE = ("neighbours", "rules", "head_to_head")
#: Similar studies whose reported values make the expected interval: it needs about ten that report
#: one metric, and a third do.
REPORTING = 60
PARTS = ("controlled", *LITERATURE)
#: What of a configuration is chosen.
CHOSEN: tuple[Choosable, ...] = ("backbone", "family", "approach", "initialisation", "head")
#: Sets of configurations whose popularity, and strengths of rules, are remembered.
REMEMBERED = 128


@once_for_each
def _popularities(_table: ArmTable) -> dict[tuple[Configuration, ...], Array]:
    return {}


@dataclass(frozen=True)
class Literature:
    """What the reviews' studies and rules hold on one question."""

    arms: ArmTable
    near: tuple[Neighbour, ...]
    reporting: tuple[Neighbour, ...]
    prevalence: Mapping[str, Mapping[str, float]]
    pairs: Comparisons
    rules: tuple[Rule, ...]

    @classmethod
    def on(cls, profile: TaskProfile, corpus: Corpus) -> "Literature":
        """What the corpus holds on a question."""
        reporting = by_study(profile, corpus.arms, REPORTING)
        near = reporting[:K]
        return cls(
            arms=corpus.arms,
            near=near,
            reporting=reporting,
            prevalence={what: shares(near, corpus.arms, what) for what in CHOSEN},
            pairs=comparisons(profile, corpus.arms),
            rules=tuple(rule for rule in load_rules() if rule.fires(profile)),
        )

    @cached_property
    def _on_choices(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.is_setting)

    def prefer(self, one: Configuration) -> tuple[Rule, ...]:
        """Rules that speak for a configuration.

        What the reviews say of approaches is about weights that are transferred: it does not speak
        for random ones.
        """
        bits = _on_network(self._on_choices, (one.backbone, one.family))
        bits &= _on_way(self._on_choices, Way(one.approach, one.head, one.initialisation))
        return _of_bits(self._on_choices, bits)

    def popularity(self, one: Configuration) -> float:
        """Mean share of each thing that is chosen among the neighbours."""
        found = [self.prevalence[what].get(getattr(one, what), 0.0) for what in CHOSEN]
        return math.fsum(found) / len(found)

    def _popularities(self, configurations: tuple[Configuration, ...]) -> Array:
        """`popularity` of each; found once where the neighbours count for nothing in it."""
        known = _popularities(self.arms) if math.isinf(neighbours.PRIOR_STUDIES) else {}
        if configurations not in known:
            if len(known) >= REMEMBERED:
                known.clear()
            known[configurations] = np.array([self.popularity(one) for one in configurations])
        return known[configurations]

    def parts(self, configurations: Sequence[Configuration]) -> dict[str, Array]:
        """Each part of `LITERATURE` for each configuration, shape (N,)."""
        found = tuple(configurations)
        networks = kinds(found).networks
        rates = np.array([strength(self.pairs, *one) for one in networks.words])
        return {
            "neighbours": self._popularities(found),
            "rules": _strengths(self._on_choices, found),
            "head_to_head": rates[networks.codes],
        }


@lru_cache(maxsize=REMEMBERED)
def _strengths(rules: tuple[Rule, ...], configurations: tuple[Configuration, ...]) -> Array:
    """Strength of the rules that speak for each; the same rules fire for many questions."""
    networks, ways, _ = kinds(configurations)
    on_networks = np.array([_on_network(rules, one) for one in networks.words])
    on_ways = np.array([_on_way(rules, one) for one in ways.words])
    bits, place = np.unique(on_networks[networks.codes] & on_ways[ways.codes], return_inverse=True)
    strengths = [sum(rule.strength for rule in _of_bits(rules, int(one))) for one in bits]
    found: Array = np.array(strengths, float)[place]
    found.flags.writeable = False
    return found


def _on_network(rules: tuple[Rule, ...], network: Network) -> int:
    """Which rules concern a network, as bits of a number."""
    return _bits(rule.concerns_network(*network) for rule in rules)


def _on_way(rules: tuple[Rule, ...], way: Way) -> int:
    """Which rules concern a way to carry a network out, as bits of a number."""
    is_random = way.initialisation == "random"
    return _bits(
        rule.concerns_way(way.approach, way.head) and not (is_random and rule.approach)
        for rule in rules
    )


def _bits(holds: Iterable[bool]) -> int:
    return sum(1 << n for n, one in enumerate(holds) if one)


def _of_bits(rules: tuple[Rule, ...], bits: int) -> tuple[Rule, ...]:
    return tuple(rule for n, rule in enumerate(rules) if bits >> n & 1)
