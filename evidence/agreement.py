"""Agreement of two raters beyond chance: Cohen's kappa with its interval.

References
----------
Cohen 1960, doi:10.1177/001316446002000104; large-sample standard error: Fleiss, Cohen & Everitt
1969, doi:10.1037/h0028106.
"""

from collections import Counter
from collections.abc import Iterable

from evidence.records import Record

#: A variance below this is zero but for rounding.
_NO_VARIANCE = 1e-12


class Kappa(Record):
    """Agreement of two raters on the same studies.

    Attributes
    ----------
    n : int
        Studies that both judged.
    agreement : float or None
        Share judged alike, in [0, 1].
    kappa, low, high : float or None
        Cohen's kappa with its 95% interval, cut at -1 and 1.
    reason : str
        Why `kappa` or its interval is None; empty where both are there.
    """

    n: int
    agreement: float | None = None
    kappa: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str = ""


def kappa(pairs: Iterable[tuple[str, str]]) -> Kappa:
    """Cohen's kappa of two raters.

    Parameters
    ----------
    pairs : iterable of (str, str)
        What the first and the second rater said of each study that both judged.
    """
    counts = Counter(pairs)
    n = counts.total()
    if n == 0:
        return Kappa(n=0, reason="no study was judged by both")
    agreement = sum(times for (one, other), times in counts.items() if one == other) / n
    labels = sorted({label for pair in counts for label in pair})
    if n == 1:
        reason = "one study judged by both is too few for kappa"
    elif len(labels) == 1:
        reason = f"both said {labels[0]!r} of every study: kappa is 0/0"
    else:
        return _beyond_chance(
            n, agreement, [[counts[one, other] for other in labels] for one in labels]
        )
    return Kappa(n=n, agreement=agreement, reason=reason)


def _beyond_chance(n: int, agreement: float, table: list[list[int]]) -> Kappa:
    import numpy as np  # noqa: PLC0415  (with statsmodels, slow to import)
    from statsmodels.stats.inter_rater import cohens_kappa  # noqa: PLC0415

    # Its test of kappa = 0, which is not used, divides by zero where a rater has one label.
    with np.errstate(divide="ignore", invalid="ignore"):
        found = cohens_kappa(table)
    value = float(found.kappa)
    if found.var_kappa < _NO_VARIANCE:
        reason = "no interval: the standard error is zero (all alike, or one label by one rater)"
        return Kappa(n=n, agreement=agreement, kappa=value, reason=reason)
    return Kappa(
        n=n,
        agreement=agreement,
        kappa=value,
        low=max(-1.0, float(found.kappa_low)),
        high=min(1.0, float(found.kappa_upp)),
    )
