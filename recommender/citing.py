"""Claims as they are shown: with their review and section."""

from collections.abc import Iterable, Mapping

from evidence.records import Claim
from recommender.records import CitedClaim

#: Said of every reason that is no claim of a review.
OWN = "not from the reviews"


def cited(keys: Iterable[str], claims: Mapping[str, Claim]) -> tuple[CitedClaim, ...]:
    """The claims of these keys, in their order; keys that the store does not hold are left out."""
    return tuple(
        CitedClaim(claim=key, review=c.review, section=c.section, statement=c.statement)
        for key in keys
        if (c := claims.get(key)) is not None
    )
