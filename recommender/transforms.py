"""Which kinds of augmentation are safe for which images, as data (``transforms.toml``)."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Literal, get_args

from pydantic import Field

from evidence.records import Claim, TaskProfile
from recommender.citing import OWN, cited
from recommender.plan import TransformKind
from recommender.records import Transform
from recommender.rules import Scope


class TransformRule(Scope):
    """What holds for some kinds of augmentation on some images, and why."""

    kinds: tuple[TransformKind, ...] = Field(min_length=1)
    use: Literal["yes", "small", "no"]
    reason: str
    claims: tuple[str, ...] = ()


@cache
def load_transform_rules() -> tuple[TransformRule, ...]:
    """The entries that ship with evtl, in file order."""
    text = (resources.files("recommender") / "transforms.toml").read_text(encoding="utf-8")
    return tuple(TransformRule.model_validate(entry) for entry in tomllib.loads(text)["transform"])


def transforms(profile: TaskProfile, claims: Mapping[str, Claim]) -> tuple[Transform, ...]:
    """Every kind of augmentation with whether it leaves the label true.

    Parameters
    ----------
    profile : TaskProfile
        The question.
    claims : mapping of str to Claim
        The store's claims by key.

    Returns
    -------
    tuple of Transform
        In the order of `TransformKind`; a reason that is no claim of a review says so.
    """
    return tuple(_transform(kind, profile, claims) for kind in get_args(TransformKind))


def _transform(kind: TransformKind, profile: TaskProfile, claims: Mapping[str, Claim]) -> Transform:
    rule = next(
        rule for rule in load_transform_rules() if kind in rule.kinds and rule.covers(profile)
    )
    return Transform(
        kind=kind,
        use=rule.use,
        reason=rule.reason if rule.claims else f"{rule.reason} ({OWN})",
        claims=cited(rule.claims, claims),
    )
